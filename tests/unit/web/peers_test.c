/* Counters per address (threats.md H2, P2). */
#include "web/peers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct addr v4(uint8_t last)
{
    return (struct addr){.family = 4, .port = last, .ip = {192, 0, 2, last}};
}

static void H2_limit_is_per_address_and_kind(void **state)
{
    struct peers *peers = NULL;
    struct addr a = v4(1), b = v4(2);
    (void)state;
    assert_int_equal(peers_new(8, &peers), 0);
    for (uint32_t i = 0; i < 3; i++)
        assert_true(peers_take(peers, &a, PEERS_CONNECTION, 3));
    assert_false(peers_take(peers, &a, PEERS_CONNECTION, 3));
    assert_true(peers_take(peers, &a, PEERS_WAITER, 1));
    assert_false(peers_take(peers, &a, PEERS_WAITER, 1));
    assert_true(peers_take(peers, &b, PEERS_CONNECTION, 3));
    peers_drop(peers, &a, PEERS_CONNECTION);
    assert_true(peers_take(peers, &a, PEERS_CONNECTION, 3));
    assert_int_equal(peers_count(peers, &a, PEERS_CONNECTION), 3);
    assert_int_equal(peers_count(peers, &b, PEERS_CONNECTION), 1);
    assert_false(peers_take(peers, &b, PEERS_PUBLISH, 0));
    peers_free(peers);
}

static void H2_an_ipv6_network_is_one_client(void **state)
{
    struct peers *peers = NULL;
    struct addr a = {.family = 6, .ip = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 9, 9}};
    struct addr same = {.family = 6, .ip = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 7, 7}};
    struct addr other = {.family = 6, .ip = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 2, 9, 9}};
    (void)state;
    assert_int_equal(peers_new(8, &peers), 0);
    assert_true(peers_take(peers, &a, PEERS_CONNECTION, 1));
    assert_false(peers_take(peers, &same, PEERS_CONNECTION, 1));
    assert_true(peers_take(peers, &other, PEERS_CONNECTION, 1));
    peers_free(peers);
}

static void H2_a_full_table_refuses_and_recovers(void **state)
{
    struct peers *peers = NULL;
    (void)state;
    assert_int_equal(peers_new(16, &peers), 0);
    for (int round = 0; round < 3; round++) {
        for (uint8_t i = 0; i < 16; i++) {
            struct addr a = v4(i);
            assert_true(peers_take(peers, &a, PEERS_CONNECTION, 9));
        }
        struct addr more = v4(99);
        assert_false(peers_take(peers, &more, PEERS_CONNECTION, 9));
        for (uint8_t i = 0; i < 16; i++) {
            struct addr a = v4(i);
            peers_drop(peers, &a, PEERS_CONNECTION);
            assert_int_equal(peers_count(peers, &a, PEERS_CONNECTION), 0);
        }
    }
    peers_free(peers);
}

static void H4_many_are_counted_all_or_nothing(void **state)
{
    struct peers *peers = NULL;
    struct addr a = v4(1);
    (void)state;
    assert_int_equal(peers_new(8, &peers), 0);
    assert_false(peers_take_many(peers, &a, PEERS_BODY, 17, 16));
    assert_true(peers_take_many(peers, &a, PEERS_BODY, 10, 16));
    assert_false(peers_take_many(peers, &a, PEERS_BODY, 7, 16));
    assert_int_equal(peers_count(peers, &a, PEERS_BODY), 10);
    assert_true(peers_take_many(peers, &a, PEERS_BODY, 6, 16));
    assert_false(peers_take_many(peers, &a, PEERS_BODY, UINT32_MAX, 16));
    assert_false(peers_take_many(peers, &a, PEERS_BODY, 1, 3));
    peers_drop_many(peers, &a, PEERS_BODY, 15);
    assert_int_equal(peers_count(peers, &a, PEERS_BODY), 1);
    peers_drop(peers, &a, PEERS_BODY);
    assert_int_equal(peers_count(peers, &a, PEERS_BODY), 0);
    peers_free(peers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(H2_limit_is_per_address_and_kind),
        cmocka_unit_test(H2_an_ipv6_network_is_one_client),
        cmocka_unit_test(H2_a_full_table_refuses_and_recovers),
        cmocka_unit_test(H4_many_are_counted_all_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
