/* Makes what a publisher sends: H.264 by our own encoder, VP8 and Opus by FFmpeg's wrappers. */
#ifndef SLUICE_TESTS_MEDIA_H
#define SLUICE_TESTS_MEDIA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/proto/stream.h"
#include "transcode/encoder.h"

#include <libavcodec/avcodec.h>
#include <libavutil/opt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MEDIA_UNIT_MAX (512u << 10)

struct media_unit {
    uint8_t data[MEDIA_UNIT_MAX];
    size_t len;
};

/* A picture that differs from number to number. */
static inline AVFrame *media_picture(int width, int height, int number)
{
    AVFrame *f = av_frame_alloc();
    assert_non_null(f);
    f->width = width;
    f->height = height;
    f->format = AV_PIX_FMT_YUV420P;
    assert_int_equal(av_frame_get_buffer(f, 0), 0);
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++)
            f->data[0][y * f->linesize[0] + x] = (uint8_t)(x * 2 + y + number * 4);
    }
    for (int p = 1; p < 3; p++)
        memset(f->data[p], 100 + number % 50, (size_t)(f->linesize[p] * ((height + 1) / 2)));
    return f;
}

/* One access unit as ingest writes it: parameter sets before each key frame. */
static inline void media_h264(struct encoder *e, int width, int height, int number, bool key,
                              struct media_unit *out)
{
    const uint8_t *data;
    size_t len;
    struct writer w;
    AVFrame *picture = media_picture(width, height, number);
    assert_int_equal(encoder_push(e, picture, (int64_t)number * 3000, key, &data, &len), 0);
    writer_init(&w, out->data, sizeof out->data);
    if (key) {
        const struct avc_sets *sets = encoder_sets(e);
        writer_u32(&w, sets->sps.len);
        writer_bytes(&w, sets->sps.bytes, sets->sps.len);
        writer_u32(&w, sets->pps[0].len);
        writer_bytes(&w, sets->pps[0].bytes, sets->pps[0].len);
    }
    writer_bytes(&w, data, len);
    assert_true(writer_ok(&w));
    out->len = w.len;
    av_frame_free(&picture);
}

/* H.264 with two B-frames between others, as a hardware encoder may send it. */
static inline AVCodecContext *media_open_b_frames(int width, int height)
{
    AVCodecContext *c = avcodec_alloc_context3(avcodec_find_encoder_by_name("libx264"));
    assert_non_null(c);
    c->width = width;
    c->height = height;
    c->pix_fmt = AV_PIX_FMT_YUV420P;
    c->time_base = (AVRational){1, 90000};
    c->framerate = (AVRational){30, 1};
    c->max_b_frames = 2;
    c->gop_size = 60;
    c->thread_count = 1;
    c->bit_rate = 500000;
    c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    assert_true(av_opt_set(c->priv_data, "preset", "superfast", 0) >= 0);
    assert_true(av_opt_set(c->priv_data, "x264-params",
                           "annexb=0:scenecut=0:b-adapt=0:b-pyramid=none:rc-lookahead=0:"
                           "sync-lookahead=0",
                           0) >= 0);
    assert_int_equal(avcodec_open2(c, NULL, NULL), 0);
    return c;
}

/* Takes picture `number`; false when no access unit comes out. *out_number is that of its picture.
 */
static inline bool media_b_frames(AVCodecContext *c, int number, struct media_unit *out,
                                  int *out_number, bool *out_key)
{
    AVFrame *picture = media_picture(c->width, c->height, number);
    AVPacket *packet = av_packet_alloc();
    struct writer w;
    picture->pts = (int64_t)number * 3000;
    assert_int_equal(avcodec_send_frame(c, picture), 0);
    bool ready = avcodec_receive_packet(c, packet) == 0;
    if (ready) {
        *out_number = (int)(packet->pts / 3000);
        *out_key = (packet->flags & AV_PKT_FLAG_KEY) != 0;
        writer_init(&w, out->data, sizeof out->data);
        if (*out_key)
            writer_bytes(&w, c->extradata, (size_t)c->extradata_size);
        writer_bytes(&w, packet->data, (size_t)packet->size);
        assert_true(writer_ok(&w));
        out->len = w.len;
    }
    av_packet_free(&packet);
    av_frame_free(&picture);
    return ready;
}

/* Options of FFmpeg's wrappers for a live encoder: pairs, ended by NULL. */
struct media_coder {
    const char *name;
    const char *options[8];
};

