/* Listeners and connected sockets on loopback: who gets which datagram, and the window between bind
 * and connect. */
#include "gateway/edge/port.h"

#include "lib/base/fd.h"
#include "tests/support/rawchecks.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ALPHA 11u
#define BETA 22u
#define KEPT_MAX 64
#define WAIT_MS 5000

struct kept {
    uint64_t session;
    struct addr remote;
    size_t len;
    uint8_t first;
    int fd; /* a duplicate; -1: bytes only */
};

struct rig {
    struct loop loop;
    struct door door;
    struct port port;
    struct addr local;
    struct kept kept[KEPT_MAX];
    size_t kept_count;
    size_t opened;
    uint64_t strays;
};

static void keep(struct rig *rig, uint64_t session, const struct addr *remote, const uint8_t *data,
                 size_t len, int fd)
{
    assert_in_range(rig->kept_count, 0, KEPT_MAX - 1);
    rig->kept[rig->kept_count++] =
        (struct kept){session, *remote, len, len > 0 ? data[0] : 0, fd < 0 ? -1 : dup(fd)};
    rig->opened += fd >= 0;
}

static void on_opened(void *ctx, uint64_t session, const struct addr *local,
                      const struct addr *remote, const uint8_t *data, size_t len, int fd)
{
    struct rig *rig = ctx;
    assert_true(addr_equal(local, &rig->local));
    keep(rig, session, remote, data, len, fd);
}

static void on_bytes(void *ctx, uint64_t session, const struct addr *local,
                     const struct addr *remote, const uint8_t *data, size_t len)
{
    struct rig *rig = ctx;
    assert_true(addr_equal(local, &rig->local));
    keep(rig, session, remote, data, len, -1);
}

static void on_stray(void *ctx, uint64_t session, const struct addr *local,
                     const struct addr *remote, const uint8_t *data, size_t len)
{
    struct rig *rig = ctx;
    rig->strays++;
    on_bytes(ctx, session, local, remote, data, len);
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

static int bind_loopback(int family, bool shared)
{
    struct addr any = {.family = family == AF_INET ? 4 : 6};
    struct sockaddr_storage sa;
    int on = 1;
    if (family == AF_INET)
        memcpy(any.ip, (const uint8_t[]){127, 0, 0, 1}, 4);
    else
        any.ip[15] = 1;
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    if (shared)
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&sa, addr_to_sockaddr(&any, &sa)), 0);
    return fd;
}

static struct rig *rig_new(int family)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    const struct port_sink sink = {on_opened, on_bytes, on_stray, on_turn, rig};
    assert_int_equal(loop_init(&rig->loop), 0);
    door_init(&rig->door, 1, 0);
    port_init(&rig->port, &rig->door, &rig->loop, &sink, 1 << 20);
    int fd = bind_loopback(family, true);
    rig->local = address_of(fd);
    assert_int_equal(port_listen(&rig->port, fd, &rig->local), 0);
    assert_int_equal(door_expect(&rig->door, ALPHA, RAWCHECK_ALPHA_UFRAG, RAWCHECK_ALPHA_PWD), 0);
    assert_int_equal(door_expect(&rig->door, BETA, RAWCHECK_BETA_UFRAG, RAWCHECK_BETA_PWD), 0);
    return rig;
}

static void rig_free(struct rig *rig)
{
    for (size_t i = 0; i < rig->kept_count; i++)
        fd_close(&rig->kept[i].fd);
    port_done(&rig->port);
    loop_done(&rig->loop);
    free(rig);
}

static void send_to(const struct rig *rig, int fd, const void *data, size_t len)
{
    struct sockaddr_storage sa;
    socklen_t sa_len = addr_to_sockaddr(&rig->local, &sa);
    assert_int_equal(sendto(fd, data, len, 0, (const struct sockaddr *)&sa, sa_len), len);
}

static void turn_until(struct rig *rig, const uint64_t *counter, uint64_t value)
{
    for (int i = 0; i < 100 && *counter < value; i++)
        assert_int_equal(loop_turn(&rig->loop, WAIT_MS / 100), 0);
    assert_int_equal(*counter, value);
}

static bool readable(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1;
}

