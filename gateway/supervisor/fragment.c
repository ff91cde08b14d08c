#include "gateway/supervisor/fragment.h"

#include "gateway/supervisor/supervisor.h"
#include "lib/base/clock.h"

#include <errno.h>
#include <string.h>

static struct session_url_ask *ask_find(struct publication *p, enum session_url_phase phase)
{
    struct session_url_ask *oldest = NULL;
    for (size_t i = 0; i < SESSION_URL_ASKS_MAX; i++) {
        struct session_url_ask *ask = &p->sup->urls.asks[i];
        if (ask->phase == phase && ask->session == p->session &&
            (!oldest || ask->order < oldest->order))
            oldest = ask;
    }
    return oldest;
}

static size_t count_queued(const struct publication *p)
{
    size_t count = 0;
    for (size_t i = 0; i < SESSION_URL_ASKS_MAX; i++) {
        const struct session_url_ask *ask = &p->sup->urls.asks[i];
        count += ask->phase == ASK_QUEUED && ask->session == p->session;
    }
    return count;
}

static bool rate_take(struct publication *p, uint64_t now_us)
{
    const uint64_t step_us = CLOCK_SECOND_US / FRAGMENT_RATE;
    uint64_t oldest_us = now_us > FRAGMENT_BURST * step_us ? now_us - FRAGMENT_BURST * step_us : 0;
    if (p->fragment_paid_us < oldest_us)
        p->fragment_paid_us = oldest_us;
    if (p->fragment_paid_us + step_us > now_us)
        return false;
    p->fragment_paid_us += step_us;
    return true;
}

/* If-Match, now that everything before it is done; true: the fragment is with the worker. */
static bool begin(struct publication *p, struct session_url_ask *ask)
{
    struct msg_fragment m = {.session = p->session, .may_restart = ask->match == MATCH_ANY};
    if (ask->match == MATCH_NONE && p->sup->conf.require_if_match) {
        session_url_refuse(ask, 428, 0, "A PATCH needs If-Match: the ETag of the session, or *.");
        return false;
    }
    if (ask->match == MATCH_TAG && strcmp(ask->if_match, p->etag) != 0) {
        session_url_refuse(ask, 412, 0, "If-Match is not the ETag that the session has now.");
        return false;
    }
    m.request = ++p->sup->next_number;
    int rc = process_send(p->ingest, MSG_FRAGMENT, &m, ask->fragment, ask->fragment_len, NULL);
    if (rc) {
        session_url_refuse(ask, 503, 1, "The worker of this stream could not be asked.");
        return false;
    }
    ask->phase = ASK_SENT;
    p->fragment_request = m.request;
    return true;
}

static void next(struct publication *p)
{
    while (p->fragment_request == 0) {
        struct session_url_ask *ask = ask_find(p, ASK_QUEUED);
        if (!ask)
            return;
        (void)begin(p, ask);
    }
}

void fragment_add(struct publication *p, struct session_url_ask *ask)
{
    if (!rate_take(p, clock_now_us()) || count_queued(p) >= FRAGMENT_QUEUE_MAX) {
        session_url_refuse(ask, 429, 1, "Too many PATCH requests for this session at once.");
        return;
    }
    ask->session = p->session;
    ask->phase = ASK_QUEUED;
    next(p);
}

static int check_result(const struct publication *p, const struct msg_fragment_result *m,
                        size_t len)
{
    bool pair = m->ufrag[0] != '\0' || m->pwd[0] != '\0';
    if (p->fragment_request == 0 || m->request != p->fragment_request)
        return -EPROTO;
    if (m->status == 200) /* a restart renews both (RFC 8445 9) */
        return len > 0 && stream_pair_valid(m->ufrag, m->pwd) && strcmp(m->ufrag, p->ufrag) != 0 &&
                       strcmp(m->pwd, p->pwd) != 0
                   ? 0
                   : -EBADMSG;
    if (len > 0 || pair || (m->status != 204 && (m->status < 400 || m->status > 499)))
        return -EBADMSG;
    return 0;
}

int fragment_on_result(struct publication *p, const struct msg_fragment_result *m,
                       const uint8_t *fragment, size_t len)
{
    struct msg_session_result result = {.status = m->status};
    struct session_url_ask *ask = ask_find(p, ASK_SENT);
    int rc = check_result(p, m, len);
    if (rc)
        return rc;
    p->fragment_request = 0;
    if (m->status == 200) { /* also when nobody waits for it any more: the worker has restarted */
        publication_restart(p, m->ufrag, m->pwd);
        memcpy(result.etag, p->etag, sizeof(result.etag));
    }
    if (m->status == 429)
        result.retry_after_s = 1;
    memcpy(result.reason, m->reason, sizeof(result.reason));
    if (ask)
        session_url_reply(ask, &result, fragment, len);
    next(p);
    return 0;
}

void fragment_drop(struct publication *p)
{
    struct session_url_ask *ask;
    while ((ask = ask_find(p, ASK_QUEUED)) || (ask = ask_find(p, ASK_SENT)))
        session_url_gone(ask);
}
