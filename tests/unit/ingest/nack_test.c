#include "gateway/ingest/nack.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void RTP_08_asks_after_the_wait_then_each_interval(void **state)
{
    struct nack n;
    uint16_t out[NACK_LIST_MAX];
    (void)state;
    nack_init(&n);
    assert_true(nack_due_us(&n) == UINT64_MAX);
    assert_int_equal(nack_add(&n, 65535, 2, 1000), 0);
    assert_int_equal(nack_due_us(&n), 1000 + NACK_WAIT_US);
    assert_int_equal(nack_take(&n, 1000 + NACK_WAIT_US - 1, out, NACK_LIST_MAX), 0);
    uint64_t now_us = 1000 + NACK_WAIT_US;
    for (unsigned i = 0; i < NACK_TRIES_MAX; i++) {
        assert_int_equal(nack_take(&n, now_us, out, NACK_LIST_MAX), 2);
        assert_int_equal(out[0], 65535);
        assert_int_equal(out[1], 0);
        assert_int_equal(nack_take(&n, now_us + NACK_REPEAT_US - 1, out, NACK_LIST_MAX), 0);
        now_us += NACK_REPEAT_US;
    }
    assert_int_equal(nack_take(&n, now_us, out, NACK_LIST_MAX), 0);
    assert_true(nack_due_us(&n) == UINT64_MAX);
}

static void RTP_08_the_list_is_capped(void **state)
{
    struct nack n;
    (void)state;
    nack_init(&n);
    assert_int_equal(nack_add(&n, 0, NACK_LIST_MAX, 0), 0);
    assert_int_equal(n.count, NACK_LIST_MAX);
    assert_int_equal(nack_add(&n, NACK_LIST_MAX, 1, 0), -ENOSPC);
    assert_int_equal(n.count, 0);
    assert_int_equal(nack_add(&n, 0, NACK_LIST_MAX + 1, 0), -ENOSPC);
}

static void older_numbers_go_in_front(void **state)
{
    struct nack n;
    uint16_t out[8];
    (void)state;
    nack_init(&n);
    assert_int_equal(nack_add(&n, 5, 2, 0), 0);
    assert_int_equal(nack_add(&n, 65534, 3, 0), 0);
    assert_int_equal(nack_add(&n, 9, 1, 0), 0);
    static const uint16_t wanted[] = {65534, 65535, 0, 5, 6, 9};
    assert_int_equal(nack_take(&n, 1000000, out, 8), 6);
    assert_memory_equal(out, wanted, sizeof(wanted));
    nack_forget(&n, 5);
    assert_int_equal(n.count, 3);
}

static void what_came_is_not_asked_for(void **state)
{
    struct nack n;
    uint16_t out[NACK_LIST_MAX];
    (void)state;
    nack_init(&n);
    nack_add(&n, 10, 3, 0);
    assert_int_equal(nack_remove(&n, 11, false, 5), NACK_OVERTAKEN);
    assert_int_equal(nack_take(&n, NACK_WAIT_US, out, NACK_LIST_MAX), 2);
    assert_int_equal(out[0], 10);
    assert_int_equal(out[1], 12);
    assert_int_equal(nack_remove(&n, 12, false, NACK_WAIT_US + 40000), NACK_REPAIRED);
    assert_int_equal(nack_remove(&n, 12, false, NACK_WAIT_US + 40000), NACK_NOT_LISTED);
    assert_int_equal(n.count, 1);
}

/* One number is missed, asked for `tries` times and comes after_us after the last request. */
static enum nack_arrival repair(struct nack *n, uint16_t sequence, unsigned tries,
                                uint64_t after_us, bool rtx)
{
    uint16_t out[4];
    uint64_t now_us = 1000000;
    assert_int_equal(nack_add(n, sequence, 1, now_us), 0);
    for (unsigned i = 0; i < tries; i++) {
        now_us = nack_due_us(n);
        assert_int_equal(nack_take(n, now_us, out, 4), 1);
    }
    return nack_remove(n, sequence, rtx, now_us + after_us);
}

static void the_interval_is_learned_from_answers(void **state)
{
    struct nack n;
    (void)state;
    nack_init(&n);
    for (uint16_t i = 0; i < 60; i++)
        assert_int_equal(repair(&n, i, 1, 50000, true), NACK_REPAIRED);
    assert_in_range(nack_round_trip_us(&n), 49000, 51000);
    assert_in_range(nack_repeat_us(&n), 50000, 52000);
    for (uint16_t i = 0; i < 60; i++) /* 50 to 90 ms */
        repair(&n, i, 1, 50000 + i % 5 * 10000u, true);
    assert_in_range(nack_repeat_us(&n), 100000, 150000); /* above the slowest */
}

