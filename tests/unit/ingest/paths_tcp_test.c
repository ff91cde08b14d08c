/* Paths that are TCP connections with frames of RFC 4571. */
#include "gateway/ingest/paths.h"
#include "gateway/rtc/framing.h"
#include "lib/base/clock.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define TURN_MS 20
#define SMALL_BUFFER 4096
#define SMALL_SEGMENT 200
#define LAST 0x7ffu

struct fixture {
    struct loop loop;
    struct paths *paths;
    int client;
    struct addr local;
    struct addr remote;
    size_t path;
    size_t received;
    size_t len;
    size_t closed;
    bool close_on_receive;
};

static void on_receive(void *ctx, size_t path, uint8_t *data, size_t len, uint64_t now_us)
{
    struct fixture *f = ctx;
    (void)now_us;
    f->received++;
    f->len = len;
    memset(data, 0, len); /* decryption writes here */
    if (f->close_on_receive)
        paths_close(f->paths, path);
}

static void on_batch(void *ctx, uint64_t now_us)
{
    (void)ctx;
    (void)now_us;
}

static void on_closed(void *ctx, size_t path)
{
    struct fixture *f = ctx;
    f->closed++;
    paths_close(f->paths, path);
}

/* A connection on loopback with small buffers: a frame may have to wait in the middle. */
static void connect_pair(int out[2])
{
    struct addr any = {.family = 4, .ip = {127, 0, 0, 1}};
    struct sockaddr_storage sa;
    int size = SMALL_BUFFER, on = 1;
    socklen_t len = addr_to_sockaddr(&any, &sa);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    out[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
    assert_int_equal(setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
    assert_int_equal(setsockopt(out[1], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
    int segment = SMALL_SEGMENT;
    assert_int_equal(setsockopt(out[1], IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment)), 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)&sa, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&sa, &len), 0);
    assert_int_equal(connect(out[1], (const struct sockaddr *)&sa, len), 0);
    out[0] = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(out[0] >= 0);
    fd_close(&listener);
}

static int setup(void **state)
{
    int pair[2];
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    assert_int_equal(loop_init(&f->loop), 0);
    assert_int_equal(paths_new(&f->loop, 2000, on_receive, on_batch, on_closed, f, &f->paths), 0);
    connect_pair(pair);
    f->local = (struct addr){.family = 4, .port = 1, .ip = {127, 0, 0, 1}};
    f->remote = (struct addr){.family = 4, .port = 2, .ip = {127, 0, 0, 2}};
    assert_int_equal(paths_add(f->paths, pair[0], TRANSPORT_TCP, &f->local, &f->remote, &f->path),
                     0);
    f->client = pair[1];
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    fd_close(&f->client);
    loop_done(&f->loop);
    paths_free(f->paths);
    free(f);
    return 0;
}

static void turn_until(struct fixture *f, const size_t *counter, size_t value)
{
    uint64_t due_us = clock_now_us() + 5 * CLOCK_SECOND_US;
    while (*counter < value && clock_now_us() < due_us)
        assert_int_equal(loop_turn(&f->loop, TURN_MS), 0);
    assert_int_equal(*counter, value);
}

static void send_bytes(struct fixture *f, const void *data, size_t len)
{
    assert_int_equal(send(f->client, data, len, 0), len);
}

static void RFC4571_frames_come_in_one_by_one(void **state)
{
    struct fixture *f = *state;
    send_bytes(f, "\0\3one\0\5three\0\2", 14);
    turn_until(f, &f->received, 2);
    assert_int_equal(f->len, 5);
    send_bytes(f, "ab", 2);
    turn_until(f, &f->received, 3);
    assert_int_equal(f->len, 2);
    assert_int_equal(paths_transport(f->paths, f->path), TRANSPORT_TCP);
}

static void U18_frames_over_a_datagram_are_dropped(void **state)
{
    struct fixture *f = *state;
    uint8_t large[2 + STREAM_DATAGRAM_MAX + 1] = {(STREAM_DATAGRAM_MAX + 1) >> 8,
                                                  (STREAM_DATAGRAM_MAX + 1) & 0xff};
    send_bytes(f, large, sizeof(large));
    send_bytes(f, "\0\2ok", 4);
    turn_until(f, &f->received, 1);
    assert_int_equal(f->len, 2);
    assert_int_equal(paths_strays(f->paths), 1);
}

static void RFC6544_the_end_of_a_connection_is_told_once(void **state)
{
    struct fixture *f = *state;
    send_bytes(f, "\0\4last\0\7par", 11);
    fd_close(&f->client);
    turn_until(f, &f->closed, 1);
    assert_int_equal(f->received, 1);
    assert_int_equal(loop_turn(&f->loop, 0), 0);
    assert_int_equal(f->closed, 1);
    size_t at = 0;
    assert_int_equal(paths_find(f->paths, TRANSPORT_TCP, &f->local, &f->remote, &at), -ENOENT);
    paths_send(f->paths, f->path, (const uint8_t *)"x", 1); /* nothing happens */
}

static void RFC6544_the_same_tuple_of_udp_is_another_path(void **state)
{
    struct fixture *f = *state;
    size_t at = 0;
    int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(paths_find(f->paths, TRANSPORT_UDP, &f->local, &f->remote, &at), -ENOENT);
    assert_int_equal(paths_add(f->paths, udp, TRANSPORT_UDP, &f->local, &f->remote, &at), 0);
    assert_int_not_equal(at, f->path);
    assert_int_equal(paths_find(f->paths, TRANSPORT_TCP, &f->local, &f->remote, &at), 0);
    assert_int_equal(at, f->path);
}

static void a_frame_may_close_its_path(void **state)
{
    struct fixture *f = *state;
    f->close_on_receive = true;
    send_bytes(f, "\0\1a\0\1b", 6);
    turn_until(f, &f->received, 1);
    assert_int_equal(loop_turn(&f->loop, 0), 0);
    assert_int_equal(f->received, 1);
    assert_int_equal(f->closed, 0);
}

static void RFC6544_to_a_stalled_peer_whole_frames_are_left_out(void **state)
{
    struct fixture *f = *state;
    static struct framing_in in;
    uint8_t packet[1000], *data;
    size_t len, count = 0;
    unsigned last = 0;
    for (unsigned i = 1; i <= 2000; i++) { /* far more than the buffers hold */
        memset(packet, (int)(i & 0xff), sizeof(packet));
        packet[0] = (uint8_t)(i >> 8);
        paths_send(f->paths, f->path, packet, sizeof(packet));
    }
    framing_in_reset(&in);
    while (last != LAST) {
        struct pollfd readable = {.fd = f->client, .events = POLLIN};
        if (poll(&readable, 1, TURN_MS) == 0) { /* all read: this one goes through */
            memset(packet, LAST & 0xff, sizeof(packet));
            packet[0] = LAST >> 8;
            paths_send(f->paths, f->path, packet, sizeof(packet));
            continue;
        }
        uint8_t *room = framing_room(&in, &len);
        ssize_t n = recv(f->client, room, len, MSG_DONTWAIT);
        assert_true(n > 0);
        framing_filled(&in, (size_t)n);
        while (framing_next(&in, &data, &len)) {
            assert_int_equal(len, sizeof(packet)); /* never torn */
            unsigned number = (unsigned)data[0] << 8 | data[1];
            assert_true(number > last);
            for (size_t i = 2; i < len; i++)
                assert_int_equal(data[i], data[1]);
            last = number;
            count++;
        }
    }
    assert_in_range(count, 2, 1000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(RFC4571_frames_come_in_one_by_one),
        TEST(U18_frames_over_a_datagram_are_dropped),
        TEST(RFC6544_the_end_of_a_connection_is_told_once),
        TEST(RFC6544_the_same_tuple_of_udp_is_another_path),
        TEST(a_frame_may_close_its_path),
        TEST(RFC6544_to_a_stalled_peer_whole_frames_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
