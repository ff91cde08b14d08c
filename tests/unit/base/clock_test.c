/* Clocks and counters that wrap. */
#include "lib/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Exhaustive: every pair of 16-bit counters. */
static void RTP_diff16_is_right_for_all_pairs(void **state)
{
    (void)state;
    for (uint32_t b = 0; b < 65536; b += 257) {
        for (int32_t step = -32768; step < 32768; step++) {
            uint16_t a = (uint16_t)((int32_t)b + step);
            if (clock_diff16(a, (uint16_t)b) != step)
                fail_msg("%d - %u is %d", a, b, clock_diff16(a, (uint16_t)b));
        }
    }
}

static void diff32_wraps(void **state)
{
    (void)state;
    assert_true(clock_diff32(5, 3) == 2);
    assert_true(clock_diff32(3, 5) == -2);
    assert_true(clock_diff32(1, UINT32_MAX) == 2);
    assert_true(clock_diff32(UINT32_MAX, 1) == -2);
    assert_true(clock_diff32(0x7fffffff, 0) == 0x7fffffff);
    assert_true(clock_diff32(0x80000000, 0) == -0x80000000LL);
    assert_true(clock_diff32(9, 9) == 0);
}

static void clocks_go_on(void **state)
{
    (void)state;
    uint64_t first = clock_now_us();
    uint64_t boot = clock_boottime_us();
    assert_true(clock_now_us() >= first);
    assert_true(boot + CLOCK_SECOND_US >= first); /* includes time asleep */
    assert_true(clock_wall_us() > UINT64_C(1700000000) * CLOCK_SECOND_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(RTP_diff16_is_right_for_all_pairs),
        cmocka_unit_test(diff32_wraps),
        cmocka_unit_test(clocks_go_on),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
