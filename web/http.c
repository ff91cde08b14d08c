/* HTTP/1.1 on given listening sockets, by libmicrohttpd inside our loop. */
#include "web/http.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/secret.h"
#include "lib/proto/stream.h"
#include "web/body.h"
#include "web/conns.h"
#include "web/gate.h"
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

/* TLS 1.2 or later, ECDHE and AEAD only (threats.md H11). */
static const char tls_priorities[] =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:"
    "-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:-MAC-ALL:+AEAD:%SERVER_PRECEDENCE";

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
    size_t body_bytes;            /* of all bodies being collected */
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

static size_t identity(void *ctx, struct MHD_Connection *connection, char *text)
{
    (void)ctx;
    (void)connection;
    return strlen(text); /* H5: nothing is percent-decoded */
}

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

/* How much of a body its handler could want. */
static size_t body_limit(enum request_method method)
{
    if (method == METHOD_POST)
        return STREAM_OFFER_MAX;
    return method == METHOD_PATCH ? STREAM_FRAGMENT_MAX : 0;
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
    if (call->gate.has_length && call->gate.content_length > BODY_DISCARD_MAX)
        return refuse(call, 413, "The request's body is too big.");
    call->state = CALL_BODY;
    conn_enter(call->conn, CONN_BODY, clock_now_us());
    return MHD_YES;
}

/* The request is complete. */
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
    if (request->answered)
        return send_reply(call, request->reply);
    request->body = slice_make(NULL, 0);
    body_drop(&call->body, &call->http->body_bytes);
    request->resume = on_answered;
    MHD_suspend_connection(call->connection);
    return MHD_YES;
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
            int rc = body_take(&call->body, &call->http->body_bytes,
                               body_limit(call->request.method), upload, *upload_len);
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
    body_drop(&call->body, &call->http->body_bytes);
    free(call);
    *call_ctx = NULL;
}

/* ---- life ---- */

static int start_daemon(struct http *http)
{
    const struct http_config *c = &http->config;
    struct MHD_OptionItem tls[4] = {{MHD_OPTION_END, 0, NULL}};
    /* No MHD_USE_TURBO: an idle connection would spin (findings/transcode.md 2, pitfall 2). */
    unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME;
    if (c->certificate) {
        const char *values[3] = {c->certificate, c->key, tls_priorities};
        const enum MHD_OPTION options[3] = {MHD_OPTION_HTTPS_MEM_CERT, MHD_OPTION_HTTPS_MEM_KEY,
                                            MHD_OPTION_HTTPS_PRIORITIES};
        flags |= MHD_USE_TLS;
        for (size_t i = 0; i < 3; i++) {
            tls[i].option = options[i];
            memcpy(&tls[i].ptr_value, &values[i], sizeof(values[i])); /* only read */
        }
        tls[3] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    }
    http->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_call, http, MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_URI_LOG_CALLBACK,
        on_request_line, http, MHD_OPTION_UNESCAPE_CALLBACK, identity, NULL,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)c->connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HTTP_POOL_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, tls,
        MHD_OPTION_END);
    return http->daemon ? 0 : -EINVAL;
}

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
    http->conns.tls = config->certificate != NULL;
    http->watch.fd = -1;
    http->queue = http_response_find_queue();
    int rc = http->queue ? start_daemon(http) : -ENOSYS;
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
