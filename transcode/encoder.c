/* Pictures become H.264: x264 superfast, zero latency, key frames only where we want them. */
#include "transcode/encoder.h"

#include "transcode/avlib.h"

#include <assert.h>
#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavutil/opt.h>
#include <stdlib.h>
#include <string.h>

struct encoder {
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *input;
    struct avc_sets sets;
};

static int set_options(AVCodecContext *c)
{
    static const char *const options[][2] = {
        {"preset", "superfast"},
        {"tune", "zerolatency"},
        {"forced-idr", "1"},
        /* annexb=0: NAL units with 4-byte lengths, as they are stored */
        {"x264-params", "annexb=0:scenecut=0:sliced-threads=0:keyint=infinite"},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        int result = av_opt_set(c->priv_data, options[i][0], options[i][1], 0);
        if (result < 0)
            return result;
    }
    return 0;
}

static int open_codec(struct encoder *e, int width, int height, uint32_t bitrate_bps)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("libx264");
    if (codec == NULL)
        return -ENOTSUP;
    e->codec = avcodec_alloc_context3(codec);
    e->packet = av_packet_alloc();
    e->input = av_frame_alloc();
    if (e->codec == NULL || e->packet == NULL || e->input == NULL)
        return -ENOMEM;
    AVCodecContext *c = e->codec;
    c->width = width;
    c->height = height;
    c->pix_fmt = AV_PIX_FMT_YUV420P;
    c->time_base = (AVRational){1, 90000};
    c->framerate = (AVRational){30, 1};
    c->max_b_frames = 0;
    c->thread_count = 1;
    c->bit_rate = bitrate_bps;
    c->rc_max_rate = bitrate_bps;
    c->rc_buffer_size = (int)bitrate_bps; /* one second */
    c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    int result = set_options(c);
    if (result >= 0)
        result = avcodec_open2(c, codec, NULL);
    return avlib_error(result);
}

static int read_sets(struct encoder *e)
{
    struct avc_unit unit;
    int result = avc_strip(e->codec->extradata, (size_t)e->codec->extradata_size, &e->sets, &unit);
    if (result == 0 && (e->sets.sps.len == 0 || e->sets.pps[0].len == 0))
        result = -EBADMSG;
    return result;
}

int encoder_new(int width, int height, uint32_t bitrate_bps, struct encoder **out)
{
    assert(width >= ENCODER_DIMENSION_MIN && height >= ENCODER_DIMENSION_MIN);
    assert(width % 2 == 0 && height % 2 == 0);
    struct encoder *e = calloc(1, sizeof *e);
    if (e == NULL)
        return -ENOMEM;
    int result = open_codec(e, width, height, bitrate_bps);
    if (result == 0)
        result = read_sets(e);
    if (result != 0) {
        encoder_free(e);
        return result;
    }
    *out = e;
    return 0;
}

void encoder_free(struct encoder *e)
{
    if (e == NULL)
        return;
    avcodec_free_context(&e->codec);
    av_packet_free(&e->packet);
    av_frame_free(&e->input);
    free(e);
}

const struct avc_sets *encoder_sets(const struct encoder *e)
{
    return &e->sets;
}

int encoder_push(struct encoder *e, const AVFrame *picture, int64_t pts, bool key,
                 const uint8_t **out_data, size_t *out_len)
{
    struct avc_unit unit;
    struct avc_sets ignored = {0};
    av_frame_unref(e->input);
    int result = av_frame_ref(e->input, picture);
    if (result < 0)
        return avlib_error(result);
    e->input->pts = pts;
    e->input->width = e->codec->width;
    e->input->height = e->codec->height;
    e->input->format = AV_PIX_FMT_YUV420P;
    e->input->pict_type = key ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    result = avcodec_send_frame(e->codec, e->input);
    av_packet_unref(e->packet);
    if (result >= 0)
        result = avcodec_receive_packet(e->codec, e->packet);
    if (result < 0)
        return avlib_error(result);
    result = avc_strip(e->packet->data, (size_t)e->packet->size, &ignored, &unit);
    if (result != 0)
        return result;
    *out_data = e->packet->data;
    *out_len = unit.len;
    return 0;
}
