#include "gateway/supervisor/publication.h"

#include "gateway/supervisor/deadline.h"
#include "gateway/supervisor/fragment.h"
#include "gateway/supervisor/intake.h"
#include "gateway/supervisor/launch.h"
#include "gateway/supervisor/supervisor.h"
#include "gateway/supervisor/takeover.h"
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/ring.h"
#include "lib/base/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const state_names[] = {
    [PUBLICATION_ASKED] = "asked",     [PUBLICATION_WAITING] = "waiting",
    [PUBLICATION_OFFERED] = "offered", [PUBLICATION_LIVE] = "live",
    [PUBLICATION_ENDING] = "ending",
};

/* The only writer of the state. */
static void enter(struct publication *p, enum publication_state state)
{
    p->state = state;
    log_event(LOG_DEBUG, "publication", "session=%llu stream=%s state=%s",
              (unsigned long long)p->session, p->stream, state_names[state]);
}

/* ---- finding ---- */

static size_t slot_of(const struct supervisor *sup, const struct publication *p)
{
    for (size_t i = 0; i < STREAM_MAX; i++) {
        if (sup->publications[i] == p)
            return i;
    }
    return STREAM_MAX;
}

struct publication *publication_by_session(struct supervisor *sup, uint64_t session)
{
    for (size_t i = 0; i < STREAM_MAX; i++) {
        struct publication *p = sup->publications[i];
        if (p && p->session == session)
            return p;
    }
    return NULL;
}

struct publication *publication_by_stream(struct supervisor *sup, const char *stream)
{
    struct publication *found = NULL;
    for (size_t i = 0; i < STREAM_MAX; i++) {
        struct publication *p = sup->publications[i];
        if (p && p->state != PUBLICATION_ENDING && p->state != PUBLICATION_ASKED &&
            !takeover_is_heir(p) && strcmp(p->stream, stream) == 0 &&
            (!found || p->state == PUBLICATION_LIVE))
            found = p;
    }
    return found;
}

struct publication *publication_by_lease(struct supervisor *sup, uint64_t lease_id)
{
    for (size_t i = 0; i < STREAM_MAX; i++) {
        struct publication *p = sup->publications[i];
        if (p && p->state > PUBLICATION_ASKED && p->state != PUBLICATION_ENDING &&
            p->grant.lease_id == lease_id)
            return p;
    }
    return NULL;
}

struct publication *publication_by_url(struct supervisor *sup, const char *url_id)
{
    for (size_t i = 0; i < STREAM_MAX; i++) {
        struct publication *p = sup->publications[i];
        if (p && p->state == PUBLICATION_LIVE && secret_equal(p->url_id, url_id, STREAM_URL_ID_LEN))
            return p;
    }
    return NULL;
}

/* ---- leaving ---- */

static void publication_free(struct publication *p)
{
    struct supervisor *sup = p->sup;
    size_t slot = slot_of(sup, p);
    int deadline_fd = p->deadline.fd;
    if (slot < STREAM_MAX)
        sup->publications[slot] = NULL;
    if (p->ingest)
        p->ingest->owner = NULL;
    loop_timer_cancel(&sup->loop, &p->wait_timer);
    loop_remove(&sup->loop, &p->deadline);
    fd_close(&deadline_fd);
    fd_close(&p->ring_fd);
    fd_close(&p->wakeup_fd);
    free(p->offer);
    secret_wipe(p, sizeof(*p));
    free(p);
}

static void answer_web(struct publication *p, uint16_t status, uint16_t retry_after_s,
                       const char *reason, const uint8_t *sdp, size_t sdp_len)
{
    struct msg_publish_result m = {
        .request = p->web_request, .status = status, .retry_after_s = retry_after_s};
    if (!p->web)
        return;
    snprintf(m.reason, sizeof(m.reason), "%s", reason);
    m.guessing = intake_is_guessing(&p->grant);
    if (status == 201) {
        memcpy(m.url_id, p->url_id, sizeof(m.url_id));
        memcpy(m.etag, p->etag, sizeof(m.etag));
        m.turn = p->turn;
    }
    (void)process_send(p->web, MSG_PUBLISH_RESULT, &m, sdp, sdp_len, NULL);
    secret_wipe(&m.turn, sizeof(m.turn));
    secret_wipe(&p->turn, sizeof(p->turn));
    p->web = NULL;
}

