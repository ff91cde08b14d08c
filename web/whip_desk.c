/* What the endpoint and the session URLs of WHIP share: token, limits, and waiting requests. */
#include "web/whip_desk.h"

#include "lib/base/clock.h"
#include "lib/base/secret.h"
#include "web/bearer.h"
#include "web/whip_reply.h"

static const char no_answer[] = "The gateway is busy; try again.";

static const struct {
    size_t all;
    uint32_t per_address;
    enum peers_what what;
} queue_limits[WHIP_QUEUE_COUNT] = {
    [WHIP_PUBLISHING] = {WHIP_PENDING_MAX, WHIP_PENDING_PER_ADDRESS, PEERS_PUBLISH},
    [WHIP_ASKING] = {WHIP_SESSION_PENDING_MAX, WHIP_SESSION_PENDING_PER_ADDRESS, PEERS_SESSION},
};

void whip_desk_refuse(struct whip *whip, struct request *request, unsigned status,
                      const char *detail, unsigned retry_after_s)
{
    request_answer(request,
                   whip_reply_busy(whip->config.origins, request, status, detail, retry_after_s));
}

/* ---- the request's shape ---- */

static bool may_have_token(const struct request *request)
{
    return request->secure || addr_is_loopback(&request->peer);
}

bool whip_desk_has_token(const struct request *request)
{
    char token[STREAM_TOKEN_MAX + 1];
    if (!may_have_token(request) || bearer_parse(request->headers.authorization, token))
        return false;
    secret_wipe(token, sizeof(token));
    return true;
}

bool whip_desk_token(struct whip *whip, struct request *request,
                     char out_token[STREAM_TOKEN_MAX + 1])
{
    if (!may_have_token(request)) {
        whip_desk_refuse(whip, request, 403, "Tokens are taken over HTTPS only.", 0);
        return false;
    }
    if (bearer_parse(request->headers.authorization, out_token)) {
        whip_desk_refuse(whip, request, 401, "A valid token is needed.", 0);
        return false;
    }
    return true;
}

bool whip_desk_type_is(const struct request *request, const char *type)
{
    struct slice s = request->headers.content_type;
    return slice_is_nocase(slice_trim(slice_cut(&s, ';')), type);
}

/* ---- waiting ---- */

static void on_timer(void *ctx)
{
    whip_sweep(ctx, clock_now_us());
}

static void arm(struct whip *whip)
{
    uint64_t due_us = UINT64_MAX;
    for (size_t i = 0; i < WHIP_QUEUE_COUNT; i++) {
        const struct request *first = whip->queues[i].first;
        if (first && first->wait.due_us < due_us)
            due_us = first->wait.due_us;
    }
    if (due_us == UINT64_MAX)
        loop_timer_cancel(whip->loop, &whip->timer);
    else
        (void)loop_timer_set(whip->loop, &whip->timer, due_us, on_timer, whip);
}

static void leave(struct whip *whip, enum whip_queue queue, struct request *request)
{
    wait_remove(request);
    peers_drop(whip->peers, &request->peer, queue_limits[queue].what);
}

void whip_sweep(struct whip *whip, uint64_t now_us)
{
    for (size_t i = 0; i < WHIP_QUEUE_COUNT; i++) {
        struct wait_list *list = &whip->queues[i];
        while (list->first && list->first->wait.due_us <= now_us) {
            struct request *request = list->first;
            leave(whip, (enum whip_queue)i, request);
            whip_desk_refuse(whip, request, 503, no_answer, 1);
        }
    }
    arm(whip);
}

uint64_t whip_desk_number(const struct whip *whip)
{
    return whip->last_number + 1;
}

/* How many PATCHes of this session wait. */
static size_t count_patches(const struct whip *whip, uint64_t session_key)
{
    size_t count = 0;
    for (const struct request *r = whip->queues[WHIP_ASKING].first; r; r = r->wait.next)
        count += r->wait.part == SESSION_PATCH && r->wait.epoch == session_key;
    return count;
}

/* Counts the request for its address and its rate. False when it has been refused. */
static bool admit(struct whip *whip, struct request *request, const struct whip_errand *errand,
                  uint64_t now_us)
{
    enum peers_what what = queue_limits[errand->queue].what;
    if (whip->queues[errand->queue].count >= queue_limits[errand->queue].all) {
        whip_desk_refuse(whip, request, 503, no_answer, 1);
        return false;
    }
    if (errand->queue == WHIP_ASKING && errand->op == SESSION_PATCH &&
        count_patches(whip, errand->session_key) >= WHIP_PATCHES_PER_SESSION) {
        whip_desk_refuse(whip, request, 429, "Too many requests at once for this session.", 1);
        return false;
    }
    if (!peers_take(whip->peers, &request->peer, what, queue_limits[errand->queue].per_address)) {
        whip_desk_refuse(whip, request, 429, "Too many requests at once from this address.", 1);
        return false;
    }
    uint32_t wait_s = rates_take(whip->rates, &request->peer, errand->rate, now_us);
    if (wait_s > 0) {
        peers_drop(whip->peers, &request->peer, what);
        whip_desk_refuse(whip, request, 429, "Too many requests from this address.", wait_s);
        return false;
    }
    return true;
}

void whip_desk_submit(struct whip *whip, struct request *request, const struct whip_errand *errand,
                      uint64_t now_us)
{
    if (!admit(whip, request, errand, now_us))
        return;
    if (whip->config.send(whip->config.ctx, errand->type, errand->body, errand->blob.data,
                          errand->blob.len)) {
        peers_drop(whip->peers, &request->peer, queue_limits[errand->queue].what);
        rates_give_back(whip->rates, &request->peer, errand->rate);
        whip_desk_refuse(whip, request, 503, no_answer, 1);
        return;
    }
    whip->last_number = errand->number;
    request->wait.number = errand->number;
    request->wait.kind = errand->rate;
    request->wait.part = errand->op;
    request->wait.epoch = errand->session_key;
    wait_add(&whip->queues[errand->queue], request, now_us + WHIP_ANSWER_TIMEOUT_US);
    arm(whip);
}

struct request *whip_desk_take(struct whip *whip, enum whip_queue queue, uint64_t number,
                               unsigned status, bool guessing)
{
    struct request *request = whip->queues[queue].first;
    while (request && request->wait.number != number)
        request = request->wait.next;
    if (!request)
        return NULL;
    leave(whip, queue, request);
    if (status == 401 || (status == 429 && guessing))
        rates_give_back(whip->rates, &request->peer, (enum rates_kind)request->wait.kind);
    arm(whip);
    return request;
}
