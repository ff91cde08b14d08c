/* Decides where the video rendition is cut into parts and segments. */
#include "transcode/video_cut.h"

#include <errno.h>
#include <string.h>

#define SAMPLE_MIN 90 /* 1 ms: the shortest sample */
#define INTERVAL_START 3000
#define INTERVAL_MIN 270
#define INTERVAL_MAX 22500
#define INTERVAL_WEIGHT 4
#define AUDIO_EXCESS 40500 /* 450 ms: what audio may be longer, less a frame or two */
#define OFFSET_MAX 450000  /* 5 s */
#define PARTS_MAX (PART_PER_SEGMENT_MAX - 2)

uint32_t video_cut_target_duration_s(uint32_t segment_us)
{
    return (uint32_t)(((uint64_t)segment_us * 3 / 2 + 999999) / 1000000);
}

int video_cut_init(struct video_cut *v, uint32_t part_us, uint32_t segment_us,
                   struct numbering *numbers, const struct timeline *timeline,
                   const struct chunker_sink *sink)
{
    memset(v, 0, sizeof *v);
    v->numbers = numbers;
    v->timeline = timeline;
    v->segment = timeline_us_ticks(segment_us, TIMELINE_VIDEO_SCALE);
    v->longest = (int64_t)video_cut_target_duration_s(segment_us) * TIMELINE_VIDEO_SCALE;
    v->interval = INTERVAL_START;
    video_cut_set_patience(v, VIDEO_CUT_STALL_LONG_US);
    int result = chunker_init(&v->chunker, TRACK_VIDEO, part_us, sink);
    v->shortest = (v->chunker.target * 17 + 19) / 20;
    return result;
}

void video_cut_done(struct video_cut *v)
{
    chunker_done(&v->chunker);
}

void video_cut_set_patience(struct video_cut *v, uint32_t stall_us)
{
    v->patience = timeline_us_ticks(stall_us, TIMELINE_VIDEO_SCALE);
}

