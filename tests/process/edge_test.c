/* The real edge on loopback: checks in, sockets out, and what happens to flows over time. */
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "tests/support/rawedge.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define TEST_UID 64322u

static void EDGE_is_ready_in_its_sandbox(void **state)
{
    struct rawedge rig;
    (void)state;
    rawedge_open(&rig, AF_INET, &rawedge_plain);
    const struct chan_message *m = peer_wait(&rig.peer, MSG_READY, RAWEDGE_WAIT_MS);
    assert_non_null(m);
    const struct msg_ready *ready = m->body;
    assert_int_equal(ready->sandbox.seccomp, 1);
    assert_int_equal(ready->sandbox.no_new_privs, 1);
    assert_int_equal(ready->sandbox.not_dumpable, 1);
    assert_int_equal(ready->fd_count, 8); /* 0-2, channel, log, epoll, UDP, TCP */
    assert_int_equal(rawedge_status(rig.peer.pid, "Seccomp:"), 2);
    assert_int_equal(rawedge_status(rig.peer.pid, "NoNewPrivs:"), 1);
    rawedge_close(&rig);
}

static void opens_a_socket_for(int family)
{
    struct rawedge rig;
    uint8_t data[64];
    rawedge_open_expecting(&rig, family);
    int client = rawedge_client(&rig);
    rawedge_check(&rig, client);
    int path = rawedge_take_path(&rig, client, RAWEDGE_SESSION);
    rawedge_send(&rig, client, "\x16later", 6);
    assert_true(
        rawedge_readable(path, RAWEDGE_WAIT_MS)); /* the kernel brings it there, not to edge */
    assert_int_equal(recv(path, data, sizeof(data), 0), 6);
    assert_memory_equal(data, "\x16later", 6);
    assert_int_equal(send(path, "answer", 6, 0), 6);
    assert_true(rawedge_readable(client, RAWEDGE_WAIT_MS));
    struct sockaddr_storage sa;
    socklen_t sa_len = sizeof(sa);
    struct addr from = {0};
    assert_int_equal(recvfrom(client, data, sizeof(data), 0, (struct sockaddr *)&sa, &sa_len), 6);
    assert_int_equal(addr_from_sockaddr((const struct sockaddr *)&sa, sa_len, &from), 0);
    assert_true(addr_equal(&from, &rig.local)); /* one port for everything */
    int size = 0;
    socklen_t size_len = sizeof(size);
    assert_int_equal(getsockopt(path, SOL_SOCKET, SO_RCVBUF, &size, &size_len), 0);
    assert_int_equal(size, 2 * RAWEDGE_BUFFER);
    assert_null(peer_wait(&rig.peer, PEER_ANY, 0));
    fd_close(&path);
    fd_close(&client);
    rawedge_close(&rig);
}

static void U1_authenticated_check_opens_a_socket_ipv4(void **state)
{
    (void)state;
    opens_a_socket_for(AF_INET);
}

static void U1_authenticated_check_opens_a_socket_ipv6(void **state)
{
    (void)state;
    opens_a_socket_for(AF_INET6);
}

static void U3_ninth_flow_is_refused_until_one_goes(void **state)
{
    struct rawedge rig;
    int clients[STREAM_PATHS_MAX + 1], paths[STREAM_PATHS_MAX];
    (void)state;
    rawedge_open_expecting(&rig, AF_INET);
    for (size_t i = 0; i < STREAM_PATHS_MAX; i++) {
        clients[i] = rawedge_client(&rig);
        rawedge_check(&rig, clients[i]);
        paths[i] = rawedge_take_path(&rig, clients[i], RAWEDGE_SESSION);
    }
    rawedge_expect(&rig, RAWEDGE_SESSION + 1, "edgeUfr2", RAWEDGE_PWD);
    rawedge_settle(&rig);
    clients[STREAM_PATHS_MAX] = rawedge_client(&rig);
    rawedge_check(&rig, clients[STREAM_PATHS_MAX]);
    int witness = rawedge_client(&rig);
    struct rawstun_request other = rawedge_request();
    other.username = "edgeUfr2:peer";
    rawedge_send_request(&rig, witness, &other);
    int fd = rawedge_take_path(&rig, witness,
                               RAWEDGE_SESSION + 1); /* the ninth one made no message before it */
    fd_close(&fd);
    assert_false(rawedge_readable(clients[STREAM_PATHS_MAX], 0));
    fd_close(&paths[3]);
    rawedge_gone(&rig, clients[3], RAWEDGE_SESSION);
    rawedge_check(&rig, clients[STREAM_PATHS_MAX]);
    fd = rawedge_take_path(&rig, clients[STREAM_PATHS_MAX], RAWEDGE_SESSION);
    fd_close(&fd);
    fd_close(&witness);
    fd_close_all(clients, STREAM_PATHS_MAX + 1);
    fd_close_all(paths, STREAM_PATHS_MAX);
    rawedge_close(&rig);
}

