#include "gateway/ingest/keyframe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void RTP_11_asks_at_once_at_the_start(void **state)
{
    struct keyframe k = {0};
    (void)state;
    assert_false(keyframe_take(&k, false, 5));
    keyframe_want(&k);
    assert_int_equal(keyframe_due_us(&k), 0);
    assert_true(keyframe_take(&k, false, 5));
    assert_false(keyframe_take(&k, false, 6));
}

static void RTP_11_at_most_twice_a_second(void **state)
{
    struct keyframe k = {0};
    unsigned sent = 0;
    (void)state;
    for (uint64_t now_us = 1000000; now_us < 11000000; now_us += 1000) {
        keyframe_want(&k);
        sent += keyframe_take(&k, false, now_us) ? 1 : 0;
    }
    assert_int_equal(sent, 20);
}

static void RTP_11_never_within_350_ms_after_a_key_frame(void **state)
{
    struct keyframe k = {0};
    (void)state;
    keyframe_seen(&k, 1000000);
    keyframe_want(&k);
    assert_int_equal(keyframe_due_us(&k), 1000000 + KEYFRAME_REST_US);
    assert_false(keyframe_take(&k, false, 1000000 + KEYFRAME_REST_US - 1));
    assert_true(keyframe_take(&k, false, 1000000 + KEYFRAME_REST_US));
}

static void wishes_are_merged_and_end_with_a_key_frame(void **state)
{
    struct keyframe k = {0};
    (void)state;
    keyframe_want(&k);
    keyframe_want(&k);
    assert_true(keyframe_take(&k, false, 1));
    keyframe_seen(&k, 50000);
    assert_true(keyframe_due_us(&k) == UINT64_MAX);
    assert_false(keyframe_take(&k, false, 9000000));
    keyframe_want(&k); /* unanswered ones are repeated */
    assert_true(keyframe_take(&k, false, 9000000));
    assert_true(keyframe_take(&k, false, 9000000 + KEYFRAME_SPACING_US));
}

static void RTP_11_repeats_leave_time_for_an_answer(void **state)
{
    struct keyframe k = {0};
    (void)state;
    keyframe_want(&k);
    assert_true(keyframe_take(&k, false, 0));
    keyframe_set_answer(&k, 690000);
    assert_int_equal(keyframe_due_us(&k), 690000);
    keyframe_set_answer(&k, 90000);
    assert_int_equal(keyframe_due_us(&k), KEYFRAME_SPACING_US);
    keyframe_set_answer(&k, 9000000);
    assert_int_equal(keyframe_due_us(&k), KEYFRAME_SPACING_MAX_US);
}

/* Asks whenever it is time; how many of each kind until then. */
static void ask_until(struct keyframe *k, uint64_t from_us, uint64_t to_us, bool may_order,
                      unsigned counts[3])
{
    for (uint64_t now_us = from_us; now_us < to_us; now_us += 10000)
        counts[keyframe_take(k, may_order, now_us)]++;
}

static void RTP_11_fir_only_when_pli_had_no_effect_for_2_s(void **state)
{
    struct keyframe k = {0};
    unsigned counts[3] = {0};
    (void)state;
    keyframe_want(&k);
    ask_until(&k, 1000000, 1000000 + KEYFRAME_IGNORED_US, true, counts);
    assert_int_equal(counts[KEYFRAME_ASK], 4);
    assert_int_equal(counts[KEYFRAME_ORDER], 0);
    ask_until(&k, 3000000, 7000000, true, counts); /* each 2 s, PLI between them */
    assert_int_equal(counts[KEYFRAME_ORDER], 2);
    assert_int_equal(counts[KEYFRAME_ASK] + counts[KEYFRAME_ORDER], 12);
    keyframe_seen(&k, 7000000);
    keyframe_want(&k);
    ask_until(&k, 7000000, 9000000, true, counts); /* another request, another patience */
    assert_int_equal(counts[KEYFRAME_ORDER], 2);
}

static void RTP_11_no_fir_unless_agreed(void **state)
{
    struct keyframe k = {0};
    unsigned counts[3] = {0};
    (void)state;
    keyframe_want(&k);
    ask_until(&k, 1000000, 11000000, false, counts);
    assert_int_equal(counts[KEYFRAME_ORDER], 0);
    assert_int_equal(counts[KEYFRAME_ASK], 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(RTP_11_asks_at_once_at_the_start),
        cmocka_unit_test(RTP_11_at_most_twice_a_second),
        cmocka_unit_test(RTP_11_never_within_350_ms_after_a_key_frame),
        cmocka_unit_test(RTP_11_repeats_leave_time_for_an_answer),
        cmocka_unit_test(RTP_11_fir_only_when_pli_had_no_effect_for_2_s),
        cmocka_unit_test(RTP_11_no_fir_unless_agreed),
        cmocka_unit_test(wishes_are_merged_and_end_with_a_key_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