static void release_lease(struct publication *p)
{
    struct msg_lease_release m = {.lease_id = p->grant.lease_id,
                                  .used_us = clock_now_us() - p->started_us};
    if (p->grant.lease_id)
        (void)process_send(process_find(p->sup, PROCESS_AUTH), MSG_LEASE_RELEASE, &m, NULL, 0,
                           NULL);
    p->grant.lease_id = 0;
}

/* Before LIVE: nothing of it remains (WHIP-03). */
static void refuse(struct publication *p, uint16_t status, uint16_t retry_after_s,
                   const char *reason)
{
    log_event(LOG_INFO, "refused", "stream=%s status=%u", p->stream, status);
    answer_web(p, status, retry_after_s, reason, NULL, 0);
    release_lease(p);
    if (p->ingest) {
        p->ingest->owner = NULL;
        process_end(p->ingest);
        process_kill(p->ingest); /* it has seen hostile bytes: never back into the pool */
        p->ingest = NULL;
    }
    publication_free(p);
}

static void start_playback(struct publication *p)
{
    int rc = playback_begin(p->sup, p->stream, p->session, p->renditions, launch_bitrate_bps(p));
    if (rc)
        log_event(LOG_ERROR, "playback_failed", "stream=%s error=%d", p->stream, -rc);
}

/* The place of this session is free. Viewers go on in the same playlist if it may be continued. */
static void hand_on(struct supervisor *sup, uint64_t session)
{
    struct publication *next = takeover_successor(sup, session);
    if (!next)
        return;
    next->replaces = 0;
    if (next->state != PUBLICATION_LIVE)
        return;
    loop_timer_cancel(&sup->loop, &next->wait_timer);
    start_playback(next);
}

void publication_end(struct publication *p, enum end_reason reason)
{
    struct supervisor *sup = p->sup;
    struct msg_end end = {.session = p->session, .reason = reason};
    struct msg_number session = {.number = p->session};
    if (p->state == PUBLICATION_ENDING)
        return;
    if (p->state != PUBLICATION_LIVE) {
        bool ours = reason == END_REVOKED || reason == END_KICKED || reason == END_LIMIT;
        refuse(p, ours ? 403 : 503, ours ? 0 : 1, end_reason_text(reason));
        return;
    }
    p->reason = reason;
    p->replaces = 0;
    loop_timer_cancel(&sup->loop, &p->wait_timer);
    log_event(LOG_INFO, "end", "session=%llu stream=%s token=%s reason=%s at_us=%llu",
              (unsigned long long)p->session, p->stream, p->grant.token_id, end_reason_name(reason),
              (unsigned long long)clock_now_us());
    (void)process_send(p->ingest, MSG_END, &end, NULL, 0, NULL);
    (void)process_send(process_find(sup, PROCESS_EDGE), MSG_FORGET, &session, NULL, 0, NULL);
    release_lease(p);
    session_url_ended(sup, p, reason);
    fragment_drop(p);
    playback_finish(sup, p->stream, p->session, reason);
    enter(p, PUBLICATION_ENDING);
    hand_on(sup, p->session);
    if (p->ingest)
        process_end(p->ingest);
    else
        publication_free(p);
}

/* stream NULL: of all. Who waits for another's place goes first: it must not get it. */
static size_t end_each(struct supervisor *sup, const char *stream, enum end_reason reason,
                       bool waiting)
{
    size_t count = 0;
    for (size_t i = 0; i < STREAM_MAX; i++) {
        struct publication *p = sup->publications[i];
        bool waits = p && (p->state < PUBLICATION_LIVE || p->replaces != 0);
        if (!p || p->state == PUBLICATION_ENDING || waits != waiting ||
            (stream && strcmp(p->stream, stream) != 0))
            continue;
        publication_end(p, reason);
        count++;
    }
    return count;
}

void publication_end_all(struct supervisor *sup, enum end_reason reason)
{
    (void)end_each(sup, NULL, reason, true);
    (void)end_each(sup, NULL, reason, false);
}

size_t publication_end_stream(struct supervisor *sup, const char *stream, enum end_reason reason)
{
    size_t waiting = end_each(sup, stream, reason, true);
    return waiting + end_each(sup, stream, reason, false);
}

/* ---- coming ---- */

