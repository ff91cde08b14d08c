/* Video frames become pictures: FFmpeg's native decoders, one thread, no delay (M3, M4). */
#ifndef SLUICE_TRANSCODE_DECODER_H
#define SLUICE_TRANSCODE_DECODER_H

#include "lib/proto/stream.h"

#include <libavutil/frame.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct decoder;

/* codec is CODEC_VP8, CODEC_VP9, CODEC_AV1, CODEC_H265 (with start codes) or CODEC_H264 (4-byte
 * lengths; config is the contents of avcC). Pictures of
 * clearly more than max_pixels are refused before memory is taken for them: the second line behind
 * the caller's exact check, with room for rows and columns that a codec adds. reorders: frames do
 * not come in the order of their presentation; else each picture is given out at once. */
struct decoder_config {
    enum codec codec;
    bool reorders;
    int64_t max_pixels;
    const uint8_t *config;
    size_t config_len;
};

/* 0 or a negative errno. */
int decoder_new(const struct decoder_config *config, struct decoder **out);
void decoder_free(struct decoder *d); /* NULL allowed */

/* Decodes one frame. 0 and a picture (8 bits, 4:2:0) that belongs to the decoder until the next
 * call, with the pts of its own frame, the last one if there are several layers; -EAGAIN when there
 * is none yet; -EBADMSG or another negative errno: go on with a key frame. */
int decoder_push(struct decoder *d, const uint8_t *data, size_t len, int64_t pts,
                 const AVFrame **out);

#endif
