/* HTTP/1.1 on given listening sockets, by libmicrohttpd inside our loop. */
#include "web/http.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/secret.h"
#include "web/body.h"
#include "web/conns.h"
#include "web/gate.h"
#include "web/http_daemon.h"
#include "web/http_response.h"

#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_PER_TURN 64
#define RUNS_PER_TURN 8 /* of the library, while it says that it has more to do */

struct http {
    struct loop *loop;
    struct peers *peers;
    struct http_config config;
    struct MHD_Daemon *daemon;
    struct loop_watch watch; /* the library's epoll descriptor */
    struct loop_watch listeners[HTTP_LISTENERS_MAX];
    size_t listener_count;
    struct loop_timer flush;  /* answers were given: run the library before the turn ends */
    struct loop_timer reaper; /* runs while there are connections */
    struct conns conns;
    http_response_queue_fn queue; /* the library's */
    struct line *accepting;       /* handed to the library at this moment */
    struct line *awake;           /* handshakes to be parked after the library has run */
    struct bodies bodies;         /* being collected */
    bool running;
};

/* A connection. base is the first member: one is found from the other. With TLS, until the request
 * line has come, the library's side is suspended (parked) except while there is something to read:
 * in the handshake it does not notice that a read found nothing, and would spin on every client
 * that is between two messages (findings/transcode.md 2, pitfall 2, without MHD_USE_TURBO too). */
struct line {
    struct http_response_line base;
    struct http *http;
    struct call *call; /* its request, from the request line to the answer's end */
    struct MHD_Connection *connection;
    struct loop_watch watch; /* while it may be parked */
    bool parked;
    struct line *next_awake;
};

enum call_state {
    CALL_HEAD,    /* the request line is known */
    CALL_BODY,    /* the header has passed the gate */
    CALL_HANDLED, /* with the handler, or answered */
};

/* One request inside the library. request is the first member: one is found from the other. */
struct call {
    struct request request;
    struct http *http;
    struct conn *conn;
    struct MHD_Connection *connection;
    enum call_state state;
    struct gate gate;
    struct body body;
    size_t body_limit;
    size_t target_len; /* what the client sent, also when target was cut */
    char target[];     /* NUL-terminated, at most REQUEST_TARGET_MAX characters */
};

/* ---- running the library ---- */

static void on_flush(void *ctx);

/* Before the turn ends, but behind timers that are due. */
static void flush_soon(struct http *http)
{
    (void)loop_timer_set(http->loop, &http->flush, clock_now_us(), on_flush, http);
}

static void wake_line(struct line *line)
{
    if (!line->parked)
        return;
    line->parked = false;
    line->next_awake = line->http->awake;
    line->http->awake = line;
    MHD_resume_connection(line->connection);
}

static void park_line(struct line *line)
{
    if (line->parked || line->watch.fd < 0)
        return;
    line->parked = true;
    MHD_suspend_connection(line->connection);
}

/* True when the library has more to do at once. */
static bool has_more(struct http *http)
{
    unsigned long long left_ms;
    return MHD_get_timeout(http->daemon, &left_ms) == MHD_YES && left_ms == 0;
}

static void run(struct http *http)
{
    if (http->running)
        return;
    http->running = true;
    for (int i = 0; i < RUNS_PER_TURN; i++) {
        (void)MHD_run(http->daemon);
        if (!has_more(http))
            break;
    }
    while (http->awake) {
        struct line *line = http->awake;
        http->awake = line->next_awake;
        park_line(line);
    }
    http->running = false;
    if (has_more(http))
        flush_soon(http);
}

static void on_flush(void *ctx)
{
    run(ctx);
}

static void on_library_events(void *ctx, uint32_t events)
{
    (void)events;
    run(ctx);
}

static void on_reaper(void *ctx)
{
    struct http *http = ctx;
    uint64_t now_us = clock_now_us();
    conns_sweep(&http->conns, now_us);
    if (http->conns.count > 0)
        (void)loop_timer_set(http->loop, &http->reaper, now_us + CONNS_SWEEP_US, on_reaper, http);
}

/* ---- connections ---- */

static void on_handshake(void *ctx, uint32_t events)
{
    struct line *line = ctx;
    (void)events;
    wake_line(line);
    run(line->http);
}

