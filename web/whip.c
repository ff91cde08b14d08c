/* WHIP (RFC 9725): the endpoint, where sessions begin, and the way to their URLs. */
#include "web/whip.h"

#include "lib/base/secret.h"
#include "web/ice_links.h"
#include "web/if_match.h"
#include "web/whip_desk.h"
#include "web/whip_reply.h"
#include "web/whip_session.h"

#include <errno.h>
#include <stdlib.h>

static void publish(struct whip *whip, struct request *request, const struct route *route,
                    uint64_t now_us)
{
    struct msg_publish m = {.request = whip_desk_number(whip), .peer = request->peer};
    const struct whip_errand errand = {.queue = WHIP_PUBLISHING,
                                       .rate = RATES_POST,
                                       .type = MSG_PUBLISH,
                                       .number = m.request,
                                       .body = &m,
                                       .blob = request->body};
    char token[STREAM_TOKEN_MAX + 1];
    if (!whip_desk_token(whip, request, token)) /* W1: before anything else */
        return;
    (void)text_copy(m.token, sizeof(m.token), slice_of(token));
    (void)text_copy(m.stream, sizeof(m.stream), route->name);
    secret_wipe(token, sizeof(token));
    if (request->body_too_large)
        whip_desk_refuse(whip, request, 413, "An offer has at most 64 KiB.", 0);
    else if (!whip_desk_type_is(request, WHIP_REPLY_SDP_TYPE))
        whip_desk_refuse(whip, request, 415, "The offer must be " WHIP_REPLY_SDP_TYPE ".", 0);
    else if (request->body.len == 0)
        whip_desk_refuse(whip, request, 400, "The offer is empty.", 0);
    else
        whip_desk_submit(whip, request, &errand, now_us);
    secret_wipe(&m, sizeof(m));
}

static void handle_endpoint(struct whip *whip, struct request *request, const struct route *route,
                            uint64_t now_us)
{
    const char *origins = whip->config.origins;
    switch (request->method) {
    case METHOD_POST:
        publish(whip, request, route, now_us);
        break;
    case METHOD_GET:
    case METHOD_HEAD:
        request_answer(request, whip_reply_empty(origins, request)); /* WHIP-04 */
        break;
    case METHOD_OPTIONS:
        request_answer(request, whip_reply_options(origins, request, WHIP_REPLY_ENDPOINT_METHODS));
        break;
    default:
        request_answer(request,
                       whip_reply_no_method(origins, request, WHIP_REPLY_ENDPOINT_METHODS));
        break;
    }
}

size_t whip_body_limit(const struct request *request, const struct route *route)
{
    bool offer = route->kind == ROUTE_WHIP && request->method == METHOD_POST;
    bool fragment = route->kind == ROUTE_SESSION && request->method == METHOD_PATCH;
    if (!offer && !fragment)
        return 0;
    if (!whip_desk_has_token(request) ||
        !whip_desk_type_is(request, offer ? WHIP_REPLY_SDP_TYPE : WHIP_REPLY_FRAGMENT_TYPE))
        return 0;
    return offer ? STREAM_OFFER_MAX : STREAM_FRAGMENT_MAX;
}

void whip_handle(struct whip *whip, struct request *request, const struct route *route,
                 uint64_t now_us)
{
    if (route->kind == ROUTE_WHIP)
        handle_endpoint(whip, request, route, now_us);
    else
        whip_session_handle(whip, request, route, now_us);
}

int whip_on_publish_result(struct whip *whip, const struct msg_publish_result *m,
                           const void *answer, size_t len)
{
    if (!text_is_terminated(m->url_id, sizeof(m->url_id)) ||
        !text_is_terminated(m->etag, sizeof(m->etag)) ||
        !text_is_terminated(m->reason, sizeof(m->reason)) || !ice_links_credential_valid(&m->turn))
        return -EBADMSG;
    if (m->status == 201 && !if_match_tag_valid(slice_of(m->etag)))
        return -EBADMSG;
    struct request *request =
        whip_desk_take(whip, WHIP_PUBLISHING, m->request, m->status, m->guessing != 0);
    if (!request)
        return 0;
    if (m->status == 201)
        request_answer(request, whip_reply_created(whip->config.origins, request, m,
                                                   whip->config.ice_servers, answer, len));
    else
        whip_desk_refuse(whip, request, m->status >= 400 && m->status <= 599 ? m->status : 500,
                         m->reason[0] ? m->reason : NULL, m->retry_after_s);
    return 0;
}

int whip_new(struct loop *loop, struct peers *peers, const struct whip_config *config,
             struct whip **out)
{
    struct whip *whip = calloc(1, sizeof(*whip));
    if (!whip)
        return -ENOMEM;
    int rc = rates_new(RATES_CLIENTS, &whip->rates);
    if (rc) {
        free(whip);
        return rc;
    }
    whip->config = *config;
    whip->peers = peers;
    whip->loop = loop;
    *out = whip;
    return 0;
}

void whip_free(struct whip *whip)
{
    if (!whip)
        return;
    whip_sweep(whip, UINT64_MAX);
    loop_timer_cancel(whip->loop, &whip->timer);
    rates_free(whip->rates);
    free(whip);
}