static void turn_away(struct process *web, uint64_t request, const struct intake_refusal *why)
{
    struct msg_publish_result m = {
        .request = request, .status = why->status, .retry_after_s = why->retry_after_s};
    snprintf(m.reason, sizeof(m.reason), "%s", why->reason);
    (void)process_send(web, MSG_PUBLISH_RESULT, &m, NULL, 0, NULL);
}

static void refuse_by(struct publication *p, const struct intake_refusal *why)
{
    refuse(p, why->status, why->retry_after_s, why->reason);
}

static void on_wait_over(void *ctx)
{
    struct publication *p = ctx;
    refuse(p, 503, 2, "The gateway is too busy to start a stream now.");
}

static struct publication *publication_new(struct supervisor *sup, const struct msg_publish *m,
                                           const uint8_t *offer, size_t offer_len)
{
    size_t slot = slot_of(sup, NULL);
    struct publication *p = slot < STREAM_MAX ? calloc(1, sizeof(*p)) : NULL;
    uint8_t *copy = p ? malloc(offer_len + 1) : NULL;
    if (!p || !copy) {
        free(p);
        return NULL;
    }
    memcpy(copy, offer, offer_len);
    p->sup = sup;
    p->offer = copy;
    p->offer_len = offer_len;
    p->ring_fd = p->wakeup_fd = p->deadline.fd = -1;
    p->session = ++sup->next_number;
    p->peer = m->peer;
    p->started_us = clock_now_us();
    p->end_at_boottime_us = UINT64_MAX;
    memcpy(p->stream, m->stream, sizeof(p->stream));
    sup->publications[slot] = p;
    return p;
}

/* The token goes to auth before anything else is done with the request (W1). */
void publication_request(struct supervisor *sup, struct process *web, const struct msg_publish *m,
                         const uint8_t *offer, size_t offer_len)
{
    struct msg_lease_ask ask = {.purpose = LEASE_PUBLISH, .peer = m->peer};
    static const struct intake_refusal full = {503, 5,
                                               "The gateway carries as many streams as it may."};
    const struct intake_refusal *why = intake_check_post(sup, &m->peer);
    struct publication *p = why ? NULL : publication_new(sup, m, offer, offer_len);
    if (!p) {
        turn_away(web, m->request, why ? why : &full);
        return;
    }
    p->web = web;
    p->web_request = m->request;
    ask.request = p->session;
    memcpy(ask.stream, m->stream, sizeof(ask.stream));
    memcpy(ask.token, m->token, sizeof(ask.token));
    enter(p, PUBLICATION_ASKED);
    loop_timer_set(&sup->loop, &p->wait_timer, p->started_us + PUBLICATION_WAIT_US, on_wait_over,
                   p);
    int rc = process_send(process_find(sup, PROCESS_AUTH), MSG_LEASE_ASK, &ask, NULL, 0, NULL);
    secret_wipe(&ask, sizeof(ask));
    if (rc)
        refuse(p, 503, 1, "The token service is restarting.");
}

/* Gives the publication to a warm worker, if there is one. */
static void start_ingest(struct publication *p)
{
    p->ingest = process_take(p->sup, PROCESS_INGEST, p);
    if (!p->ingest)
        return;
    int rc = launch_make_ring(p);
    if (rc) {
        log_event(LOG_ERROR, "ring_failed", "session=%llu error=%d", (unsigned long long)p->session,
                  -rc);
        refuse(p, 503, 5, "The gateway is out of memory or descriptors.");
        return;
    }
    enter(p, PUBLICATION_OFFERED);
    rc = launch_send(p);
    if (rc)
        refuse(p, 503, 1, "The worker for this stream could not be started.");
}

void publication_on_worker(struct supervisor *sup)
{
    struct publication *oldest = NULL;
    for (size_t i = 0; i < STREAM_MAX; i++) {
        struct publication *p = sup->publications[i];
        if (p && p->state == PUBLICATION_WAITING && (!oldest || p->session < oldest->session))
            oldest = p;
    }
    if (oldest)
        start_ingest(oldest);
}