/* A checked flow, whose publisher then sends from another port. */
static void U17_a_stray_gets_a_socket_when_its_worker_wants_it(void **state)
{
    static const uint8_t media[20] = {0x80, 111, 1};
    struct rig *rig = rig_new(AF_INET);
    int client = bind_loopback(AF_INET, false), other = bind_loopback(AF_INET, false);
    const struct addr from = address_of(other);
    uint8_t data[64];
    (void)state;
    assert_int_equal(port_want(&rig->port, ALPHA, &rig->local, &from), -ENOENT);
    send_to(rig, other, media, sizeof(media)); /* a stranger's, as long as nobody is here */
    turn_until(rig, &rig->door.counters.strange, 1);
    send_to(rig, client, rawcheck_alpha, sizeof(rawcheck_alpha));
    turn_until(rig, &rig->door.counters.received, 2);
    send_to(rig, other, media, sizeof(media));
    turn_until(rig, &rig->strays, 1);
    assert_int_equal(rig->opened, 1);
    assert_int_equal(rig->kept[1].session, ALPHA);
    assert_int_equal(rig->kept[1].len, sizeof(media));
    assert_true(addr_equal(&rig->kept[1].remote, &from));
    struct addr elsewhere = from;
    elsewhere.port ^= 1;
    assert_int_equal(port_want(&rig->port, ALPHA, &rig->local, &elsewhere), -ENOENT);
    assert_int_equal(port_want(&rig->port, BETA, &rig->local, &from), -ENOENT);
    assert_int_equal(port_want(&rig->port, ALPHA, &elsewhere, &from), -ENOENT);
    assert_int_equal(port_want(&rig->port, ALPHA, &rig->local, &from), 0);
    assert_int_equal(rig->opened, 2);
    assert_int_equal(rig->kept[2].len, 0);
    assert_int_equal(rig->kept_count, 4);
    assert_int_equal(rig->kept[3].len, sizeof(media)); /* also what came before */
    send_to(rig, other, media, sizeof(media));
    assert_true(readable(rig->kept[2].fd, WAIT_MS));
    assert_int_equal(recv(rig->kept[2].fd, data, sizeof(data), 0), sizeof(media));
    assert_int_equal(port_want(&rig->port, ALPHA, &rig->local, &from), -ENOENT);
    assert_false(readable(client, 0));
    assert_false(readable(other, 0));
    close(client);
    close(other);
    rig_free(rig);
}

static void opens_for(int family)
{
    struct rig *rig = rig_new(family);
    int client = bind_loopback(family, false);
    const struct addr from = address_of(client);
    uint8_t byte = 0;
    send_to(rig, client, rawcheck_alpha, sizeof(rawcheck_alpha));
    turn_until(rig, &rig->door.counters.received, 1);
    assert_int_equal(rig->opened, 1);
    assert_int_equal(rig->kept[0].session, ALPHA);
    assert_int_equal(rig->kept[0].len, sizeof(rawcheck_alpha));
    assert_true(addr_equal(&rig->kept[0].remote, &from));
    send_to(rig, client, "\x16", 1); /* from now on the kernel brings it to the new socket */
    assert_true(readable(rig->kept[0].fd, WAIT_MS));
    assert_int_equal(recv(rig->kept[0].fd, &byte, 1, 0), 1);
    assert_int_equal(byte, 0x16);
    assert_int_equal(rig->door.counters.received, 1);
    assert_false(readable(client, 0)); /* the door itself says nothing */
    close(client);
    rig_free(rig);
}

static void U13_flow_gets_its_own_socket_ipv4(void **state)
{
    (void)state;
    opens_for(AF_INET);
}

static void U13_flow_gets_its_own_socket_ipv6(void **state)
{
    (void)state;
    opens_for(AF_INET6);
}

static void U13_checks_queued_before_the_socket_open_one_socket_only(void **state)
{
    (void)state;
    struct rig *rig = rig_new(AF_INET);
    int client = bind_loopback(AF_INET, false);
    for (int i = 0; i < 5; i++)
        send_to(rig, client, rawcheck_alpha, sizeof(rawcheck_alpha));
    turn_until(rig, &rig->door.counters.received, 5);
    assert_int_equal(rig->opened, 1);
    assert_int_equal(rig->kept_count, 5); /* the others came as bytes, behind the first */
    assert_true(rig->kept[0].fd >= 0);
    close(client);
    rig_free(rig);
}

