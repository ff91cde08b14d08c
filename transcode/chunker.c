/* Samples of one rendition become CMAF parts and segments on one contiguous decode timeline. */
#include "transcode/chunker.h"

#include "transcode/timeline.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int chunker_init(struct chunker *c, enum track kind, uint32_t part_us,
                 const struct chunker_sink *sink)
{
    memset(c, 0, sizeof *c);
    c->sink = *sink;
    c->kind = kind;
    c->rendition = (uint32_t)kind;
    c->scale = kind == TRACK_VIDEO ? TIMELINE_VIDEO_SCALE : TIMELINE_AUDIO_SCALE;
    c->target = timeline_us_ticks(part_us, c->scale);
    c->body_cap = kind == TRACK_VIDEO ? CHUNKER_BODY_VIDEO : CHUNKER_BODY_AUDIO;
    c->body = malloc(c->body_cap);
    return c->body != NULL ? 0 : -ENOMEM;
}

void chunker_done(struct chunker *c)
{
    free(c->body);
    c->body = NULL;
}

int chunker_open(struct chunker *c, const struct part_segment *segment, int64_t start)
{
    assert(!c->open && c->count == 0 && start >= 0);
    assert(!c->started || start == c->end || (segment->discontinuity && start > c->end));
    struct part_segment message = *segment;
    message.rendition = c->rendition;
    c->open = true;
    c->started = true;
    c->msn = message.msn;
    c->part = 0;
    c->segment_start = start;
    c->segment_bytes = 0;
    c->wall_us = message.wall_us;
    c->end = start;
    return c->sink.open(c->sink.ctx, &message);
}

bool chunker_fits(const struct chunker *c, size_t len)
{
    return c->count < CHUNKER_SAMPLES_MAX && len <= c->body_cap - c->body_len;
}

void chunker_add(struct chunker *c, const struct fmp4_sample *sample, const uint8_t *data,
                 int64_t start)
{
    size_t len = sample->size;
    assert(c->open && chunker_fits(c, len));
    if (c->count == 0) {
        assert(start == c->end); /* the decode timeline has no holes */
    } else {
        assert(start > c->last_start && start - c->end < c->target);
        c->samples[c->count - 1].duration = (uint32_t)(start - c->last_start);
    }
    c->samples[c->count++] = *sample;
    c->last_start = start;
    memcpy(c->body + c->body_len, data, len);
    c->body_len += len;
}

int chunker_put_part(struct chunker *c, int64_t end, bool last)
{
    assert(c->open && c->count > 0 && end > c->last_start);
    assert(end - c->end <= c->target); /* LL-01 */
    uint8_t head[FMP4_HEAD_FIXED + CHUNKER_SAMPLES_MAX * FMP4_HEAD_PER_SAMPLE];
    struct writer w;
    writer_init(&w, head, sizeof head);
    c->samples[c->count - 1].duration = (uint32_t)(end - c->last_start);
    struct fmp4_chunk chunk = {
        .kind = c->kind,
        .sequence = ++c->sequence,
        .segment_start = c->part == 0,
        .base_dts = c->end,
        .wall_us = c->wall_us + timeline_ticks_us(c->end - c->segment_start, c->scale),
        .samples = c->samples,
        .count = c->count,
    };
    int result = fmp4_write_chunk_head(&w, &chunk);
    assert(result == 0);
    bool independent = c->kind == TRACK_AUDIO || c->samples[0].key;
    struct part_part part = {
        .msn = c->msn,
        .rendition = c->rendition,
        .part = c->part,
        .len = (uint32_t)(w.len + c->body_len),
        .duration_us = (uint32_t)timeline_ticks_us(end - c->end, c->scale),
        .flags = (independent ? PART_INDEPENDENT : 0u) | (last ? PART_LAST : 0u),
    };
    result = c->sink.part(c->sink.ctx, &part, &w, c->body, c->body_len);
    c->segment_bytes += part.len;
    c->end = end;
    c->part++;
    c->count = 0;
    c->body_len = 0;
    return result;
}

int chunker_close(struct chunker *c)
{
    assert(c->open && c->count == 0 && c->part > 0);
    struct part_segment_end end = {
        .msn = c->msn,
        .rendition = c->rendition,
        .duration_us = (uint32_t)timeline_ticks_us(c->end - c->segment_start, c->scale),
    };
    c->open = false;
    return c->sink.close(c->sink.ctx, &end);
}
