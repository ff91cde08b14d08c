/* The real edge on loopback with a scripted supervisor: real datagrams in, messages and sockets
 * out. */
#include "lib/base/addr.h"
#include "lib/base/clock.h"
#include "lib/base/escape.h"
#include "lib/base/fd.h"
#include "tests/support/peer.h"
#include "tests/support/rawstun.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ROLE "sluice-edge"
#define WAIT_MS 10000
#define UFRAG "edgeUfr1"
#define PWD "edgePasswordOf24Letters1"
#define USERNAME UFRAG ":peer"
#define SESSION 7u
#define TEST_UID 64322u
#define SMALL_BUFFER 200000 /* a little less than Debian's net.core.rmem_max */

/* A running edge with one UDP listener on loopback. */
struct rig {
    struct peer peer;
    int listener; /* ours, as the supervisor keeps it */
    int tcp;
    struct addr local;
};

/* ---- sockets ---- */

static struct addr address_of(int fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    struct addr a = {0};
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    assert_int_equal(addr_from_sockaddr((const struct sockaddr *)&sa, len, &a), 0);
    return a;
}

/* shared: others may join the port. Not for clients: the kernel might give two of them the same
 * one. */
static int bind_loopback(int family, int type, int shared)
{
    struct addr any = {.family = family == AF_INET ? 4 : 6};
    struct sockaddr_storage sa;
    int size = SMALL_BUFFER; /* also where the system would allow more */
    if (family == AF_INET)
        memcpy(any.ip, (const uint8_t[]){127, 0, 0, 1}, 4);
    else
        any.ip[15] = 1;
    int fd = socket(family, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &shared, sizeof(shared)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&sa, addr_to_sockaddr(&any, &sa)), 0);
    return fd;
}