static void the_interval_is_bounded(void **state)
{
    struct nack n;
    (void)state;
    nack_init(&n);
    for (uint16_t i = 0; i < 60; i++)
        repair(&n, i, 1, 1, true);
    assert_int_equal(nack_repeat_us(&n), NACK_REPEAT_MIN_US);
    for (uint16_t i = 0; i < 60; i++)
        repair(&n, i, 1, 30000000, true);
    assert_int_equal(nack_repeat_us(&n), NACK_REPEAT_MAX_US);
    assert_true(nack_round_trip_us(&n) <= NACK_SAMPLE_MAX_US);
}

/* The round trip is longer than the first guess: every answer comes after a repeat. */
static void answers_after_a_repeat_are_told_apart(void **state)
{
    struct nack n;
    (void)state;
    nack_init(&n);
    repair(&n, 1, 2, 60000, true); /* 160 ms after the first request */
    assert_in_range(nack_round_trip_us(&n), 160000, 160000);
    for (uint16_t i = 2; i < 40; i++)
        repair(&n, i, 1, 160000, true);
    assert_in_range(nack_repeat_us(&n), 160000, 170000);
    uint64_t before_us = nack_repeat_us(&n);
    repair(&n, 50, 2, 5000, true); /* that is the first request's answer, late */
    assert_in_range(nack_round_trip_us(&n), 160000, 163000);
    assert_true(nack_repeat_us(&n) >= before_us);
    repair(&n, 51, 2, 150000, true); /* and this the second's: the first was lost */
    assert_in_range(nack_round_trip_us(&n), 155000, 163000);
}

static void the_wait_follows_what_was_overtaken(void **state)
{
    struct nack n;
    (void)state;
    nack_init(&n);
    assert_int_equal(nack_wait_us(&n), NACK_WAIT_US);
    for (uint16_t i = 0; i < 60; i++) { /* 20 to 40 ms late: the first are asked for in vain */
        nack_add(&n, i, 1, 0);
        nack_remove(&n, i, false, 20000 + i % 5 * 5000u);
    }
    assert_in_range(nack_wait_us(&n), 40000, NACK_WAIT_MAX_US);
    for (uint16_t i = 0; i < 300; i++) /* all is true loss now */
        repair(&n, i, 1, 50000, true);
    assert_int_equal(nack_wait_us(&n), NACK_WAIT_MIN_US);
    for (uint16_t i = 0; i < 60; i++) {
        nack_add(&n, i, 1, 0);
        nack_remove(&n, i, false, 900000);
    }
    assert_int_equal(nack_wait_us(&n), NACK_WAIT_MAX_US);
}

/* Asked for too early, a packet comes sooner than an answer could. */
static void what_was_asked_for_may_still_be_merely_late(void **state)
{
    struct nack n;
    (void)state;
    nack_init(&n);
    for (uint16_t i = 0; i < 60; i++)
        repair(&n, i, 1, 80000, false);
    uint64_t round_trip_us = nack_round_trip_us(&n);
    uint64_t wait_us = nack_wait_us(&n);
    assert_int_equal(repair(&n, 100, 1, 5000, false), NACK_OVERTAKEN);
    assert_int_equal(nack_round_trip_us(&n), round_trip_us);
    assert_true(nack_wait_us(&n) > wait_us || wait_us == NACK_WAIT_US);
    assert_int_equal(repair(&n, 101, 1, 5000, true), NACK_REPAIRED); /* RTX leaves no doubt */
}

static void a_shorter_way_is_noticed_without_rtx(void **state)
{
    struct nack n;
    (void)state;
    nack_init(&n);
    for (uint16_t i = 0; i < 60; i++)
        repair(&n, i, 1, 200000, false);
    for (uint16_t i = 0; i < 500; i++)
        repair(&n, i, 1, 30000, false);
    assert_in_range(nack_round_trip_us(&n), 29000, 31000);
}

