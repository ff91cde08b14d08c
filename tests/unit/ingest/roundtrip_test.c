#include "gateway/ingest/roundtrip.h"
#include "lib/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define OURS 77u
#define START_US UINT64_C(900000000)
#define MS_16 65u /* a millisecond in 1/65536 s */

static uint32_t refer(struct roundtrip *r, uint64_t now_us)
{
    return (uint32_t)(roundtrip_refer(r, OURS, now_us) >> 16);
}

static void RFC3611_the_answers_delay_is_no_round_trip(void **state)
{
    struct roundtrip r = {.enabled = true};
    (void)state;
    uint32_t reference = refer(&r, START_US);
    assert_int_equal(roundtrip_us(&r), 0);
    roundtrip_answer(&r, OURS, reference, 700 * MS_16, START_US + 750000);
    assert_in_range(roundtrip_us(&r), 54000, 60000); /* 700 * 65 is not quite 700 ms */
}

static void RFC3611_round_trips_are_smoothed(void **state)
{
    struct roundtrip r = {.enabled = true};
    uint64_t now_us = START_US;
    (void)state;
    for (unsigned i = 0; i < 60; i++, now_us += CLOCK_SECOND_US) {
        uint32_t reference = refer(&r, now_us);
        roundtrip_answer(&r, OURS, reference, 0, now_us + (i < 20 ? 40000 : 80000));
        if (i == 20)
            assert_in_range(roundtrip_us(&r), 43000, 47000);
    }
    assert_in_range(roundtrip_us(&r), 78000, 80001);
}

static void RFC3611_only_answers_to_what_was_sent_count(void **state)
{
    struct roundtrip r = {.enabled = true};
    (void)state;
    roundtrip_answer(&r, 0, 0, 0, START_US); /* nothing was sent */
    uint32_t first = refer(&r, START_US);
    roundtrip_answer(&r, OURS, first + 1, 0, START_US + 50000);
    roundtrip_answer(&r, OURS, 0, 0, START_US + 50000);
    roundtrip_answer(&r, OURS + 1, first, 0, START_US + 50000);
    roundtrip_answer(&r, OURS, first, 0, START_US + ROUNDTRIP_LONGEST_US + CLOCK_SECOND_US);
    roundtrip_answer(&r, OURS, first, UINT32_MAX / 2 + 9, START_US + 50000);
    for (unsigned i = 1; i <= ROUNDTRIP_SENT_MAX; i++)
        (void)refer(&r, START_US + i * CLOCK_SECOND_US);
    roundtrip_answer(&r, OURS, first, 0, START_US + 50000);
    assert_int_equal(roundtrip_us(&r), 0);
}

/* RTP-21: nobody learns our clock or links sessions by it. */
static void RTP_21_references_count_from_the_first(void **state)
{
    (void)state;
    for (uint64_t start_us = 1; start_us < UINT64_C(1) << 50; start_us *= 1000) {
        struct roundtrip r = {.enabled = true};
        assert_true(roundtrip_refer(&r, OURS, start_us) == UINT64_C(1) << 32);
        assert_true(roundtrip_refer(&r, OURS, start_us + 500000) == UINT64_C(3) << 31);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(RFC3611_the_answers_delay_is_no_round_trip),
        cmocka_unit_test(RFC3611_round_trips_are_smoothed),
        cmocka_unit_test(RFC3611_only_answers_to_what_was_sent_count),
        cmocka_unit_test(RTP_21_references_count_from_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