static int client_new(const struct rig *rig)
{
    return bind_loopback(rig->local.family == 6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
}

static void send_bytes(const struct rig *rig, int client, const void *data, size_t len)
{
    struct sockaddr_storage sa;
    socklen_t sa_len = addr_to_sockaddr(&rig->local, &sa);
    assert_int_equal(sendto(client, data, len, 0, (const struct sockaddr *)&sa, sa_len), len);
}

static bool readable(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1;
}

/* ---- requests ---- */

static struct rawstun_request right_request(void)
{
    return (struct rawstun_request){.txid = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
                                    .username = USERNAME,
                                    .password = PWD,
                                    .tie_breaker = 77,
                                    .priority = 1845501695,
                                    .nominate = true};
}

static void send_request(const struct rig *rig, int client, const struct rawstun_request *request)
{
    uint8_t data[RAWSTUN_MAX];
    size_t len = rawstun_request(request, data);
    assert_true(len > 0);
    send_bytes(rig, client, data, len);
}

static void send_check(const struct rig *rig, int client)
{
    const struct rawstun_request request = right_request();
    send_request(rig, client, &request);
}

/* ---- the role ---- */

static void rig_start(struct rig *rig, const struct settings_common *common)
{
    const struct settings_edge settings = {.common = *common,
                                           .udp_count = 1,
                                           .tcp_count = 1,
                                           .receive_buffer_bytes = SMALL_BUFFER,
                                           .udp = {rig->local}};
    const int fds[2] = {rig->listener, rig->tcp};
    assert_int_equal(peer_start(&rig->peer, ROLE, &settings, sizeof(settings), NULL, 0, fds, 2), 0);
}

static void rig_open(struct rig *rig, int family, const struct settings_common *common)
{
    rig->listener = bind_loopback(family, SOCK_DGRAM, 1);
    rig->tcp = bind_loopback(AF_INET, SOCK_STREAM, 0);
    rig->local = address_of(rig->listener);
    assert_int_equal(listen(rig->tcp, 4), 0);
    if (common->uid != 0)
        assert_int_equal(fchown(rig->listener, common->uid, (gid_t)-1), 0);
    rig_start(rig, common);
}

static void rig_close(struct rig *rig)
{
    peer_stop(&rig->peer);
    fd_close(&rig->listener);
    fd_close(&rig->tcp);
}

static void expect(struct rig *rig, uint64_t session, const char *ufrag, const char *pwd)
{
    struct msg_expect body = {.session = session};
    (void)snprintf(body.ufrag, sizeof(body.ufrag), "%s", ufrag);
    (void)snprintf(body.pwd, sizeof(body.pwd), "%s", pwd);
    assert_int_equal(peer_send(&rig->peer, MSG_EXPECT, &body, NULL, 0, NULL), 0);
}

/* All messages sent so far have been dealt with. Datagrams sent before are not part of this. */
static void settle(struct rig *rig)
{
    static uint64_t number;
    const struct msg_number ping = {.number = ++number};
    assert_int_equal(peer_send(&rig->peer, MSG_PING, &ping, NULL, 0, NULL), 0);
    assert_non_null(peer_wait(&rig->peer, MSG_PONG, WAIT_MS));
}

static const struct settings_common plain = {.namespaces = 1};
static const struct settings_common hooked = {.namespaces = 1, .test_hooks = 1};

static void rig_open_expecting(struct rig *rig, int family)
{
    rig_open(rig, family, &plain);
    assert_non_null(peer_wait(&rig->peer, MSG_READY, WAIT_MS));
    expect(rig, SESSION, UFRAG, PWD);
    settle(rig);
}

/* The next message must be a path for that client and session: its socket, the caller's now. Edge
 * has closed its own descriptor of it by then, so that the flow ends with the caller's. */
static int take_path(struct rig *rig, int client, uint64_t session)
{
    const struct chan_message *m = peer_wait(&rig->peer, PEER_ANY, WAIT_MS);
    const struct addr remote = address_of(client);
    assert_non_null(m);
    assert_int_equal(m->type, MSG_PATH);
    const struct msg_path *path = m->body;
    assert_int_equal(path->session, session);
    assert_true(addr_equal(&path->local, &rig->local));
    assert_true(addr_equal(&path->remote, &remote));
    assert_true(m->blob_len > 20 && m->blob[0] == 0 && m->blob[1] == 1);
    int fd = peer_take_fd(&rig->peer, 0);
    assert_true(fd >= 0);
    settle(rig);
    return fd;
}

static void send_gone(struct rig *rig, int client, uint64_t session)
{
    const struct msg_path gone = {
        .session = session, .local = rig->local, .remote = address_of(client)};
    assert_int_equal(peer_send(&rig->peer, MSG_PATH_GONE, &gone, NULL, 0, NULL), 0);
    settle(rig);
}

/* Sends a right check from another client, whose path must be the very next message: whatever was
 * sent before has been read by then and led to nothing. */
static void assert_nothing_came_but(struct rig *rig, uint64_t session, const char *username)
{
    int witness = client_new(rig);
    struct rawstun_request request = right_request();
    request.username = username;
    send_request(rig, witness, &request);
    int fd = take_path(rig, witness, session);
    fd_close(&fd);
    send_gone(rig, witness, session);
    fd_close(&witness);
}

static void assert_nothing_came(struct rig *rig)
{
    assert_nothing_came_but(rig, SESSION, USERNAME);
}

/* One line of /proc/<pid>/status, by its name with colon. */
static unsigned long status_of(pid_t pid, const char *name)
{
    char path[64], line[256];
    unsigned long value = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtoul(line + strlen(name), NULL, 10);
    }
    (void)fclose(file);
    return value;
}

/* ---- tests ---- */

static void EDGE_is_ready_in_its_sandbox(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig, AF_INET, &plain);
    const struct chan_message *m = peer_wait(&rig.peer, MSG_READY, WAIT_MS);
    assert_non_null(m);
    const struct msg_ready *ready = m->body;
    assert_int_equal(ready->sandbox.seccomp, 1);
    assert_int_equal(ready->sandbox.no_new_privs, 1);
    assert_int_equal(ready->sandbox.not_dumpable, 1);
    assert_int_equal(ready->fd_count, 8); /* 0-2, channel, log, epoll, UDP, TCP */
    assert_int_equal(status_of(rig.peer.pid, "Seccomp:"), 2);
    assert_int_equal(status_of(rig.peer.pid, "NoNewPrivs:"), 1);
    rig_close(&rig);
}