static void requests_are_said_twice_under_heavy_loss(void **state)
{
    struct nack n;
    uint16_t out[4];
    (void)state;
    nack_init(&n);
    nack_set_twice(&n, true);
    nack_add(&n, 7, 1, 0);
    uint64_t now_us = NACK_WAIT_US;
    for (unsigned i = 0; i < NACK_TRIES_MAX; i++) {
        assert_int_equal(nack_due_us(&n), now_us);
        assert_int_equal(nack_take(&n, now_us, out, 4), 1);
        assert_int_equal(nack_due_us(&n), now_us + NACK_ECHO_US);
        assert_int_equal(nack_take(&n, now_us + NACK_ECHO_US, out, 4), 1);
        assert_int_equal(n.entries[0].tries, i + 1);
        now_us += NACK_REPEAT_US;
    }
    assert_true(nack_due_us(&n) == UINT64_MAX);
}

/* At 30 % most answers come after a repeat: the estimate must neither fall nor run away. */
static void RTP_08_the_interval_holds_under_heavy_loss(void **state)
{
    struct nack n;
    (void)state;
    nack_init(&n);
    nack_set_twice(&n, true);
    for (uint16_t i = 0; i < 3000; i++) {
        uint16_t out[4];
        uint64_t now_us = 1000000;
        unsigned lost = i % 3; /* requests without an answer */
        nack_add(&n, i, 1, now_us);
        for (unsigned try = 0; try <= lost; try++) {
            now_us = nack_due_us(&n);
            nack_take(&n, now_us, out, 4);
            if (try < lost && nack_due_us(&n) == now_us + NACK_ECHO_US)
                nack_take(&n, now_us + NACK_ECHO_US, out, 4);
        }
        nack_remove(&n, i, i % 2, now_us + 50000 + i % 41 * 1000);
    }
    assert_in_range(nack_round_trip_us(&n), 50000, 95000);
    assert_in_range(nack_repeat_us(&n), 55000, 140000);
}

/* RTP-07: Chromium repeats packets of its own accord to probe the way. */
static void probes_teach_no_round_trip(void **state)
{
    struct nack n;
    (void)state;
    nack_init(&n);
    for (uint16_t i = 0; i < 300; i++) {
        if (i % 10 == 9) /* by chance 4 ms after it was asked for, or before */
            assert_int_equal(repair(&n, i, i % 20 == 9, 4000, true), NACK_REPAIRED);
        else
            repair(&n, i, 1, 50000 + i % 5 * 5000u, true);
    }
    assert_in_range(nack_round_trip_us(&n), 55000, 66000);
    assert_in_range(nack_wait_us(&n), NACK_WAIT_MIN_US, NACK_WAIT_US);
}

static void given_up_numbers_are_forgotten(void **state)
{
    struct nack n;
    uint16_t out[NACK_LIST_MAX];
    (void)state;
    nack_init(&n);
    nack_add(&n, 65530, 10, 0);
    nack_forget(&n, 65530);
    assert_int_equal(n.count, 10);
    nack_forget(&n, 2);
    assert_int_equal(nack_take(&n, NACK_WAIT_US, out, NACK_LIST_MAX), 2);
    assert_int_equal(out[0], 2);
}

static void a_small_buffer_leaves_the_rest_for_later(void **state)
{
    struct nack n;
    uint16_t out[4];
    (void)state;
    nack_init(&n);
    nack_add(&n, 0, 6, 0);
    assert_int_equal(nack_take(&n, NACK_WAIT_US, out, 4), 4);
    assert_int_equal(nack_due_us(&n), NACK_WAIT_US);
    assert_int_equal(nack_take(&n, NACK_WAIT_US, out, 4), 2);
    assert_int_equal(out[0], 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(RTP_08_asks_after_the_wait_then_each_interval),
        cmocka_unit_test(RTP_08_the_list_is_capped),
        cmocka_unit_test(older_numbers_go_in_front),
        cmocka_unit_test(what_came_is_not_asked_for),
        cmocka_unit_test(the_interval_is_learned_from_answers),
        cmocka_unit_test(the_interval_is_bounded),
        cmocka_unit_test(answers_after_a_repeat_are_told_apart),
        cmocka_unit_test(the_wait_follows_what_was_overtaken),
        cmocka_unit_test(what_was_asked_for_may_still_be_merely_late),
        cmocka_unit_test(a_shorter_way_is_noticed_without_rtx),
        cmocka_unit_test(requests_are_said_twice_under_heavy_loss),
        cmocka_unit_test(RTP_08_the_interval_holds_under_heavy_loss),
        cmocka_unit_test(probes_teach_no_round_trip),
        cmocka_unit_test(given_up_numbers_are_forgotten),
        cmocka_unit_test(a_small_buffer_leaves_the_rest_for_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
