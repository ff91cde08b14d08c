/* The edge role: holds the public media ports and opens a connected socket for each publisher's
 * flow (design.md 2 step 5). Sees no plaintext, sends nothing on the network. */
#include "gateway/edge/door.h"
#include "gateway/edge/lobby.h"
#include "gateway/edge/outside.h"
#include "gateway/edge/port.h"
#include "gateway/rtc/ice.h"
#include "lib/base/clock.h"
#include "lib/base/escape.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/secret.h"
#include "lib/proto/role.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define EDGE_FILES_MAX 512u
#define EDGE_DATA_MAX (64u << 20)

/* The process's state. */
struct edge {
    struct role role;
    struct door door;
    struct port port;
    struct lobby lobby;
    struct outside outside;
    struct settings_edge settings;
    struct loop_timer report_timer;
    struct door_counters reported;
    struct port_counters reported_port;
    struct lobby_counters reported_lobby;
};

/* ---- counters: at most one line a second, and none to see while all that comes is wanted ---- */

static void on_report(void *ctx)
{
    struct edge *edge = ctx;
    const struct door_counters *c = &edge->door.counters, *o = &edge->reported;
    const struct port_counters *p = &edge->port.counters, *q = &edge->reported_port;
    const struct lobby_counters *l = &edge->lobby.counters, *m = &edge->reported_lobby;
    uint64_t wanted = c->passed - o->passed + c->opened - o->opened;
    bool quiet = c->received - o->received <= wanted && p->failed == q->failed &&
                 p->lost == q->lost && l->accepted - m->accepted <= c->streams - o->streams;
    log_event(quiet ? LOG_DEBUG : LOG_INFO, "datagrams",
              "received=%" PRIu64 " odd=%" PRIu64 " strange=%" PRIu64 " shown=%" PRIu64
              " malformed=%" PRIu64 " unknown=%" PRIu64 " forged=%" PRIu64 " full=%" PRIu64
              " limited=%" PRIu64 " passed=%" PRIu64 " opened=%" PRIu64 " strays=%" PRIu64
              " lost=%" PRIu64 " failed=%" PRIu64 " tcp_accepted=%" PRIu64 " tcp_refused=%" PRIu64
              " tcp_expired=%" PRIu64 " tcp_evicted=%" PRIu64,
              c->received - o->received, c->odd - o->odd, c->strange - o->strange,
              c->shown - o->shown, c->malformed - o->malformed, c->unknown - o->unknown,
              c->forged - o->forged, c->full - o->full, c->limited - o->limited,
              c->passed - o->passed, c->opened - o->opened, p->strays - q->strays,
              p->lost - q->lost, p->failed - q->failed, l->accepted - m->accepted,
              l->refused - m->refused, l->expired - m->expired, l->evicted - m->evicted);
    edge->reported = *c;
    edge->reported_port = *p;
    edge->reported_lobby = *l;
}

/* Called by port and lobby after each turn in which something came. */
static void on_turn(void *ctx)
{
    struct edge *edge = ctx;
    if (edge->report_timer.slot == 0)
        (void)loop_timer_set(&edge->role.loop, &edge->report_timer,
                             clock_now_us() + CLOCK_SECOND_US, on_report, edge);
}

/* ---- what the ports found ---- */

static void send_path(struct edge *edge, const struct msg_path *path, const uint8_t *data,
                      size_t len, int fd)
{
    char peer[ADDR_TEXT_MAX];
    addr_format_private(&path->remote, peer);
    log_event(LOG_INFO, "path_opened", "session=%" PRIu64 " peer=%s transport=%s", path->session,
              peer, path->transport == TRANSPORT_TCP ? "tcp" : "udp");
    (void)role_send(&edge->role, MSG_PATH, path, data, len, &fd);
}

