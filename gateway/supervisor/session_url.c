#include "gateway/supervisor/session_url.h"

#include "gateway/supervisor/supervisor.h"
#include "lib/base/clock.h"
#include "lib/base/secret.h"

#include <string.h>

void session_url_ended(struct supervisor *sup, const char *url_id, enum end_reason reason)
{
    struct session_urls *urls = &sup->urls;
    struct session_url_end *e = &urls->ended[urls->ended_next++ % SESSION_URL_ENDED_MAX];
    e->until_us = clock_now_us() + SESSION_URL_ENDED_US;
    e->reason = reason;
    (void)text_copy(e->url_id, sizeof(e->url_id), slice_of(url_id));
}

static void answer(struct supervisor *sup, struct session_url_ask *ask, const struct grant *grant)
{
    struct msg_session_result m = {.request = ask->web_request, .status = 200};
    struct publication *p = publication_by_url(sup, ask->url_id);
    if (grant->verdict == GRANT_UNKNOWN)
        m.status = 401;
    else if (grant->verdict == GRANT_BUSY)
        m.status = 429; /* too many wrong tokens from this address (H8) */
    else if (grant->verdict != GRANT_OK)
        m.status = 503;
    else if (!p || strncmp(p->grant.token_id, grant->token_id, sizeof(grant->token_id)) != 0)
        m.status = 404; /* not yours and not there look the same (WHIP-22) */
    else
        publication_end(p, END_DELETED);
    (void)process_send(ask->web, MSG_SESSION_RESULT, &m, NULL, 0, NULL);
    memset(ask, 0, sizeof(*ask));
}

bool session_url_on_grant(struct supervisor *sup, const struct msg_lease_grant *m)
{
    for (size_t i = 0; i < SESSION_URL_ASKS_MAX; i++) {
        struct session_url_ask *ask = &sup->urls.asks[i];
        if (ask->web && ask->request == m->request) {
            answer(sup, ask, &m->grant);
            return true;
        }
    }
    return false;
}

void session_url_on_web_exit(struct supervisor *sup, const struct process *web)
{
    for (size_t i = 0; i < SESSION_URL_ASKS_MAX; i++) {
        if (sup->urls.asks[i].web == web)
            memset(&sup->urls.asks[i], 0, sizeof(sup->urls.asks[i]));
    }
}

void session_url_on_auth_exit(struct supervisor *sup)
{
    const struct grant unavailable = {.verdict = GRANT_UNAVAILABLE};
    for (size_t i = 0; i < SESSION_URL_ASKS_MAX; i++) {
        if (sup->urls.asks[i].web)
            answer(sup, &sup->urls.asks[i], &unavailable);
    }
}

static void get(struct supervisor *sup, struct process *web, const struct msg_session *m)
{
    struct msg_session_result result = {.request = m->request, .status = 404};
    uint64_t now = clock_now_us();
    if (publication_by_url(sup, m->url_id))
        result.status = 200;
    for (size_t i = 0; i < SESSION_URL_ENDED_MAX && result.status == 404; i++) {
        const struct session_url_end *e = &sup->urls.ended[i];
        if (now < e->until_us && secret_equal(e->url_id, m->url_id, STREAM_URL_ID_LEN))
            result.end_reason = (uint16_t)e->reason;
    }
    (void)process_send(web, MSG_SESSION_RESULT, &result, NULL, 0, NULL);
}

void session_url_request(struct supervisor *sup, struct process *web, const struct msg_session *m)
{
    struct msg_session_result busy = {.request = m->request, .status = 503};
    struct msg_lease_ask ask = {
        .request = ++sup->next_number, .purpose = LEASE_IDENTIFY, .peer = m->peer};
    struct session_url_ask *slot = NULL;
    if (m->op == SESSION_GET) {
        get(sup, web, m);
        return;
    }
    for (size_t i = 0; i < SESSION_URL_ASKS_MAX && !slot; i++) {
        if (!sup->urls.asks[i].web)
            slot = &sup->urls.asks[i];
    }
    memcpy(ask.token, m->token, sizeof(ask.token));
    int rc = slot
                 ? process_send(process_find(sup, PROCESS_AUTH), MSG_LEASE_ASK, &ask, NULL, 0, NULL)
                 : -1;
    secret_wipe(&ask.token, sizeof(ask.token));
    if (rc) {
        (void)process_send(web, MSG_SESSION_RESULT, &busy, NULL, 0, NULL);
        return;
    }
    slot->request = ask.request;
    slot->web = web;
    slot->web_request = m->request;
    memcpy(slot->url_id, m->url_id, sizeof(slot->url_id));
}
