#include "transcode/lateness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECOND_US UINT64_C(1000000)

static struct lateness lateness;
static uint64_t now_us;

static int set_up(void **state)
{
    (void)state;
    lateness_init(&lateness);
    now_us = 5 * SECOND_US;
    return 0;
}

/* Frames of 30 fps that all come that late. */
static void pass(double seconds, int64_t late_us)
{
    for (int i = 0; i < (int)(seconds * 30); i++) {
        now_us += 33333;
        lateness_add(&lateness, late_us, now_us);
    }
}

static void nothing_came_yet(void **state)
{
    (void)state;
    assert_int_equal(lateness_us(&lateness), 0);
}

static void a_clean_network_waits_for_nothing(void **state)
{
    (void)state;
    pass(20, 15000);
    assert_int_equal(lateness_us(&lateness), 15000);
}

static void a_repair_is_remembered_for_some_seconds(void **state)
{
    (void)state;
    pass(5, 10000);
    lateness_add(&lateness, 120000, now_us);
    assert_int_equal(lateness_us(&lateness), 120000);
    pass(6.5, 10000);
    assert_int_equal(lateness_us(&lateness), 120000);
    pass(3, 10000);
    assert_int_equal(lateness_us(&lateness), 10000);
}

static void silence_forgets_nothing(void **state)
{
    (void)state;
    pass(5, 10000);
    lateness_add(&lateness, 120000, now_us);
    now_us += 60 * SECOND_US;
    assert_int_equal(lateness_us(&lateness), 120000);
    pass(0.1, 10000);
    assert_int_equal(lateness_us(&lateness), 120000);
}

static void a_burst_after_a_stall_counts_as_a_repair_at_most(void **state)
{
    (void)state;
    pass(5, 10000);
    for (int64_t late_us = 1500000; late_us > 0; late_us -= 33333)
        lateness_add(&lateness, late_us, now_us);
    pass(3, 10000);
    assert_true(lateness_us(&lateness) < 10000 + LATENESS_REPAIR_US + 50000);
}

static void a_slower_way_becomes_usual(void **state)
{
    (void)state;
    pass(5, 10000);
    pass(3, 900000);
    assert_int_equal(lateness_us(&lateness), 900000);
}

static void the_least_is_known_too(void **state)
{
    (void)state;
    assert_int_equal(lateness_least_us(&lateness), 0);
    pass(2, 10000);
    lateness_add(&lateness, -4000, now_us); /* before its time */
    pass(3, 20000);
    assert_int_equal(lateness_least_us(&lateness), -4000);
    assert_int_equal(lateness_us(&lateness), 20000);
    pass(9, 20000);
    assert_int_equal(lateness_least_us(&lateness), 20000);
}

static void times_out_of_range_are_limited(void **state)
{
    (void)state;
    pass(1, INT64_MAX);
    assert_int_equal(lateness_us(&lateness), LATENESS_MAX_US);
    lateness_init(&lateness);
    pass(1, INT64_MIN);
    assert_int_equal(lateness_us(&lateness), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_came_yet, set_up),
        cmocka_unit_test_setup(a_clean_network_waits_for_nothing, set_up),
        cmocka_unit_test_setup(a_repair_is_remembered_for_some_seconds, set_up),
        cmocka_unit_test_setup(silence_forgets_nothing, set_up),
        cmocka_unit_test_setup(a_burst_after_a_stall_counts_as_a_repair_at_most, set_up),
        cmocka_unit_test_setup(a_slower_way_becomes_usual, set_up),
        cmocka_unit_test_setup(the_least_is_known_too, set_up),
        cmocka_unit_test_setup(times_out_of_range_are_limited, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