static void U1_strangers_are_read_and_get_nothing(void **state)
{
    (void)state;
    struct rig *rig = rig_new(AF_INET);
    int client = bind_loopback(AF_INET, false);
    uint8_t data[1600] = {0};
    for (size_t len = 0; len <= sizeof(data); len += 100) {
        data[0] = (uint8_t)len;
        send_to(rig, client, data, len);
    }
    send_to(rig, client, rawcheck_gamma, sizeof(rawcheck_gamma));
    turn_until(rig, &rig->door.counters.received, 18);
    assert_int_equal(rig->kept_count, 0);
    assert_int_equal(rig->door.counters.unknown, 1);
    assert_true(rig->door.counters.odd >= 2); /* empty and too long ones at least */
    assert_false(readable(client, 0));
    close(client);
    rig_free(rig);
}

/* Between bind and connect the new socket takes its share of everything that comes to the port:
 * none of it may be lost, and the flow's own follows its first datagram. */
static void U13_strays_in_the_window_are_treated_as_if_read(void **state)
{
    (void)state;
    struct rig *rig = rig_new(AF_INET);
    int clients[48], fd = -1;
    const size_t count = sizeof(clients) / sizeof(clients[0]);
    int client = bind_loopback(AF_INET, false);
    const struct addr from = address_of(client);
    assert_int_equal(door_add_path(&rig->door, ALPHA, &rig->local, &from), 0);
    assert_int_equal(port_bind(&rig->local, 1 << 20, &fd), 0);
    for (size_t i = 0; i < count; i++) {
        clients[i] = bind_loopback(AF_INET, false);
        send_to(rig, clients[i], rawcheck_gamma, sizeof(rawcheck_gamma)); /* nobody's ufrag */
        send_to(rig, clients[i], rawcheck_beta, sizeof(rawcheck_beta));
    }
    for (int i = 0; i < 3; i++)
        send_to(rig, client, rawcheck_alpha, sizeof(rawcheck_alpha));
    assert_int_equal(port_connect(fd, &from), 0);
    port_admit(&rig->port, ALPHA, 0, &from, rawcheck_alpha, sizeof(rawcheck_alpha), fd);
    assert_true(rig->port.counters.strays > 0);
    assert_true(rig->kept[0].fd >= 0);
    assert_false(readable(fd, 0)); /* read empty */
    size_t own = 0;
    for (int i = 0; i < 100 && rig->door.counters.unknown < count; i++)
        assert_int_equal(loop_turn(&rig->loop, WAIT_MS / 100), 0);
    assert_int_equal(rig->door.counters.unknown, count); /* each of them was read, here or there */
    for (int i = 0; i < 100 && rig->opened < 1 + STREAM_PATHS_MAX; i++)
        assert_int_equal(loop_turn(&rig->loop, WAIT_MS / 100), 0);
    assert_int_equal(rig->opened, 1 + STREAM_PATHS_MAX); /* beta's first ones got in as well */
    for (size_t i = 1; i < rig->kept_count; i++)
        own += rig->kept[i].session == ALPHA && rig->kept[i].fd < 0;
    assert_int_equal(own, 3);
    for (size_t i = 0; i < count; i++)
        close(clients[i]);
    close(fd);
    close(client);
    rig_free(rig);
}

