/* WHIP (RFC 9725): publishing over POST, ending over DELETE. */
#include "web/whip.h"

#include "lib/base/clock.h"
#include "lib/base/secret.h"
#include "web/bearer.h"
#include "web/problem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORIGIN_MAX 255u
#define SDP_TYPE "application/sdp"

/* Invariant: both lists are in order of due_us; wait.number is the message's request. */
struct whip {
    struct loop *loop;
    struct loop_timer timer;
    struct peers *peers;
    const char *origins;
    whip_send_fn send;
    void *ctx;
    uint64_t last_number;
    struct wait_list publishing;
    struct wait_list asking;
};

/* ---- headers ---- */

static bool origin_is_listed(const char *origins, struct slice origin)
{
    struct slice rest = slice_of(origins);
    while (rest.len > 0) {
        struct slice one = slice_cut(&rest, ' ');
        if (one.len > 0 && slice_equal(one, origin))
            return true;
    }
    return false;
}

/* WHIP-08, WHIP-10: for pages of the allowed origins, never with credentials. */
static void add_cors(const char *origins, const struct request *request, struct reply *reply)
{
    char origin[ORIGIN_MAX + 1];
    bool any = slice_is(slice_of(origins), "*");
    reply_header(reply, "Cache-Control", "no-store");
    reply_header(reply, "X-Content-Type-Options", "nosniff");
    if (!any)
        reply_header(reply, "Vary", "Origin");
    if (any) {
        reply_header(reply, "Access-Control-Allow-Origin", "*");
    } else {
        if (!origin_is_listed(origins, request->headers.origin) ||
            text_copy(origin, sizeof(origin), request->headers.origin))
            return;
        reply_header(reply, "Access-Control-Allow-Origin", origin);
    }
    reply_header(reply, "Access-Control-Expose-Headers",
                 "Location, ETag, Link, Retry-After, WWW-Authenticate");
}

struct reply *whip_problem(const char *origins, const struct request *request, unsigned status,
                           const char *detail)
{
    struct reply *reply = problem_reply(status, detail, NULL);
    add_cors(origins, request, reply);
    if (status == 401)
        reply_header(reply, "WWW-Authenticate", "Bearer");
    if (status == 415)
        reply_header(reply, "Accept-Post", SDP_TYPE);
    return reply;
}

static void refuse(struct whip *whip, struct request *request, unsigned status, const char *detail)
{
    request_answer(request, whip_problem(whip->origins, request, status, detail));
}

static void refuse_later(struct whip *whip, struct request *request, unsigned status,
                         const char *detail, unsigned retry_after_s)
{
    char seconds[12];
    struct reply *reply = whip_problem(whip->origins, request, status, detail);
    (void)snprintf(seconds, sizeof(seconds), "%u", retry_after_s);
    if (retry_after_s > 0)
        reply_header(reply, "Retry-After", seconds);
    request_answer(request, reply);
}

static void refuse_method(struct whip *whip, struct request *request, const char *allow)
{
    struct reply *reply = whip_problem(whip->origins, request, 405, NULL);
    reply_header(reply, "Allow", allow);
    request_answer(request, reply);
}

static void answer_empty(struct whip *whip, struct request *request)
{
    struct reply *reply = reply_new(200);
    add_cors(whip->origins, request, reply);
    reply_header(reply, "Accept-Post", SDP_TYPE);
    request_answer(request, reply);
}

/* WHIP-06, WHIP-07: without credentials, whatever is behind the URL. */
static void answer_preflight(struct whip *whip, struct request *request)
{
    struct reply *reply = reply_new(200);
    add_cors(whip->origins, request, reply);
    reply_header(reply, "Access-Control-Allow-Methods", "POST, GET, HEAD, PATCH, DELETE, OPTIONS");
    reply_header(reply, "Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match");
    reply_header(reply, "Access-Control-Max-Age", "600");
    reply_header(reply, "Accept-Post", SDP_TYPE);
    request_answer(request, reply);
}

/* ---- waiting for the supervisor ---- */

static const char no_answer[] = "The gateway is busy; try again.";

static void finish_publish(struct whip *whip, struct request *request)
{
    if (request->wait.list == &whip->publishing)
        peers_drop(whip->peers, &request->peer, PEERS_PUBLISH);
}

static void sweep_list(struct whip *whip, struct wait_list *list, uint64_t now_us)
{
    while (list->first && list->first->wait.due_us <= now_us) {
        struct request *request = list->first;
        finish_publish(whip, request);
        refuse_later(whip, request, 503, no_answer, 1);
    }
}

static void on_timer(void *ctx)
{
    whip_sweep(ctx, clock_now_us());
}

