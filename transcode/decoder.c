/* Video frames become pictures: FFmpeg's native decoders, one thread, no delay. */
#include "transcode/decoder.h"

#include "transcode/avlib.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define PADDING_PIXELS 65536 /* FFmpeg counts columns rounded up to 64 */

struct decoder {
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *picture;
    AVFrame *next;
};

/* FFmpeg itself compares only what is shown with max_pixels: what is cropped takes memory too. */
static int get_buffer(AVCodecContext *codec, AVFrame *picture, int flags)
{
    if ((int64_t)picture->width * picture->height > codec->max_pixels)
        return AVERROR(EINVAL);
    return avcodec_default_get_buffer2(codec, picture, flags);
}

static int open_codec(struct decoder *d, const AVCodec *codec, const struct decoder_config *config)
{
    d->codec = avcodec_alloc_context3(codec);
    d->packet = av_packet_alloc();
    d->picture = av_frame_alloc();
    d->next = av_frame_alloc();
    if (d->codec == NULL || d->packet == NULL || d->picture == NULL || d->next == NULL)
        return -ENOMEM;
    d->codec->thread_count = 1;
    if (!config->reorders)
        d->codec->flags |= AV_CODEC_FLAG_LOW_DELAY;
    d->codec->max_pixels = config->max_pixels + config->max_pixels / 4 + PADDING_PIXELS;
    if (config->codec != CODEC_AV1) /* dav1d takes its memory itself, below the same limit */
        d->codec->get_buffer2 = get_buffer;
    if (config->config_len > 0) {
        d->codec->extradata = av_mallocz(config->config_len + AV_INPUT_BUFFER_PADDING_SIZE);
        if (d->codec->extradata == NULL)
            return -ENOMEM;
        memcpy(d->codec->extradata, config->config, config->config_len);
        d->codec->extradata_size = (int)config->config_len;
    }
    return avlib_error(avcodec_open2(d->codec, codec, NULL));
}

/* By name: the identifier alone might give a library that is no match for its input. */
static const char *decoder_name(enum codec codec)
{
    static const char *const names[CODEC_COUNT] = {
        [CODEC_H264] = "h264", [CODEC_VP8] = "vp8",      [CODEC_VP9] = "vp9",
        [CODEC_H265] = "hevc", [CODEC_AV1] = "libdav1d", /* FFmpeg's own needs hardware */
    };
    return (unsigned)codec < CODEC_COUNT ? names[codec] : NULL;
}

int decoder_new(const struct decoder_config *config, struct decoder **out)
{
    const char *name = decoder_name(config->codec);
    const AVCodec *codec = name != NULL ? avcodec_find_decoder_by_name(name) : NULL;
    if (codec == NULL)
        return -ENOTSUP;
    struct decoder *d = calloc(1, sizeof *d);
    if (d == NULL)
        return -ENOMEM;
    int result = open_codec(d, codec, config);
    if (result != 0) {
        decoder_free(d);
        return result;
    }
    *out = d;
    return 0;
}

void decoder_free(struct decoder *d)
{
    if (d == NULL)
        return;
    avcodec_free_context(&d->codec);
    av_packet_free(&d->packet);
    av_frame_free(&d->picture);
    av_frame_free(&d->next);
    free(d);
}

int decoder_push(struct decoder *d, const uint8_t *data, size_t len, int64_t pts,
                 const AVFrame **out)
{
    if (len < 1 || len > INT_MAX / 2)
        return -EBADMSG;
    int result = av_new_packet(d->packet, (int)len);
    if (result < 0)
        return avlib_error(result);
    memcpy(d->packet->data, data, len);
    d->packet->pts = pts;
    result = avcodec_send_packet(d->codec, d->packet);
    av_packet_unref(d->packet);
    if (result >= 0)
        result = avcodec_receive_frame(d->codec, d->picture);
    if (result < 0)
        return avlib_error(result);
    while (avcodec_receive_frame(d->codec, d->next) >= 0) { /* the best spatial layer is last */
        av_frame_unref(d->picture);
        av_frame_move_ref(d->picture, d->next);
    }
    if (d->picture->format != AV_PIX_FMT_YUV420P && d->picture->format != AV_PIX_FMT_YUVJ420P)
        return -ENOTSUP;
    *out = d->picture;
    return 0;
}
