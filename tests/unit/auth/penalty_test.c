/* Penalties by address. */
#include "auth/penalty.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SECOND_US 1000000u

static struct addr v4(uint32_t ip)
{
    return (struct addr){
        .family = 4,
        .ip = {(uint8_t)(ip >> 24), (uint8_t)(ip >> 16), (uint8_t)(ip >> 8), (uint8_t)ip}};
}

static int set_up(void **state)
{
    static struct penalty p;
    *state = &p;
    return penalty_init(&p);
}

static int tear_down(void **state)
{
    penalty_done(*state);
    return 0;
}

static void H8_429_after_10(void **state)
{
    struct addr peer = v4(0x7f000001);
    for (int i = 0; i < 10; i++)
        assert_false(penalty_fail(*state, &peer, 1000));
    for (int i = 0; i < 10; i++)
        assert_true(penalty_fail(*state, &peer, 1000));
}

static void the_empty_address_is_not_penalised(void **state)
{
    struct addr none = {0};
    for (int i = 0; i < 100; i++)
        assert_false(penalty_fail(*state, &none, 1000));
}

static void H8_slow_failures_are_forgiven(void **state)
{
    struct addr peer = v4(0x7f000001);
    for (uint64_t i = 0; i < 50; i++)
        assert_false(penalty_fail(*state, &peer, i * 6 * SECOND_US + 1));
}

static void H8_penalty_runs_out_and_is_capped(void **state)
{
    struct addr peer = v4(0x7f000001);
    for (int i = 0; i < 100000; i++)
        penalty_fail(*state, &peer, 1);
    assert_true(penalty_fail(*state, &peer, PENALTY_CAP_US - SECOND_US));
    /* the cap from the last failure: forgotten one second after it */
    assert_false(penalty_fail(*state, &peer, 2 * (uint64_t)PENALTY_CAP_US));
}

static void H8_neighbours_are_not_penalised(void **state)
{
    struct addr bad = v4(0x7f000001);
    struct addr good = v4(0x7f000002);
    for (int i = 0; i < 20; i++)
        penalty_fail(*state, &bad, 1);
    assert_true(penalty_fail(*state, &bad, 1));
    assert_false(penalty_fail(*state, &good, 1));
}

static void ipv6_counts_by_64_bits(void **state)
{
    struct addr a = {.family = 6, .ip = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 1}};
    struct addr b = {.family = 6, .ip = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 2}};
    struct addr c = {.family = 6, .ip = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 2, 1}};
    for (int i = 0; i < 10; i++)
        penalty_fail(*state, &a, 1);
    assert_true(penalty_fail(*state, &b, 1));
    assert_false(penalty_fail(*state, &c, 1));
}

/* A flood from a million addresses neither grows the table nor frees the one who is penalised most.
 */
static void H8_table_is_bounded_and_keeps_the_worst(void **state)
{
    struct addr bad = v4(0x0a000001);
    for (int i = 0; i < 100; i++)
        penalty_fail(*state, &bad, 1);
    for (uint32_t i = 0; i < 1000000; i++) {
        struct addr other = v4(0x0b000000 + i);
        penalty_fail(*state, &other, 1);
    }
    assert_true(penalty_fail(*state, &bad, 1));
}

static void without_a_table_nobody_is_penalised(void **state)
{
    (void)state;
    struct penalty none = {0};
    struct addr peer = v4(1);
    for (int i = 0; i < 10; i++)
        assert_false(penalty_fail(&none, &peer, 1));
    penalty_done(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(H8_429_after_10, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_empty_address_is_not_penalised, set_up, tear_down),
        cmocka_unit_test_setup_teardown(H8_slow_failures_are_forgiven, set_up, tear_down),
        cmocka_unit_test_setup_teardown(H8_penalty_runs_out_and_is_capped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(H8_neighbours_are_not_penalised, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ipv6_counts_by_64_bits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(H8_table_is_bounded_and_keeps_the_worst, set_up, tear_down),
        cmocka_unit_test(without_a_table_nobody_is_penalised),
    };
    return cmocka_run_group_tests_name("penalty", tests, NULL, NULL);
}
