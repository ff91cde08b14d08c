/* Keeps what a chunker published and checks the rules that hold for every stream. */
#ifndef SLUICE_TESTS_LEDGER_H
#define SLUICE_TESTS_LEDGER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/reader.h"
#include "lib/proto/part.h"
#include "transcode/chunker.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LEDGER_PARTS 4096
#define LEDGER_SEGMENTS 512
#define LEDGER_SHOWN 16

struct ledger_part {
    struct part_part part;
    size_t segment;
    int64_t base; /* tfdt */
    int64_t ticks;
    size_t samples;
    uint32_t shortest;           /* sample, ticks */
    int64_t shown[LEDGER_SHOWN]; /* presentation times of the first samples */
    bool key;                    /* first sample */
};

struct ledger_segment {
    struct part_segment segment;
    struct part_segment_end end;
    bool closed;
};

struct ledger {
    size_t part_count;
    size_t segment_count;
    struct ledger_part parts[LEDGER_PARTS];
    struct ledger_segment segments[LEDGER_SEGMENTS];
};

/* The contents of the first box of that type; a failed reader if there is none. */
static inline struct reader ledger_box(struct reader in, const char *type)
{
    while (reader_left(&in) >= 8) {
        uint32_t size = reader_u32(&in);
        const uint8_t *name = reader_bytes(&in, 4);
        struct reader body = reader_sub(&in, size - 8);
        if (memcmp(name, type, 4) == 0)
            return body;
    }
    reader_bytes(&in, SIZE_MAX);
    return in;
}

/* Reads tfdt and trun of a chunk. data_offset must point behind the head of mdat. */
static inline void ledger_parse_chunk(const uint8_t *data, size_t len, bool video,
                                      struct ledger_part *out)
{
    struct reader all;
    reader_init(&all, data, len);
    struct reader moof = ledger_box(all, "moof");
    struct reader traf = ledger_box(moof, "traf");
    struct reader tfdt = ledger_box(traf, "tfdt");
    struct reader trun = ledger_box(traf, "trun");
    assert_int_equal(reader_u32(&tfdt), 1u << 24); /* FMP-02: 64 bits */
    out->base = (int64_t)reader_u64(&tfdt);
    uint32_t flags = reader_u32(&trun);
    out->samples = reader_u32(&trun);
    uint32_t offset = reader_u32(&trun);
    uint64_t bytes = 0;
    out->key = !video;
    if (flags & 4)
        out->key = (reader_u32(&trun) & 0x10000) == 0;
    out->ticks = 0;
    out->shortest = UINT32_MAX;
    for (size_t i = 0; i < out->samples; i++) {
        uint32_t duration = reader_u32(&trun);
        assert_true(duration > 0);
        int64_t shown = out->base + out->ticks;
        out->ticks += duration;
        out->shortest = duration < out->shortest ? duration : out->shortest;
        bytes += reader_u32(&trun);
        if (flags & 0x400) {
            uint32_t sample = reader_u32(&trun);
            out->key = i == 0 ? (sample & 0x10000) == 0 : out->key;
        }
        if (flags & 0x800)
            shown += (int32_t)reader_u32(&trun);
        if (i < LEDGER_SHOWN)
            out->shown[i] = shown;
    }
    assert_true(reader_ok(&trun) && reader_left(&trun) == 0 && reader_ok(&tfdt));
    size_t moof_at = (size_t)(moof.data - data) - 8;
    size_t mdat_at = moof_at + 8 + moof.len;
    assert_int_equal(offset, 8 + moof.len + 8); /* FMP-02: relative to moof */
    assert_memory_equal(data + mdat_at + 4, "mdat", 4);
    assert_int_equal(bytes, len - mdat_at - 8); /* FMP-03: one moof, one mdat, nothing else */
}

static inline void ledger_add_part(struct ledger *l, const struct part_part *part,
                                   const uint8_t *data, size_t len)
{
    assert_true(l->part_count < LEDGER_PARTS);
    struct ledger_part *p = &l->parts[l->part_count++];
    p->part = *part;
    ledger_parse_chunk(data, len, part->rendition == TRACK_VIDEO, p);
    for (p->segment = l->segment_count; p->segment-- > 0;) {
        const struct part_segment *s = &l->segments[p->segment].segment;
        if (s->rendition == part->rendition)
            break;
    }
    assert_true(p->segment < l->segment_count);
    assert_int_equal(l->segments[p->segment].segment.msn, part->msn);
}

static inline size_t ledger_samples(const struct ledger *l, uint32_t rendition)
{
    size_t samples = 0;
    for (size_t i = 0; i < l->part_count; i++)
        samples += l->parts[i].part.rendition == rendition ? l->parts[i].samples : 0;
    return samples;
}

static inline int ledger_open(void *ctx, const struct part_segment *segment)
{
    struct ledger *l = ctx;
    assert_true(l->segment_count < LEDGER_SEGMENTS);
    assert_int_equal(part_check_segment(segment), 0);
    l->segments[l->segment_count++] = (struct ledger_segment){.segment = *segment};
    return 0;
}

