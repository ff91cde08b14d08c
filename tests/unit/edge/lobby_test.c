/* TCP connections on loopback that wait for their first check. */
#include "gateway/edge/lobby.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "tests/support/rawchecks.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define ALPHA 11u
#define TURN_MS 20
#define TURNS_MAX 250

struct rig {
    struct loop loop;
    struct door door;
    struct lobby lobby;
    struct addr local;
    size_t opened;
    uint64_t session;
    struct addr remote;
    int fd; /* of the last opened one */
};

static void on_opened(void *ctx, uint64_t session, const struct addr *local,
                      const struct addr *remote, int fd)
{
    struct rig *rig = ctx;
    assert_true(addr_equal(local, &rig->local));
    rig->opened++;
    rig->session = session;
    rig->remote = *remote;
    fd_close(&rig->fd);
    rig->fd = dup(fd);
}

static void on_turn(void *ctx)
{
    (void)ctx;
}

static struct addr address_of(int fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    struct addr a = {0};
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    assert_int_equal(addr_from_sockaddr((const struct sockaddr *)&sa, len, &a), 0);
    return a;
}

static int bound(const struct addr *at)
{
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(at, &sa);
    int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&sa, len), 0);
    return fd;
}

static int setup(void **state)
{
    static const struct addr any = {.family = 4, .ip = {127, 0, 0, 1}};
    struct rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    const struct lobby_sink sink = {on_opened, on_turn, rig};
    rig->fd = -1;
    assert_int_equal(loop_init(&rig->loop), 0);
    door_init(&rig->door, 1, 0);
    assert_int_equal(door_expect(&rig->door, ALPHA, RAWCHECK_ALPHA_UFRAG, RAWCHECK_ALPHA_PWD), 0);
    lobby_init(&rig->lobby, &rig->door, &rig->loop, &sink);
    int fd = bound(&any);
    assert_int_equal(listen(fd, 128), 0);
    rig->local = address_of(fd);
    assert_int_equal(lobby_listen(&rig->lobby, fd, &rig->local), 0);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    fd_close(&rig->fd);
    lobby_done(&rig->lobby);
    loop_done(&rig->loop);
    free(rig);
    return 0;
}

/* A connection from 127.0.0.host. */
static int connect_from(const struct rig *rig, uint8_t host)
{
    const struct addr from = {.family = 4, .ip = {127, 0, 0, host}};
    struct sockaddr_storage sa;
    int fd = bound(&from);
    socklen_t len = addr_to_sockaddr(&rig->local, &sa);
    assert_int_equal(connect(fd, (const struct sockaddr *)&sa, len), 0);
    return fd;
}

static void turn_until(struct rig *rig, const uint64_t *counter, uint64_t value)
{
    for (int i = 0; i < TURNS_MAX && *counter < value; i++)
        assert_int_equal(loop_turn(&rig->loop, TURN_MS), 0);
    assert_int_equal(*counter, value);
}

static size_t frame(const uint8_t *packet, size_t len, uint8_t *to)
{
    to[0] = (uint8_t)(len >> 8);
    to[1] = (uint8_t)len;
    memcpy(to + 2, packet, len);
    return 2 + len;
}

static bool is_closed(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint8_t byte;
    return poll(&p, 1, TURN_MS * TURNS_MAX) == 1 && recv(fd, &byte, 1, MSG_DONTWAIT) <= 0;
}

static void RFC6544_first_check_opens_and_stays_unread(void **state)
{
    struct rig *rig = *state;
    uint8_t data[256], got[256];
    int client = connect_from(rig, 1);
    const struct addr from = address_of(client);
    size_t len = frame(rawcheck_alpha, sizeof(rawcheck_alpha), data);
    memcpy(data + len, "\0\1x", 3); /* what follows it comes along */
    assert_int_equal(send(client, data, len + 3, 0), len + 3);
    turn_until(rig, &rig->door.counters.streams, 1);
    assert_int_equal(rig->opened, 1);
    assert_int_equal(rig->session, ALPHA);
    assert_true(addr_equal(&rig->remote, &from));
    assert_int_equal(recv(rig->fd, got, sizeof(got), 0), len + 3);
    assert_memory_equal(got, data, len + 3);
    assert_int_equal(recv(client, got, sizeof(got), MSG_DONTWAIT), -1); /* no answer from here */
    fd_close(&client);
}

static void RFC6544_first_check_may_come_byte_by_byte(void **state)
{
    struct rig *rig = *state;
    uint8_t data[256];
    int client = connect_from(rig, 1);
    size_t len = frame(rawcheck_alpha, sizeof(rawcheck_alpha), data);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(rig->opened, 0);
        assert_int_equal(send(client, data + i, 1, 0), 1);
        assert_int_equal(loop_turn(&rig->loop, TURN_MS), 0);
    }
    turn_until(rig, &rig->door.counters.streams, 1);
    assert_int_equal(rig->door.counters.received, 1); /* judged once, when it was whole */
    fd_close(&client);
}

static void U1_U2_anything_else_is_closed_without_a_byte(void **state)
{
    struct rig *rig = *state;
    uint8_t forged[256], unknown[256];
    size_t forged_len = frame(rawcheck_alpha, sizeof(rawcheck_alpha), forged);
    size_t unknown_len = frame(rawcheck_gamma, sizeof(rawcheck_gamma), unknown);
    forged[2 + 75] ^= 1; /* in MESSAGE-INTEGRITY */
    const struct {
        const void *data;
        size_t len;
    } cases[] = {
        {"\0\0", 2},          {"\xff\xff", 2},        {"\5\x79", 2},
        {"\0\1x", 3},         {"GET / HTTP/1.1", 14}, {"\x16\xfe", 2},
        {forged, forged_len}, {unknown, unknown_len},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int client = connect_from(rig, 1);
        assert_int_equal(send(client, cases[i].data, cases[i].len, 0), cases[i].len);
        turn_until(rig, &rig->lobby.counters.refused, i + 1);
        assert_true(is_closed(client));
        fd_close(&client);
    }
    assert_int_equal(rig->opened, 0);
    assert_int_equal(rig->door.counters.forged, 1);
    assert_int_equal(rig->door.counters.unknown, 1);
}