void video_cut_set_ahead(struct video_cut *v, int64_t ticks)
{
    v->ahead = ticks > 0 ? ticks : 0;
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static void learn_interval(struct video_cut *v, int64_t pts)
{
    int64_t delta = pts - v->last_dts;
    if (v->has_last && delta > 0)
        v->interval += (clamp(delta, INTERVAL_MIN, INTERVAL_MAX) - v->interval) / INTERVAL_WEIGHT;
    v->last_dts = pts;
    v->has_last = true;
}

/* Could the segment not take one more part after one that ends here? */
static bool is_full(const struct video_cut *v, int64_t end)
{
    const struct chunker *c = &v->chunker;
    return end - c->segment_start + c->target > v->longest || c->part + 1 >= PARTS_MAX ||
           c->segment_bytes + c->body_len > VIDEO_CUT_SEGMENT_BYTES;
}

static int put_part(struct video_cut *v, int64_t end)
{
    bool last = is_full(v, end);
    int result = chunker_put_part(&v->chunker, end, last);
    if (result == 0 && last)
        result = chunker_close(&v->chunker);
    return result;
}

static int end_segment(struct video_cut *v, int64_t pts)
{
    struct chunker *c = &v->chunker;
    if (!c->open)
        return 0;
    if (c->count > 0) {
        int64_t end = clamp(pts, c->last_start + 1, c->end + c->target);
        int result = chunker_put_part(c, end, true);
        if (result != 0)
            return result;
    }
    return chunker_close(c);
}

static int open_segment(struct video_cut *v, int64_t start, uint32_t init_id)
{
    struct part_segment segment = {
        .init_id = init_id,
        .wall_us = timeline_wall(v->timeline, start, TIMELINE_VIDEO_SCALE),
    };
    numbering_take(v->numbers, &segment);
    return chunker_open(&v->chunker, &segment, start);
}

/* Would a frame at pts leave a hole behind all that was published? */
static bool has_hole(const struct video_cut *v, int64_t pts)
{
    const struct chunker *c = &v->chunker;
    return c->started && c->count == 0 && pts - c->end > c->target + v->patience;
}

/* Makes sure that a segment is open which may take the frame. */
static int choose_segment(struct video_cut *v, const struct video_cut_frame *frame)
{
    struct chunker *c = &v->chunker;
    if (!c->started)
        return frame->key ? open_segment(v, clamp(frame->dts, 0, INT64_MAX), frame->init_id)
                          : -EAGAIN;
    bool hole = has_hole(v, frame->dts);
    if (hole && !frame->key)
        return -EAGAIN;
    bool breaks = frame->key && (frame->breaks || hole);
    bool cuts = frame->key && frame->dts - c->segment_start >= v->segment * 3 / 4;
    if (c->open && !breaks && !cuts)
        return 0;
    int result = end_segment(v, frame->dts);
    if (result != 0)
        return result;
    int64_t start = c->end;
    if (breaks) {
        numbering_break(v->numbers);
        start = frame->dts > start ? frame->dts : start; /* a break may leave a hole */
    }
    return open_segment(v, start, frame->init_id);
}

/* Puts the frame into the open part, or into the next one when this one's time or room is over. */
static int place(struct video_cut *v, const struct video_cut_frame *frame)
{
    struct chunker *c = &v->chunker;
    int64_t start = c->end;
    if (c->count > 0)
        start = clamp(frame->dts, c->last_start + SAMPLE_MIN, INT64_MAX);
    bool over = c->count > 0 && start >= c->end + c->target;
    if (over || !chunker_fits(c, frame->len)) {
        int result = put_part(v, clamp(start, c->last_start + 1, c->end + c->target));
        if (result == 0 && !c->open)
            result = open_segment(v, c->end, frame->init_id);
        if (result != 0)
            return result;
        start = c->end;
    }
    struct fmp4_sample sample = {.size = (uint32_t)frame->len, .key = frame->key};
    if (frame->reorders)
        sample.offset = (int32_t)clamp(frame->pts - start, -OFFSET_MAX, OFFSET_MAX);
    chunker_add(c, &sample, frame->data, start);
    return 0;
}

int video_cut_push(struct video_cut *v, const struct video_cut_frame *frame)
{
    struct chunker *c = &v->chunker;
    if (frame->len > c->body_cap)
        return -EMSGSIZE;
    int result = 0;
    if (c->count > 0 && frame->dts >= c->end + c->target)
        result = put_part(v, c->end + c->target);
    if (result == 0)
        result = choose_segment(v, frame);
    if (result == 0)
        result = place(v, frame);
    if (result != 0)
        return result;
    learn_interval(v, frame->dts);
    int64_t next = clamp(frame->dts, c->last_start, c->end + c->target) + v->interval;
    if (next > c->end + c->target)
        return put_part(v, c->end + c->target);
    if (next >= c->end + v->shortest)
        return put_part(v, next);
    return 0;
}

int video_cut_tick(struct video_cut *v, int64_t now, enum video_cut_state *out)
{
    struct chunker *c = &v->chunker;
    enum video_cut_state state = VIDEO_CUT_FINE;
    if (c->count > 0 && now >= c->end + c->target) {
        int result = put_part(v, c->end + c->target);
        if (result != 0)
            return result;
    }
    if (c->started && c->count == 0 && now >= video_cut_due(v))
        state = VIDEO_CUT_STALLED;
    *out = state;
    return 0;
}

int64_t video_cut_due(const struct video_cut *v)
{
    const struct chunker *c = &v->chunker;
    if (!c->started)
        return INT64_MAX;
    if (c->count > 0)
        return c->end + c->target;
    int64_t limit = c->segment_start + v->longest + AUDIO_EXCESS - v->ahead;
    int64_t due = c->end + c->target + v->patience;
    due = due < limit ? due : limit;
    return due > c->end + c->target ? due : c->end + c->target;
}

int64_t video_cut_end(const struct video_cut *v)
{
    return v->chunker.end + (v->chunker.count > 0 ? v->chunker.target : 0);
}

int64_t video_cut_quiet(const struct video_cut *v)
{
    return v->chunker.end + v->shortest - v->interval - v->interval / 4;
}

bool video_cut_wants_key(const struct video_cut *v, int64_t pts)
{
    return !v->chunker.open || has_hole(v, pts) || pts + v->interval / 2 >= video_cut_boundary(v);
}

int64_t video_cut_boundary(const struct video_cut *v)
{
    return v->chunker.started ? v->chunker.segment_start + v->segment : INT64_MAX;
}

int video_cut_finish(struct video_cut *v)
{
    return end_segment(v, v->last_dts + v->interval);
}
