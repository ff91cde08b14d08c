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
    assert_false(keyframe_take(&k, 5));
    keyframe_want(&k);
    assert_int_equal(keyframe_due_us(&k), 0);
    assert_true(keyframe_take(&k, 5));
    assert_false(keyframe_take(&k, 6));
}

static void RTP_11_at_most_twice_a_second(void **state)
{
    struct keyframe k = {0};
    unsigned sent = 0;
    (void)state;
    for (uint64_t now_us = 1000000; now_us < 11000000; now_us += 1000) {
        keyframe_want(&k);
        sent += keyframe_take(&k, now_us) ? 1 : 0;
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
    assert_false(keyframe_take(&k, 1000000 + KEYFRAME_REST_US - 1));
    assert_true(keyframe_take(&k, 1000000 + KEYFRAME_REST_US));
}

static void wishes_are_merged_and_end_with_a_key_frame(void **state)
{
    struct keyframe k = {0};
    (void)state;
    keyframe_want(&k);
    keyframe_want(&k);
    assert_true(keyframe_take(&k, 1));
    keyframe_seen(&k, 50000);
    assert_true(keyframe_due_us(&k) == UINT64_MAX);
    assert_false(keyframe_take(&k, 9000000));
    keyframe_want(&k); /* unanswered ones are repeated */
    assert_true(keyframe_take(&k, 9000000));
    assert_true(keyframe_take(&k, 9000000 + KEYFRAME_SPACING_US));
}

static void RTP_11_repeats_leave_time_for_an_answer(void **state)
{
    struct keyframe k = {0};
    (void)state;
    keyframe_want(&k);
    assert_true(keyframe_take(&k, 0));
    keyframe_set_answer(&k, 690000);
    assert_int_equal(keyframe_due_us(&k), 690000);
    keyframe_set_answer(&k, 90000);
    assert_int_equal(keyframe_due_us(&k), KEYFRAME_SPACING_US);
    keyframe_set_answer(&k, 9000000);
    assert_int_equal(keyframe_due_us(&k), KEYFRAME_SPACING_MAX_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(RTP_11_asks_at_once_at_the_start),
        cmocka_unit_test(RTP_11_at_most_twice_a_second),
        cmocka_unit_test(RTP_11_never_within_350_ms_after_a_key_frame),
        cmocka_unit_test(RTP_11_repeats_leave_time_for_an_answer),
        cmocka_unit_test(wishes_are_merged_and_end_with_a_key_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