static void on_opened(void *ctx, uint64_t session, const struct addr *local,
                      const struct addr *remote, const uint8_t *data, size_t len, int fd)
{
    const struct msg_path path = {.session = session, .local = *local, .remote = *remote};
    send_path(ctx, &path, data, len, fd);
}

static void on_connection(void *ctx, uint64_t session, const struct addr *local,
                          const struct addr *remote, int fd)
{
    const struct msg_path path = {
        .session = session, .local = *local, .remote = *remote, .transport = TRANSPORT_TCP};
    send_path(ctx, &path, NULL, 0, fd);
}

static void on_bytes(void *ctx, uint64_t session, const struct addr *local,
                     const struct addr *remote, const uint8_t *data, size_t len)
{
    struct edge *edge = ctx;
    const struct msg_path path = {.session = session, .local = *local, .remote = *remote};
    (void)role_send(&edge->role, MSG_PATH_BYTES, &path, data, len, NULL);
}

static void on_stray(void *ctx, uint64_t session, const struct addr *local,
                     const struct addr *remote, const uint8_t *data, size_t len)
{
    struct edge *edge = ctx;
    const struct msg_path path = {.session = session, .local = *local, .remote = *remote};
    (void)role_send(&edge->role, MSG_STRAY, &path, data, len, NULL);
}

static void on_outside(void *ctx, const struct addr *local, const struct addr *seen)
{
    struct edge *edge = ctx;
    char text[ADDR_TEXT_MAX];
    addr_format_private(local, text);
    if (seen->family == 0) {
        log_event(LOG_WARN, "stun_silent",
                  "from=%s hint=\"stun_server does not answer: set public_address\"", text);
        return;
    }
    if (seen->port != local->port)
        log_event(LOG_WARN, "nat_changes_port",
                  "from=%s hint=\"no 1:1 NAT: forward media_port to this machine\"", text);
    const struct msg_seen_address found = {.local = *local, .seen = *seen};
    (void)role_send(&edge->role, MSG_SEEN_ADDRESS, &found, NULL, 0, NULL);
}

/* ---- what the supervisor says ---- */

static int on_expect(void *ctx, const struct chan_message *message)
{
    struct edge *edge = ctx;
    const struct msg_expect *expect = message->body;
    if (!text_is_terminated(expect->ufrag, sizeof(expect->ufrag)) ||
        !text_is_terminated(expect->pwd, sizeof(expect->pwd)))
        return -EBADMSG;
    int rc = door_expect(&edge->door, expect->session, expect->ufrag, expect->pwd);
    if (rc == -EBADMSG)
        return rc;
    if (rc != 0)
        log_event(LOG_ERROR, "expect_refused", "session=%" PRIu64 " error=%d", expect->session,
                  -rc);
    return 0;
}

static int on_forget(void *ctx, const struct chan_message *message)
{
    struct edge *edge = ctx;
    const struct msg_number *session = message->body;
    door_forget(&edge->door, session->number);
    return 0;
}

static int on_path_gone(void *ctx, const struct chan_message *message)
{
    struct edge *edge = ctx;
    const struct msg_path *path = message->body;
    if (path->transport >= TRANSPORT_COUNT)
        return -EBADMSG;
    if (path->transport == TRANSPORT_TCP)
        door_remove_stream(&edge->door, path->session);
    else
        door_remove_path(&edge->door, path->session, &path->local, &path->remote);
    return 0;
}

/* Asked for too late, or with all places taken: the publisher's next check will open it. */
static int on_path_want(void *ctx, const struct chan_message *message)
{
    struct edge *edge = ctx;
    const struct msg_path *path = message->body;
    if (path->transport != TRANSPORT_UDP)
        return -EBADMSG;
    (void)port_want(&edge->port, path->session, &path->local, &path->remote);
    return 0;
}