static void opens_a_socket_for(int family)
{
    struct rig rig;
    uint8_t data[64];
    rig_open_expecting(&rig, family);
    int client = client_new(&rig);
    send_check(&rig, client);
    int path = take_path(&rig, client, SESSION);
    send_bytes(&rig, client, "\x16later", 6);
    assert_true(readable(path, WAIT_MS)); /* the kernel brings it there, not to edge */
    assert_int_equal(recv(path, data, sizeof(data), 0), 6);
    assert_memory_equal(data, "\x16later", 6);
    assert_int_equal(send(path, "answer", 6, 0), 6);
    assert_true(readable(client, WAIT_MS));
    struct sockaddr_storage sa;
    socklen_t sa_len = sizeof(sa);
    struct addr from = {0};
    assert_int_equal(recvfrom(client, data, sizeof(data), 0, (struct sockaddr *)&sa, &sa_len), 6);
    assert_int_equal(addr_from_sockaddr((const struct sockaddr *)&sa, sa_len, &from), 0);
    assert_true(addr_equal(&from, &rig.local)); /* one port for everything */
    int size = 0;
    socklen_t size_len = sizeof(size);
    assert_int_equal(getsockopt(path, SOL_SOCKET, SO_RCVBUF, &size, &size_len), 0);
    assert_int_equal(size, 2 * SMALL_BUFFER);
    assert_null(peer_wait(&rig.peer, PEER_ANY, 0));
    fd_close(&path);
    fd_close(&client);
    rig_close(&rig);
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

static void U1_U2_wrong_checks_get_no_byte_and_no_message(void **state)
{
    struct rig rig;
    (void)state;
    rig_open_expecting(&rig, AF_INET);
    int client = client_new(&rig);
    struct rawstun_request wrong[8];
    for (size_t i = 0; i < 8; i++)
        wrong[i] = right_request();
    wrong[0].username = NULL; /* bare */
    wrong[0].password = NULL;
    wrong[1].password = NULL;
    wrong[2].password = "edgePasswordOf24Letters2";
    wrong[3].username = "edgeUfr2:peer";
    wrong[4].username = UFRAG;
    wrong[5].no_fingerprint = true;
    wrong[6].wrong_fingerprint = true;
    wrong[7].username = "";
    for (size_t i = 0; i < 8; i++)
        send_request(&rig, client, &wrong[i]);
    assert_nothing_came(&rig);
    assert_false(readable(client, 0));
    send_check(&rig, client); /* and nobody is locked out by them */
    int path = take_path(&rig, client, SESSION);
    fd_close(&path);
    fd_close(&client);
    rig_close(&rig);
}

static void U1_U18_anything_else_gets_no_byte_and_no_message(void **state)
{
    struct rig rig;
    static const uint8_t firsts[] = {0, 1, 2, 19, 20, 22, 63, 64, 79, 80, 127, 128, 191, 192, 255};
    uint8_t data[1600];
    (void)state;
    rig_open_expecting(&rig, AF_INET);
    int client = client_new(&rig);
    for (size_t i = 0; i < sizeof(firsts); i++) {
        memset(data, 0x41, sizeof(data));
        data[0] = firsts[i];
        data[1] = 1;
        for (size_t len = 0; len <= sizeof(data); len += len < 32 ? 1 : 97)
            send_bytes(&rig, client, data, len);
        assert_nothing_came(&rig);
    }
    for (size_t len = 0; len <= sizeof(data); len++) { /* a right check, cut or with a tail */
        const struct rawstun_request request = right_request();
        size_t whole = rawstun_request(&request, data);
        if (len == whole)
            continue;
        send_bytes(&rig, client, data, len);
        if (len % 64 == 0)
            assert_nothing_came(&rig);
    }
    assert_nothing_came(&rig);
    assert_false(readable(client, 0));
    fd_close(&client);
    rig_close(&rig);
}

static void U3_ninth_flow_is_refused_until_one_goes(void **state)
{
    struct rig rig;
    int clients[STREAM_PATHS_MAX + 1], paths[STREAM_PATHS_MAX];
    (void)state;
    rig_open_expecting(&rig, AF_INET);
    for (size_t i = 0; i < STREAM_PATHS_MAX; i++) {
        clients[i] = client_new(&rig);
        send_check(&rig, clients[i]);
        paths[i] = take_path(&rig, clients[i], SESSION);
    }
    expect(&rig, SESSION + 1, "edgeUfr2", PWD);
    settle(&rig);
    clients[STREAM_PATHS_MAX] = client_new(&rig);
    send_check(&rig, clients[STREAM_PATHS_MAX]);
    int witness = client_new(&rig);
    struct rawstun_request other = right_request();
    other.username = "edgeUfr2:peer";
    send_request(&rig, witness, &other);
    int fd = take_path(&rig, witness, SESSION + 1); /* the ninth one made no message before it */
    fd_close(&fd);
    assert_false(readable(clients[STREAM_PATHS_MAX], 0));
    fd_close(&paths[3]);
    send_gone(&rig, clients[3], SESSION);
    send_check(&rig, clients[STREAM_PATHS_MAX]);
    fd = take_path(&rig, clients[STREAM_PATHS_MAX], SESSION);
    fd_close(&fd);
    fd_close(&witness);
    fd_close_all(clients, STREAM_PATHS_MAX + 1);
    fd_close_all(paths, STREAM_PATHS_MAX);
    rig_close(&rig);
}

static void U3_known_flow_comes_as_bytes_until_it_is_gone(void **state)
{
    struct rig rig;
    (void)state;
    rig_open_expecting(&rig, AF_INET);
    int client = client_new(&rig);
    send_check(&rig, client);
    int path = take_path(&rig, client, SESSION);
    fd_close(&path); /* the worker is gone, edge does not know yet */
    send_check(&rig, client);
    send_bytes(&rig, client, "\x80media of a known flow", 21);
    for (size_t i = 0; i < 2; i++) {
        const struct chan_message *m = peer_wait(&rig.peer, PEER_ANY, WAIT_MS);
        assert_non_null(m);
        assert_int_equal(m->type, MSG_PATH_BYTES);
        const struct msg_path *about = m->body;
        assert_int_equal(about->session, SESSION);
        assert_int_equal(m->blob[0], i == 0 ? 0 : 0x80);
    }
    send_gone(&rig, client, SESSION);
    send_check(&rig, client);
    path = take_path(&rig, client, SESSION);
    fd_close(&path);
    fd_close(&client);
    rig_close(&rig);
}

static void U13_flood_of_a_known_flow_is_bounded(void **state)
{
    struct rig rig;
    uint8_t data[200] = {0x80, 111};
    size_t count = 0;
    (void)state;
    rig_open_expecting(&rig, AF_INET);
    int client = client_new(&rig);
    send_check(&rig, client);
    int path = take_path(&rig, client, SESSION);
    fd_close(&path);
    uint64_t start_us = clock_now_us();
    for (size_t i = 0; i < 3000; i++)
        send_bytes(&rig, client, data, sizeof(data));
    expect(&rig, SESSION + 1, "edgeUfr2", PWD);
    settle(&rig);
    int witness = client_new(&rig);
    struct rawstun_request other = right_request();
    other.username = "edgeUfr2:peer";
    const struct chan_message *m = NULL;
    for (int i = 0; i < WAIT_MS / 100 && (m == NULL || m->type != MSG_PATH); i++) {
        if (m == NULL) /* repeated as browsers do: the first may meet a full queue */
            send_request(&rig, witness, &other);
        m = peer_wait(&rig.peer, PEER_ANY, 100);
        count += m != NULL && m->type == MSG_PATH_BYTES;
    }
    assert_non_null(m);
    assert_int_equal(m->type, MSG_PATH); /* the other session's path came through */
    uint64_t took_us = clock_now_us() - start_us;
    assert_in_range(count, 1, 64 + 100 * (took_us / CLOCK_SECOND_US + 1));
    fd_close(&witness);
    fd_close(&client);
    rig_close(&rig);
}

static void EDGE_forgotten_session_is_silent_at_once(void **state)
{
    struct rig rig;
    const struct msg_number session = {.number = SESSION};
    (void)state;
    rig_open_expecting(&rig, AF_INET);
    int client = client_new(&rig);
    send_check(&rig, client);
    int path = take_path(&rig, client, SESSION);
    fd_close(&path);
    assert_int_equal(peer_send(&rig.peer, MSG_FORGET, &session, NULL, 0, NULL), 0);
    settle(&rig);
    send_check(&rig, client);
    send_bytes(&rig, client, "\x80media after the end", 19);
    expect(&rig, SESSION + 1, "edgeUfr2", PWD);
    settle(&rig);
    assert_nothing_came_but(&rig, SESSION + 1, "edgeUfr2:peer");
    assert_false(readable(client, 0));
    fd_close(&client);
    rig_close(&rig);
}

/* Many newcomers at once, each repeating its check as a browser does: some of these datagrams meet
 * a socket between bind and connect. Each flow must get exactly one socket, and nothing else in it.
 */
static void U13_many_flows_at_once_get_one_socket_each(void **state)
{
    enum { SESSIONS = 8, FLOWS = SESSIONS * STREAM_PATHS_MAX };
    struct rig rig;
    int clients[FLOWS], paths[FLOWS];
    size_t opened = 0;
    (void)state;
    rig_open(&rig, AF_INET, &plain);
    assert_non_null(peer_wait(&rig.peer, MSG_READY, WAIT_MS));
    for (uint64_t i = 0; i < SESSIONS; i++) {
        char ufrag[16];
        (void)snprintf(ufrag, sizeof(ufrag), "many%04u", (unsigned)i);
        expect(&rig, i, ufrag, PWD);
    }
    settle(&rig);
    for (size_t i = 0; i < FLOWS; i++) {
        clients[i] = client_new(&rig);
        paths[i] = -1;
    }
    uint64_t due_us = clock_now_us() + WAIT_MS * CLOCK_MS_US;
    while (opened < FLOWS && clock_now_us() < due_us) {
        for (size_t i = 0; i < FLOWS; i++) {
            char username[32];
            struct rawstun_request request = right_request();
            (void)snprintf(username, sizeof(username), "many%04u:peer",
                           (unsigned)(i / STREAM_PATHS_MAX));
            request.username = username;
            if (paths[i] < 0)
                send_request(&rig, clients[i], &request);
        }
        const struct chan_message *m = peer_wait(&rig.peer, PEER_ANY, 50);
        for (; m != NULL; m = peer_wait(&rig.peer, PEER_ANY, 0)) {
            const struct msg_path *path = m->body;
            size_t i = 0;
            if (m->type != MSG_PATH)
                continue;
            for (; i < FLOWS; i++) {
                const struct addr a = address_of(clients[i]);
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
        send_bytes(&rig, clients[i], mine, sizeof(mine));
        assert_true(readable(paths[i], WAIT_MS));
        assert_int_equal(recv(paths[i], data, sizeof(data), 0), 2);
        assert_memory_equal(data, mine, 2);
    }
    fd_close_all(clients, FLOWS);
    fd_close_all(paths, FLOWS);
    rig_close(&rig);
}

static void EDGE_restarted_serves_the_same_listener(void **state)
{
    struct rig rig;
    int status = 0;
    (void)state;
    rig_open_expecting(&rig, AF_INET);
    int old = client_new(&rig), young = client_new(&rig);
    uint8_t data[8];
    send_check(&rig, old);
    int path = take_path(&rig, old, SESSION);
    assert_int_equal(kill(rig.peer.pid, SIGKILL), 0);
    assert_int_equal(peer_wait_exit(&rig.peer, WAIT_MS, &status), 0);
    peer_stop(&rig.peer);
    send_bytes(&rig, old, "\x80still", 6); /* live flows do not notice */
    assert_true(readable(path, WAIT_MS));
    assert_int_equal(recv(path, data, sizeof(data), 0), 6);
    send_check(&rig, young); /* waits in the listener, which the supervisor holds */
    rig_start(&rig, &plain);
    expect(&rig, SESSION, UFRAG, PWD);
    assert_non_null(peer_wait(&rig.peer, MSG_READY, WAIT_MS));
    send_check(&rig, young); /* the first may have come before the table */
    int other = take_path(&rig, young, SESSION);
    fd_close(&other);
    fd_close(&path);
    fd_close(&old);
    fd_close(&young);
    rig_close(&rig);
}

static void EDGE_works_under_its_own_uid(void **state)
{
    struct rig rig;
    const struct settings_common own = {.uid = TEST_UID, .namespaces = 1};
    (void)state;
    if (geteuid() != 0)
        skip();
    rig_open(&rig, AF_INET, &own);
    assert_non_null(peer_wait(&rig.peer, MSG_READY, WAIT_MS));
    assert_int_equal(status_of(rig.peer.pid, "Uid:"), TEST_UID);
    expect(&rig, SESSION, UFRAG, PWD);
    settle(&rig);
    int client = client_new(&rig);
    send_check(&rig, client);
    int path = take_path(&rig, client, SESSION); /* joins the port: the listener is its uid's */
    fd_close(&path);
    fd_close(&client);
    rig_close(&rig);
}

static void EDGE_counts_in_at_most_one_line_a_second(void **state)
{
    struct rig rig;
    (void)state;
    rig_open_expecting(&rig, AF_INET);
    int client = client_new(&rig);
    for (size_t i = 0; i < 200; i++)
        send_bytes(&rig, client, "\x80nothing of ours", 16);
    assert_true(peer_wait_log(&rig.peer, "strange=200", WAIT_MS));
    size_t lines = 0;
    for (const char *at = rig.peer.log; (at = strstr(at, "datagrams ")) != NULL; at++)
        lines++;
    assert_int_equal(lines, 1);
    assert_null(strstr(rig.peer.log, PWD));
    fd_close(&client);
    rig_close(&rig);
}

static void expect_failure(struct rig *rig)
{
    int status = 0;
    assert_int_equal(peer_wait_exit(&rig->peer, WAIT_MS, &status), 0);
    assert_true(WIFEXITED(status));
    assert_int_not_equal(WEXITSTATUS(status), 0);
    rig_close(rig);
}

static void I5_hostile_messages_end_edge(void **state)
{
    struct rig rig;
    struct msg_expect bodies[3] = {{.ufrag = UFRAG}, {.pwd = PWD}, {.ufrag = UFRAG, .pwd = PWD}};
    (void)state;
    memset(bodies[2].ufrag, 'a', sizeof(bodies[2].ufrag)); /* no NUL */
    for (size_t i = 0; i < 3; i++) {
        rig_open_expecting(&rig, AF_INET);
        assert_int_equal(peer_send(&rig.peer, MSG_EXPECT, &bodies[i], NULL, 0, NULL), 0);
        expect_failure(&rig);
    }
    const struct msg_number session = {.number = SESSION};
    rig_open_expecting(&rig, AF_INET);
    assert_int_equal(peer_send(&rig.peer, MSG_TEST, &session, NULL, 0, NULL), 0);
    expect_failure(&rig); /* without test_hooks */
    rig_open_expecting(&rig, AF_INET);
    assert_int_equal(peer_send(&rig.peer, MSG_RING_MAPPED, &session, NULL, 0, NULL), 0);
    expect_failure(&rig); /* another role's message */
}

static void I5_wrong_settings_end_edge(void **state)
{
    struct rig rig;
    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        rig.listener = bind_loopback(AF_INET, SOCK_DGRAM, 1);
        rig.tcp = bind_loopback(AF_INET, SOCK_STREAM, 0);
        rig.local = address_of(rig.listener);
        struct settings_edge settings = {
            .common = plain, .udp_count = 1, .tcp_count = 1, .udp = {rig.local}};
        const int fds[2] = {rig.listener, rig.tcp};
        settings.udp_count = i == 0 ? 0 : i == 1 ? 2 : 1;
        settings.tcp_count = i == 2 ? UINT32_MAX : 1;
        settings.udp[0].port ^= i == 3 ? 1 : 0; /* not what the socket is bound to */
        assert_int_equal(peer_start(&rig.peer, ROLE, &settings, sizeof(settings), NULL, 0, fds, 2),
                         0);
        expect_failure(&rig);
    }
}

/* -1: killed by SIGSYS, else the errno that the attempt got, 0 for success. */
static int attempt(uint64_t number)
{
    struct rig rig;
    int status = 0, result = -1;
    const struct msg_number test = {.number = number};
    rig_open(&rig, AF_INET, &hooked);
    assert_non_null(peer_wait(&rig.peer, MSG_READY, WAIT_MS));
    assert_int_equal(peer_send(&rig.peer, MSG_TEST, &test, NULL, 0, NULL), 0);
    const struct chan_message *m = peer_wait(&rig.peer, MSG_PONG, WAIT_MS);
    if (m != NULL) {
        const struct msg_number *answer = m->body;
        result = (int)(answer->number - ESCAPE_SURVIVED);
    } else {
        assert_int_equal(peer_wait_exit(&rig.peer, WAIT_MS, &status), 0);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGSYS);
    }
    rig_close(&rig);
    return result;
}

static void EDGE_every_escape_is_denied(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < ESCAPE_COUNT; i++) {
        if (i == ESCAPE_CONNECT || i == ESCAPE_SETSOCKOPT) /* its trade, on UDP sockets */
            continue;
        int result = attempt(i);
        if (result != -1)
            print_message("%s: errno %d\n", escape_name(i), result);
        if (i == ESCAPE_MAP_WRITE || i == ESCAPE_MAP_SHARED) /* allowed calls that get nothing */
            assert_int_not_equal(result, 0);
        else
            assert_int_equal(result, -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(EDGE_is_ready_in_its_sandbox),
        cmocka_unit_test(U1_authenticated_check_opens_a_socket_ipv4),
        cmocka_unit_test(U1_authenticated_check_opens_a_socket_ipv6),
        cmocka_unit_test(U1_U2_wrong_checks_get_no_byte_and_no_message),
        cmocka_unit_test(U1_U18_anything_else_gets_no_byte_and_no_message),
        cmocka_unit_test(U3_ninth_flow_is_refused_until_one_goes),
        cmocka_unit_test(U3_known_flow_comes_as_bytes_until_it_is_gone),
        cmocka_unit_test(U13_flood_of_a_known_flow_is_bounded),
        cmocka_unit_test(EDGE_forgotten_session_is_silent_at_once),
        cmocka_unit_test(U13_many_flows_at_once_get_one_socket_each),
        cmocka_unit_test(EDGE_restarted_serves_the_same_listener),
        cmocka_unit_test(EDGE_works_under_its_own_uid),
        cmocka_unit_test(EDGE_counts_in_at_most_one_line_a_second),
        cmocka_unit_test(I5_hostile_messages_end_edge),
        cmocka_unit_test(I5_wrong_settings_end_edge),
        cmocka_unit_test(EDGE_every_escape_is_denied),
    };
    return cmocka_run_group_tests_name("edge", tests, NULL, NULL);
}
