#include "gateway/ingest/nack.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void RTP_08_asks_after_the_reorder_wait_then_each_round_trip(void **state)
{
    struct nack n;
    uint16_t out[NACK_LIST_MAX];
    (void)state;
    nack_init(&n);
    assert_true(nack_due_us(&n) == UINT64_MAX);
    assert_int_equal(nack_add(&n, 65535, 2, 1000), 0);
    assert_int_equal(nack_due_us(&n), 1000 + NACK_REORDER_US);
    assert_int_equal(nack_take(&n, 1000 + NACK_REORDER_US - 1, out, NACK_LIST_MAX), 0);
    uint64_t now_us = 1000 + NACK_REORDER_US;
    for (unsigned i = 0; i < NACK_TRIES_MAX; i++) {
        assert_int_equal(nack_take(&n, now_us, out, NACK_LIST_MAX), 2);
        assert_int_equal(out[0], 65535);
        assert_int_equal(out[1], 0);
        assert_int_equal(nack_take(&n, now_us + NACK_ROUND_TRIP_US - 1, out, NACK_LIST_MAX), 0);
        now_us += NACK_ROUND_TRIP_US;
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

static void what_came_is_not_asked_for(void **state)
{
    struct nack n;
    uint16_t out[NACK_LIST_MAX];
    (void)state;
    nack_init(&n);
    nack_add(&n, 10, 3, 0);
    assert_false(nack_remove(&n, 11, 5)); /* merely late */
    assert_int_equal(nack_take(&n, NACK_REORDER_US, out, NACK_LIST_MAX), 2);
    assert_int_equal(out[0], 10);
    assert_int_equal(out[1], 12);
    assert_true(nack_remove(&n, 12, NACK_REORDER_US + 40000));
    assert_false(nack_remove(&n, 12, NACK_REORDER_US + 40000));
    assert_int_equal(n.count, 1);
}

static void the_round_trip_is_learned_from_first_answers(void **state)
{
    struct nack n;
    uint16_t out[NACK_LIST_MAX];
    (void)state;
    nack_init(&n);
    for (uint16_t i = 0; i < 60; i++) {
        nack_add(&n, i, 1, 0);
        nack_take(&n, NACK_REORDER_US, out, NACK_LIST_MAX);
        assert_true(nack_remove(&n, i, NACK_REORDER_US + 40000));
    }
    assert_in_range(n.round_trip_us, 39000, 41000);
    nack_add(&n, 100, 1, 0);
    nack_take(&n, NACK_REORDER_US, out, NACK_LIST_MAX);
    nack_remove(&n, 100, NACK_REORDER_US + 1); /* nonsense is bounded */
    assert_true(n.round_trip_us >= NACK_ROUND_TRIP_MIN_US);
}

static void an_answer_after_a_repeat_teaches_nothing(void **state)
{
    struct nack n;
    uint16_t out[NACK_LIST_MAX];
    (void)state;
    nack_init(&n);
    nack_add(&n, 1, 1, 0);
    nack_take(&n, NACK_REORDER_US, out, NACK_LIST_MAX);
    nack_take(&n, NACK_REORDER_US + NACK_ROUND_TRIP_US, out, NACK_LIST_MAX);
    assert_true(nack_remove(&n, 1, NACK_REORDER_US + NACK_ROUND_TRIP_US + 20000));
    assert_int_equal(n.round_trip_us, NACK_ROUND_TRIP_US);
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
    assert_int_equal(nack_take(&n, NACK_REORDER_US, out, NACK_LIST_MAX), 2);
    assert_int_equal(out[0], 2);
}

static void a_small_buffer_leaves_the_rest_for_later(void **state)
{
    struct nack n;
    uint16_t out[4];
    (void)state;
    nack_init(&n);
    nack_add(&n, 0, 6, 0);
    assert_int_equal(nack_take(&n, NACK_REORDER_US, out, 4), 4);
    assert_int_equal(nack_due_us(&n), NACK_REORDER_US);
    assert_int_equal(nack_take(&n, NACK_REORDER_US, out, 4), 2);
    assert_int_equal(out[0], 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(RTP_08_asks_after_the_reorder_wait_then_each_round_trip),
        cmocka_unit_test(RTP_08_the_list_is_capped),
        cmocka_unit_test(what_came_is_not_asked_for),
        cmocka_unit_test(the_round_trip_is_learned_from_first_answers),
        cmocka_unit_test(an_answer_after_a_repeat_teaches_nothing),
        cmocka_unit_test(given_up_numbers_are_forgotten),
        cmocka_unit_test(a_small_buffer_leaves_the_rest_for_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
