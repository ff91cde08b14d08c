/* Decides where the audio rendition is cut. */
#include "transcode/audio_cut.h"

#include <errno.h>
#include <string.h>

#define HALF_FRAME (AUDIO_CUT_FRAME / 2)

int audio_cut_init(struct audio_cut *a, uint32_t part_us, uint32_t segment_us, bool leads,
                   struct numbering *numbers, const struct timeline *timeline,
                   const struct chunker_sink *sink)
{
    memset(a, 0, sizeof *a);
    a->numbers = numbers;
    a->timeline = timeline;
    a->leads = leads;
    a->segment = timeline_us_ticks(segment_us, TIMELINE_AUDIO_SCALE);
    int result = chunker_init(&a->chunker, TRACK_AUDIO, part_us, sink);
    a->frames_per_part = (unsigned)(a->chunker.target / AUDIO_CUT_FRAME);
    if (a->frames_per_part > CHUNKER_SAMPLES_MAX)
        a->frames_per_part = CHUNKER_SAMPLES_MAX;
    if (a->frames_per_part == 0)
        return -EINVAL;
    return result;
}

void audio_cut_done(struct audio_cut *a)
{
    chunker_done(&a->chunker);
}

int audio_cut_add_boundary(struct audio_cut *a, const struct part_segment *segment, int64_t start)
{
    if (a->boundary_count == AUDIO_CUT_BOUNDARIES)
        return -ENOSPC;
    a->boundaries[a->boundary_count++] =
        (struct audio_cut_boundary){.start = start, .segment = *segment};
    return 0;
}

/* Does a segment begin with the frame that starts at dts? */
static bool is_boundary(const struct audio_cut *a, int64_t dts)
{
    if (a->boundary_count > 0)
        return dts + HALF_FRAME >= a->boundaries[0].start;
    if (!a->leads)
        return false;
    return !a->chunker.started || dts + HALF_FRAME >= a->chunker.segment_start + a->segment;
}

static int end_segment(struct audio_cut *a)
{
    struct chunker *c = &a->chunker;
    if (c->count > 0) {
        int result = chunker_put_part(c, c->last_start + AUDIO_CUT_FRAME, true);
        if (result != 0)
            return result;
    }
    return chunker_close(c);
}

static int open_segment(struct audio_cut *a, int64_t dts)
{
    struct part_segment segment = {0};
    if (a->boundary_count > 0) {
        segment = a->boundaries[0].segment;
        memmove(a->boundaries, a->boundaries + 1, --a->boundary_count * sizeof *a->boundaries);
    } else {
        numbering_take(a->numbers, &segment);
    }
    segment.init_id = a->init_id;
    segment.wall_us = timeline_wall(a->timeline, dts, TIMELINE_AUDIO_SCALE);
    return chunker_open(&a->chunker, &segment, dts);
}

int audio_cut_push(struct audio_cut *a, const uint8_t *data, size_t len, int64_t dts)
{
    struct chunker *c = &a->chunker;
    int result = 0;
    if (c->open && c->count + c->part > 0 && is_boundary(a, dts))
        result = end_segment(a);
    if (result == 0 && !c->open) {
        if (!is_boundary(a, dts))
            return 0; /* the first segment has not begun */
        result = open_segment(a, dts);
    }
    if (result == 0 && !chunker_fits(c, len))
        result = -EMSGSIZE;
    if (result != 0)
        return result;
    struct fmp4_sample sample = {.size = (uint32_t)len, .key = true};
    chunker_add(c, &sample, data, dts);
    int64_t end = dts + AUDIO_CUT_FRAME;
    if (is_boundary(a, end))
        return end_segment(a);
    if (c->count >= a->frames_per_part)
        return chunker_put_part(c, end, false);
    return 0;
}

int64_t audio_cut_next_end(const struct audio_cut *a)
{
    if (!a->chunker.started)
        return INT64_MIN;
    int64_t end = a->chunker.end + (int64_t)a->frames_per_part * AUDIO_CUT_FRAME;
    if (a->boundary_count > 0 && a->boundaries[0].start + HALF_FRAME < end)
        end = a->boundaries[0].start + HALF_FRAME;
    return end;
}

int audio_cut_finish(struct audio_cut *a)
{
    return a->chunker.open ? end_segment(a) : 0;
}