/* NULL: it may go on; p->replaces is set when that takes the stream over. */
static const struct intake_refusal *judge(struct publication *p)
{
    static const struct intake_refusal taken = {409, 0, "This stream is already being published."};
    static const struct intake_refusal own = {
        409, 2, "This token is already publishing this stream; without media it gives way in 2 s."};
    const struct intake_refusal *why = intake_check_grant(p, &p->grant);
    if (why)
        return why;
    struct publication *heir = takeover_stale_heir(p, clock_now_us());
    if (heir)
        publication_end(heir, END_REPLACED);
    enum takeover verdict = takeover_judge(p, clock_now_us(), &p->replaces);
    p->replaces_stale = verdict == TAKEOVER_STALE;
    switch (verdict) {
    case TAKEOVER_REFUSED:
        return &taken;
    case TAKEOVER_REFUSED_OWN:
        return &own;
    default:
        return intake_check_room(p);
    }
}

void publication_on_grant(struct supervisor *sup, const struct msg_lease_grant *m)
{
    struct publication *p = publication_by_session(sup, m->request);
    if (!p || p->state != PUBLICATION_ASKED) {
        struct msg_lease_release back = {.lease_id = m->grant.lease_id};
        if (m->grant.lease_id) /* the asker has gone meanwhile */
            (void)process_send(process_find(sup, PROCESS_AUTH), MSG_LEASE_RELEASE, &back, NULL, 0,
                               NULL);
        return;
    }
    p->grant = m->grant;
    p->turn = m->turn;
    const struct intake_refusal *why = judge(p);
    if (why) {
        refuse_by(p, why);
        return;
    }
    int rc = deadline_arm(p);
    if (rc) {
        refuse(p, 503, 5, "The gateway is out of descriptors.");
        return;
    }
    enter(p, PUBLICATION_WAITING);
    start_ingest(p);
}

/* ---- living ---- */

void publication_on_mapped(struct publication *p)
{
    int rc = ring_seal(p->ring_fd);
    if (rc) {
        log_event(LOG_ERROR, "seal_failed", "session=%llu error=%d", (unsigned long long)p->session,
                  -rc);
        publication_end(p, END_BROKEN);
        return;
    }
    p->mapped = true;
}

static void tell_edge(struct publication *p, const char *ufrag, const char *pwd)
{
    struct msg_expect m = {.session = p->session};
    memcpy(m.ufrag, ufrag, sizeof(m.ufrag));
    memcpy(m.pwd, pwd, sizeof(m.pwd));
    (void)process_send(process_find(p->sup, PROCESS_EDGE), MSG_EXPECT, &m, NULL, 0, NULL);
    secret_wipe(&m, sizeof(m));
}

static void new_etag(struct publication *p)
{
    uint8_t random[STREAM_ETAG_LEN / 2];
    secret_random(random, sizeof(random));
    text_hex(random, sizeof(random), p->etag);
}

void publication_restart(struct publication *p, const char *ufrag, const char *pwd)
{
    memcpy(p->old_ufrag, p->ufrag, sizeof(p->old_ufrag));
    memcpy(p->old_pwd, p->pwd, sizeof(p->old_pwd));
    memcpy(p->ufrag, ufrag, sizeof(p->ufrag));
    memcpy(p->pwd, pwd, sizeof(p->pwd));
    p->restarted_us = clock_now_us();
    new_etag(p);
    tell_edge(p, p->ufrag, p->pwd);
    log_event(LOG_INFO, "ice_restart", "session=%llu stream=%s", (unsigned long long)p->session,
              p->stream);
}

static void take_over(struct publication *p)
{
    struct publication *old = publication_by_session(p->sup, p->replaces);
    if (old)
        publication_end(old, END_REPLACED);
}

static void on_heir_over(void *ctx)
{
    publication_end(ctx, END_NOT_STARTED);
}

/* Only now: a bad offer has cut nobody. Nor does one that will never connect, unless there is
 * nothing to cut. */
static void settle(struct publication *p)
{
    if (p->replaces == 0)
        start_playback(p);
    else if (p->replaces_stale)
        take_over(p);
    else
        loop_timer_set(&p->sup->loop, &p->wait_timer, p->accepted_us + PUBLICATION_HEIR_US,
                       on_heir_over, p);
}

