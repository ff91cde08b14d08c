#include "gateway/ingest/reception.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void RTP_13_loss_is_reported_as_in_rfc_3550(void **state)
{
    struct reception r = {.clock_rate = 90000};
    struct rtcp_report report;
    (void)state;
    for (uint32_t i = 0; i < 100; i++)
        if (i % 4 != 3)
            reception_packet(&r, (uint16_t)(65500 + i), i * 3000, i * 33333);
    reception_report(&r, 77, 1000, &report);
    assert_int_equal(report.ssrc, 77);
    assert_int_equal(report.cumulative_lost, 24); /* the last one counts as not yet expected */
    assert_int_equal(report.fraction_lost, 24 * 256 / 99);
    assert_int_equal(report.highest_sequence, 65536 + (uint16_t)(65500 + 98));
    assert_int_equal(report.last_sr, 0);
    for (uint32_t i = 100; i < 200; i++)
        reception_packet(&r, (uint16_t)(65500 + i), i * 3000, i * 33333);
    reception_report(&r, 77, 1000, &report);
    assert_int_equal(report.cumulative_lost, 25);
    assert_int_equal(report.fraction_lost, 1 * 256 / 101);
}

static void RTP_13_all_lost_is_the_most_the_field_can_say(void **state)
{
    struct reception r = {.clock_rate = 90000};
    struct rtcp_report report;
    (void)state;
    reception_packet(&r, 0, 0, 0);
    reception_report(&r, 1, 0, &report);
    reception_packet(&r, 1000, 0, 0);
    reception_report(&r, 1, 0, &report);
    assert_int_equal(report.fraction_lost, 255); /* 999 of 1,000 */
    reception_packet(&r, 1001, 0, 0);
    reception_packet(&r, 1003, 0, 0);
    reception_packet(&r, 1004, 0, 0);
    reception_report(&r, 1, 0, &report);
    assert_int_equal(report.fraction_lost, 64); /* a quarter (A.3) */
}

static void duplicates_make_loss_negative_not_huge(void **state)
{
    struct reception r = {.clock_rate = 48000};
    struct rtcp_report report;
    (void)state;
    for (unsigned i = 0; i < 10; i++)
        reception_packet(&r, 5, 0, 0);
    reception_report(&r, 1, 0, &report);
    assert_int_equal(report.cumulative_lost, -9);
    assert_int_equal(report.fraction_lost, 0);
}

static void jitter_is_that_of_the_arrivals(void **state)
{
    struct reception r = {.clock_rate = 90000};
    struct rtcp_report report;
    (void)state;
    for (uint32_t i = 0; i < 1000; i++) /* every other packet 10 ms late */
        reception_packet(&r, (uint16_t)i, i * 1800, (uint64_t)i * 20000 + (i % 2) * 10000);
    reception_report(&r, 1, 0, &report);
    assert_in_range(report.jitter, 850, 910); /* 10 ms are 900 units */
    assert_in_range(reception_jitter_us(&r), 9400, 10200);
}

static void sender_reports_are_echoed(void **state)
{
    struct reception r = {.clock_rate = 90000};
    struct rtcp_report report;
    (void)state;
    reception_packet(&r, 1, 1, 1);
    reception_sender_report(&r, 0x1122334455667788u, 2000000);
    reception_report(&r, 1, 2500000, &report);
    assert_int_equal(report.last_sr, 0x33445566);
    assert_int_equal(report.delay_since_sr, 32768);
}

static void nothing_received_is_reported_as_nothing(void **state)
{
    struct reception r = {.clock_rate = 90000};
    struct rtcp_report report;
    (void)state;
    reception_report(&r, 9, 1, &report);
    assert_int_equal(report.ssrc, 9);
    assert_int_equal(report.highest_sequence, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(RTP_13_loss_is_reported_as_in_rfc_3550),
        cmocka_unit_test(RTP_13_all_lost_is_the_most_the_field_can_say),
        cmocka_unit_test(duplicates_make_loss_negative_not_huge),
        cmocka_unit_test(jitter_is_that_of_the_arrivals),
        cmocka_unit_test(sender_reports_are_echoed),
        cmocka_unit_test(nothing_received_is_reported_as_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