/* Our predecessor opened it, and the worker still has its socket. It counts as checked. */
static int on_path_held(void *ctx, const struct chan_message *message)
{
    struct edge *edge = ctx;
    const struct msg_path *path = message->body;
    if (path->transport >= TRANSPORT_COUNT)
        return -EBADMSG;
    if (path->transport == TRANSPORT_TCP)
        (void)door_add_stream(&edge->door, path->session);
    else
        (void)door_add_path(&edge->door, path->session, &path->local, &path->remote);
    return 0;
}

static int on_test(void *ctx, const struct chan_message *message)
{
    struct edge *edge = ctx;
    const struct msg_number *attempt = message->body;
    if (edge->role.common.test_hooks == 0)
        return -EPROTO;
    int fd = edge->port.listener_count > 0 ? edge->port.listeners[0].watch.fd : -1;
    int rc = escape_try(attempt->number, fd);
    const struct msg_number survived = {.number = ESCAPE_SURVIVED + (unsigned)-rc};
    (void)role_send(&edge->role, MSG_PONG, &survived, NULL, 0, NULL);
    return 0;
}

static const struct chan_rule edge_rules[] = {
    {MSG_EXPECT, CHAN_ANY_PHASE, sizeof(struct msg_expect), 0, 0, on_expect},
    {MSG_FORGET, CHAN_ANY_PHASE, sizeof(struct msg_number), 0, 0, on_forget},
    {MSG_PATH_GONE, CHAN_ANY_PHASE, sizeof(struct msg_path), 0, 0, on_path_gone},
    {MSG_PATH_WANT, CHAN_ANY_PHASE, sizeof(struct msg_path), 0, 0, on_path_want},
    {MSG_PATH_HELD, CHAN_ANY_PHASE, sizeof(struct msg_path), 0, 0, on_path_held},
    {MSG_TEST, CHAN_ANY_PHASE, sizeof(struct msg_number), 0, 0, on_test},
};

/* ---- start ---- */