static void arm(struct whip *whip)
{
    uint64_t due_us = UINT64_MAX;
    if (whip->publishing.first)
        due_us = whip->publishing.first->wait.due_us;
    if (whip->asking.first && whip->asking.first->wait.due_us < due_us)
        due_us = whip->asking.first->wait.due_us;
    if (due_us == UINT64_MAX)
        loop_timer_cancel(whip->loop, &whip->timer);
    else
        (void)loop_timer_set(whip->loop, &whip->timer, due_us, on_timer, whip);
}

void whip_sweep(struct whip *whip, uint64_t now_us)
{
    sweep_list(whip, &whip->publishing, now_us);
    sweep_list(whip, &whip->asking, now_us);
    arm(whip);
}

static void put_aside(struct whip *whip, struct wait_list *list, struct request *request,
                      uint64_t number, uint64_t now_us)
{
    request->wait.number = number;
    wait_add(list, request, now_us + WHIP_ANSWER_TIMEOUT_US);
    arm(whip);
}

static struct request *waiting_for(struct wait_list *list, uint64_t number)
{
    for (struct request *r = list->first; r; r = r->wait.next) {
        if (r->wait.number == number)
            return r;
    }
    return NULL;
}

/* ---- requests ---- */

/* Copies the token. False when the request has been refused. WHIP-38: a token over plain HTTP is
 * taken on this machine only. */
static bool take_token(struct whip *whip, struct request *request,
                       char out_token[STREAM_TOKEN_MAX + 1])
{
    if (!request->secure && !addr_is_loopback(&request->peer)) {
        refuse(whip, request, 403, "Tokens are taken over HTTPS only.");
        return false;
    }
    if (bearer_parse(request->headers.authorization, out_token)) {
        refuse(whip, request, 401, "A valid token is needed.");
        return false;
    }
    return true;
}

/* WHIP-02: type and subtype only, without case and parameters. */
static bool is_sdp(struct slice content_type)
{
    return slice_is_nocase(slice_trim(slice_cut(&content_type, ';')), SDP_TYPE);
}

static void publish(struct whip *whip, struct request *request, const struct route *route,
                    uint64_t now_us)
{
    struct msg_publish m = {.request = whip->last_number + 1, .peer = request->peer};
    char token[STREAM_TOKEN_MAX + 1];
    if (!take_token(whip, request, token)) /* W1: before anything else */
        return;
    (void)text_copy(m.token, sizeof(m.token), slice_of(token));
    (void)text_copy(m.stream, sizeof(m.stream), route->name);
    secret_wipe(token, sizeof(token));
    if (request->body_too_large) {
        refuse(whip, request, 413, "An offer has at most 64 KiB.");
    } else if (!is_sdp(request->headers.content_type)) {
        refuse(whip, request, 415, "The offer must be application/sdp.");
    } else if (request->body.len == 0) {
        refuse(whip, request, 400, "The offer is empty.");
    } else if (whip->publishing.count >= WHIP_PENDING_MAX) {
        refuse_later(whip, request, 503, no_answer, 1);
    } else if (!peers_take(whip->peers, &request->peer, PEERS_PUBLISH, WHIP_PENDING_PER_ADDRESS)) {
        refuse_later(whip, request, 429, "Too many requests at once from this address.", 1);
    } else if (whip->send(whip->ctx, MSG_PUBLISH, &m, request->body.data, request->body.len)) {
        peers_drop(whip->peers, &request->peer, PEERS_PUBLISH);
        refuse_later(whip, request, 503, no_answer, 1);
    } else {
        whip->last_number = m.request;
        put_aside(whip, &whip->publishing, request, m.request, now_us);
    }
    secret_wipe(&m, sizeof(m));
}

static void ask_session(struct whip *whip, struct request *request, const struct route *route,
                        enum msg_session_op op, uint64_t now_us)
{
    struct msg_session m = {.request = whip->last_number + 1, .op = op, .peer = request->peer};
    char token[STREAM_TOKEN_MAX + 1] = "";
    bool anonymous = op == SESSION_GET && request->headers.authorization.len == 0;
    if (!anonymous && !take_token(whip, request, token))
        return;
    (void)text_copy(m.url_id, sizeof(m.url_id), route->name);
    (void)text_copy(m.token, sizeof(m.token), slice_of(token));
    secret_wipe(token, sizeof(token));
    if (whip->asking.count >= WHIP_SESSION_PENDING_MAX ||
        whip->send(whip->ctx, MSG_SESSION, &m, NULL, 0)) {
        refuse_later(whip, request, 503, no_answer, 1);
    } else {
        whip->last_number = m.request;
        put_aside(whip, &whip->asking, request, m.request, now_us);
    }
    secret_wipe(&m, sizeof(m));
}

