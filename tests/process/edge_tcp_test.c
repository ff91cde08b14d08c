/* The real edge's TCP port: connections in, sockets with their unread first frame out (ICE-TCP
 * passive, RFC 6544). */
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "tests/support/rawedge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define WAIT_US (5u * CLOCK_SECOND_US) /* for a whole first frame */

static int connected(const struct rawedge *rig)
{
    const struct addr to = rawedge_address(rig->tcp);
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(&to, &sa);
    int fd = rawedge_bind(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&sa, len), 0);
    return fd;
}

static size_t framed_check(const char *password, uint8_t *to)
{
    struct rawstun_request request = rawedge_request();
    request.password = password;
    size_t len = rawstun_request(&request, to + 2);
    to[0] = (uint8_t)(len >> 8);
    to[1] = (uint8_t)len;
    return len + 2;
}

/* The next message is that connection's path; the descriptor is the caller's. */
static int take_stream(struct rawedge *rig, int client)
{
    const struct chan_message *m = peer_wait(&rig->peer, PEER_ANY, RAWEDGE_WAIT_MS);
    const struct addr remote = rawedge_address(client), local = rawedge_address(rig->tcp);
    assert_non_null(m);
    assert_int_equal(m->type, MSG_PATH);
    const struct msg_path *path = m->body;
    assert_int_equal(path->session, RAWEDGE_SESSION);
    assert_int_equal(path->transport, TRANSPORT_TCP);
    assert_true(addr_equal(&path->local, &local));
    assert_true(addr_equal(&path->remote, &remote));
    assert_int_equal(m->blob_len, 0);
    int fd = peer_take_fd(&rig->peer, 0);
    assert_true(fd >= 0);
    return fd;
}

static bool ends(int fd, int timeout_ms)
{
    uint8_t byte;
    return rawedge_readable(fd, timeout_ms) && recv(fd, &byte, 1, MSG_DONTWAIT) <= 0;
}

static void RFC6544_a_checked_connection_is_passed_on_unread(void **state)
{
    struct rawedge rig;
    uint8_t check[RAWSTUN_MAX + 2], got[RAWSTUN_MAX + 2];
    (void)state;
    rawedge_open_expecting(&rig, AF_INET);
    int client = connected(&rig);
    size_t len = framed_check(RAWEDGE_PWD, check);
    assert_int_equal(send(client, check, 1, 0), 1);
    rawedge_settle(&rig);
    assert_int_equal(send(client, check + 1, len - 1, 0), len - 1);
    int path = take_stream(&rig, client);
    assert_int_equal(recv(path, got, sizeof(got), 0), len);
    assert_memory_equal(got, check, len);
    assert_int_equal(send(path, "answer", 6, 0), 6);
    assert_true(rawedge_readable(client, RAWEDGE_WAIT_MS));
    rawedge_settle(&rig);
    fd_close(&path); /* edge has let go of it */
    assert_int_equal(recv(client, got, sizeof(got), 0), 6);
    assert_true(ends(client, RAWEDGE_WAIT_MS));
    fd_close(&client);
    rawedge_close(&rig);
}

static void U1_U2_unchecked_connections_end_without_a_byte_and_in_time(void **state)
{
    struct rawedge rig;
    uint8_t wrong[RAWSTUN_MAX + 2], right[RAWSTUN_MAX + 2];
    (void)state;
    rawedge_open_expecting(&rig, AF_INET);
    uint64_t since_us = clock_now_us();
    int silent = connected(&rig), half = connected(&rig), forged = connected(&rig);
    size_t wrong_len = framed_check("edgePasswordOf24Letters2", wrong);
    size_t right_len = framed_check(RAWEDGE_PWD, right);
    assert_int_equal(send(half, right, right_len - 1, 0), right_len - 1);
    assert_int_equal(send(forged, wrong, wrong_len, 0), wrong_len);
    assert_true(ends(forged, RAWEDGE_WAIT_MS));
    assert_true(clock_now_us() - since_us < WAIT_US);
    assert_true(ends(silent, RAWEDGE_WAIT_MS));
    assert_true(ends(half, RAWEDGE_WAIT_MS));
    uint64_t took_us = clock_now_us() - since_us;
    print_message("idle connections ended after %.2f s\n", (double)took_us / CLOCK_SECOND_US);
    assert_in_range(took_us, WAIT_US - CLOCK_SECOND_US / 10, WAIT_US + CLOCK_SECOND_US);
    assert_null(peer_wait(&rig.peer, PEER_ANY, 0)); /* none of them was told to anybody */
    int client = connected(&rig);
    assert_int_equal(send(client, right, right_len, 0), right_len);
    int path = take_stream(&rig, client);
    fd_close(&path);
    fd_close(&client);
    fd_close(&silent);
    fd_close(&half);
    fd_close(&forged);
    rawedge_close(&rig);
}