static inline int ledger_part(void *ctx, const struct part_part *part, const struct writer *head,
                              const uint8_t *body, size_t body_len)
{
    uint8_t *all = malloc(head->len + body_len);
    assert_non_null(all);
    memcpy(all, head->data, head->len);
    memcpy(all + head->len, body, body_len);
    assert_int_equal(part->len, head->len + body_len);
    assert_int_equal(part_check_part(part, part->len), 0);
    ledger_add_part(ctx, part, all, head->len + body_len);
    free(all);
    return 0;
}

static inline int ledger_close(void *ctx, const struct part_segment_end *end)
{
    struct ledger *l = ctx;
    for (size_t i = l->segment_count; i-- > 0;) {
        struct ledger_segment *s = &l->segments[i];
        if (s->segment.rendition != end->rendition)
            continue;
        assert_int_equal(s->segment.msn, end->msn);
        assert_false(s->closed);
        s->closed = true;
        s->end = *end;
        return 0;
    }
    fail();
    return 0;
}

static inline struct chunker_sink ledger_sink(struct ledger *l)
{
    return (struct chunker_sink){
        .ctx = l, .open = ledger_open, .part = ledger_part, .close = ledger_close};
}

/* What a check found beside the rules that it asserts. */
struct ledger_sums {
    size_t segments;
    size_t parts;
    size_t breaks;       /* segments with a discontinuity */
    size_t dependent;    /* video segments that do not begin with a key frame */
    uint64_t longest_us; /* segment */
    int64_t first, end;  /* ticks */
};

/* LL-01, LL-02, LL-06, LL-07, HLS-02, HLS-04, FMP-02 for one rendition. */
static inline struct ledger_sums ledger_check(const struct ledger *l, uint32_t rendition,
                                              uint32_t part_us, uint32_t target_s)
{
    struct ledger_sums sums = {0};
    uint64_t msn = 0, sum_us = 0;
    uint32_t index = 0;
    const struct ledger_segment *segment = NULL;
    for (size_t i = 0; i < l->part_count; i++) {
        const struct ledger_part *p = &l->parts[i];
        const struct ledger_segment *s = &l->segments[p->segment];
        uint32_t scale = rendition == TRACK_VIDEO ? 90000 : 48000;
        if (p->part.rendition != rendition)
            continue;
        bool first = s != segment;
        if (first) {
            assert_true(segment == NULL || segment->closed);
            assert_true(segment == NULL || s->segment.msn == msn + 1);
            sums.segments++;
            sums.breaks += s->segment.discontinuity;
            sums.dependent += !p->key;
            index = 0;
            sum_us = 0;
        }
        if (sums.parts == 0)
            sums.first = p->base;
        else if (first && s->segment.discontinuity)
            assert_true(p->base >= sums.end);
        else
            assert_int_equal(p->base, sums.end); /* no hole, no overlap */
        sums.end = p->base + p->ticks;
        assert_int_equal(p->part.part, index++);
        assert_int_equal(p->part.duration_us, p->ticks * 1000000 / scale); /* HLS-12 */
        assert_true(p->part.duration_us <= part_us);                       /* LL-01 */
        bool independent = (p->part.flags & PART_INDEPENDENT) != 0;
        assert_int_equal(independent, p->key); /* LL-06 */
        bool last = s->closed && (p->part.flags & PART_LAST);
        sum_us += p->part.duration_us;
        if (s->closed && s->end.duration_us - sum_us < index)
            last = true;
        if (!last && !independent) /* LL-02 */
            assert_true(p->part.duration_us * UINT64_C(100) >= part_us * UINT64_C(85));
        if (s->closed && p->part.flags & PART_LAST) { /* LL-07 */
            assert_true(s->end.duration_us >= sum_us && s->end.duration_us - sum_us <= index);
        }
        if (s->closed) {
            assert_true((s->end.duration_us + 500000) / 1000000 <= target_s); /* HLS-02 */
            if (s->end.duration_us > sums.longest_us)
                sums.longest_us = s->end.duration_us;
        }
        segment = s;
        msn = s->segment.msn;
        sums.parts++;
    }
    return sums;
}

/* HLS-10, HLS-15: both renditions have the same numbers and breaks, and boundaries within
 * `apart_us`. */
static inline void ledger_check_mirrored(const struct ledger *l, int64_t apart_us)
{
    for (size_t i = 0; i < l->segment_count; i++) {
        const struct part_segment *v = &l->segments[i].segment;
        if (v->rendition != TRACK_VIDEO)
            continue;
        for (size_t k = 0; k < l->segment_count; k++) {
            const struct part_segment *a = &l->segments[k].segment;
            if (a->rendition != TRACK_AUDIO || a->msn != v->msn)
                continue;
            assert_int_equal(a->discontinuity, v->discontinuity);
            assert_int_equal(a->discontinuity_sequence, v->discontinuity_sequence);
            assert_true(llabs(a->wall_us - v->wall_us) <= apart_us); /* HLS-11 */
        }
    }
}

#endif