static void handle_endpoint(struct whip *whip, struct request *request, const struct route *route,
                            uint64_t now_us)
{
    switch (request->method) {
    case METHOD_POST:
        publish(whip, request, route, now_us);
        break;
    case METHOD_GET:
    case METHOD_HEAD:
        answer_empty(whip, request); /* WHIP-04 */
        break;
    case METHOD_OPTIONS:
        answer_preflight(whip, request);
        break;
    default:
        refuse_method(whip, request, "POST, GET, HEAD, OPTIONS");
        break;
    }
}

static void handle_session(struct whip *whip, struct request *request, const struct route *route,
                           uint64_t now_us)
{
    switch (request->method) {
    case METHOD_DELETE:
        ask_session(whip, request, route, SESSION_DELETE, now_us);
        break;
    case METHOD_GET:
    case METHOD_HEAD:
        ask_session(whip, request, route, SESSION_GET, now_us);
        break;
    case METHOD_OPTIONS:
        answer_preflight(whip, request);
        break;
    default:
        refuse_method(whip, request, "DELETE, GET, HEAD, OPTIONS");
        break;
    }
}

void whip_handle(struct whip *whip, struct request *request, const struct route *route,
                 uint64_t now_us)
{
    if (route->kind == ROUTE_WHIP)
        handle_endpoint(whip, request, route, now_us);
    else
        handle_session(whip, request, route, now_us);
}

/* ---- results ---- */

static void answer_created(struct whip *whip, struct request *request,
                           const struct msg_publish_result *m, const void *answer, size_t len)
{
    char location[sizeof("/whip/session/") + STREAM_URL_ID_LEN + 8];
    char tag[STREAM_ETAG_LEN + 16];
    (void)snprintf(location, sizeof(location), "/whip/session/%s", m->url_id);
    (void)snprintf(tag, sizeof(tag), "\"%s\"", m->etag);
    struct reply *reply = reply_new(201);
    reply_header(reply, "Content-Type", SDP_TYPE);
    reply_header(reply, "Location", location); /* WHIP-46: absolute path, no query */
    reply_header(reply, "ETag", tag);
    add_cors(whip->origins, request, reply);
    request_answer(request, reply_body_copy(reply, answer, len));
}

static bool is_refusal(unsigned status)
{
    return status >= 400 && status <= 599;
}

int whip_on_publish_result(struct whip *whip, const struct msg_publish_result *m,
                           const void *answer, size_t len)
{
    if (!text_is_terminated(m->url_id, sizeof(m->url_id)) ||
        !text_is_terminated(m->etag, sizeof(m->etag)) ||
        !text_is_terminated(m->reason, sizeof(m->reason)))
        return -EBADMSG;
    struct request *request = waiting_for(&whip->publishing, m->request);
    if (!request)
        return 0;
    finish_publish(whip, request);
    if (m->status == 201)
        answer_created(whip, request, m, answer, len);
    else
        refuse_later(whip, request, is_refusal(m->status) ? m->status : 500,
                     m->reason[0] ? m->reason : NULL, m->retry_after_s);
    arm(whip);
    return 0;
}

int whip_on_session_result(struct whip *whip, const struct msg_session_result *m)
{
    struct request *request = waiting_for(&whip->asking, m->request);
    if (!request)
        return 0;
    if (m->status == 200) {
        answer_empty(whip, request);
    } else if (m->status == 404 && m->end_reason != END_NONE && m->end_reason < END_REASON_COUNT) {
        struct reply *reply = problem_reply(404, end_reason_text((enum end_reason)m->end_reason),
                                            end_reason_name((enum end_reason)m->end_reason));
        add_cors(whip->origins, request, reply);
        request_answer(request, reply);
    } else {
        refuse(whip, request, is_refusal(m->status) ? m->status : 500, NULL);
    }
    arm(whip);
    return 0;
}

int whip_new(struct loop *loop, struct peers *peers, const char *origins, whip_send_fn send,
             void *ctx, struct whip **out)
{
    struct whip *whip = calloc(1, sizeof(*whip));
    if (!whip)
        return -ENOMEM;
    whip->loop = loop;
    whip->peers = peers;
    whip->origins = origins;
    whip->send = send;
    whip->ctx = ctx;
    *out = whip;
    return 0;
}

void whip_free(struct whip *whip)
{
    if (!whip)
        return;
    whip_sweep(whip, UINT64_MAX);
    loop_timer_cancel(whip->loop, &whip->timer);
    free(whip);
}
