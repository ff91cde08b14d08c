/* The video rendition: H.264 is passed through untouched, anything else is decoded and encoded. */
#include "transcode/video.h"

#include "transcode/avc.h"
#include "transcode/decoder.h"
#include "transcode/encoder.h"
#include "transcode/gop.h"
#include "transcode/vp8head.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLACK_WIDTH 640
#define BLACK_HEIGHT 360
#define BLACK_LUMA 16
#define NEUTRAL_CHROMA 128
#define STEADY (VIDEO_STEADY_US * INT64_C(9) / 100)
#define CHANGE (VIDEO_CHANGE_US * INT64_C(9) / 100)

enum video_mode {
    VIDEO_WAITING, /* no frame yet */
    VIDEO_PASSING, /* H.264 as it comes */
    VIDEO_CODING,  /* decoded, or the last picture repeated */
};

/* Invariant: sets, sps, avcc and gop describe the H.264 being passed through or last passed
 * through; decoder is NULL or fed with every frame of `codec` since a key frame. */
struct video {
    struct video_config config;
    struct video_cut cut;
    video_init_fn init_fn;
    void *ctx;
    enum video_mode mode;
    enum codec codec;
    bool needs_key;
    bool breaks;         /* the next key frame is a discontinuity */
    int64_t changed_pts; /* last change of format */
    int64_t filled_pts;  /* last time that a picture was repeated */
    uint32_t init_id;

    struct avc_sets received; /* newest ones */
    struct avc_sets sets;     /* those in force */
    struct avc_sps sps;
    uint8_t avcc[AVC_CONFIG_MAX];
    size_t avcc_len;
    struct gop gop;

    struct decoder *decoder;
    struct encoder *encoder;
    AVFrame *picture; /* last one encoded or to be repeated */
    int encoder_width;
    int encoder_height;
    int64_t encoder_pts;
};

int video_new(const struct video_config *config, struct numbering *numbers,
              const struct timeline *timeline, const struct chunker_sink *sink,
              video_init_fn init_fn, struct video **out)
{
    struct video *v = calloc(1, sizeof *v);
    if (v == NULL)
        return -ENOMEM;
    v->config = *config;
    v->init_fn = init_fn;
    v->ctx = sink->ctx;
    v->needs_key = true;
    v->changed_pts = INT64_MIN / 2;
    v->encoder_pts = -1;
    v->picture = av_frame_alloc();
    int result = v->picture != NULL ? gop_init(&v->gop) : -ENOMEM;
    if (result == 0)
        result =
            video_cut_init(&v->cut, config->part_us, config->segment_us, numbers, timeline, sink);
    if (result != 0) {
        video_free(v);
        return result;
    }
    *out = v;
    return 0;
}

void video_free(struct video *v)
{
    if (v == NULL)
        return;
    video_cut_done(&v->cut);
    gop_done(&v->gop);
    decoder_free(v->decoder);
    encoder_free(v->encoder);
    av_frame_free(&v->picture);
    free(v);
}

struct video_cut *video_cutter(struct video *v)
{
    return &v->cut;
}

bool video_needs_key(const struct video *v)
{
    return v->needs_key;
}

bool video_follows_keys(const struct video *v)
{
    return v->codec == CODEC_H264;
}

void video_lose(struct video *v, bool breaks)
{
    v->needs_key = true;
    v->breaks |= breaks;
}

/* The only writer of mode. */
static void enter(struct video *v, enum video_mode mode)
{
    v->mode = mode;
    video_cut_set_patience(&v->cut,
                           mode == VIDEO_CODING ? VIDEO_CUT_STALL_US : VIDEO_CUT_STALL_LONG_US);
}

static int announce(struct video *v, const struct avc_sps *sps, const uint8_t *avcc, size_t len,
                    uint32_t bitrate_bps)
{
    uint8_t data[PART_INIT_MAX];
    struct writer w;
    struct fmp4_track track = {
        .kind = TRACK_VIDEO,
        .timescale = TIMELINE_VIDEO_SCALE,
        .width = sps->width,
        .height = sps->height,
        .config = avcc,
        .config_len = len,
    };
    struct part_init init = {
        .rendition = TRACK_VIDEO,
        .init_id = v->init_id + 1,
        .kind = TRACK_VIDEO,
        .width = sps->width,
        .height = sps->height,
        .bandwidth_bps = bitrate_bps,
    };
    writer_init(&w, data, sizeof data);
    int result = fmp4_write_init(&w, &track);
    if (result != 0)
        return result;
    avc_format_codecs(sps, init.codecs);
    v->init_id = init.init_id;
    v->init_fn(v->ctx, &init, data, w.len);
    return 0;
}

static int put(struct video *v, const uint8_t *data, size_t len, int64_t pts, bool key)
{
    struct video_cut_frame frame = {
        .data = data,
        .len = len,
        .pts = pts,
        .init_id = v->init_id,
        .key = key,
        .breaks = v->breaks && key,
    };
    int result = video_cut_push(&v->cut, &frame);
    if (result == 0 && key)
        v->breaks = false;
    if (result == -EAGAIN || result == -EMSGSIZE) {
        v->needs_key = true;
        return -EAGAIN;
    }
    return result;
}