static void U3_ninth_connection_is_refused_until_one_goes(void **state)
{
    struct rawedge rig;
    int clients[STREAM_PATHS_MAX + 2];
    uint8_t check[RAWSTUN_MAX + 2];
    (void)state;
    rawedge_open_expecting(&rig, AF_INET);
    size_t len = framed_check(RAWEDGE_PWD, check);
    struct addr gone = {0};
    for (size_t i = 0; i < STREAM_PATHS_MAX; i++) {
        clients[i] = connected(&rig);
        assert_int_equal(send(clients[i], check, len, 0), len);
        int path = take_stream(&rig, clients[i]);
        gone = rawedge_address(clients[i]);
        fd_close(&path);
    }
    clients[STREAM_PATHS_MAX] = connected(&rig);
    assert_int_equal(send(clients[STREAM_PATHS_MAX], check, len, 0), len);
    assert_true(ends(clients[STREAM_PATHS_MAX], RAWEDGE_WAIT_MS));
    const struct msg_path body = {.session = RAWEDGE_SESSION,
                                  .local = rawedge_address(rig.tcp),
                                  .remote = gone,
                                  .transport = TRANSPORT_TCP};
    assert_int_equal(peer_send(&rig.peer, MSG_PATH_GONE, &body, NULL, 0, NULL), 0);
    rawedge_settle(&rig);
    clients[STREAM_PATHS_MAX + 1] = connected(&rig);
    assert_int_equal(send(clients[STREAM_PATHS_MAX + 1], check, len, 0), len);
    int path = take_stream(&rig, clients[STREAM_PATHS_MAX + 1]);
    fd_close(&path);
    fd_close_all(clients, STREAM_PATHS_MAX + 2);
    rawedge_close(&rig);
}

static void U13_a_thousand_idle_connections_keep_nobody_out(void **state)
{
    struct rawedge rig;
    int idle[300];
    uint8_t check[RAWSTUN_MAX + 2];
    (void)state;
    rawedge_open_expecting(&rig, AF_INET);
    size_t len = framed_check(RAWEDGE_PWD, check), opened = 0;
    for (size_t round = 0; round < 4; round++) {
        for (size_t i = 0; i < sizeof(idle) / sizeof(idle[0]); i++) {
            idle[i] = connected(&rig);
            if (i % 50 == 49)
                rawedge_settle(&rig);
        }
        int client = connected(&rig);
        assert_int_equal(send(client, check, len, 0), len);
        int path = take_stream(&rig, client);
        opened++;
        fd_close(&path);
        fd_close(&client);
        fd_close_all(idle, sizeof(idle) / sizeof(idle[0]));
    }
    assert_int_equal(opened, 4);
    rawedge_close(&rig);
}

/* A STUN server of ours, on loopback. */
static int stun_server(struct addr *out)
{
    int fd = rawedge_bind(AF_INET, SOCK_DGRAM, 0);
    *out = rawedge_address(fd);
    return fd;
}

static void start_asking(struct rawedge *rig, const struct addr *server)
{
    rig->listener = rawedge_bind(AF_INET, SOCK_DGRAM, 1);
    rig->tcp = rawedge_bind(AF_INET, SOCK_STREAM, 1);
    rig->local = rawedge_address(rig->listener);
    assert_int_equal(listen(rig->tcp, RAWEDGE_BACKLOG), 0);
    const struct settings_edge settings = {.common = rawedge_plain,
                                           .udp_count = 1,
                                           .tcp_count = 1,
                                           .receive_buffer_bytes = RAWEDGE_BUFFER,
                                           .udp = {rig->local},
                                           .tcp = {rig->local}, /* what is asked from */
                                           .stun_server = *server};
    const int fds[2] = {rig->listener, rig->tcp};
    assert_int_equal(
        peer_start(&rig->peer, RAWEDGE_ROLE, &settings, sizeof(settings), NULL, 0, fds, 2), 0);
    assert_non_null(peer_wait(&rig->peer, MSG_READY, RAWEDGE_WAIT_MS));
}

