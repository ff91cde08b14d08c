/* The video rendition: H.264 is passed through untouched, anything else is decoded and encoded. */
#include "transcode/video.h"

#include "transcode/avc.h"
#include "transcode/codedhead.h"
#include "transcode/coder.h"
#include "transcode/gop.h"
#include "transcode/hevchead.h"
#include "transcode/reorder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TICKS(us) ((us)*INT64_C(9) / 100)
#define BLIND_MAX 30 /* frames that give no picture, then a key frame is needed */
#define BRIDGE_MAX 3 /* pictures repeated before one that comes after a hole */
#define CHANGE TICKS(VIDEO_CHANGE_US)
#define SPARSE TICKS(VIDEO_SPARSE_US)

enum video_mode {
    VIDEO_WAITING,  /* no frame yet */
    VIDEO_PASSING,  /* H.264 as it comes */
    VIDEO_CATCHING, /* about to encode: what was passed is decoded up to the last picture */
    VIDEO_CODING,   /* decoded, or the last picture repeated */
};

/* Invariant: sets, sps, avcc and gop describe the H.264 being passed through or last passed
 * through; the coder's decoder was fed with every frame of `codec` since a key frame. */
struct video {
    struct video_config config;
    struct video_cut cut;
    video_init_fn init_fn;
    void *ctx;
    enum video_mode mode;
    enum codec codec;
    bool needs_key;
    bool breaks;          /* the next key frame is a discontinuity */
    bool overrun;         /* coding is too slow: pass through as soon as possible */
    uint64_t backlog_us;  /* how long the next frame has waited for us */
    int64_t changed_pts;  /* last change of format */
    int64_t received_pts; /* newest H.264 frame, taken or not */
    int64_t hole_pts;     /* end of the last hole between those, as far as known */
    int64_t steady;       /* ticks without a hole that it takes to pass through again */
    int64_t returned_pts; /* passing through resumed there */
    int64_t encoded_pts;  /* last picture encoded */
    unsigned blind;       /* frames since the last picture */
    uint32_t init_id;

