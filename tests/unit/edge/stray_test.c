/* Which sessions get to see a media packet from an unknown port (threats.md U17). */
#include "gateway/edge/stray.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define START_US UINT64_C(1000000)
#define SECOND UINT64_C(1000000)

static const struct addr local = {.family = 4, .port = 5000, .ip = {127, 0, 0, 1}};

static struct addr at(uint8_t host, uint16_t port)
{
    return (struct addr){.family = 4, .port = port, .ip = {10, 0, 0, host}};
}

static int setup(void **state)
{
    struct stray *stray = malloc(sizeof(*stray));
    if (stray == NULL)
        return -1;
    stray_init(stray, 42, START_US);
    *state = stray;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void add(struct stray *stray, uint64_t session, uint8_t host, uint16_t port)
{
    const struct addr remote = at(host, port);
    stray_add(stray, session, &local, &remote);
}

static void drop(struct stray *stray, uint64_t session, uint8_t host, uint16_t port)
{
    const struct addr remote = at(host, port);
    stray_remove(stray, session, &local, &remote);
}

static bool is_known(const struct stray *stray, uint8_t host)
{
    const struct addr remote = at(host, 9);
    return stray_is_known(stray, &local, &remote);
}

static size_t judge(struct stray *stray, uint8_t host, uint16_t port, uint64_t now_us,
                    uint64_t *out)
{
    const struct addr remote = at(host, port);
    return stray_judge(stray, &local, &remote, now_us, out);
}

static bool may_open(struct stray *stray, uint64_t session, uint8_t host, uint16_t port,
                     uint64_t now_us)
{
    const struct addr remote = at(host, port);
    return stray_may_open(stray, session, &local, &remote, now_us);
}

static void U17_another_port_of_a_known_host_is_shown(void **state)
{
    struct stray *stray = *state;
    uint64_t out[STRAY_SESSIONS_MAX];
    add(stray, 7, 1, 4000);
    assert_true(is_known(stray, 1));
    assert_int_equal(judge(stray, 1, 4001, START_US, out), 1);
    assert_int_equal(out[0], 7);
}

static void U17_strangers_and_other_addresses_here_are_not_known(void **state)
{
    struct stray *stray = *state;
    struct addr other = local, remote = at(1, 4000), six = {.family = 6, .ip = {10, 0, 0, 1}};
    uint64_t out[STRAY_SESSIONS_MAX];
    add(stray, 7, 1, 4000);
    other.ip[3] = 2;
    assert_false(stray_is_known(stray, &other, &remote));
    other = local;
    other.port++;
    assert_false(stray_is_known(stray, &other, &remote));
    assert_false(stray_is_known(stray, &local, &six));
    for (unsigned host = 2; host < 256; host++) {
        assert_false(is_known(stray, (uint8_t)host));
        assert_int_equal(judge(stray, (uint8_t)host, 4000, START_US, out), 0);
    }
}

static void U17_a_host_is_known_as_long_as_it_has_a_flow(void **state)
{
    struct stray *stray = *state;
    add(stray, 7, 1, 4000);
    add(stray, 7, 1, 4001);
    add(stray, 8, 1, 4002);
    drop(stray, 7, 1, 4000);
    drop(stray, 8, 1, 4002);
    drop(stray, 8, 1, 4002); /* no more than it had */
    assert_true(is_known(stray, 1));
    drop(stray, 7, 1, 4001);
    assert_false(is_known(stray, 1));
    for (size_t i = 0; i < STREAM_MAX; i++)
        assert_int_equal(stray->sessions[i].hosts, 0);
}

static void U17_sessions_of_one_host_take_turns(void **state)
{
    enum { SESSIONS = 25 };
    struct stray *stray = *state;
    uint64_t out[STRAY_SESSIONS_MAX];
    unsigned seen[SESSIONS] = {0};
    for (unsigned i = 0; i < SESSIONS; i++)
        add(stray, i, 1, (uint16_t)(4000 + i));
    for (unsigned i = 0; i < SESSIONS; i++) {
        size_t count = judge(stray, 1, 5000, START_US, out);
        assert_int_equal(count, STRAY_SESSIONS_MAX);
        for (size_t k = 0; k < count; k++)
            seen[out[k]]++;
    }
    for (unsigned i = 0; i < SESSIONS; i++)
        assert_int_equal(seen[i], STRAY_SESSIONS_MAX);
}

static void U13_what_one_session_and_all_get_to_see_is_bounded(void **state)
{
    struct stray *stray = *state;
    uint64_t out[STRAY_SESSIONS_MAX];
    size_t shown = 0;
    add(stray, 7, 1, 4000);
    for (unsigned i = 0; i < 10000; i++)
        shown += judge(stray, 1, (uint16_t)i, START_US, out);
    assert_int_equal(shown, STRAY_SESSION_BURST);
    for (unsigned i = 0; i < 10000; i++)
        shown += judge(stray, 1, (uint16_t)i, START_US + i * 1000, out);
    assert_in_range(shown, 10 * STRAY_SESSION_RATE, 10 * STRAY_SESSION_RATE + STRAY_SESSION_BURST);
    for (unsigned i = 0; i < 200; i++)
        add(stray, 100 + i, 2, (uint16_t)i);
    shown = 0;
    for (unsigned i = 0; i < 10000; i++)
        shown += judge(stray, 2, (uint16_t)i, START_US + 10 * SECOND, out);
    assert_int_equal(shown, STRAY_TOTAL_BURST);
}

/* Sessions that have seen enough cost one packet no more than STRAY_WALK_MAX looks. */
static void U13_the_walk_for_one_packet_is_bounded(void **state)
{
    struct stray *stray = *state;
    uint64_t out[STRAY_SESSIONS_MAX];
    for (unsigned i = 0; i < STRAY_WALK_MAX; i++)
        add(stray, i, 1, (uint16_t)(4000 + i));
    for (unsigned i = 0; i < STRAY_WALK_MAX * STRAY_SESSION_BURST / STRAY_SESSIONS_MAX; i++)
        assert_int_equal(judge(stray, 1, 5000, START_US, out), STRAY_SESSIONS_MAX);
    add(stray, 98, 1, 4998);
    add(stray, 99, 1, 4999); /* begins the ring, which the other one ends */
    assert_int_equal(judge(stray, 1, 5000, START_US, out), 1);
    assert_int_equal(out[0], 99);
    assert_int_equal(judge(stray, 1, 5000, START_US, out), 2); /* goes on where it stopped */
    assert_int_equal(out[0], 98);
}

static void U17_only_what_was_shown_a_moment_ago_may_be_opened(void **state)
{
    struct stray *stray = *state;
    uint64_t out[STRAY_SESSIONS_MAX];
    add(stray, 7, 1, 4000);
    add(stray, 8, 2, 4000);
    assert_false(may_open(stray, 7, 1, 4001, START_US));
    assert_int_equal(judge(stray, 1, 4001, START_US, out), 1);
    assert_false(may_open(stray, 7, 1, 4002, START_US)); /* another port, host or session */
    assert_false(may_open(stray, 7, 2, 4001, START_US));
    assert_false(may_open(stray, 8, 1, 4001, START_US));
    assert_false(may_open(stray, 9, 1, 4001, START_US));
    assert_false(may_open(stray, 7, 1, 4001, START_US + STRAY_RECENT_US + 1));
    assert_true(may_open(stray, 7, 1, 4001, START_US + STRAY_RECENT_US));
    assert_false(may_open(stray, 7, 1, 4001, START_US)); /* once */
    uint64_t now_us = START_US;
    for (uint16_t port = 0; port <= STRAY_RECENT_MAX; port++, now_us += SECOND / STRAY_SESSION_RATE)
        assert_int_equal(judge(stray, 1, port, now_us, out), 1);
    assert_false(may_open(stray, 7, 1, 0, now_us));
    for (uint16_t port = 1; port <= STRAY_RECENT_MAX; port++)
        assert_true(may_open(stray, 7, 1, port, now_us));
}

/* All places, in all orders of taking them away. */
static void U17_the_table_holds_all_flows_there_can_be(void **state)
{
    struct stray *stray = *state;
    const struct addr remote = at(1, 1);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned s = 0; s < STREAM_MAX; s++)
            for (unsigned i = 0; i < STREAM_PATHS_MAX; i++) {
                struct addr here = local;
                here.port = (uint16_t)(5000 + i);
                stray_add(stray, s, &here, &remote);
            }
        assert_int_equal(stray->free_host, 0);
        for (unsigned k = 0; k < STREAM_MAX; k++)
            for (unsigned i = 0; i < STREAM_PATHS_MAX; i++) {
                unsigned s = round == 0 ? k : round == 1 ? STREAM_MAX - 1 - k : k * 37 % STREAM_MAX;
                struct addr here = local;
                here.port = (uint16_t)(5000 + i);
                assert_true(stray_is_known(stray, &here, &remote));
                stray_remove(stray, s, &here, &remote);
            }
        for (size_t i = 0; i < STRAY_BUCKETS; i++)
            assert_int_equal(stray->buckets[i], 0);
    }
    size_t free_count = 0;
    for (uint16_t n = stray->free_host; n != 0; n = stray->hosts[n - 1].next)
        free_count++;
    assert_int_equal(free_count, STRAY_HOSTS_MAX);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(U17_another_port_of_a_known_host_is_shown),
        CASE(U17_strangers_and_other_addresses_here_are_not_known),
        CASE(U17_a_host_is_known_as_long_as_it_has_a_flow),
        CASE(U17_sessions_of_one_host_take_turns),
        CASE(U13_what_one_session_and_all_get_to_see_is_bounded),
        CASE(U13_the_walk_for_one_packet_is_bounded),
        CASE(U17_only_what_was_shown_a_moment_ago_may_be_opened),
        CASE(U17_the_table_holds_all_flows_there_can_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