static inline const struct media_coder *media_coder_of(enum codec codec)
{
    static const struct media_coder coders[CODEC_COUNT] = {
        [CODEC_VP8] = {"libvpx",
                       {"deadline", "realtime", "lag-in-frames", "0", "auto-alt-ref", "0"}},
        [CODEC_VP9] = {"libvpx-vp9",
                       {"deadline", "realtime", "lag-in-frames", "0", "cpu-used", "8"}},
        [CODEC_AV1] = {"libaom-av1", {"usage", "realtime", "lag-in-frames", "0", "cpu-used", "8"}},
        [CODEC_H265] = {"libx265",
                        {"preset", "ultrafast", "tune", "zerolatency", "forced-idr", "1",
                         "x265-params",
                         "bframes=0:repeat-headers=1:annexb=0:info=0:log-level=none:pools=none:"
                         "frame-threads=1"}},
    };
    return &coders[codec];
}

/* An encoder of one of those codecs, one frame in, one out. */
static inline AVCodecContext *media_open(enum codec codec, int width, int height)
{
    const struct media_coder *coder = media_coder_of(codec);
    const AVCodec *found = avcodec_find_encoder_by_name(coder->name);
    assert_non_null(found);
    AVCodecContext *c = avcodec_alloc_context3(found);
    assert_non_null(c);
    c->width = width;
    c->height = height;
    c->pix_fmt = AV_PIX_FMT_YUV420P;
    c->time_base = (AVRational){1, 90000};
    c->framerate = (AVRational){30, 1};
    c->bit_rate = 500000;
    c->gop_size = 100000;
    c->thread_count = 1;
    for (size_t i = 0; i + 1 < sizeof coder->options / sizeof *coder->options; i += 2) {
        if (coder->options[i] != NULL)
            assert_true(av_opt_set(c->priv_data, coder->options[i], coder->options[i + 1], 0) >= 0);
    }
    assert_true(avcodec_open2(c, found, NULL) >= 0);
    return c;
}

static inline AVCodecContext *media_open_vp8(int width, int height)
{
    return media_open(CODEC_VP8, width, height);
}

static inline void media_coded(AVCodecContext *c, int number, bool key, struct media_unit *out)
{
    AVFrame *picture = media_picture(c->width, c->height, number);
    AVPacket *packet = av_packet_alloc();
    picture->pts = (int64_t)number * 3000;
    picture->pict_type = key ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    assert_int_equal(avcodec_send_frame(c, picture), 0);
    assert_int_equal(avcodec_receive_packet(c, packet), 0);
    assert_true((size_t)packet->size <= sizeof out->data);
    memcpy(out->data, packet->data, (size_t)packet->size);
    out->len = (size_t)packet->size;
    av_packet_free(&packet);
    av_frame_free(&picture);
}

static inline AVCodecContext *media_open_opus(void)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("libopus");
    assert_non_null(codec);
    AVCodecContext *c = avcodec_alloc_context3(codec);
    assert_non_null(c);
    c->sample_rate = 48000;
    c->sample_fmt = AV_SAMPLE_FMT_FLT;
    c->ch_layout = (AVChannelLayout)AV_CHANNEL_LAYOUT_STEREO;
    c->bit_rate = 96000;
    assert_true(avcodec_open2(c, codec, NULL) >= 0);
    assert_int_equal(c->frame_size, 960);
    return c;
}

/* 20 ms of a tone, from sample number * 960 on; loud = false: silence. */
static inline void media_opus(AVCodecContext *c, int number, bool loud, struct media_unit *out)
{
    AVFrame *f = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    f->nb_samples = 960;
    f->format = AV_SAMPLE_FMT_FLT;
    f->sample_rate = 48000;
    f->ch_layout = (AVChannelLayout)AV_CHANNEL_LAYOUT_STEREO;
    assert_int_equal(av_frame_get_buffer(f, 0), 0);
    float *samples = (float *)(void *)f->data[0];
    for (int i = 0; i < 960; i++) {
        int phase = (number * 960 + i) % 100; /* a triangle of 480 Hz */
        float value = (float)(phase < 50 ? phase - 25 : 75 - phase) / 80.0f;
        samples[2 * i] = samples[2 * i + 1] = loud ? value : 0;
    }
    f->pts = (int64_t)number * 960;
    assert_int_equal(avcodec_send_frame(c, f), 0);
    assert_int_equal(avcodec_receive_packet(c, packet), 0);
    memcpy(out->data, packet->data, (size_t)packet->size);
    out->len = (size_t)packet->size;
    av_packet_free(&packet);
    av_frame_free(&f);
}

#endif