static void U3_known_flow_comes_as_bytes_until_it_is_gone(void **state)
{
    struct rawedge rig;
    (void)state;
    rawedge_open_expecting(&rig, AF_INET);
    int client = rawedge_client(&rig);
    rawedge_check(&rig, client);
    int path = rawedge_take_path(&rig, client, RAWEDGE_SESSION);
    fd_close(&path); /* the worker is gone, edge does not know yet */
    rawedge_check(&rig, client);
    rawedge_send(&rig, client, "\x80media of a known flow", 21);
    for (size_t i = 0; i < 2; i++) {
        const struct chan_message *m = peer_wait(&rig.peer, PEER_ANY, RAWEDGE_WAIT_MS);
        assert_non_null(m);
        assert_int_equal(m->type, MSG_PATH_BYTES);
        const struct msg_path *about = m->body;
        assert_int_equal(about->session, RAWEDGE_SESSION);
        assert_int_equal(m->blob[0], i == 0 ? 0 : 0x80);
    }
    rawedge_gone(&rig, client, RAWEDGE_SESSION);
    rawedge_check(&rig, client);
    path = rawedge_take_path(&rig, client, RAWEDGE_SESSION);
    fd_close(&path);
    fd_close(&client);
    rawedge_close(&rig);
}

static void EDGE_forgotten_session_is_silent_at_once(void **state)
{
    struct rawedge rig;
    const struct msg_number session = {.number = RAWEDGE_SESSION};
    (void)state;
    rawedge_open_expecting(&rig, AF_INET);
    int client = rawedge_client(&rig);
    rawedge_check(&rig, client);
    int path = rawedge_take_path(&rig, client, RAWEDGE_SESSION);
    fd_close(&path);
    assert_int_equal(peer_send(&rig.peer, MSG_FORGET, &session, NULL, 0, NULL), 0);
    rawedge_settle(&rig);
    rawedge_check(&rig, client);
    rawedge_send(&rig, client, "\x80media after the end", 19);
    rawedge_expect(&rig, RAWEDGE_SESSION + 1, "edgeUfr2", RAWEDGE_PWD);
    rawedge_settle(&rig);
    rawedge_nothing_came_but(&rig, RAWEDGE_SESSION + 1, "edgeUfr2:peer");
    assert_false(rawedge_readable(client, 0));
    fd_close(&client);
    rawedge_close(&rig);
}

/* Many newcomers at once, each repeating its check as a browser does: some of these datagrams meet
 * a socket between bind and connect. Each flow must get exactly one socket, and nothing else in it.
 */
static void U13_many_flows_at_once_get_one_socket_each(void **state)
{
    enum { SESSIONS = 8, FLOWS = SESSIONS * STREAM_PATHS_MAX };
    struct rawedge rig;
    int clients[FLOWS], paths[FLOWS];
    size_t opened = 0;
    (void)state;
    rawedge_open(&rig, AF_INET, &rawedge_plain);
    assert_non_null(peer_wait(&rig.peer, MSG_READY, RAWEDGE_WAIT_MS));
    for (uint64_t i = 0; i < SESSIONS; i++) {
        char ufrag[16];
        (void)snprintf(ufrag, sizeof(ufrag), "many%04u", (unsigned)i);
        rawedge_expect(&rig, i, ufrag, RAWEDGE_PWD);
    }
    rawedge_settle(&rig);
    for (size_t i = 0; i < FLOWS; i++) {
        clients[i] = rawedge_client(&rig);
        paths[i] = -1;
    }
    uint64_t due_us = clock_now_us() + RAWEDGE_WAIT_MS * CLOCK_MS_US;
    while (opened < FLOWS && clock_now_us() < due_us) {
        for (size_t i = 0; i < FLOWS; i++) {
            char username[32];
            struct rawstun_request request = rawedge_request();
            (void)snprintf(username, sizeof(username), "many%04u:peer",
                           (unsigned)(i / STREAM_PATHS_MAX));
            request.username = username;
            if (paths[i] < 0)
                rawedge_send_request(&rig, clients[i], &request);
        }
        const struct chan_message *m = peer_wait(&rig.peer, PEER_ANY, 50);
        for (; m != NULL; m = peer_wait(&rig.peer, PEER_ANY, 0)) {
            const struct msg_path *path = m->body;
            size_t i = 0;
            if (m->type != MSG_PATH)
                continue;
            for (; i < FLOWS; i++) {
                const struct addr a = rawedge_address(clients[i]);
                if (addr_equal(&a, &path->remote))
                    break;
            }
            assert_in_range(i, 0, FLOWS - 1);
            assert_int_equal(path->session, i / STREAM_PATHS_MAX);
            assert_int_equal(paths[i], -1);
            paths[i] = peer_take_fd(&rig.peer, 0);
            opened++;
        }
    }
    assert_int_equal(opened, FLOWS);
    for (size_t i = 0; i < FLOWS; i++) {
        uint8_t data[64];
        const uint8_t mine[2] = {0x80, (uint8_t)i};
        ssize_t len;
        while ((len = recv(paths[i], data, sizeof(data), MSG_DONTWAIT)) >= 0)
            assert_int_equal(data[0], 0); /* repeated checks of the time before */
        rawedge_send(&rig, clients[i], mine, sizeof(mine));
        assert_true(rawedge_readable(paths[i], RAWEDGE_WAIT_MS));
        assert_int_equal(recv(paths[i], data, sizeof(data), 0), 2);
        assert_memory_equal(data, mine, 2);
    }
    fd_close_all(clients, FLOWS);
    fd_close_all(paths, FLOWS);
    rawedge_close(&rig);
}