/* The request line has come, or the connection goes: no more parking. */
static void leave_handshake(struct line *line)
{
    loop_remove(line->http->loop, &line->watch);
    for (struct line **at = &line->http->awake; *at; at = &(*at)->next_awake) {
        if (*at == line) {
            *at = line->next_awake;
            break;
        }
    }
}

/* The library has found an error: what the request's path says of such answers, as far as the
 * request is known. */
static struct reply *own_problem(struct http_response_line *base, unsigned status)
{
    struct line *line = (struct line *)base;
    struct http *http = line->http;
    struct call *call = line->call;
    if (!call)
        return NULL;
    struct slice rest = slice_of(call->target);
    call->request.path = slice_cut(&rest, '?');
    call->state = CALL_HANDLED;
    conn_enter(call->conn, CONN_WRITE, clock_now_us());
    return http->config.problem(http->config.ctx, &call->request, status,
                                "The request cannot be read.");
}

static struct line *line_new(struct http *http, int fd, const struct sockaddr *address,
                             socklen_t len)
{
    struct line *line = calloc(1, sizeof(*line));
    if (!line)
        return NULL;
    line->http = http;
    line->base.problem = own_problem;
    line->base.conn.fd = fd;
    line->watch.fd = -1;
    if (addr_from_sockaddr(address, len, &line->base.conn.peer) ||
        http->conns.count >= http->config.connections ||
        !peers_take(http->peers, &line->base.conn.peer, PEERS_CONNECTION,
                    http->config.per_address_connections)) {
        free(line);
        return NULL;
    }
    conns_add(&http->conns, &line->base.conn, clock_now_us());
    return line;
}

static void line_free(struct line *line)
{
    leave_handshake(line);
    conns_remove(&line->http->conns, &line->base.conn);
    peers_drop(line->http->peers, &line->base.conn.peer, PEERS_CONNECTION);
    free(line);
}

/* Takes over fd. */
static void add_connection(struct http *http, int fd, const struct sockaddr *address, socklen_t len)
{
    struct line *line = line_new(http, fd, address, len);
    if (!line) {
        fd_close(&fd);
        return;
    }
    http->accepting = line;
    enum MHD_Result added = MHD_add_connection(http->daemon, fd, address, len);
    if (added != MHD_YES) {
        if (http->accepting) /* the library has closed fd without telling */
            line_free(line);
        http->accepting = NULL;
        return;
    }
    if (http->conns.tls &&
        loop_add(http->loop, &line->watch, fd, EPOLLIN | EPOLLRDHUP, on_handshake, line) == 0)
        park_line(line);
    if (http->reaper.slot == 0)
        (void)loop_timer_set(http->loop, &http->reaper, clock_now_us() + CONNS_SWEEP_US, on_reaper,
                             http);
}

static void on_accept(void *ctx, uint32_t events)
{
    struct http *http = ctx;
    (void)events;
    for (size_t i = 0; i < http->listener_count; i++) {
        for (int n = 0; n < ACCEPTS_PER_TURN; n++) {
            struct sockaddr_storage address;
            socklen_t len = sizeof(address);
            int fd = accept4(http->listeners[i].fd, (struct sockaddr *)&address, &len,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0)
                break;
            add_connection(http, fd, (const struct sockaddr *)&address, len);
        }
    }
    run(http);
}

/* MHD_OPTION_NOTIFY_CONNECTION */
static void on_connection(void *ctx, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *http = ctx;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        http->accepting->connection = connection;
        *socket_context = http->accepting;
        http->accepting = NULL;
    } else if (*socket_context) {
        line_free(*socket_context);
        *socket_context = NULL;
    }
}

static struct line *line_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* ---- answers ---- */

/* Gives reply, whose reference is taken over, to the library. */
static enum MHD_Result send_reply(struct call *call, struct reply *reply)
{
    conn_enter(call->conn, CONN_WRITE, clock_now_us());
    return http_response_queue(call->http->queue, call->connection, reply);
}

/* Answers with an error of our own. Given in the library's first call it ends the connection. */
static enum MHD_Result refuse(struct call *call, unsigned status, const char *detail)
{
    struct http *http = call->http;
    call->state = CALL_HANDLED;
    return send_reply(call, http->config.problem(http->config.ctx, &call->request, status, detail));
}