static int on_settings(void *ctx, const struct chan_message *message)
{
    struct edge *edge = ctx;
    const struct settings_edge *settings = message->body;
    if (settings->udp_count == 0 || settings->udp_count > SETTINGS_UDP_MAX ||
        settings->tcp_count > STREAM_ADDRESSES_MAX ||
        message->fd_count != settings->udp_count + settings->tcp_count ||
        settings->receive_buffer_bytes > INT32_MAX)
        return -EBADMSG;
    edge->settings = *settings;
    const struct port_sink sink = {
        .opened = on_opened, .bytes = on_bytes, .stray = on_stray, .turn = on_turn, .ctx = edge};
    const struct lobby_sink lobby = {.opened = on_connection, .turn = on_turn, .ctx = edge};
    port_init(&edge->port, &edge->door, &edge->role.loop, &sink, settings->receive_buffer_bytes);
    lobby_init(&edge->lobby, &edge->door, &edge->role.loop, &lobby);
    outside_init(&edge->outside, &edge->role.loop, &settings->stun_server, on_outside, edge);
    for (size_t i = 0; i < settings->udp_count; i++) {
        int fd = message->fds[i];
        message->fds[i] = -1;
        int rc = port_listen(&edge->port, fd, &settings->udp[i]);
        if (rc != 0)
            return rc;
    }
    for (size_t i = 0; i < settings->tcp_count; i++) {
        int fd = message->fds[settings->udp_count + i];
        message->fds[settings->udp_count + i] = -1;
        int rc = lobby_listen(&edge->lobby, fd, &settings->tcp[i]);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Once for each address: the TCP list has each of them once. In the sandbox, since what comes back
 * is the network's. */
static void ask_outside(struct edge *edge)
{
    for (size_t i = 0; edge->settings.stun_server.family != 0 && i < edge->settings.tcp_count;
         i++) {
        int rc = outside_ask(&edge->outside, &edge->settings.tcp[i]);
        if (rc != 0)
            log_event(LOG_WARN, "stun_unreachable", "error=%d", -rc);
    }
}

/* Beside the calls of every role: UDP sockets of the two families, connections accepted from the
 * listeners it was given, and messages with descriptors to the supervisor. A filter cannot see the
 * addresses: broken into, edge could still send UDP. */
#define UDP_TYPE (SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC)
#define ALLOW(name)                                                                                \
    {                                                                                              \
        .call = SCMP_SYS(name), .check = SANDBOX_ALWAYS                                            \
    }
#define ALLOW_IF(name, n, v)                                                                       \
    {                                                                                              \
        .call = SCMP_SYS(name), .check = SANDBOX_ARG_EQ, .arg = (n), .value = (v)                  \
    }
#define ALLOW_IF_AND(name, n, v)                                                                   \
    {                                                                                              \
        .call = SCMP_SYS(name), .check = SANDBOX_ARG_EQ_AND, .arg = (n), .value = (v)              \
    }

static const struct sandbox_rule edge_calls[] = {
    ALLOW(recvmmsg),
    ALLOW_IF(accept4, 3, SOCK_NONBLOCK | SOCK_CLOEXEC),
    ALLOW_IF(sendmsg, 0, CHAN_CONTROL_FD),
    ALLOW_IF_AND(socket, 0, AF_INET),
    ALLOW_IF_AND(socket, 1, UDP_TYPE),
    ALLOW_IF(socket, 2, 0),
    ALLOW_IF_AND(socket, 0, AF_INET6),
    ALLOW_IF_AND(socket, 1, UDP_TYPE),
    ALLOW_IF(socket, 2, 0),
    ALLOW_IF(bind, 2, sizeof(struct sockaddr_in)),
    ALLOW_IF(bind, 2, sizeof(struct sockaddr_in6)),
    ALLOW_IF(connect, 2, sizeof(struct sockaddr_in)),
    ALLOW_IF(connect, 2, sizeof(struct sockaddr_in6)),
    ALLOW_IF_AND(setsockopt, 1, SOL_SOCKET),
    ALLOW_IF(setsockopt, 2, SO_REUSEPORT),
    ALLOW_IF_AND(setsockopt, 1, SOL_SOCKET),
    ALLOW_IF(setsockopt, 2, SO_RCVBUF),
    ALLOW_IF_AND(setsockopt, 1, IPPROTO_IPV6),
    ALLOW_IF(setsockopt, 2, IPV6_V6ONLY),
};

static int edge_enter(struct edge *edge)
{
    struct sandbox_spec spec = {
        .directory_fd = -1,
        .empty_files = true,
        .max_files = EDGE_FILES_MAX,
        .max_file_bytes = 0,
        .max_processes = 0,
        .max_data_bytes = EDGE_DATA_MAX,
        .rules = edge_calls,
        .rule_count = sizeof(edge_calls) / sizeof(edge_calls[0]),
    };
    return role_enter(&edge->role, &spec);
}

static void edge_free(struct edge *edge)
{
    port_done(&edge->port);
    lobby_done(&edge->lobby);
    outside_done(&edge->outside);
    secret_wipe(&edge->door, sizeof(edge->door));
    free(edge);
}

int main(void)
{
    uint64_t seed = 0;
    int status = EXIT_FAILURE;
    struct edge *edge = calloc(1, sizeof(*edge));
    if (edge == NULL)
        return EXIT_FAILURE;
    secret_random(&seed, sizeof(seed));
    door_init(&edge->door, seed, clock_now_us());
    int rc = role_start(&edge->role, "edge", sizeof(struct settings_edge), on_settings, edge_rules,
                        sizeof(edge_rules) / sizeof(edge_rules[0]), edge);
    if (rc != 0)
        goto out;
    rc = ice_warm();
    if (rc != 0) {
        log_event(LOG_ERROR, "ice_unusable", "error=%d", -rc);
        goto out;
    }
    if (edge_enter(edge) != 0)
        goto out;
    ask_outside(edge);
    status = role_run(&edge->role);
out:
    edge_free(edge);
    return status;
}