static void U13_first_check_caught_in_the_window_is_served_in_its_turn(void **state)
{
    (void)state;
    struct rig *rig = rig_new(AF_INET);
    int client = bind_loopback(AF_INET, false), other = -1, fd = -1;
    const struct addr from = address_of(client);
    assert_int_equal(door_add_path(&rig->door, ALPHA, &rig->local, &from), 0);
    assert_int_equal(port_bind(&rig->local, 1 << 20, &fd), 0);
    for (int i = 0; i < 64 && !readable(fd, 0); i++) { /* until one meets the new socket */
        uint8_t sink[128];
        fd_close(&other);
        other = bind_loopback(AF_INET, false);
        send_to(rig, other, rawcheck_beta, sizeof(rawcheck_beta));
        (void)recv(rig->port.listeners[0].watch.fd, sink, sizeof(sink), MSG_DONTWAIT);
    }
    assert_true(readable(fd, 0));
    assert_int_equal(port_connect(fd, &from), 0);
    port_admit(&rig->port, ALPHA, 0, &from, rawcheck_alpha, sizeof(rawcheck_alpha), fd);
    assert_int_equal(rig->opened, 1);
    assert_int_equal(rig->port.waiting_count, 1);
    int stranger = bind_loopback(AF_INET, false);
    send_to(rig, stranger, "x", 1); /* the next turn */
    close(stranger);
    turn_until(rig, &rig->door.counters.opened, 2);
    const struct addr other_from = address_of(other);
    assert_int_equal(rig->opened, 2);
    assert_int_equal(rig->kept[rig->kept_count - 1].session, BETA);
    assert_true(addr_equal(&rig->kept[rig->kept_count - 1].remote, &other_from));
    close(fd);
    close(other);
    close(client);
    rig_free(rig);
}

static void PORT_socket_asks_for_the_buffer(void **state)
{
    (void)state;
    int listener = bind_loopback(AF_INET, true), client = bind_loopback(AF_INET, false), fd = -1;
    const struct addr local = address_of(listener), remote = address_of(client);
    int value = 0;
    socklen_t len = sizeof(value);
    assert_int_equal(port_bind(&local, 100000, &fd), 0);
    assert_int_equal(port_connect(fd, &remote), 0);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, &len), 0);
    assert_int_equal(value, 200000);
    close(fd);
    close(client);
    close(listener);
}

static void PORT_refuses_what_does_not_fit(void **state)
{
    (void)state;
    struct rig *rig = rig_new(AF_INET);
    const struct addr none = {0};
    int fd = -1;
    assert_int_equal(port_bind(&none, 1000, &fd), -EAFNOSUPPORT);
    assert_int_equal(fd, -1);
    struct addr other = rig->local;
    other.port ^= 1;
    assert_int_equal(port_listen(&rig->port, bind_loopback(AF_INET, true), &other), -EINVAL);
    while (rig->port.listener_count < PORT_LISTENERS_MAX) {
        int extra = bind_loopback(AF_INET, true);
        const struct addr at = address_of(extra);
        assert_int_equal(port_listen(&rig->port, extra, &at), 0);
    }
    int extra = bind_loopback(AF_INET, true);
    const struct addr at = address_of(extra);
    assert_int_equal(port_listen(&rig->port, extra, &at), -ENOSPC);
    rig_free(rig);
}

static void PORT_socket_that_cannot_be_opened_leaves_the_flow_free(void **state)
{
    (void)state;
    struct rig *rig = rig_new(AF_INET);
    int client = bind_loopback(AF_INET, false);
    struct addr kept = rig->port.listeners[0].local;
    rig->port.listeners[0].local.family = 6; /* no IPv6 socket reaches an IPv4 flow */
    send_to(rig, client, rawcheck_alpha, sizeof(rawcheck_alpha));
    turn_until(rig, &rig->port.counters.failed, 1);
    rig->port.listeners[0].local = kept;
    send_to(rig, client, rawcheck_alpha, sizeof(rawcheck_alpha));
    turn_until(rig, &rig->door.counters.received, 2);
    assert_int_equal(rig->opened, 1);
    assert_int_equal(rig->door.sessions[0].path_count, 1);
    close(client);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(U17_a_stray_gets_a_socket_when_its_worker_wants_it),
        cmocka_unit_test(U13_flow_gets_its_own_socket_ipv4),
        cmocka_unit_test(U13_flow_gets_its_own_socket_ipv6),
        cmocka_unit_test(U13_checks_queued_before_the_socket_open_one_socket_only),
        cmocka_unit_test(U1_strangers_are_read_and_get_nothing),
        cmocka_unit_test(U13_strays_in_the_window_are_treated_as_if_read),
        cmocka_unit_test(U13_first_check_caught_in_the_window_is_served_in_its_turn),
        cmocka_unit_test(PORT_socket_asks_for_the_buffer),
        cmocka_unit_test(PORT_refuses_what_does_not_fit),
        cmocka_unit_test(PORT_socket_that_cannot_be_opened_leaves_the_flow_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