/* struct request.resume: the answer has come for a request that was put aside. */
static void on_answered(struct request *request)
{
    struct call *call = (struct call *)request;
    MHD_resume_connection(call->connection);
    flush_soon(call->http);
}

/* ---- requests ---- */

/* MHD_OPTION_URI_LOG_CALLBACK: the request line has come. What is returned becomes *call_ctx. */
static void *on_request_line(void *ctx, const char *target, struct MHD_Connection *connection)
{
    struct line *line = line_of(connection);
    size_t len = target ? strlen(target) : 0;
    size_t kept = len < REQUEST_TARGET_MAX ? len : REQUEST_TARGET_MAX;
    struct call *call = calloc(1, sizeof(*call) + kept + 1);
    if (!call || !line) {
        free(call);
        return NULL;
    }
    leave_handshake(line);
    call->http = ctx;
    call->conn = &line->base.conn;
    line->call = call;
    call->connection = connection;
    call->target_len = len;
    if (kept > 0)
        memcpy(call->target, target, kept);
    conn_enter(call->conn, CONN_HEADER, clock_now_us());
    return call;
}

static enum MHD_Result on_header(void *ctx, enum MHD_ValueKind kind, const char *name,
                                 size_t name_len, const char *value, size_t value_len)
{
    struct call *call = ctx;
    struct slice n = slice_make(name, name_len);
    struct slice v = slice_make(value, value_len);
    (void)kind;
    gate_header(&call->gate, n, v);
    request_take_header(&call->request.headers, n, v);
    return MHD_YES;
}

/* The request is complete, or its body does not matter. */
static enum MHD_Result dispatch(struct call *call)
{
    struct http *http = call->http;
    struct request *request = &call->request;
    if (call->body.starved)
        return refuse(call, 503, "The gateway is busy; try again.");
    call->state = CALL_HANDLED;
    request->body = slice_make(call->body.data, call->body.len);
    request->body_too_large = call->body.too_large;
    conn_enter(call->conn, CONN_WAIT, clock_now_us());
    http->config.handle(http->config.ctx, request);
    request->body = slice_make(NULL, 0);
    body_drop(&http->bodies, &call->body);
    if (request->answered)
        return send_reply(call, request->reply);
    request->resume = on_answered;
    MHD_suspend_connection(call->connection);
    return MHD_YES;
}

/* bodies_end_fn: another request needs the memory more. */
static void on_body_end(void *ctx)
{
    struct call *call = ctx;
    conns_shut(&call->http->conns, call->conn, clock_now_us());
}

/* What becomes of the request's body. With GATE_BODY_REFUSE the handler says what is wrong with a
 * request that may have one. */
static enum MHD_Result expect_body(struct call *call)
{
    struct http *http = call->http;
    const struct request *request = &call->request;
    size_t limit = http->config.body_limit(http->config.ctx, request);
    enum gate_body plan = gate_body(&call->gate, limit, BODY_DISCARD_MAX);
    call->body_limit = plan == GATE_BODY_TAKE ? limit : 0;
    call->body.too_large = limit > 0 && plan != GATE_BODY_TAKE;
    call->body.peer = request->peer;
    call->body.ctx = call;
    bool may_have_one = request->method == METHOD_POST || request->method == METHOD_PATCH;
    if (plan == GATE_BODY_REFUSE && may_have_one)
        return dispatch(call);
    if (plan == GATE_BODY_REFUSE)
        return refuse(call, 413, "The request's body is too big.");
    call->state = CALL_BODY;
    conn_enter(call->conn, CONN_BODY, clock_now_us());
    return MHD_YES;
}

/* The header is complete. An answer from here makes the library close the connection, so only
 * refusals are given here (findings/transcode.md 2, pitfall 1). */
static enum MHD_Result begin(struct call *call, const char *method, const char *version)
{
    struct request *request = &call->request;
    struct slice rest = slice_make(call->target, strlen(call->target));
    gate_line(&call->gate, slice_make(call->target, call->target_len), slice_of(version));
    (void)MHD_get_connection_values_n(call->connection, MHD_HEADER_KIND, on_header, call);
    request->method = request_method_of(slice_of(method));
    request->path = slice_cut(&rest, '?');
    request->query = rest;
    request->secure = call->http->conns.tls;
    request->peer = call->conn->peer;
    unsigned status = gate_verdict(&call->gate);
    if (status)
        return refuse(call, status, "The request is not one that can be answered safely.");
    return expect_body(call);
}

