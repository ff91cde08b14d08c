/* Rates per client (WHIP-28): buckets, the time to wait, a bounded table. */
#include "web/rates.h"

#include "lib/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define START (UINT64_C(1000) * CLOCK_SECOND_US)

static struct addr v4(uint32_t number)
{
    struct addr a = {.family = 4, .port = 1, .ip = {10}};
    a.ip[1] = (uint8_t)(number >> 16);
    a.ip[2] = (uint8_t)(number >> 8);
    a.ip[3] = (uint8_t)number;
    return a;
}

/* How many pass until one is refused. */
static uint32_t drain(struct rates *rates, const struct addr *a, enum rates_kind kind,
                      uint64_t now_us)
{
    uint32_t count = 0;
    while (rates_take(rates, a, kind, now_us) == 0 && count < 1000000)
        count++;
    return count;
}

static void WHIP_28_a_bucket_drains_and_fills_again(void **state)
{
    struct rates *rates = NULL;
    (void)state;
    assert_int_equal(rates_new(64, &rates), 0);
    for (uint32_t kind = 0; kind < RATES_KIND_COUNT; kind++) {
        const struct rates_limit *limit = rates_limit_of((enum rates_kind)kind);
        struct addr a = v4(1);
        uint64_t now_us = START;
        assert_int_equal(drain(rates, &a, (enum rates_kind)kind, now_us), limit->burst);
        now_us += CLOCK_SECOND_US;
        assert_int_equal(drain(rates, &a, (enum rates_kind)kind, now_us), limit->per_second);
        now_us += UINT64_C(3600) * CLOCK_SECOND_US;
        assert_int_equal(drain(rates, &a, (enum rates_kind)kind, now_us), limit->burst);
    }
    rates_free(rates);
}

/* What the client is told is true: then one passes, a moment earlier none. */
static void WHIP_28_the_time_to_wait_is_right(void **state)
{
    struct rates *rates = NULL;
    struct addr a = v4(1);
    (void)state;
    assert_int_equal(rates_new(64, &rates), 0);
    (void)drain(rates, &a, RATES_POST, START);
    uint64_t token_us = CLOCK_SECOND_US / rates_limit_of(RATES_POST)->per_second;
    assert_int_equal(rates_take(rates, &a, RATES_POST, START), 1);
    assert_int_equal(rates_take(rates, &a, RATES_POST, START + token_us - 1), 1);
    assert_int_equal(rates_take(rates, &a, RATES_POST, START + token_us), 0);
    rates_free(rates);
}

static void WHIP_28_kinds_and_clients_do_not_share(void **state)
{
    struct rates *rates = NULL;
    struct addr a = v4(1), b = v4(2), port = v4(1);
    struct addr net = {.family = 6, .ip = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 9}};
    struct addr same = {.family = 6, .ip = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 7}};
    struct addr other = {.family = 6, .ip = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 2, 9}};
    (void)state;
    port.port = 2;
    assert_int_equal(rates_new(64, &rates), 0);
    (void)drain(rates, &a, RATES_POST, START);
    assert_int_equal(rates_take(rates, &a, RATES_PATCH, START), 0);
    assert_int_equal(rates_take(rates, &b, RATES_POST, START), 0);
    assert_int_not_equal(rates_take(rates, &port, RATES_POST, START), 0);
    (void)drain(rates, &net, RATES_POST, START); /* an IPv6 /64 is one client */
    assert_int_not_equal(rates_take(rates, &same, RATES_POST, START), 0);
    assert_int_equal(rates_take(rates, &other, RATES_POST, START), 0);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(rates_take(rates, &a, RATES_FREE, START), 0);
    rates_free(rates);
}

static void H8_what_is_given_back_can_be_taken_again(void **state)
{
    struct rates *rates = NULL;
    struct addr a = v4(1), nobody = v4(9);
    (void)state;
    assert_int_equal(rates_new(64, &rates), 0);
    rates_give_back(rates, &nobody, RATES_POST);
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(rates_take(rates, &a, RATES_POST, START), 0);
        rates_give_back(rates, &a, RATES_POST);
    }
    rates_give_back(rates, &a, RATES_FREE);
    /* never more than a full bucket */
    for (int i = 0; i < 1000; i++)
        rates_give_back(rates, &a, RATES_POST);
    assert_int_equal(drain(rates, &a, RATES_POST, START), rates_limit_of(RATES_POST)->burst);
    rates_free(rates);
}

/* A storm of new addresses pushes out those that used least; nobody is refused because of it, and
 * who is at the limit stays there while enough others are more at rest. */
static void WHIP_28_the_table_is_bounded_and_never_refuses_a_newcomer(void **state)
{
    struct rates *rates = NULL;
    struct addr heavy = v4(1);
    (void)state;
    assert_int_equal(rates_new(64, &rates), 0);
    (void)drain(rates, &heavy, RATES_POST, START);
    for (uint32_t i = 2; i < 100000; i++) {
        struct addr a = v4(i);
        assert_int_equal(rates_take(rates, &a, RATES_POST, START), 0);
    }
    assert_int_not_equal(rates_take(rates, &heavy, RATES_POST, START), 0);
    rates_free(rates);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(WHIP_28_a_bucket_drains_and_fills_again),
        cmocka_unit_test(WHIP_28_the_time_to_wait_is_right),
        cmocka_unit_test(WHIP_28_kinds_and_clients_do_not_share),
        cmocka_unit_test(H8_what_is_given_back_can_be_taken_again),
        cmocka_unit_test(WHIP_28_the_table_is_bounded_and_never_refuses_a_newcomer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
