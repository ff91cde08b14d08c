/* Decoder, last picture and encoder of one stream: frames go in, H.264 comes out. */
#include "transcode/coder.h"

#include "transcode/encoder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLACK_WIDTH 640
#define BLACK_HEIGHT 360
#define BLACK_LUMA 16
#define NEUTRAL_CHROMA 128

/* Invariant: width and height are those of the newest encoder, 0 before the first one. */
struct coder {
    uint32_t bitrate_bps;
    int64_t max_pixels;
    struct decoder *decoder;
    struct encoder *encoder;
    AVFrame *picture;
    int width;
    int height;
    int64_t pts; /* of the frame encoded last */
};

int coder_new(uint32_t bitrate_bps, int64_t max_pixels, struct coder **out)
{
    struct coder *c = calloc(1, sizeof *c);
    if (c == NULL)
        return -ENOMEM;
    c->bitrate_bps = bitrate_bps;
    c->max_pixels = max_pixels;
    c->pts = -1;
    c->picture = av_frame_alloc();
    if (c->picture == NULL) {
        coder_free(c);
        return -ENOMEM;
    }
    *out = c;
    return 0;
}

void coder_free(struct coder *c)
{
    if (c == NULL)
        return;
    decoder_free(c->decoder);
    encoder_free(c->encoder);
    av_frame_free(&c->picture);
    free(c);
}

int coder_open(struct coder *c, const struct decoder_config *config)
{
    struct decoder_config limited = *config;
    limited.max_pixels = c->max_pixels;
    decoder_free(c->decoder);
    c->decoder = NULL;
    return decoder_new(&limited, &c->decoder);
}

bool coder_is_open(const struct coder *c)
{
    return c->decoder != NULL;
}

void coder_reset(struct coder *c)
{
    decoder_free(c->decoder);
    c->decoder = NULL;
    encoder_free(c->encoder);
    c->encoder = NULL;
    coder_forget(c);
}

int coder_decode(struct coder *c, const uint8_t *data, size_t len, int64_t pts, int64_t *out_pts)
{
    const AVFrame *picture;
    int result = decoder_push(c->decoder, data, len, pts, &picture);
    if (result != 0)
        return result;
    av_frame_unref(c->picture);
    *out_pts = picture->pts;
    return av_frame_ref(c->picture, picture);
}

void coder_forget(struct coder *c)
{
    av_frame_unref(c->picture);
}

static int draw_black(struct coder *c)
{
    AVFrame *f = c->picture;
    av_frame_unref(f);
    f->width = c->width > 0 ? c->width : BLACK_WIDTH;
    f->height = c->height > 0 ? c->height : BLACK_HEIGHT;
    f->format = AV_PIX_FMT_YUV420P;
    int result = av_frame_get_buffer(f, 0);
    for (int plane = 0; plane < 3 && result == 0; plane++) {
        int rows = plane == 0 ? f->height : (f->height + 1) / 2;
        memset(f->data[plane], plane == 0 ? BLACK_LUMA : NEUTRAL_CHROMA,
               (size_t)f->linesize[plane] * (size_t)rows);
    }
    return result;
}

int coder_prepare(struct coder *c, bool *out_changed)
{
    int result = c->picture->data[0] == NULL ? draw_black(c) : 0;
    if (result != 0)
        return result;
    int width = c->picture->width & ~1, height = c->picture->height & ~1;
    if (width < ENCODER_DIMENSION_MIN || height < ENCODER_DIMENSION_MIN)
        return -ENOTSUP;
    *out_changed = c->encoder == NULL || width != c->width || height != c->height;
    if (!*out_changed)
        return 0;
    encoder_free(c->encoder);
    c->encoder = NULL;
    result = encoder_new(width, height, c->bitrate_bps, &c->encoder);
    if (result != 0)
        return result;
    c->width = width;
    c->height = height;
    return 0;
}

int coder_encode(struct coder *c, int64_t pts, bool key, struct coder_unit *out)
{
    c->pts = pts > c->pts ? pts : c->pts + 1;
    return encoder_push(c->encoder, c->picture, c->pts, key, &out->data, &out->len);
}

const struct avc_sets *coder_sets(const struct coder *c)
{
    return encoder_sets(c->encoder);
}

bool coder_changes_size(const struct coder *c)
{
    return c->encoder != NULL && c->picture->data[0] != NULL &&
           ((c->picture->width & ~1) != c->width || (c->picture->height & ~1) != c->height);
}

void coder_size(const struct coder *c, unsigned *out_width, unsigned *out_height)
{
    *out_width = (unsigned)c->picture->width;
    *out_height = (unsigned)c->picture->height;
}