/* The library's handler: once with the header, then for each piece of body, then once more. */
static enum MHD_Result on_call(void *ctx, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *upload,
                               size_t *upload_len, void **call_ctx)
{
    struct call *call = *call_ctx;
    (void)ctx;
    (void)connection;
    (void)url;
    if (!call)
        return MHD_NO;
    switch (call->state) {
    case CALL_HEAD:
        return begin(call, method, version);
    case CALL_BODY:
        if (*upload_len > 0) {
            /* What is too much is read and dropped, so that the client gets to see the answer. */
            int rc = body_take(&call->http->bodies, &call->body, call->body_limit, upload,
                               *upload_len, clock_now_us());
            *upload_len = 0;
            return rc ? MHD_NO : MHD_YES;
        }
        return dispatch(call);
    case CALL_HANDLED:
        break;
    }
    if (!call->request.answered)
        return MHD_NO;
    struct reply *reply = call->request.reply;
    call->request.reply = NULL;
    return send_reply(call, reply);
}

/* MHD_OPTION_NOTIFY_COMPLETED. A request that waits is never completed: the library does not look
 * at a suspended connection. */
static void on_completed(void *ctx, struct MHD_Connection *connection, void **call_ctx,
                         enum MHD_RequestTerminationCode code)
{
    struct call *call = *call_ctx;
    (void)ctx;
    (void)connection;
    (void)code;
    if (!call)
        return;
    assert(!call->request.wait.list);
    conn_enter(call->conn, CONN_IDLE, clock_now_us());
    ((struct line *)call->conn)->call = NULL;
    body_drop(&call->http->bodies, &call->body);
    free(call);
    *call_ctx = NULL;
}

/* ---- life ---- */

int http_new(struct loop *loop, struct peers *peers, const struct http_config *config,
             const int *listeners, size_t listener_count, struct http **out)
{
    if (listener_count > HTTP_LISTENERS_MAX)
        return -EINVAL;
    struct http *http = calloc(1, sizeof(*http));
    if (!http)
        return -ENOMEM;
    http->loop = loop;
    http->peers = peers;
    http->config = *config;
    http->bodies = (struct bodies){.peers = peers, .end = on_body_end};
    http->conns.tls = config->certificate != NULL;
    http->watch.fd = -1;
    http->queue = http_response_find_queue();
    const struct http_daemon_calls calls = {.on_request_line = on_request_line,
                                            .on_call = on_call,
                                            .on_completed = on_completed,
                                            .on_connection = on_connection,
                                            .ctx = http};
    int rc = http->queue ? http_daemon_start(config, &calls, &http->daemon) : -ENOSYS;
    if (rc)
        goto out;
    /* The key lives in the library now; the pointers are the caller's and may go. */
    http->config.certificate = NULL;
    http->config.key = NULL;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    rc = info ? loop_add(loop, &http->watch, info->epoll_fd, EPOLLIN, on_library_events, http)
              : -EINVAL;
    for (size_t i = 0; i < listener_count && rc == 0; i++) {
        http->listeners[i].fd = -1;
        http->listener_count = i + 1;
        rc = fd_nonblock(listeners[i]);
        if (rc == 0)
            rc = loop_add(loop, &http->listeners[i], listeners[i], EPOLLIN, on_accept, http);
    }
    if (rc)
        goto out;
    *out = http;
    http = NULL;
out:
    http_free(http);
    return rc;
}

void http_free(struct http *http)
{
    if (!http)
        return;
    loop_timer_cancel(http->loop, &http->flush);
    loop_timer_cancel(http->loop, &http->reaper);
    loop_remove(http->loop, &http->watch);
    for (size_t i = 0; i < http->listener_count; i++)
        loop_remove(http->loop, &http->listeners[i]);
    if (http->daemon) {
        for (struct conn *c = http->conns.first; c; c = c->next)
            wake_line((struct line *)c);
        (void)MHD_run(http->daemon); /* resumes them, and what was answered */
        MHD_stop_daemon(http->daemon);
    }
    free(http);
}

size_t http_connections(const struct http *http)
{
    return http->conns.count;
}
