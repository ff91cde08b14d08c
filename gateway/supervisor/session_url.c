#include "gateway/supervisor/session_url.h"

#include "gateway/supervisor/fragment.h"
#include "gateway/supervisor/playback.h"
#include "gateway/supervisor/publication.h"
#include "gateway/supervisor/supervisor.h"
#include "lib/base/clock.h"
#include "lib/base/secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- answers ---- */

static void ask_free(struct session_url_ask *ask)
{
    loop_timer_cancel(&ask->sup->loop, &ask->timer);
    free(ask->fragment);
    memset(ask, 0, sizeof(*ask));
}

void session_url_reply(struct session_url_ask *ask, struct msg_session_result *m,
                       const uint8_t *fragment, size_t len)
{
    m->request = ask->web_request;
    (void)process_send(ask->web, MSG_SESSION_RESULT, m, fragment, len, NULL);
    ask_free(ask);
}

void session_url_refuse(struct session_url_ask *ask, uint16_t status, uint16_t retry_after_s,
                        const char *reason)
{
    struct msg_session_result m = {.status = status, .retry_after_s = retry_after_s};
    snprintf(m.reason, sizeof(m.reason), "%s", reason);
    session_url_reply(ask, &m, NULL, 0);
}

static const struct session_url_end *find_ended(const struct supervisor *sup, const char *url_id)
{
    uint64_t now = clock_now_us();
    for (size_t i = 0; i < SESSION_URL_ENDED_MAX; i++) {
        const struct session_url_end *e = &sup->urls.ended[i];
        if (now < e->until_us && secret_equal(e->url_id, url_id, STREAM_URL_ID_LEN))
            return e;
    }
    return NULL;
}

static uint16_t reason_of(const struct supervisor *sup, const char *url_id)
{
    const struct session_url_end *e = find_ended(sup, url_id);
    return (uint16_t)(e ? e->reason : END_NONE);
}

void session_url_gone(struct session_url_ask *ask)
{
    struct msg_session_result m = {.status = 404, .end_reason = reason_of(ask->sup, ask->url_id)};
    session_url_reply(ask, &m, NULL, 0);
}

void session_url_ended(struct supervisor *sup, const struct publication *p, enum end_reason reason)
{
    struct session_urls *urls = &sup->urls;
    struct session_url_end *e = &urls->ended[urls->ended_next++ % SESSION_URL_ENDED_MAX];
    e->until_us = clock_now_us() + SESSION_URL_ENDED_US;
    e->reason = reason;
    e->session = p->session;
    (void)text_copy(e->url_id, sizeof(e->url_id), slice_of(p->url_id));
    (void)text_copy(e->token_id, sizeof(e->token_id), slice_of(p->grant.token_id));
}

/* ---- who asks ---- */

/* A page that is left sends close_notify and DELETE; either may be the first (WHIP-74). After the
 * former this one says that nobody will come back. */
static bool late_delete(const struct session_url_ask *ask, const struct grant *grant)
{
    const struct session_url_end *e = find_ended(ask->sup, ask->url_id);
    return e && ask->op == SESSION_DELETE &&
           strncmp(e->token_id, grant->token_id, sizeof(grant->token_id)) == 0 &&
           playback_leave(ask->sup, e->session);
}

/* Not yours and not there look the same (WHIP-22). */
static void carry_out(struct session_url_ask *ask, const struct grant *grant)
{
    struct publication *p = publication_by_url(ask->sup, ask->url_id);
    struct msg_session_result done = {.status = 200};
    if (late_delete(ask, grant)) {
        session_url_reply(ask, &done, NULL, 0);
    } else if (!p || strncmp(p->grant.token_id, grant->token_id, sizeof(grant->token_id)) != 0) {
        session_url_gone(ask);
    } else if (ask->op == SESSION_PATCH) {
        fragment_add(p, ask);
    } else {
        publication_end(p, END_DELETED);
        session_url_reply(ask, &done, NULL, 0);
    }
}

static void refuse_guessing(struct session_url_ask *ask)
{
    struct msg_session_result m = {
        .status = 429,
        .retry_after_s = 5,
        .guessing = 1,
        .reason = "Too many wrong tokens came from this address: wait a little."};
    session_url_reply(ask, &m, NULL, 0);
}

static void on_identified(struct session_url_ask *ask, const struct grant *grant)
{
    switch ((enum grant_verdict)grant->verdict) {
    case GRANT_OK:
        carry_out(ask, grant);
        break;
    case GRANT_UNKNOWN:
        session_url_refuse(ask, 401, 0, "The token is not valid: unknown, expired or revoked.");
        break;
    case GRANT_BUSY: /* H8 */
        refuse_guessing(ask);
        break;
    default:
        session_url_refuse(ask, 503, 2, "The token service cannot answer now.");
        break;
    }
}