/* ---- encoding ---- */

static int open_encoder(struct video *v, int width, int height)
{
    struct avc_sps sps;
    struct writer w;
    uint8_t avcc[AVC_CONFIG_MAX];
    encoder_free(v->encoder);
    v->encoder = NULL;
    int result = encoder_new(width, height, v->config.bitrate_bps, &v->encoder);
    if (result != 0)
        return result;
    v->encoder_width = width;
    v->encoder_height = height;
    const struct avc_sets *sets = encoder_sets(v->encoder);
    result = avc_parse_sps(sets->sps.bytes, sets->sps.len, &sps);
    if (result != 0)
        return result;
    writer_init(&w, avcc, sizeof avcc);
    result = avc_write_config(sets, &sps, &w);
    if (result != 0)
        return result;
    v->breaks = true;
    return announce(v, &sps, avcc, w.len, v->config.bitrate_bps);
}

/* Encodes v->picture. */
static int encode(struct video *v, int64_t pts)
{
    const uint8_t *data;
    size_t len;
    int width = v->picture->width & ~1, height = v->picture->height & ~1;
    if (width < ENCODER_DIMENSION_MIN || height < ENCODER_DIMENSION_MIN)
        return -ENOTSUP;
    if (v->encoder == NULL || width != v->encoder_width || height != v->encoder_height) {
        int result = open_encoder(v, width, height);
        if (result != 0)
            return result;
    }
    bool key = v->breaks || video_cut_wants_key(&v->cut, pts);
    v->encoder_pts = pts > v->encoder_pts ? pts : v->encoder_pts + 1;
    int result = encoder_push(v->encoder, v->picture, v->encoder_pts, key, &data, &len);
    if (result != 0)
        return result;
    return put(v, data, len, pts, key);
}

static int keep_picture(struct video *v, const AVFrame *picture)
{
    av_frame_unref(v->picture);
    return av_frame_ref(v->picture, picture);
}

/* Decodes a frame and encodes the picture; errors of the decoder are the publisher's. */
static int transcode(struct video *v, const uint8_t *data, size_t len, int64_t pts)
{
    const AVFrame *picture;
    int result = decoder_push(v->decoder, data, len, &picture);
    if (result == -ENOMEM)
        return result;
    if (result != 0) {
        v->needs_key = true;
        return result == -ENOTSUP ? -ENOTSUP : -EAGAIN;
    }
    result = keep_picture(v, picture);
    return result == 0 ? encode(v, pts) : result;
}

static int start_coding(struct video *v, enum codec codec)
{
    int64_t pixels = (int64_t)v->config.max_width * v->config.max_height;
    decoder_free(v->decoder);
    v->decoder = NULL;
    bool h264 = codec == CODEC_H264;
    int result =
        decoder_new(codec, pixels, h264 ? v->avcc : NULL, h264 ? v->avcc_len : 0, &v->decoder);
    if (result != 0)
        return result;
    if (v->mode != VIDEO_CODING)
        v->breaks = true;
    enter(v, VIDEO_CODING);
    v->codec = codec;
    return 0;
}

/* Upright or turned: telephones publish both. */
static bool may_decode(const struct video *v, unsigned width, unsigned height)
{
    const struct video_config *c = &v->config;
    return (width <= c->max_width && height <= c->max_height) ||
           (height <= c->max_width && width <= c->max_height);
}

/* This frame is dropped, and so are all until a key frame. */
static int drop(struct video *v)
{
    v->needs_key = true;
    return -EAGAIN;
}

/* May the picture that a key frame announces be decoded? Sizes change at most every
 * VIDEO_CHANGE_US. */
static int accept_vp8_key(struct video *v, const struct vp8head *head, int64_t pts)
{
    if (!may_decode(v, head->width, head->height)) {
        v->needs_key = true;
        return -ENOTSUP;
    }
    bool changes = v->encoder != NULL && ((head->width & ~1) != v->encoder_width ||
                                          (head->height & ~1) != v->encoder_height);
    if (changes && pts - v->changed_pts < CHANGE)
        return drop(v);
    if (changes)
        v->changed_pts = pts;
    v->needs_key = false;
    return 0;
}

static int push_vp8(struct video *v, const struct frame *frame, const uint8_t *payload, int64_t pts)
{
    struct vp8head head;
    int result = vp8head_parse(payload, frame->len, &head);
    bool starts = v->codec != CODEC_VP8 || v->decoder == NULL;
    if (result != 0 || (!head.key && (v->needs_key || starts)))
        return drop(v);
    if (head.key)
        result = accept_vp8_key(v, &head, pts);
    if (result == 0 && starts)
        result = start_coding(v, CODEC_VP8);
    return result == 0 ? transcode(v, payload, frame->len, pts) : result;
}

/* ---- H.264 ---- */

/* Takes the parameter sets of a key frame in force: from here on H.264 is passed through. -EAGAIN
 * when they are unusable or change too often. */
