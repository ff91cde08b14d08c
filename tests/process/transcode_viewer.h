/* A consumer of transcode's segments that checks what it is told as web does. For transcode_test.c.
 */
#ifndef SLUICE_TESTS_TRANSCODE_VIEWER_H
#define SLUICE_TESTS_TRANSCODE_VIEWER_H

#include "lib/base/chan.h"
#include "lib/base/loop.h"
#include "lib/base/segment.h"
#include "lib/proto/part.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <sys/mman.h>

#define TRANSCODE_VIEWER_FIRST_MSN 5000u

struct rendition {
    struct part_init init;
    struct part_segment segment;
    struct segment_reader memory;
    bool has_init, open;
    uint32_t parts, offset, segments, breaks;
    uint64_t sum_us, total_us;
    uint64_t first_msn;
};

struct viewer {
    struct loop loop;
    struct chan *chan;
    bool closed;
    struct part_hello hello;
    struct part_end end;
    unsigned hellos, ends;
    uint32_t parts;
    struct rendition renditions[2];
};

static int on_hello(void *ctx, const struct chan_message *m)
{
    struct viewer *v = ctx;
    v->hello = *(const struct part_hello *)m->body;
    assert_int_equal(part_check_hello(&v->hello), 0);
    v->hellos++;
    return 0;
}

static int on_init(void *ctx, const struct chan_message *m)
{
    struct viewer *v = ctx;
    const struct part_init *init = m->body;
    assert_int_equal(v->hellos, 1);
    assert_int_equal(part_check_init(init, m->blob_len), 0);
    assert_true(init->rendition < 2 && init->kind == init->rendition);
    assert_memory_equal(m->blob + 4, "ftyp", 4);
    v->renditions[init->rendition].init = *init;
    v->renditions[init->rendition].has_init = true;
    return 0;
}

static int on_segment(void *ctx, const struct chan_message *m)
{
    struct viewer *v = ctx;
    const struct part_segment *s = m->body;
    assert_int_equal(part_check_segment(s), 0);
    assert_true(s->rendition < 2);
    struct rendition *r = &v->renditions[s->rendition];
    assert_true(r->has_init && !r->open);
    assert_int_equal(s->init_id, r->init.init_id);
    assert_true(r->segments == 0 || s->msn == r->segment.msn + 1); /* HLS-04 */
    segment_reader_close(&r->memory);
    assert_int_equal(segment_reader_open(&r->memory, m->fds[0]), 0);
    void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, m->fds[0], 0);
    assert_ptr_equal(map, MAP_FAILED); /* sealed against us */
    assert_true(r->segments > 0 || s->msn >= TRANSCODE_VIEWER_FIRST_MSN);
    r->first_msn = r->segments == 0 ? s->msn : r->first_msn;
    r->segment = *s;
    r->open = true;
    r->segments++;
    r->breaks += s->discontinuity;
    r->parts = r->offset = 0;
    r->sum_us = 0;
    return 0;
}

static int on_part(void *ctx, const struct chan_message *m)
{
    struct viewer *v = ctx;
    const struct part_part *p = m->body;
    assert_true(p->rendition < 2);
    struct rendition *r = &v->renditions[p->rendition];
    assert_true(r->open);
    assert_int_equal(part_check_part(p, r->memory.capacity), 0);
    assert_int_equal(p->msn, r->segment.msn);
    assert_int_equal(p->part, r->parts++);
    assert_int_equal(p->offset, r->offset);
    assert_true(p->duration_us <= v->hello.part_target_us); /* LL-01 */
    assert_memory_equal(r->memory.data + p->offset + 4, p->part == 0 ? "styp" : "prft", 4);
    r->offset += p->len;
    r->sum_us += p->duration_us;
    v->parts++;
    return 0;
}

static int on_segment_end(void *ctx, const struct chan_message *m)
{
    struct viewer *v = ctx;
    const struct part_segment_end *e = m->body;
    struct rendition *r = &v->renditions[e->rendition];
    assert_true(r->open);
    assert_int_equal(e->msn, r->segment.msn);
    assert_true(e->duration_us - r->sum_us <= r->parts);                            /* LL-07 */
    assert_true((e->duration_us + 500000) / 1000000 <= v->hello.target_duration_s); /* HLS-02 */
    r->open = false;
    r->total_us += e->duration_us;
    return 0;
}

static int on_part_end(void *ctx, const struct chan_message *m)
{
    struct viewer *v = ctx;
    v->end = *(const struct part_end *)m->body;
    assert_false(v->renditions[0].open || v->renditions[1].open);
    v->ends++;
    return 0;
}

static void on_closed(void *ctx, int reason)
{
    struct viewer *v = ctx;
    assert_int_equal(reason, 0);
    chan_free(v->chan);
    v->chan = NULL;
    v->closed = true;
}

static const struct chan_rule viewer_rules[] = {
    {PART_HELLO, CHAN_ANY_PHASE, sizeof(struct part_hello), 0, 0, on_hello},
    {PART_INIT, CHAN_ANY_PHASE, sizeof(struct part_init), PART_INIT_MAX, 0, on_init},
    {PART_SEGMENT, CHAN_ANY_PHASE, sizeof(struct part_segment), 0, 1, on_segment},
    {PART_PART, CHAN_ANY_PHASE, sizeof(struct part_part), 0, 0, on_part},
    {PART_SEGMENT_END, CHAN_ANY_PHASE, sizeof(struct part_segment_end), 0, 0, on_segment_end},
    {PART_END, CHAN_ANY_PHASE, sizeof(struct part_end), 0, 0, on_part_end},
};

#endif