    struct avc_sets received; /* newest ones */
    struct avc_sets sets;     /* those in force */
    struct avc_sps sps;
    uint8_t avcc[AVC_CONFIG_MAX];
    size_t avcc_len;
    struct reorder reorder;
    struct gop gop;
    size_t caught_units; /* of gop, while VIDEO_CATCHING */
    size_t caught_bytes;
    struct coder *coder;
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
    v->encoded_pts = INT64_MIN / 2;
    v->returned_pts = INT64_MIN / 2;
    v->steady = TICKS(VIDEO_STEADY_US);
    int64_t pixels = (int64_t)config->max_width * config->max_height;
    int result = coder_new(config->bitrate_bps, pixels, &v->coder);
    if (result == 0)
        result = gop_init(&v->gop);
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
    coder_free(v->coder);
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

bool video_passes(const struct video *v)
{
    return v->mode == VIDEO_PASSING && !v->needs_key;
}

bool video_follows_keys(const struct video *v)
{
    return v->mode == VIDEO_PASSING;
}

void video_set_backlog(struct video *v, uint64_t backlog_us)
{
    v->backlog_us = backlog_us;
}

void video_lose(struct video *v, bool breaks)
{
    v->needs_key = true;
    v->breaks |= breaks;
    if (breaks)
        reorder_init(&v->reorder);
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

static int put(struct video *v, const uint8_t *data, size_t len, int64_t dts, int64_t pts, bool key)
{
    struct video_cut_frame frame = {
        .data = data,
        .len = len,
        .dts = dts,
        .pts = pts,
        .init_id = v->init_id,
        .key = key,
        .reorders = v->mode == VIDEO_PASSING && v->reorder.depth > 0,
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

static int announce_coder(struct video *v)
{
    struct avc_sps sps;
    struct writer w;
    uint8_t avcc[AVC_CONFIG_MAX];
    const struct avc_sets *sets = coder_sets(v->coder);
    int result = avc_parse_sps(sets->sps.bytes, sets->sps.len, &sps);
    if (result != 0)
        return result;
    writer_init(&w, avcc, sizeof avcc);
    result = avc_write_config(sets, &sps, &w);
    if (result != 0)
        return result;
    v->breaks = true;
    return announce(v, &sps, avcc, w.len, v->config.bitrate_bps);
}

/* Encodes the last picture. */
static int encode(struct video *v, int64_t pts)
{
    struct coder_unit unit;
    bool changes = coder_changes_size(v->coder), opened;
    if (changes && pts - v->changed_pts < CHANGE)
        return 0;
    if (changes)
        v->changed_pts = pts;
    int result = coder_prepare(v->coder, &opened);
    if (result == 0 && opened)
        result = announce_coder(v);
    if (result != 0)
        return result;
    bool key = v->breaks || video_cut_wants_key(&v->cut, pts);
    result = coder_encode(v->coder, pts, key, &unit);
    if (result != 0)
        return result;
    v->encoded_pts = pts;
    return put(v, unit.data, unit.len, pts, pts, key);
}

/* This frame is dropped, and so are all until a key frame. */
static int drop(struct video *v)
{
    v->needs_key = true;
    return -EAGAIN;
}

/* Repeats the picture up to shortly before pts: a short hole is none for what we encode. */
static int bridge(struct video *v, int64_t pts)
{
    int result = 0;
    if (v->breaks || v->cut.chunker.started == false)
        return 0;
    for (int i = 0; i < BRIDGE_MAX && result == 0; i++) {
        int64_t end = video_cut_end(&v->cut);
        if (pts - end <= v->cut.chunker.target)
            return 0;
        result = encode(v, end);
    }
    return result;
}

/* Upright or turned: telephones publish both. */
static bool may_decode(const struct video *v, unsigned width, unsigned height)
{
    const struct video_config *c = &v->config;
    return (width <= c->max_width && height <= c->max_height) ||
           (height <= c->max_width && width <= c->max_height);
}

/* Decodes a frame and encodes the picture; errors of the decoder are the publisher's. When frames
 * wait because that takes too long, pictures are left out first, then whole frames: nothing is ever
 * queued. */
static int transcode(struct video *v, const uint8_t *data, size_t len, int64_t pts)
{
    if (v->backlog_us > VIDEO_DROP_US) {
        v->overrun = true;
        return drop(v);
    }
    int result = bridge(v, pts);
    if (result == 0)
        result = coder_decode(v->coder, data, len, pts, &pts);
    if (result == -ENOMEM)
        return result;
    if (result == -EAGAIN && ++v->blind <= BLIND_MAX)
        return 0; /* a frame that is not shown, or shown later */
    v->blind = 0;
    if (result != 0) {
        v->needs_key = true;
        return result == -ENOTSUP ? -ENOTSUP : -EBADMSG;
    }
    unsigned width, height;
    coder_size(v->coder, &width, &height);
    if (!may_decode(v, width, height)) { /* sizes change between key frames too */
        coder_forget(v->coder);
        v->needs_key = true;
        return -ENOTSUP;
    }
    if (v->backlog_us > VIDEO_SPARE_US && pts - v->encoded_pts < SPARSE)
        return 0;
    return encode(v, pts);
}

static int start_coding(struct video *v, enum codec codec)
{
    struct decoder_config config = {.codec = codec};
    int result = coder_open(v->coder, &config);
    if (result != 0)
        return result;
    if (v->mode != VIDEO_CODING)
        v->breaks = true;
    enter(v, VIDEO_CODING);
    v->codec = codec;
    return 0;
}

static int push_coded(struct video *v, const struct frame *frame, uint8_t *payload, int64_t pts)
{
    struct codedhead head;
    enum codec codec = frame->codec;
    int result = codedhead_parse(codec, payload, frame->len, &head);
    bool starts = v->codec != codec || !coder_is_open(v->coder);
    if (result == 0 && head.key && !may_decode(v, head.width, head.height))
        result = -ENOTSUP;
    if (result != 0) {
        v->needs_key = true;
        return result;
    }
    if (!head.key && (v->needs_key || starts))
        return drop(v);
    if (starts)
        result = start_coding(v, codec);
    if (result != 0)
        return result;
    v->needs_key = false;
    if (codec == CODEC_H265)
        hevchead_to_start_codes(payload, frame->len);
    return transcode(v, payload, frame->len, pts);
}

/* ---- H.264 ---- */

/* Takes the parameter sets of a key frame in force: from here on H.264 is passed through. -EAGAIN
 * when they change too often, -ENOTSUP when they are of no use. */
static int pass_through(struct video *v, const struct avc_sets *sets, int64_t pts)
{
    struct avc_sps sps;
    struct writer w;
    uint8_t avcc[AVC_CONFIG_MAX];
    writer_init(&w, avcc, sizeof avcc);
    if (pts - v->changed_pts < CHANGE)
        return -EAGAIN;
    if (avc_parse_sps(sets->sps.bytes, sets->sps.len, &sps) != 0 ||
        avc_write_config(sets, &sps, &w) != 0)
        return -ENOTSUP;
    coder_reset(v->coder);
    v->overrun = false;
    if (v->mode == VIDEO_CODING)
        v->returned_pts = pts;
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

/* H.264 is being encoded: does that end at the next key frame? */
bool video_may_pass(const struct video *v)
{
    return v->mode == VIDEO_CODING && v->codec == CODEC_H264 &&
           (v->overrun || v->received_pts - v->hole_pts >= v->steady);
}

static bool in_force(const struct video *v)
{
    return memcmp(&v->received, &v->sets, sizeof v->sets) == 0;
}

/* Does the frame go through decoder and encoder, as those before it? */
static bool keeps_coding(const struct video *v, bool idr)
{
    if (v->mode != VIDEO_CODING || v->codec != CODEC_H264 || !coder_is_open(v->coder))
        return false;
    return !idr || (in_force(v) && !video_may_pass(v));
}

static void stop_catching(struct video *v)
{
    coder_reset(v->coder);
    enter(v, VIDEO_PASSING);
}

/* What came too late for a repair leaves a hole, whether the frame is of use or not. */
static void note_arrival(struct video *v, int64_t pts)
{
    int64_t step = pts - v->received_pts;
    if (step > TICKS(VIDEO_HOLE_US) || step < -TICKS(VIDEO_HOLE_US))
        v->hole_pts = pts;
    v->received_pts = pts;
}

static int pass(struct video *v, const uint8_t *data, const struct avc_unit *unit, int64_t pts)
{
    int64_t dts = reorder_push(&v->reorder, pts);
    gop_add(&v->gop, data, unit->len, pts, unit->idr);
    return put(v, data, unit->len, dts, pts, unit->idr);
}

static int push_h264(struct video *v, const struct frame *frame, uint8_t *payload, int64_t pts)
{
    struct avc_unit unit;
    int result = avc_strip(payload, frame->len, &v->received, &unit);
    if (result == 0 && !unit.picture)
        return 0; /* parameter sets that came alone: in force with the next key frame */
    note_arrival(v, pts);
    if (result != 0) {
        v->needs_key = true;
        return -EBADMSG;
    }
    if (!unit.idr && (v->needs_key || v->codec != CODEC_H264))
        return drop(v);
    if (v->mode == VIDEO_CATCHING)
        stop_catching(v); /* the stall ended before anything was encoded */
    bool coding = keeps_coding(v, unit.idr);
    if (unit.idr && !coding && !(v->mode == VIDEO_PASSING && in_force(v)))
        result = pass_through(v, &v->received, pts);
    if (result != 0) {
        v->needs_key = true;
        return result;
    }
    if (unit.idr)
        v->needs_key = false;
    return coding ? transcode(v, payload, unit.len, pts) : pass(v, payload, &unit, pts);
}

int video_push(struct video *v, const struct frame *frame, uint8_t *payload, int64_t pts)
{
    if (frame->codec == CODEC_H264)
        return push_h264(v, frame, payload, pts);
    return push_coded(v, frame, payload, pts);
}

/* ---- filling ---- */

static void start_catching(struct video *v)
{
    bool may = may_decode(v, v->sps.width, v->sps.height);
    enter(v, VIDEO_CATCHING);
    v->caught_units = v->caught_bytes = 0;
    struct decoder_config config = {
        .codec = CODEC_H264,
        .reorders = v->reorder.depth > 0,
        .config = v->avcc,
        .config_len = v->avcc_len,
    };
    if (!may || coder_open(v->coder, &config) != 0)
        v->caught_units = v->gop.count;
}

/* From passing through to encoding: decodes one frame of what was passed since the last key frame,
 * since a turn of the loop has to be short. Whatever the decoder does not like ends the attempt;
 * then the picture is black until a key frame comes. *out_done: encoding may begin. */
static int catch_up(struct video *v, bool *out_done)
{
    const struct gop *g = &v->gop;
    int result = 0;
    if (v->caught_units < g->count) {
        size_t unit = v->caught_units++, len = g->sizes[unit];
        int64_t pts; /* their order is all that counts */
        result = coder_decode(v->coder, g->data + v->caught_bytes, len, g->pts[unit], &pts);
        v->caught_bytes += len;
    }
    if (result == -ENOMEM)
        return result;
    if (result != 0 && result != -EAGAIN) {
        coder_forget(v->coder);
        v->caught_units = g->count;
        v->needs_key = true;
    }
    *out_done = v->caught_units == g->count;
    return 0;
}

/* From here on pictures are encoded: a discontinuity, and the way back is another one. */
static void finish_catching(struct video *v)
{
    bool relapse = v->cut.chunker.end - v->returned_pts < TICKS(VIDEO_RELAPSE_US);
    v->steady = relapse ? 2 * v->steady : TICKS(VIDEO_STEADY_US);
    if (v->steady > TICKS(VIDEO_STEADY_MAX_US))
        v->steady = TICKS(VIDEO_STEADY_MAX_US);
    if (!v->gop.whole || !coder_is_open(v->coder))
        v->needs_key = true;
    gop_clear(&v->gop);
    v->breaks = true;
}

int video_fill(struct video *v, int64_t pts, int64_t now)
{
    struct chunker *c = &v->cut.chunker;
    if (v->mode == VIDEO_PASSING)
        start_catching(v);
    if (v->mode == VIDEO_CATCHING) {
        bool done;
        int result = catch_up(v, &done);
        if (result != 0 || !done)
            return result;
        finish_catching(v);
    }
    enter(v, VIDEO_CODING);
    if (now - v->received_pts > TICKS(VIDEO_HOLE_US))
        v->hole_pts = now;
    return encode(v, c->started ? c->end : pts);
}