static void EDGE_restarted_serves_the_same_listener(void **state)
{
    struct rawedge rig;
    int status = 0;
    (void)state;
    rawedge_open_expecting(&rig, AF_INET);
    int old = rawedge_client(&rig), young = rawedge_client(&rig);
    uint8_t data[8];
    rawedge_check(&rig, old);
    int path = rawedge_take_path(&rig, old, RAWEDGE_SESSION);
    assert_int_equal(kill(rig.peer.pid, SIGKILL), 0);
    assert_int_equal(peer_wait_exit(&rig.peer, RAWEDGE_WAIT_MS, &status), 0);
    peer_stop(&rig.peer);
    rawedge_send(&rig, old, "\x80still", 6); /* live flows do not notice */
    assert_true(rawedge_readable(path, RAWEDGE_WAIT_MS));
    assert_int_equal(recv(path, data, sizeof(data), 0), 6);
    rawedge_check(&rig, young); /* waits in the listener, which the supervisor holds */
    rawedge_start(&rig, &rawedge_plain);
    rawedge_expect(&rig, RAWEDGE_SESSION, RAWEDGE_UFRAG, RAWEDGE_PWD);
    assert_non_null(peer_wait(&rig.peer, MSG_READY, RAWEDGE_WAIT_MS));
    rawedge_check(&rig, young); /* the first may have come before the table */
    int other = rawedge_take_path(&rig, young, RAWEDGE_SESSION);
    fd_close(&other);
    fd_close(&path);
    fd_close(&old);
    fd_close(&young);
    rawedge_close(&rig);
}

static void EDGE_works_under_its_own_uid(void **state)
{
    struct rawedge rig;
    const struct settings_common own = {.uid = TEST_UID, .namespaces = 1};
    (void)state;
    if (geteuid() != 0)
        skip();
    rawedge_open(&rig, AF_INET, &own);
    assert_non_null(peer_wait(&rig.peer, MSG_READY, RAWEDGE_WAIT_MS));
    assert_int_equal(rawedge_status(rig.peer.pid, "Uid:"), TEST_UID);
    rawedge_expect(&rig, RAWEDGE_SESSION, RAWEDGE_UFRAG, RAWEDGE_PWD);
    rawedge_settle(&rig);
    int client = rawedge_client(&rig);
    rawedge_check(&rig, client);
    int path = rawedge_take_path(&rig, client,
                                 RAWEDGE_SESSION); /* joins the port: the listener is its uid's */
    fd_close(&path);
    fd_close(&client);
    rawedge_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(EDGE_is_ready_in_its_sandbox),
        cmocka_unit_test(U1_authenticated_check_opens_a_socket_ipv4),
        cmocka_unit_test(U1_authenticated_check_opens_a_socket_ipv6),
        cmocka_unit_test(U3_ninth_flow_is_refused_until_one_goes),
        cmocka_unit_test(U3_known_flow_comes_as_bytes_until_it_is_gone),
        cmocka_unit_test(EDGE_forgotten_session_is_silent_at_once),
        cmocka_unit_test(U13_many_flows_at_once_get_one_socket_each),
        cmocka_unit_test(EDGE_restarted_serves_the_same_listener),
        cmocka_unit_test(EDGE_works_under_its_own_uid),
    };
    return cmocka_run_group_tests_name("edge", tests, NULL, NULL);
}
