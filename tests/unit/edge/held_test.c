#include "gateway/edge/held.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct addr local = {.family = 4, .port = 5000, .ip = {127, 0, 0, 1}};

static struct addr from(uint16_t port)
{
    return (struct addr){.family = 4, .port = port, .ip = {10, 0, 0, 1}};
}

static void keep(struct held *held, uint16_t port, uint8_t byte, uint64_t now_us)
{
    const struct addr remote = from(port);
    held_keep(held, &local, &remote, &byte, 1, now_us);
}

/* The byte of the oldest one, -1: none. */
static int take(struct held *held, uint16_t port, uint64_t now_us)
{
    const struct addr remote = from(port);
    size_t len = 0;
    const struct held_packet *packet = held_take(held, &local, &remote, now_us, &len);
    if (packet == NULL)
        return -1;
    assert_int_equal(len, 1);
    return packet->bytes[0];
}

static void U17_packets_come_back_in_order_once(void **state)
{
    struct held *held = calloc(1, sizeof(*held));
    assert_non_null(held);
    (void)state;
    keep(held, 1, 10, 100);
    keep(held, 2, 20, 100);
    keep(held, 1, 11, 200);
    assert_int_equal(take(held, 3, 200), -1);
    assert_int_equal(take(held, 1, 200), 10);
    assert_int_equal(take(held, 1, 200), 11);
    assert_int_equal(take(held, 1, 200), -1);
    assert_int_equal(take(held, 2, 101 + HELD_US), -1); /* too old */
    assert_int_equal(take(held, 2, 100 + HELD_US), 20);
    free(held);
}

static void U18_the_ring_is_bounded_and_odd_lengths_are_left_out(void **state)
{
    struct held *held = calloc(1, sizeof(*held));
    uint8_t *data = calloc(1, STREAM_DATAGRAM_MAX + 1);
    const struct addr remote = from(7);
    assert_non_null(held);
    assert_non_null(data);
    (void)state;
    for (unsigned i = 0; i < 3 * HELD_MAX; i++)
        keep(held, 1, (uint8_t)i, 100);
    held_keep(held, &local, &remote, data, 0, 100);
    held_keep(held, &local, &remote, data, STREAM_DATAGRAM_MAX + 1, 100);
    assert_int_equal(take(held, 7, 100), -1);
    for (unsigned i = 2 * HELD_MAX; i < 3 * HELD_MAX; i++)
        assert_int_equal(take(held, 1, 100), (uint8_t)i);
    assert_int_equal(take(held, 1, 100), -1);
    free(data);
    free(held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(U17_packets_come_back_in_order_once),
        cmocka_unit_test(U18_the_ring_is_bounded_and_odd_lengths_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
