/* Decoder, last picture and encoder of one stream: frames go in, H.264 comes out. */
#ifndef SLUICE_TRANSCODE_CODER_H
#define SLUICE_TRANSCODE_CODER_H

#include "transcode/avc.h"
#include "transcode/decoder.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct coder;

struct coder_unit {
    const uint8_t *data; /* the encoder's until the next call */
    size_t len;
};

/* bitrate_bps: of what is encoded. max_pixels: of what is decoded. 0 or -ENOMEM. */
int coder_new(uint32_t bitrate_bps, int64_t max_pixels, struct coder **out);
void coder_free(struct coder *c); /* NULL allowed */

/* A new decoder, which begins at a key frame; all but max_pixels is the caller's. 0 or a negative
 * errno: then there is none. */
int coder_open(struct coder *c, const struct decoder_config *config);
bool coder_is_open(const struct coder *c);
/* Gives decoder, encoder and picture back. */
void coder_reset(struct coder *c);

/* Decodes a frame; the picture that it gives becomes the last one, shown at *out_pts. 0, or as from
 * decoder_push. */
int coder_decode(struct coder *c, const uint8_t *data, size_t len, int64_t pts, int64_t *out_pts);
/* Forgets the last picture: the next one encoded is black, unless another one is decoded. */
void coder_forget(struct coder *c);

/* Makes an encoder for the size of the last picture (a black one if there is none) unless there is
 * one already: 0 and *out_changed, or -ENOTSUP for too small a picture, or another negative errno.
 */
int coder_prepare(struct coder *c, bool *out_changed);
/* Encodes the last picture, after coder_prepare. 0 or a negative errno. */
int coder_encode(struct coder *c, int64_t pts, bool key, struct coder_unit *out);

/* The encoder's parameter sets, after coder_prepare. */
const struct avc_sets *coder_sets(const struct coder *c);
/* Does the last picture need another encoder than there is? */
bool coder_changes_size(const struct coder *c);
/* Size of the last picture; 0 x 0 when there is none. */
void coder_size(const struct coder *c, unsigned *out_width, unsigned *out_height);

#endif
