/* Pictures become H.264: x264 superfast, zero latency, key frames only where we want them. */
#ifndef SLUICE_TRANSCODE_ENCODER_H
#define SLUICE_TRANSCODE_ENCODER_H

#include "transcode/avc.h"

#include <libavutil/frame.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENCODER_DIMENSION_MIN 16

struct encoder;

/* width and height are even and at least ENCODER_DIMENSION_MIN. 0 or a negative errno. */
int encoder_new(int width, int height, uint32_t bitrate_bps, struct encoder **out);
void encoder_free(struct encoder *e); /* NULL allowed */

/* The parameter sets, valid as long as e. */
const struct avc_sets *encoder_sets(const struct encoder *e);

/* Encodes the upper left width x height of the picture (8 bits, 4:2:0), as an IDR frame if key. pts
 * (90 kHz) grows from call to call. 0 and the access unit (4-byte lengths, without parameter sets),
 * which belongs to the encoder until the next call; or a negative errno. */
int encoder_push(struct encoder *e, const AVFrame *picture, int64_t pts, bool key,
                 const uint8_t **out_data, size_t *out_len);

#endif