bool session_url_on_grant(struct supervisor *sup, const struct msg_lease_grant *m)
{
    for (size_t i = 0; i < SESSION_URL_ASKS_MAX; i++) {
        struct session_url_ask *ask = &sup->urls.asks[i];
        if (ask->phase == ASK_AUTH && ask->order == m->request) {
            on_identified(ask, &m->grant);
            return true;
        }
    }
    return false;
}

void session_url_on_web_exit(struct supervisor *sup, const struct process *web)
{
    for (size_t i = 0; i < SESSION_URL_ASKS_MAX; i++) {
        struct session_url_ask *ask = &sup->urls.asks[i];
        if (ask->phase != ASK_FREE && ask->web == web)
            ask_free(ask);
    }
}

void session_url_on_auth_exit(struct supervisor *sup)
{
    for (size_t i = 0; i < SESSION_URL_ASKS_MAX; i++) {
        if (sup->urls.asks[i].phase == ASK_AUTH)
            session_url_refuse(&sup->urls.asks[i], 503, 1, "The token service is restarting.");
    }
}

void session_url_free_all(struct supervisor *sup)
{
    for (size_t i = 0; i < SESSION_URL_ASKS_MAX; i++) {
        if (sup->urls.asks[i].phase != ASK_FREE)
            ask_free(&sup->urls.asks[i]);
    }
}

/* ---- requests ---- */

static void get(struct supervisor *sup, struct process *web, const struct msg_session *m)
{
    struct msg_session_result result = {.request = m->request, .status = 200};
    if (!publication_by_url(sup, m->url_id)) {
        result.status = 404;
        result.end_reason = reason_of(sup, m->url_id);
    }
    (void)process_send(web, MSG_SESSION_RESULT, &result, NULL, 0, NULL);
}

static void on_wait_over(void *ctx)
{
    session_url_refuse(ctx, 503, 1, "The gateway is too busy to answer now.");
}

/* A free place for a request on such a URL; NULL when it must not wait here. */
static struct session_url_ask *find_place(struct supervisor *sup, const struct addr *peer,
                                          bool known)
{
    size_t first = known ? 0 : SESSION_URL_KNOWN_MAX;
    size_t count = known ? SESSION_URL_KNOWN_MAX : SESSION_URL_UNKNOWN_MAX;
    struct session_url_ask *place = NULL;
    size_t same = 0;
    for (size_t i = first; i < first + count; i++) {
        struct session_url_ask *ask = &sup->urls.asks[i];
        if (ask->phase == ASK_FREE)
            place = ask;
        else
            same += addr_same_site(&ask->peer, peer);
    }
    return same < count / SESSION_URL_SHARE ? place : NULL;
}

/* NULL when too many are open, or without memory. */
static struct session_url_ask *ask_new(struct supervisor *sup, struct process *web,
                                       const struct msg_session *m, const uint8_t *fragment,
                                       size_t len)
{
    bool known = publication_by_url(sup, m->url_id) || find_ended(sup, m->url_id);
    struct session_url_ask *ask = find_place(sup, &m->peer, known);
    uint8_t *copy = ask ? malloc(len + 1) : NULL;
    if (!copy)
        return NULL;
    if (len > 0)
        memcpy(copy, fragment, len);
    *ask = (struct session_url_ask){.sup = sup,
                                    .phase = ASK_AUTH,
                                    .order = ++sup->next_number,
                                    .peer = m->peer,
                                    .web = web,
                                    .web_request = m->request,
                                    .op = m->op,
                                    .match = m->match,
                                    .fragment = copy,
                                    .fragment_len = len};
    memcpy(ask->url_id, m->url_id, sizeof(ask->url_id));
    memcpy(ask->if_match, m->if_match, sizeof(ask->if_match));
    loop_timer_set(&sup->loop, &ask->timer, clock_now_us() + SESSION_URL_WAIT_US, on_wait_over,
                   ask);
    return ask;
}

void session_url_request(struct supervisor *sup, struct process *web, const struct msg_session *m,
                         const uint8_t *fragment, size_t len)
{
    struct msg_session_result busy = {
        .request = m->request, .status = 503, .retry_after_s = 1, .reason = "Too many requests."};
    struct msg_lease_ask question = {.purpose = LEASE_IDENTIFY, .peer = m->peer};
    if (m->op == SESSION_GET) {
        get(sup, web, m);
        return;
    }
    struct session_url_ask *ask = ask_new(sup, web, m, fragment, len);
    if (!ask) {
        (void)process_send(web, MSG_SESSION_RESULT, &busy, NULL, 0, NULL);
        return;
    }
    question.request = ask->order;
    memcpy(question.token, m->token, sizeof(question.token));
    int rc = process_send(process_find(sup, PROCESS_AUTH), MSG_LEASE_ASK, &question, NULL, 0, NULL);
    secret_wipe(&question.token, sizeof(question.token));
    if (rc)
        session_url_refuse(ask, 503, 1, "The token service is restarting.");
}
