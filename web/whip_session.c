/* The URL of a WHIP session: PATCH, DELETE, and GET to ask whether it lives. */
#include "web/whip_session.h"

#include "lib/base/secret.h"
#include "web/if_match.h"
#include "web/whip_desk.h"
#include "web/whip_reply.h"

#include <errno.h>
#include <string.h>

/* ---- asking ---- */

static uint64_t session_key(struct slice id)
{
    uint8_t bytes[STREAM_URL_ID_LEN / 2] = {0};
    uint64_t key;
    (void)text_unhex(id, bytes, sizeof(bytes)); /* checked by route_parse */
    memcpy(&key, bytes, sizeof(key));
    return key;
}

static enum rates_kind rate_of(enum msg_session_op op)
{
    if (op == SESSION_PATCH)
        return RATES_PATCH;
    return op == SESSION_DELETE ? RATES_DELETE : RATES_FREE;
}

/* Says what is wrong with a PATCH: a status, or 0 and If-Match in *m. WHIP-67: nobody asks this of
 * a DELETE. */
static unsigned check_patch(const struct request *request, struct msg_session *m,
                            const char **out_detail)
{
    enum session_match match = MATCH_NONE;
    char tag[STREAM_ETAG_LEN + 1] = "";
    unsigned status = 0;
    if (request->body_too_large) {
        *out_detail = "A fragment has at most 16 KiB.";
        status = 413;
    } else if (!whip_desk_type_is(request, WHIP_REPLY_FRAGMENT_TYPE)) {
        *out_detail = "The fragment must be " WHIP_REPLY_FRAGMENT_TYPE ".";
        status = 415;
    } else if (request->body.len == 0) {
        *out_detail = "The fragment is empty.";
        status = 400;
    } else if (request->headers.if_match_lines > 1 ||
               (request->headers.if_match_lines == 1 &&
                if_match_parse(request->headers.if_match, &match, tag))) {
        *out_detail = "If-Match must be one entity tag in quotes, or *.";
        status = 400;
    }
    m->match = match;
    (void)text_copy(m->if_match, sizeof(m->if_match), slice_of(tag));
    return status;
}

static void ask(struct whip *whip, struct request *request, const struct route *route,
                enum msg_session_op op, uint64_t now_us)
{
    struct msg_session m = {.request = whip_desk_number(whip), .op = op, .peer = request->peer};
    const struct whip_errand errand = {.queue = WHIP_ASKING,
                                       .rate = rate_of(op),
                                       .type = MSG_SESSION,
                                       .number = m.request,
                                       .body = &m,
                                       .blob = op == SESSION_PATCH ? request->body
                                                                   : slice_make(NULL, 0),
                                       .op = op,
                                       .session_key = session_key(route->name)};
    char token[STREAM_TOKEN_MAX + 1] = "";
    const char *detail = NULL;
    bool anonymous = op == SESSION_GET && request->headers.authorization.len == 0;
    if (!anonymous && !whip_desk_token(whip, request, token))
        return;
    (void)text_copy(m.url_id, sizeof(m.url_id), route->name);
    (void)text_copy(m.token, sizeof(m.token), slice_of(token));
    secret_wipe(token, sizeof(token));
    unsigned status = op == SESSION_PATCH ? check_patch(request, &m, &detail) : 0;
    if (status)
        whip_desk_refuse(whip, request, status, detail, 0);
    else
        whip_desk_submit(whip, request, &errand, now_us);
    secret_wipe(&m, sizeof(m));
}

void whip_session_handle(struct whip *whip, struct request *request, const struct route *route,
                         uint64_t now_us)
{
    const char *origins = whip->config.origins;
    switch (request->method) {
    case METHOD_PATCH:
        ask(whip, request, route, SESSION_PATCH, now_us);
        break;
    case METHOD_DELETE:
        ask(whip, request, route, SESSION_DELETE, now_us);
        break;
    case METHOD_GET:
    case METHOD_HEAD:
        ask(whip, request, route, SESSION_GET, now_us);
        break;
    case METHOD_OPTIONS:
        request_answer(request, whip_reply_options(origins, request, WHIP_REPLY_SESSION_METHODS));
        break;
    default:
        request_answer(request, whip_reply_no_method(origins, request, WHIP_REPLY_SESSION_METHODS));
        break;
    }
}

/* ---- the answer ---- */

static struct reply *refusal(const char *origins, const struct request *request,
                             const struct msg_session_result *m)
{
    unsigned status = m->status >= 400 && m->status <= 599 ? m->status : 500;
    bool says_why = status != 404 && status == m->status && m->reason[0];
    if (status == 404 && m->end_reason != END_NONE && m->end_reason < END_REASON_COUNT)
        return whip_reply_ended(origins, request, (enum end_reason)m->end_reason);
    /* Without a reason a 404 is the same for what is not there and what is not yours (W4). */
    return whip_reply_busy(origins, request, status, says_why ? m->reason : NULL, m->retry_after_s);
}

/* WHIP-57: nothing but the status. WHIP-61: the fragment and a new tag. */
static struct reply *patched(const char *origins, const struct request *request,
                             const struct msg_session_result *m, const void *fragment, size_t len)
{
    if (m->status == 204)
        return whip_reply_new(origins, request, 204);
    if (m->status == 200 && len > 0 && if_match_tag_valid(slice_of(m->etag)))
        return whip_reply_restarted(origins, request, m->etag, fragment, len);
    return refusal(origins, request, m);
}

int whip_on_session_result(struct whip *whip, const struct msg_session_result *m,
                           const void *fragment, size_t len)
{
    const char *origins = whip->config.origins;
    if (!text_is_terminated(m->etag, sizeof(m->etag)) ||
        !text_is_terminated(m->reason, sizeof(m->reason)))
        return -EBADMSG;
    struct request *request =
        whip_desk_take(whip, WHIP_ASKING, m->request, m->status, m->guessing != 0);
    if (!request)
        return 0;
    if (request->wait.part == SESSION_PATCH)
        request_answer(request, patched(origins, request, m, fragment, len));
    else if (m->status == 200) /* WHIP-30: OBS takes nothing else for success */
        request_answer(request, whip_reply_empty(origins, request));
    else
        request_answer(request, refusal(origins, request, m));
    return 0;
}
