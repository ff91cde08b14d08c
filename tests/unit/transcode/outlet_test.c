/* Segments in memory and the consumers that are told about them. */
#include "transcode/outlet.h"

#include "lib/base/chan.h"
#include "lib/base/fd.h"
#include "lib/base/segment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LOG_MAX 65536

/* A consumer that writes down in short what it is told, e.g. "i0.1 s0.7 p0.7.0 e0.7 ". */
struct listener {
    struct chan *chan;
    char heard[LOG_MAX];
    size_t len;
    struct segment_reader memory;
    char media[256];
};

struct world {
    struct loop worker, others;
    struct outlet *outlet;
    uint64_t numbers; /* given to listeners */
};

static void note(struct listener *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(struct listener *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(l->heard + l->len, LOG_MAX - l->len, format, args);
    va_end(args);
    assert_true(len > 0 && l->len + (size_t)len < LOG_MAX);
    l->len += (size_t)len;
}

static int on_message(void *ctx, const struct chan_message *m)
{
    struct listener *l = ctx;
    const struct part_segment *s = m->body;
    const struct part_part *p = m->body;
    const struct part_segment_end *e = m->body;
    const struct part_init *i = m->body;
    switch (m->type) {
    case PART_HELLO:
        note(l, "hello ");
        break;
    case PART_INIT:
        note(l, "i%u.%u ", i->rendition, i->init_id);
        break;
    case PART_SEGMENT:
        note(l, "s%u.%d ", s->rendition, (int)s->msn);
        segment_reader_close(&l->memory);
        assert_int_equal(segment_reader_open(&l->memory, m->fds[0]), 0);
        break;
    case PART_PART:
        note(l, "p%u.%d.%u ", p->rendition, (int)p->msn, p->part);
        memcpy(l->media, l->memory.data + p->offset, p->len);
        l->media[p->len] = '\0';
        break;
    case PART_SEGMENT_END:
        note(l, "e%u.%d ", e->rendition, (int)e->msn);
        break;
    default:
        note(l, "end ");
    }
    return 0;
}

static const struct chan_rule rules[] = {
    {PART_HELLO, CHAN_ANY_PHASE, sizeof(struct part_hello), 0, 0, on_message},
    {PART_INIT, CHAN_ANY_PHASE, sizeof(struct part_init), PART_INIT_MAX, 0, on_message},
    {PART_SEGMENT, CHAN_ANY_PHASE, sizeof(struct part_segment), 0, 1, on_message},
    {PART_PART, CHAN_ANY_PHASE, sizeof(struct part_part), 0, 0, on_message},
    {PART_SEGMENT_END, CHAN_ANY_PHASE, sizeof(struct part_segment_end), 0, 0, on_message},
    {PART_END, CHAN_ANY_PHASE, sizeof(struct part_end), 0, 0, on_message},
};

static void on_closed(void *ctx, int reason)
{
    struct listener *l = ctx;
    (void)reason;
    chan_free(l->chan);
    l->chan = NULL;
}

static struct listener *listen_as(struct world *w, uint64_t number)
{
    int fds[2];
    struct listener *l = calloc(1, sizeof *l);
    assert_int_equal(chan_pair(fds), 0);
    assert_int_equal(chan_new(&w->others, fds[0], rules, 6, on_closed, l, &l->chan), 0);
    assert_int_equal(outlet_add_consumer(w->outlet, number, fds[1]), 0);
    return l;
}

static struct listener *listen_to(struct world *w)
{
    return listen_as(w, ++w->numbers);
}

static void leave(struct listener *l)
{
    chan_free(l->chan);
    segment_reader_close(&l->memory);
    free(l);
}

static void turn(struct world *w)
{
    for (int i = 0; i < 300; i++) {
        assert_int_equal(loop_turn(&w->worker, 0), 0);
        assert_int_equal(loop_turn(&w->others, 0), 0);
    }
}

static const char *heard(struct world *w, struct listener *l)
{
    turn(w);
    return l->heard;
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct part_hello hello = {.window = 3, .renditions = 3};
    *state = w;
    assert_int_equal(loop_init(&w->worker), 0);
    assert_int_equal(loop_init(&w->others), 0);
    return outlet_new(&w->worker, &hello, &w->outlet);
}

static int tear_down(void **state)
{
    struct world *w = *state;
    outlet_free(w->outlet);
    loop_done(&w->worker);
    loop_done(&w->others);
    free(w);
    return 0;
}

static void put_init(struct world *w, uint32_t rendition, uint32_t id)
{
    struct part_init init = {.rendition = rendition, .init_id = id};
    outlet_put_init(w->outlet, &init, (const uint8_t *)"head", 4);
}

static void open_one(struct world *w, uint32_t rendition, uint64_t msn, uint32_t init_id)
{
    struct part_segment s = {.rendition = rendition, .msn = msn, .init_id = init_id};
    assert_int_equal(outlet_open_segment(w->outlet, &s), 0);
}

static int put(struct world *w, uint32_t rendition, uint64_t msn, uint32_t part, const char *text)
{
    struct writer head;
    char bytes[] = "moof";
    writer_init(&head, bytes, 4);
    head.len = 4;
    struct part_part p = {
        .rendition = rendition, .msn = msn, .part = part, .len = (uint32_t)strlen(text) + 4};
    return outlet_put_part(w->outlet, &p, &head, (const uint8_t *)text, strlen(text));
}

static void close_one(struct world *w, uint32_t rendition, uint64_t msn)
{
    struct part_segment_end e = {.rendition = rendition, .msn = msn};
    assert_int_equal(outlet_close_segment(w->outlet, &e), 0);
}

static void everything_is_told_in_order(void **state)
{
    struct world *w = *state;
    struct listener *l = listen_to(w);
    put_init(w, 0, 1);
    put_init(w, 1, 1);
    open_one(w, 0, 7, 1);
    assert_int_equal(put(w, 0, 7, 0, "one"), 0);
    open_one(w, 1, 7, 1);
    assert_int_equal(put(w, 0, 7, 1, "two"), 0);
    assert_string_equal(heard(w, l), "hello i0.1 s0.7 p0.7.0 i1.1 s1.7 p0.7.1 ");
    assert_int_equal(put(w, 1, 7, 0, "three"), 0);
    close_one(w, 0, 7);
    put_init(w, 0, 2);
    open_one(w, 0, 8, 2);
    assert_string_equal(heard(w, l),
                        "hello i0.1 s0.7 p0.7.0 i1.1 s1.7 p0.7.1 p1.7.0 e0.7 i0.2 s0.8 ");
    leave(l);
}

static void consumers_read_head_and_body_together(void **state)
{
    struct world *w = *state;
    struct listener *l = listen_to(w);
    put_init(w, 0, 1);
    open_one(w, 0, 7, 1);
    assert_int_equal(put(w, 0, 7, 0, "first"), 0);
    turn(w);
    assert_string_equal(l->media, "mooffirst");
    assert_int_equal(put(w, 0, 7, 1, "second"), 0);
    turn(w);
    assert_string_equal(l->media, "moofsecond");
    leave(l);
}

static void a_late_consumer_hears_the_window_by_number(void **state)
{
    struct world *w = *state;
    put_init(w, 0, 1);
    put_init(w, 1, 1);
    for (uint64_t msn = 1; msn <= 3; msn++) {
        open_one(w, 0, msn, 1);
        assert_int_equal(put(w, 0, msn, 0, "v"), 0);
        close_one(w, 0, msn);
    }
    for (uint64_t msn = 1; msn <= 2; msn++) { /* audio is behind */
        open_one(w, 1, msn, 1);
        assert_int_equal(put(w, 1, msn, 0, "a"), 0);
    }
    struct listener *l = listen_to(w);
    assert_string_equal(heard(w, l),
                        "hello i0.1 s0.1 p0.1.0 e0.1 i1.1 s1.1 p1.1.0 s0.2 p0.2.0 e0.2 "
                        "s1.2 p1.2.0 s0.3 p0.3.0 e0.3 ");
    leave(l);
}

static void HLS_08_window_and_three_more_are_kept(void **state)
{
    struct world *w = *state;
    for (uint32_t i = 1; i <= 40; i++) { /* each with a header of its own */
        put_init(w, 0, i);
        open_one(w, 0, i, i);
        assert_int_equal(put(w, 0, i, 0, "v"), 0);
        close_one(w, 0, i);
    }
    struct listener *l = listen_to(w);
    assert_string_equal(heard(w, l), "hello i0.35 s0.35 p0.35.0 e0.35 i0.36 s0.36 p0.36.0 e0.36 "
                                     "i0.37 s0.37 p0.37.0 e0.37 i0.38 s0.38 p0.38.0 e0.38 "
                                     "i0.39 s0.39 p0.39.0 e0.39 i0.40 s0.40 p0.40.0 e0.40 ");
    leave(l);
}

static void a_dead_consumer_is_dropped_and_others_go_on(void **state)
{
    struct world *w = *state;
    struct listener *first = listen_to(w), *second = listen_to(w);
    assert_int_equal(outlet_consumers(w->outlet), 2);
    leave(first);
    put_init(w, 0, 1);
    open_one(w, 0, 7, 1);
    turn(w);
    assert_int_equal(outlet_consumers(w->outlet), 1);
    assert_string_equal(second->heard, "hello i0.1 s0.7 ");
    leave(second);
}

static void a_consumer_that_does_not_read_is_dropped(void **state)
{
    struct world *w = *state;
    struct listener *l = listen_to(w);
    put_init(w, 0, 1);
    for (uint32_t segment = 0; segment < 30; segment++) {
        open_one(w, 0, segment, 1);
        for (uint32_t part = 0; part < 200; part++)
            assert_int_equal(put(w, 0, segment, part, "v"), 0);
    }
    assert_int_equal(outlet_consumers(w->outlet), 0);
    leave(l);
}

static void consumers_that_talk_are_dropped(void **state)
{
    struct world *w = *state;
    struct listener *l = listen_to(w);
    turn(w);
    assert_int_equal(chan_send(l->chan, PART_HELLO, "x", 1, NULL, 0, NULL, 0), 0);
    turn(w);
    assert_int_equal(outlet_consumers(w->outlet), 0);
    leave(l);
}

/* A web process that asks again and again takes no place from the others (W2). */
static void I5_one_consumer_has_one_place(void **state)
{
    struct world *w = *state;
    struct listener *other = listen_as(w, 1), *last = NULL;
    for (unsigned i = 0; i < 2 * OUTLET_CONSUMERS_MAX; i++) {
        struct listener *next = listen_as(w, 2);
        if (last) {
            assert_string_equal(heard(w, last), "hello ");
            assert_null(last->chan); /* its end came with the next one */
            leave(last);
        }
        last = next;
    }
    assert_int_equal(outlet_consumers(w->outlet), 2);
    open_one(w, 0, 1, 1);
    assert_non_null(other->chan);
    assert_non_null(last->chan);
    leave(other);
    leave(last);
}

static void there_are_limits(void **state)
{
    struct world *w = *state;
    struct listener *l[OUTLET_CONSUMERS_MAX];
    int fds[2];
    for (size_t i = 0; i < OUTLET_CONSUMERS_MAX; i++)
        l[i] = listen_to(w);
    assert_int_equal(chan_pair(fds), 0);
    assert_int_equal(outlet_add_consumer(w->outlet, 99, fds[1]), -ENOSPC);
    fd_close(&fds[0]);
    for (size_t i = 0; i < OUTLET_CONSUMERS_MAX; i++)
        leave(l[i]);
    put_init(w, 0, 1);
    open_one(w, 0, 1, 1);
    for (uint32_t i = 0; i < PART_PER_SEGMENT_MAX; i++)
        assert_int_equal(put(w, 0, 1, i, "v"), 0);
    assert_int_equal(put(w, 0, 1, PART_PER_SEGMENT_MAX, "v"), -ENOSPC);
    open_one(w, 1, 1, 1);
    char *large = malloc(OUTLET_AUDIO_BYTES + 1);
    memset(large, 'x', OUTLET_AUDIO_BYTES);
    large[OUTLET_AUDIO_BYTES] = '\0';
    assert_int_equal(put(w, 1, 1, 0, large), -ENOSPC);
    free(large);
}

static void the_end_is_told_to_late_ones_too(void **state)
{
    struct world *w = *state;
    struct part_end end = {.final = 1, .reason = 1};
    struct listener *early = listen_to(w);
    outlet_end(w->outlet, &end);
    struct listener *late = listen_to(w);
    assert_string_equal(heard(w, early), "hello end ");
    assert_string_equal(late->heard, "hello end ");
    leave(early);
    leave(late);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(everything_is_told_in_order),
        TEST(consumers_read_head_and_body_together),
        TEST(a_late_consumer_hears_the_window_by_number),
        TEST(HLS_08_window_and_three_more_are_kept),
        TEST(a_dead_consumer_is_dropped_and_others_go_on),
        TEST(a_consumer_that_does_not_read_is_dropped),
        TEST(consumers_that_talk_are_dropped),
        TEST(I5_one_consumer_has_one_place),
        TEST(there_are_limits),
        TEST(the_end_is_told_to_late_ones_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
