#include "gateway/ingest/ceiling.h"
#include "lib/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define START_US 1000000u
#define RATE_BPS 6000000u

struct passed {
    uint64_t bytes;
    uint64_t packets;
    uint64_t dropped;
};

/* Sends packets of one size at a steady rate for some seconds. */
static struct passed send(struct ceiling *c, uint64_t *now_us, size_t len, uint64_t per_s,
                          unsigned seconds)
{
    struct passed p = {0};
    uint64_t start_us = *now_us;
    for (uint64_t i = 0; i < per_s * seconds; i++) {
        *now_us = start_us + i * CLOCK_SECOND_US / per_s;
        if (!ceiling_allows(c, *now_us)) {
            p.dropped++;
            continue;
        }
        ceiling_charge(c, len);
        p.bytes += len;
        p.packets++;
    }
    *now_us = start_us + seconds * CLOCK_SECOND_US;
    return p;
}

static void U15_what_the_grant_allows_passes(void **state)
{
    struct ceiling c;
    uint64_t now_us = START_US;
    (void)state;
    ceiling_init(&c, RATE_BPS, now_us);
    struct passed p = send(&c, &now_us, 1200, RATE_BPS / 8 / 1200 * 14 / 10, 60); /* repairs too */
    assert_int_equal(p.dropped, 0);
    p = send(&c, &now_us, 1200, 900, 1); /* a second's backlog at once */
    assert_int_equal(p.dropped, 0);
    assert_false(ceiling_tick(&c));
}

static void U15_excess_bytes_are_dropped(void **state)
{
    struct ceiling c;
    uint64_t now_us = START_US;
    (void)state;
    ceiling_init(&c, RATE_BPS, now_us);
    struct passed p = send(&c, &now_us, 1200, 50000, 10);
    uint64_t allowed = RATE_BPS / 8 * CEILING_ROOM_PERCENT / 100;
    assert_in_range(p.bytes, allowed * 10 * 95 / 100, allowed * 11 + 1200);
}

static void U15_excess_packets_are_dropped(void **state)
{
    struct ceiling c;
    uint64_t now_us = START_US;
    (void)state;
    ceiling_init(&c, RATE_BPS, now_us);
    struct passed p = send(&c, &now_us, 13, 50000, 10);
    uint64_t allowed = CEILING_PACKETS_MIN + RATE_BPS / 8 * 3 / 2 / CEILING_PACKET_BYTES;
    assert_in_range(p.packets, allowed * 9, allowed * 12);
    assert_true(p.dropped > 350000);
}

static void U15_ten_seconds_over_it_end_the_stream(void **state)
{
    struct ceiling c;
    uint64_t now_us = START_US;
    (void)state;
    ceiling_init(&c, RATE_BPS, now_us);
    for (unsigned second = 1; second < CEILING_OVER_S; second++) {
        send(&c, &now_us, 1200, 5000, 1);
        assert_false(ceiling_tick(&c));
    }
    send(&c, &now_us, 1200, 100, 2); /* a pause forgives */
    assert_false(ceiling_tick(&c));
    assert_false(ceiling_tick(&c));
    for (unsigned second = 1; second <= CEILING_OVER_S; second++) {
        send(&c, &now_us, 1200, 5000, 1);
        assert_int_equal(ceiling_tick(&c), second == CEILING_OVER_S);
    }
}

static void U10_what_is_not_charged_uses_nothing_up(void **state)
{
    struct ceiling c;
    (void)state;
    ceiling_init(&c, RATE_BPS, START_US);
    for (unsigned i = 0; i < 100000; i++) /* forged: allowed, then not authentic */
        assert_true(ceiling_allows(&c, START_US + i));
    assert_false(ceiling_tick(&c));
}

static void odd_rates_do_no_harm(void **state)
{
    struct ceiling c;
    (void)state;
    ceiling_init(&c, 1, START_US);
    assert_true(ceiling_allows(&c, START_US));
    ceiling_charge(&c, 1500);
    assert_false(ceiling_allows(&c, START_US + 1));
    ceiling_init(&c, UINT64_MAX / 1000, START_US);
    assert_true(ceiling_allows(&c, UINT64_MAX / 2));
    ceiling_charge(&c, 1500);
    assert_true(ceiling_allows(&c, UINT64_MAX / 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(U15_what_the_grant_allows_passes),
        cmocka_unit_test(U15_excess_bytes_are_dropped),
        cmocka_unit_test(U15_excess_packets_are_dropped),
        cmocka_unit_test(U15_ten_seconds_over_it_end_the_stream),
        cmocka_unit_test(U10_what_is_not_charged_uses_nothing_up),
        cmocka_unit_test(odd_rates_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