static void U1_a_connection_that_ends_early_leaves_its_place(void **state)
{
    struct rig *rig = *state;
    int client = connect_from(rig, 1);
    assert_int_equal(send(client, "\0\x60half", 6, 0), 6);
    turn_until(rig, &rig->lobby.counters.accepted, 1);
    fd_close(&client);
    turn_until(rig, &rig->lobby.counters.refused, 1);
    for (size_t i = 0; i < LOBBY_MAX; i++)
        assert_int_equal(rig->lobby.places[i].watch.fd, -1);
}

static void U1_after_five_seconds_it_is_over(void **state)
{
    struct rig *rig = *state;
    int late = connect_from(rig, 1), fresh = connect_from(rig, 2);
    turn_until(rig, &rig->lobby.counters.accepted, 2);
    rig->lobby.places[0].since_us -= LOBBY_WAIT_US;
    assert_true(rig->lobby.timer.due_us <= clock_now_us() + LOBBY_WAIT_US);
    assert_int_equal(loop_timer_set(&rig->loop, &rig->lobby.timer, clock_now_us(),
                                    rig->lobby.timer.fn, rig->lobby.timer.ctx),
                     0);
    turn_until(rig, &rig->lobby.counters.expired, 1);
    assert_true(is_closed(late));
    assert_int_equal(recv(fresh, &(uint8_t){0}, 1, MSG_DONTWAIT), -1);
    assert_true(rig->lobby.timer.slot != 0); /* armed for the other one */
    fd_close(&late);
    fd_close(&fresh);
}

static void U1_one_host_takes_few_places_and_the_oldest_goes(void **state)
{
    struct rig *rig = *state;
    int clients[LOBBY_HOST_MAX + 1], other = connect_from(rig, 9);
    for (size_t i = 0; i <= LOBBY_HOST_MAX; i++) {
        clients[i] = connect_from(rig, 2);
        turn_until(rig, &rig->lobby.counters.accepted, i + 2);
    }
    assert_int_equal(rig->lobby.counters.evicted, 1);
    assert_true(is_closed(clients[0]));
    assert_int_equal(recv(clients[1], &(uint8_t){0}, 1, MSG_DONTWAIT), -1);
    assert_int_equal(recv(other, &(uint8_t){0}, 1, MSG_DONTWAIT), -1); /* not at its cost */
    for (size_t i = 0; i <= LOBBY_HOST_MAX; i++)
        fd_close(&clients[i]);
    fd_close(&other);
}

static void U1_with_all_places_taken_a_publisher_still_gets_in(void **state)
{
    struct rig *rig = *state;
    static int idle[LOBBY_MAX + 8];
    uint8_t data[256];
    for (size_t i = 0; i < LOBBY_MAX + 8; i++) {
        idle[i] = connect_from(rig, (uint8_t)(2 + i / (LOBBY_HOST_MAX / 2)));
        turn_until(rig, &rig->lobby.counters.accepted, i + 1);
    }
    assert_int_equal(rig->lobby.counters.evicted, 8);
    int client = connect_from(rig, 1);
    size_t len = frame(rawcheck_alpha, sizeof(rawcheck_alpha), data);
    assert_int_equal(send(client, data, len, 0), len);
    turn_until(rig, &rig->door.counters.streams, 1);
    for (size_t i = 0; i < LOBBY_MAX + 8; i++)
        fd_close(&idle[i]);
    fd_close(&client);
}

static void U3_connections_count_as_paths_of_their_session(void **state)
{
    struct rig *rig = *state;
    uint8_t data[256];
    int clients[STREAM_PATHS_MAX + 1];
    size_t len = frame(rawcheck_alpha, sizeof(rawcheck_alpha), data);
    for (size_t i = 0; i <= STREAM_PATHS_MAX; i++) {
        clients[i] = connect_from(rig, 1);
        assert_int_equal(send(clients[i], data, len, 0), len);
        turn_until(rig,
                   i < STREAM_PATHS_MAX ? &rig->door.counters.streams : &rig->door.counters.full,
                   i < STREAM_PATHS_MAX ? i + 1 : 1);
    }
    assert_int_equal(rig->opened, STREAM_PATHS_MAX);
    door_remove_stream(&rig->door, ALPHA);
    int again = connect_from(rig, 1);
    assert_int_equal(send(again, data, len, 0), len);
    turn_until(rig, &rig->door.counters.streams, STREAM_PATHS_MAX + 1);
    door_remove_stream(&rig->door, 99); /* nobody */
    fd_close(&again);
    for (size_t i = 0; i <= STREAM_PATHS_MAX; i++)
        fd_close(&clients[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(RFC6544_first_check_opens_and_stays_unread),
        TEST(RFC6544_first_check_may_come_byte_by_byte),
        TEST(U1_U2_anything_else_is_closed_without_a_byte),
        TEST(U1_a_connection_that_ends_early_leaves_its_place),
        TEST(U1_after_five_seconds_it_is_over),
        TEST(U1_one_host_takes_few_places_and_the_oldest_goes),
        TEST(U1_with_all_places_taken_a_publisher_still_gets_in),
        TEST(U3_connections_count_as_paths_of_their_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