static int pass_through(struct video *v, const struct avc_sets *sets, int64_t pts)
{
    struct avc_sps sps;
    struct writer w;
    uint8_t avcc[AVC_CONFIG_MAX];
    writer_init(&w, avcc, sizeof avcc);
    if (pts - v->changed_pts < CHANGE || avc_parse_sps(sets->sps.bytes, sets->sps.len, &sps) != 0 ||
        avc_write_config(sets, &sps, &w) != 0)
        return -EAGAIN;
    decoder_free(v->decoder);
    v->decoder = NULL;
    encoder_free(v->encoder);
    v->encoder = NULL;
    v->sets = *sets;
    v->sps = sps;
    memcpy(v->avcc, avcc, w.len);
    v->avcc_len = w.len;
    v->changed_pts = pts;
    v->breaks = true;
    enter(v, VIDEO_PASSING);
    v->codec = CODEC_H264;
    return announce(v, &sps, avcc, w.len, v->config.pass_bitrate_bps);
}

/* H.264 is being encoded: does that end at the key frame at pts? */
static bool is_steady(const struct video *v, int64_t pts)
{
    return pts - v->filled_pts >= STEADY && pts >= video_cut_boundary(&v->cut) - v->cut.segment / 4;
}

static bool in_force(const struct video *v)
{
    return memcmp(&v->received, &v->sets, sizeof v->sets) == 0;
}

/* Does the frame go through decoder and encoder, as those before it? */
static bool keeps_coding(const struct video *v, bool idr, int64_t pts)
{
    if (v->mode != VIDEO_CODING || v->codec != CODEC_H264 || v->decoder == NULL)
        return false;
    return !idr || (in_force(v) && !is_steady(v, pts));
}

static int push_h264(struct video *v, const struct frame *frame, uint8_t *payload, int64_t pts)
{
    struct avc_unit unit;
    int result = avc_strip(payload, frame->len, &v->received, &unit);
    if (result == 0 && !unit.picture)
        return 0; /* parameter sets that came alone: in force with the next key frame */
    if (result != 0 || (!unit.idr && (v->needs_key || v->codec != CODEC_H264)))
        return drop(v);
    bool coding = keeps_coding(v, unit.idr, pts);
    if (unit.idr && !coding && !(v->mode == VIDEO_PASSING && in_force(v)))
        result = pass_through(v, &v->received, pts);
    if (result != 0) {
        v->needs_key = true;
        return result;
    }
    if (unit.idr)
        v->needs_key = false;
    if (coding)
        return transcode(v, payload, unit.len, pts);
    gop_add(&v->gop, payload, unit.len, unit.idr);
    return put(v, payload, unit.len, pts, unit.idr);
}

int video_push(struct video *v, const struct frame *frame, uint8_t *payload, int64_t pts)
{
    if (frame->codec == CODEC_H264)
        return push_h264(v, frame, payload, pts);
    return push_vp8(v, frame, payload, pts);
}

/* ---- filling ---- */

static int draw_black(struct video *v)
{
    av_frame_unref(v->picture);
    v->picture->width = v->encoder_width > 0 ? v->encoder_width : BLACK_WIDTH;
    v->picture->height = v->encoder_height > 0 ? v->encoder_height : BLACK_HEIGHT;
    v->picture->format = AV_PIX_FMT_YUV420P;
    int result = av_frame_get_buffer(v->picture, 0);
    for (int plane = 0; plane < 3 && result == 0; plane++) {
        int rows = plane == 0 ? v->picture->height : (v->picture->height + 1) / 2;
        memset(v->picture->data[plane], plane == 0 ? BLACK_LUMA : NEUTRAL_CHROMA,
               (size_t)v->picture->linesize[plane] * (size_t)rows);
    }
    return result;
}

/* From passing through to encoding: decodes what was passed since the last key frame. Whatever the
 * decoder does not like ends the attempt; then the picture is black until a key frame comes. */
static int take_over(struct video *v)
{
    const AVFrame *picture = NULL;
    size_t at = 0;
    av_frame_unref(v->picture);
    enter(v, VIDEO_CODING);
    v->breaks = true;
    int result =
        may_decode(v, v->sps.width, v->sps.height) ? start_coding(v, CODEC_H264) : -ENOTSUP;
    for (size_t i = 0; i < v->gop.count && result == 0; at += v->gop.sizes[i++])
        result = decoder_push(v->decoder, v->gop.data + at, v->gop.sizes[i], &picture);
    if (result == 0 && picture != NULL)
        result = keep_picture(v, picture);
    if (result != 0 || !v->gop.whole)
        v->needs_key = true;
    gop_clear(&v->gop);
    return result == -ENOMEM ? result : 0;
}

int video_fill(struct video *v, int64_t pts)
{
    struct chunker *c = &v->cut.chunker;
    int64_t start = c->started ? c->end : pts;
    int result = 0;
    if (v->mode == VIDEO_PASSING)
        result = take_over(v);
    if (result == 0 && v->picture->data[0] == NULL)
        result = draw_black(v);
    enter(v, VIDEO_CODING);
    v->filled_pts = start;
    if (result == 0)
        result = encode(v, start);
    return result;
}
