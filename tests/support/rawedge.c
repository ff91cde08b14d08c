/* A running edge for process tests: its listener, clients, messages. */
#include "tests/support/rawedge.h"

#include "lib/base/fd.h"

#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

const struct settings_common rawedge_plain = {.namespaces = 1};

/* ---- sockets ---- */

struct addr rawedge_address(int fd)
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
int rawedge_bind(int family, int type, int shared)
{
    struct addr any = {.family = family == AF_INET ? 4 : 6};
    struct sockaddr_storage sa;
    int size = RAWEDGE_BUFFER; /* also where the system would allow more */
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

int rawedge_client(const struct rawedge *rig)
{
    return rawedge_bind(rig->local.family == 6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
}

void rawedge_send(const struct rawedge *rig, int client, const void *data, size_t len)
{
    struct sockaddr_storage sa;
    socklen_t sa_len = addr_to_sockaddr(&rig->local, &sa);
    assert_int_equal(sendto(client, data, len, 0, (const struct sockaddr *)&sa, sa_len), len);
}

bool rawedge_readable(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1;
}

/* ---- requests ---- */

struct rawstun_request rawedge_request(void)
{
    return (struct rawstun_request){.txid = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
                                    .username = RAWEDGE_USERNAME,
                                    .password = RAWEDGE_PWD,
                                    .tie_breaker = 77,
                                    .priority = 1845501695,
                                    .nominate = true};
}

void rawedge_send_request(const struct rawedge *rig, int client,
                          const struct rawstun_request *request)
{
    uint8_t data[RAWSTUN_MAX];
    size_t len = rawstun_request(request, data);
    assert_true(len > 0);
    rawedge_send(rig, client, data, len);
}

void rawedge_check(const struct rawedge *rig, int client)
{
    const struct rawstun_request request = rawedge_request();
    rawedge_send_request(rig, client, &request);
}

/* ---- the role ---- */

void rawedge_start(struct rawedge *rig, const struct settings_common *common)
{
    const struct settings_edge settings = {.common = *common,
                                           .udp_count = 1,
                                           .tcp_count = 1,
                                           .receive_buffer_bytes = RAWEDGE_BUFFER,
                                           .udp = {rig->local},
                                           .tcp = {rawedge_address(rig->tcp)}};
    const int fds[2] = {rig->listener, rig->tcp};
    assert_int_equal(
        peer_start(&rig->peer, RAWEDGE_ROLE, &settings, sizeof(settings), NULL, 0, fds, 2), 0);
}

void rawedge_open(struct rawedge *rig, int family, const struct settings_common *common)
{
    rig->listener = rawedge_bind(family, SOCK_DGRAM, 1);
    rig->tcp = rawedge_bind(AF_INET, SOCK_STREAM, 0);
    rig->local = rawedge_address(rig->listener);
    assert_int_equal(listen(rig->tcp, RAWEDGE_BACKLOG), 0);
    if (common->uid != 0)
        assert_int_equal(fchown(rig->listener, common->uid, (gid_t)-1), 0);
    rawedge_start(rig, common);
}

void rawedge_close(struct rawedge *rig)
{
    peer_stop(&rig->peer);
    fd_close(&rig->listener);
    fd_close(&rig->tcp);
}

void rawedge_expect(struct rawedge *rig, uint64_t session, const char *ufrag, const char *pwd)
{
    struct msg_expect body = {.session = session};
    (void)snprintf(body.ufrag, sizeof(body.ufrag), "%s", ufrag);
    (void)snprintf(body.pwd, sizeof(body.pwd), "%s", pwd);
    assert_int_equal(peer_send(&rig->peer, MSG_EXPECT, &body, NULL, 0, NULL), 0);
}

/* All messages sent so far have been dealt with. Datagrams sent before are not part of this. */
void rawedge_settle(struct rawedge *rig)
{
    static uint64_t number;
    const struct msg_number ping = {.number = ++number};
    assert_int_equal(peer_send(&rig->peer, MSG_PING, &ping, NULL, 0, NULL), 0);
    assert_non_null(peer_wait(&rig->peer, MSG_PONG, RAWEDGE_WAIT_MS));
}

void rawedge_open_expecting(struct rawedge *rig, int family)
{
    rawedge_open(rig, family, &rawedge_plain);
    assert_non_null(peer_wait(&rig->peer, MSG_READY, RAWEDGE_WAIT_MS));
    rawedge_expect(rig, RAWEDGE_SESSION, RAWEDGE_UFRAG, RAWEDGE_PWD);
    rawedge_settle(rig);
}

/* The next message must be a path for that client and session: its socket, the caller's now. Edge
 * has closed its own descriptor of it by then, so that the flow ends with the caller's. */
int rawedge_take_path(struct rawedge *rig, int client, uint64_t session)
{
    const struct chan_message *m = peer_wait(&rig->peer, PEER_ANY, RAWEDGE_WAIT_MS);
    const struct addr remote = rawedge_address(client);
    assert_non_null(m);
    assert_int_equal(m->type, MSG_PATH);
    const struct msg_path *path = m->body;
    assert_int_equal(path->session, session);
    assert_true(addr_equal(&path->local, &rig->local));
    assert_true(addr_equal(&path->remote, &remote));
    assert_true(m->blob_len > 20 && m->blob[0] == 0 && m->blob[1] == 1);
    int fd = peer_take_fd(&rig->peer, 0);
    assert_true(fd >= 0);
    rawedge_settle(rig);
    return fd;
}

void rawedge_gone(struct rawedge *rig, int client, uint64_t session)
{
    const struct msg_path gone = {
        .session = session, .local = rig->local, .remote = rawedge_address(client)};
    assert_int_equal(peer_send(&rig->peer, MSG_PATH_GONE, &gone, NULL, 0, NULL), 0);
    rawedge_settle(rig);
}

/* Sends a right check from another client, whose path must be the very next message: whatever was
 * sent before has been read by then and led to nothing. */
void rawedge_nothing_came_but(struct rawedge *rig, uint64_t session, const char *username)
{
    int witness = rawedge_client(rig);
    struct rawstun_request request = rawedge_request();
    request.username = username;
    rawedge_send_request(rig, witness, &request);
    int fd = rawedge_take_path(rig, witness, session);
    fd_close(&fd);
    rawedge_gone(rig, witness, session);
    fd_close(&witness);
}

void rawedge_nothing_came(struct rawedge *rig)
{
    rawedge_nothing_came_but(rig, RAWEDGE_SESSION, RAWEDGE_USERNAME);
}

size_t rawedge_count_until_next(struct rawedge *rig, enum msg_type type)
{
    size_t count = 0;
    rawedge_expect(rig, RAWEDGE_SESSION + 1, "edgeUfr2", RAWEDGE_PWD);
    rawedge_settle(rig);
    int witness = rawedge_client(rig);
    struct rawstun_request other = rawedge_request();
    other.username = "edgeUfr2:peer";
    const struct chan_message *m = NULL;
    for (int i = 0; i < RAWEDGE_WAIT_MS / 100 && (m == NULL || m->type != MSG_PATH); i++) {
        if (m == NULL) /* repeated as browsers do: the first may meet a full queue */
            rawedge_send_request(rig, witness, &other);
        m = peer_wait(&rig->peer, PEER_ANY, 100);
        count += m != NULL && m->type == type;
    }
    assert_non_null(m);
    assert_int_equal(m->type, MSG_PATH);
    fd_close(&witness);
    return count;
}

void rawedge_fails(struct rawedge *rig)
{
    int status = 0;
    assert_int_equal(peer_wait_exit(&rig->peer, RAWEDGE_WAIT_MS, &status), 0);
    assert_true(WIFEXITED(status));
    assert_int_not_equal(WEXITSTATUS(status), 0);
    rawedge_close(rig);
}

/* One line of /proc/<pid>/status, by its name with colon. */
unsigned long rawedge_status(pid_t pid, const char *name)
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
