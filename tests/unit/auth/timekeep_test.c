/* The clock that never goes back. */
#include "auth/timekeep.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SECOND_US 1000000u
#define WALL_US 1700000000000000u
#define WALL_MS 1700000000000u

static void follows_the_wall_clock(void **state)
{
    (void)state;
    struct timekeep t;
    timekeep_init(&t, 0, WALL_US, 0);
    assert_true(timekeep_now_ms(&t, WALL_US, 0) == WALL_MS);
    assert_true(timekeep_now_ms(&t, WALL_US + SECOND_US, SECOND_US) == WALL_MS + 1000);
    assert_true(timekeep_behind_ms(&t, WALL_US + SECOND_US, SECOND_US) == 0);
}

static void T4_clock_set_back_goes_on_from_the_highest(void **state)
{
    (void)state;
    struct timekeep t;
    timekeep_init(&t, 0, WALL_US, 0);
    uint64_t day_us = 86400ull * SECOND_US;
    assert_true(timekeep_now_ms(&t, WALL_US - day_us, 5 * SECOND_US) == WALL_MS + 5000);
    assert_true(timekeep_now_ms(&t, WALL_US - day_us, 9 * SECOND_US) == WALL_MS + 9000);
    assert_true(timekeep_behind_ms(&t, WALL_US - day_us, 9 * SECOND_US) == 86409000);
}

static void T4_stored_mark_survives_a_restart_with_an_old_clock(void **state)
{
    (void)state;
    struct timekeep t;
    timekeep_init(&t, WALL_MS, WALL_US - 3600ull * SECOND_US, 0);
    assert_true(timekeep_now_ms(&t, WALL_US - 3600ull * SECOND_US, SECOND_US) == WALL_MS + 1000);
}

static void T4_clock_set_forward_is_followed(void **state)
{
    (void)state;
    struct timekeep t;
    timekeep_init(&t, 0, WALL_US, 0);
    assert_true(timekeep_now_ms(&t, WALL_US + 100 * SECOND_US, SECOND_US) == WALL_MS + 100000);
    assert_true(timekeep_now_ms(&t, WALL_US + 2 * SECOND_US, 2 * SECOND_US) == WALL_MS + 101000);
}

static void never_decreases(void **state)
{
    (void)state;
    struct timekeep t;
    timekeep_init(&t, WALL_MS, WALL_US, 1000);
    uint64_t last = 0;
    uint32_t seed = 1;
    uint64_t boot_us = 1000;
    for (int i = 0; i < 10000; i++) {
        seed = seed * 1103515245u + 12345u;
        boot_us += seed >> 20;
        uint64_t wall_us = WALL_US + (seed >> 4) - (1u << 27);
        uint64_t now = timekeep_now_ms(&t, wall_us, boot_us);
        assert_true(now >= last);
        last = now;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_wall_clock),
        cmocka_unit_test(T4_clock_set_back_goes_on_from_the_highest),
        cmocka_unit_test(T4_stored_mark_survives_a_restart_with_an_old_clock),
        cmocka_unit_test(T4_clock_set_forward_is_followed),
        cmocka_unit_test(never_decreases),
    };
    return cmocka_run_group_tests_name("timekeep", tests, NULL, NULL);
}