void publication_on_answer(struct publication *p, const struct msg_answer *m, const uint8_t *answer,
                           size_t answer_len)
{
    uint8_t random[STREAM_URL_ID_LEN / 2];
    if (p->state != PUBLICATION_OFFERED)
        return;
    if (m->status != 201 || !p->mapped) {
        bool sane = m->status >= 400 && m->status < 600;
        refuse(p, sane ? m->status : 500, m->status == 503 ? 2 : 0,
               sane ? m->reason : "The worker did not answer.");
        return;
    }
    loop_timer_cancel(&p->sup->loop, &p->wait_timer);
    secret_random(random, sizeof(random));
    text_hex(random, sizeof(random), p->url_id);
    new_etag(p);
    p->renditions = m->renditions;
    memcpy(p->ufrag, m->ufrag, sizeof(p->ufrag));
    memcpy(p->pwd, m->pwd, sizeof(p->pwd));
    free(p->offer);
    p->offer = NULL;
    p->offer_len = 0;
    p->accepted_us = clock_now_us();
    enter(p, PUBLICATION_LIVE);
    tell_edge(p, p->ufrag, p->pwd); /* before the client can send its first check */
    log_event(LOG_INFO, "accepted", "session=%llu stream=%s token=%s after_ms=%llu",
              (unsigned long long)p->session, p->stream, p->grant.token_id,
              (unsigned long long)((clock_now_us() - p->started_us) / 1000));
    answer_web(p, 201, 0, "", answer, answer_len);
    settle(p);
}

void publication_on_state(struct publication *p, const struct msg_ingest_state *m)
{
    if (m->state < p->next_ingest_state) /* said before: nothing new, and not a line in the log */
        return;
    p->next_ingest_state = m->state + 1;
    log_event(LOG_INFO, "ingest_state", "session=%llu stream=%s state=%u reason=%s after_ms=%llu",
              (unsigned long long)p->session, p->stream, m->state, end_reason_name(m->reason),
              (unsigned long long)((clock_now_us() - p->started_us) / 1000));
    if (m->state == INGEST_KEYED) {
        p->keyed = true;
        p->keyed_us = clock_now_us();
        if (takeover_is_heir(p))
            take_over(p);
    }
    if (m->state == INGEST_ENDED)
        publication_end(p, m->reason);
}

void publication_on_ingest_exit(struct publication *p)
{
    bool over = p->state == PUBLICATION_ENDING;
    p->ingest->owner = NULL;
    p->ingest = NULL;
    if (over)
        publication_free(p);
    else if (p->state == PUBLICATION_LIVE)
        publication_end(p, END_CRASHED);
    else
        refuse(p, 503, 1, "The worker for this stream failed: try again.");
}

void publication_on_web_exit(struct supervisor *sup, const struct process *web)
{
    for (size_t i = 0; i < STREAM_MAX; i++) {
        struct publication *p = sup->publications[i];
        if (!p || p->web != web)
            continue;
        p->web = NULL;
        refuse(p, 503, 1, ""); /* its publisher never heard of it */
    }
}

void publication_on_auth_exit(struct supervisor *sup)
{
    for (size_t i = 0; i < STREAM_MAX; i++) {
        struct publication *p = sup->publications[i];
        if (p && p->state == PUBLICATION_ASKED)
            refuse(p, 503, 1, "The token service is restarting.");
    }
}

/* A publisher that is still moving to its new pair may go on with the old one. Two pairs of each
 * session fit into edge's queue for certain, and as many paths as are left: a path that is not told
 * is found by its next check. */
void publication_tell_edge(struct supervisor *sup)
{
    size_t room = CHAN_QUEUE_MESSAGES - 2 * STREAM_MAX;
    for (size_t i = 0; i < STREAM_MAX; i++) {
        struct publication *p = sup->publications[i];
        if (!p || p->state != PUBLICATION_LIVE)
            continue;
        if (p->restarted_us != 0 && clock_now_us() - p->restarted_us < PUBLICATION_OLD_PAIR_US)
            tell_edge(p, p->old_ufrag, p->old_pwd);
        tell_edge(p, p->ufrag, p->pwd);
        room -= flows_tell(&p->flows, process_find(sup, PROCESS_EDGE), room);
    }
}

void publication_tell_auth(struct supervisor *sup)
{
    for (size_t i = 0; i < STREAM_MAX; i++) {
        const struct publication *p = sup->publications[i];
        struct msg_lease_live m = {0};
        if (!p || p->state == PUBLICATION_ASKED || p->state == PUBLICATION_ENDING)
            continue;
        m.lease_id = p->grant.lease_id;
        memcpy(m.token_id, p->grant.token_id, sizeof(m.token_id));
        memcpy(m.stream, p->stream, sizeof(m.stream));
        (void)process_send(process_find(sup, PROCESS_AUTH), MSG_LEASE_LIVE, &m, NULL, 0, NULL);
    }
}