static void ICE_09_what_a_stun_server_saw_is_reported(void **state)
{
    struct rawedge rig;
    struct addr server;
    struct sockaddr_storage sa;
    socklen_t sa_len = sizeof(sa);
    uint8_t request[64];
    (void)state;
    int fd = stun_server(&server), stranger = rawedge_bind(AF_INET, SOCK_DGRAM, 0);
    start_asking(&rig, &server);
    assert_true(rawedge_readable(fd, RAWEDGE_WAIT_MS));
    assert_int_equal(recvfrom(fd, request, sizeof(request), 0, (struct sockaddr *)&sa, &sa_len),
                     20);
    struct addr from = {0};
    assert_int_equal(addr_from_sockaddr((const struct sockaddr *)&sa, sa_len, &from), 0);
    assert_true(addr_equal(&from, &rig.local)); /* the NAT's mapping is the listener's */
    uint8_t answer[32] = {0x01, 0x01, 0, 12, 0x21, 0x12, 0xa4, 0x42};
    static const uint8_t mapped[] = {0, 0x20, 0, 8, 0, 1, 0x01, 0x12, 0xe1, 0x12, 0xa6, 0x43};
    memcpy(answer + 8, request + 8, 12);
    memcpy(answer + 20, mapped, sizeof(mapped));
    answer[8] ^= 1; /* an answer to another question */
    assert_int_equal(sendto(fd, answer, 32, 0, (const struct sockaddr *)&sa, sa_len), 32);
    answer[8] ^= 1;
    assert_int_equal(sendto(stranger, answer, 32, 0, (const struct sockaddr *)&sa, sa_len), 32);
    assert_int_equal(sendto(fd, answer, 32, 0, (const struct sockaddr *)&sa, sa_len), 32);
    const struct chan_message *m = peer_wait(&rig.peer, MSG_SEEN_ADDRESS, RAWEDGE_WAIT_MS);
    assert_non_null(m);
    const struct msg_seen_address *found = m->body;
    char text[ADDR_TEXT_MAX];
    addr_format_ip(&found->seen, text);
    assert_string_equal(text, "192.0.2.1");
    assert_true(addr_equal(&found->local, &rig.local));
    rawedge_settle(&rig);
    assert_null(peer_wait(&rig.peer, MSG_SEEN_ADDRESS, 0));
    fd_close(&stranger);
    fd_close(&fd);
    rawedge_close(&rig);
}

static void ICE_09_a_silent_stun_server_delays_nothing(void **state)
{
    struct rawedge rig;
    struct addr server;
    (void)state;
    int fd = stun_server(&server);
    start_asking(&rig, &server); /* ready */
    rawedge_expect(&rig, RAWEDGE_SESSION, RAWEDGE_UFRAG, RAWEDGE_PWD);
    int client = rawedge_client(&rig);
    rawedge_settle(&rig);
    rawedge_check(&rig, client);
    int path = rawedge_take_path(&rig, client, RAWEDGE_SESSION);
    assert_true(peer_wait_log(&rig.peer, "stun_silent", RAWEDGE_WAIT_MS));
    fd_close(&path);
    fd_close(&client);
    fd_close(&fd);
    rawedge_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(RFC6544_a_checked_connection_is_passed_on_unread),
        cmocka_unit_test(U1_U2_unchecked_connections_end_without_a_byte_and_in_time),
        cmocka_unit_test(U3_ninth_connection_is_refused_until_one_goes),
        cmocka_unit_test(U13_a_thousand_idle_connections_keep_nobody_out),
        cmocka_unit_test(ICE_09_what_a_stun_server_saw_is_reported),
        cmocka_unit_test(ICE_09_a_silent_stun_server_delays_nothing),
    };
    return cmocka_run_group_tests_name("edge tcp", tests, NULL, NULL);
}
