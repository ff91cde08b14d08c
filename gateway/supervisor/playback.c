#include "gateway/supervisor/playback.h"

#include "gateway/supervisor/supervisor.h"
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t slot_of(const struct supervisor *sup, const struct playback *pb)
{
    for (size_t i = 0; i < PLAYBACK_MAX; i++) {
        if (sup->playbacks[i] == pb)
            return i;
    }
    return PLAYBACK_MAX;
}

struct playback *playback_by_stream(struct supervisor *sup, const char *stream)
{
    for (size_t i = 0; i < PLAYBACK_MAX; i++) {
        struct playback *pb = sup->playbacks[i];
        if (pb && strcmp(pb->stream, stream) == 0)
            return pb;
    }
    return NULL;
}

/* ---- what web is told ---- */

static void tell_state_to(struct process *web, void *arg)
{
    const struct playback *pb = arg;
    struct msg_stream_state m = {.session = pb->session, .state = pb->state, .reason = pb->reason};
    memcpy(m.stream, pb->stream, sizeof(m.stream));
    (void)process_send(web, MSG_STREAM_STATE, &m, NULL, 0, NULL);
}

/* The only writer of the state. */
static void enter(struct playback *pb, enum stream_state state)
{
    static const char *const names[STREAM_STATE_COUNT] = {"live", "rejoin", "ended", "gone"};
    pb->state = state;
    log_event(LOG_INFO, "stream", "stream=%s state=%s reason=%s", pb->stream, names[state],
              end_reason_name(pb->reason));
    process_each_web(pb->sup, tell_state_to, pb);
}

/* One pair per (worker, web): segments never pass the supervisor. */
static void link_web(struct process *web, struct process *transcode, const struct playback *pb)
{
    struct msg_number consumer = {.number = web->number};
    struct msg_stream_link link = {.session = pb->session};
    int pair[2] = {-1, -1};
    memcpy(link.stream, pb->stream, sizeof(link.stream));
    int rc = chan_pair(pair);
    if (rc == 0)
        rc = process_send(web, MSG_STREAM_LINK, &link, NULL, 0, &pair[0]);
    if (rc == 0)
        rc = process_send(transcode, MSG_CONSUMER, &consumer, NULL, 0, &pair[1]);
    if (rc)
        log_event(LOG_ERROR, "link_failed", "stream=%s error=%d", pb->stream, -rc);
    fd_close_all(pair, 2);
}

static void link_to(struct process *web, void *arg)
{
    const struct playback *pb = arg;
    link_web(web, pb->transcode, pb);
}

void playback_tell_web(struct supervisor *sup, struct process *web)
{
    for (size_t i = 0; i < PLAYBACK_MAX; i++) {
        struct playback *pb = sup->playbacks[i];
        if (!pb)
            continue;
        struct process *source = pb->transcode ? pb->transcode : pb->previous;
        if (source)
            link_web(web, source, pb);
        tell_state_to(web, pb);
    }
}

/* A web process that has been broken into gets no more links by its own wishes, and takes none from
 * the others. */
static bool may_relink(struct playback *pb, uint64_t web, uint64_t now_us)
{
    struct playback_relink *entry = &pb->relinked[0];
    for (size_t i = 0; i < PLAYBACK_WEBS_MAX; i++) {
        struct playback_relink *e = &pb->relinked[i];
        if (e->web == web) {
            entry = e;
            break;
        }
        if (e->at_us < entry->at_us)
            entry = e;
    }
    if (entry->web == web && now_us < entry->at_us + PLAYBACK_RELINK_US)
        return false;
    *entry = (struct playback_relink){.web = web, .at_us = now_us};
    return true;
}

void playback_relink(struct supervisor *sup, struct process *web,
                     const struct msg_stream_link *wanted)
{
    struct playback *pb = playback_by_stream(sup, wanted->stream);
    if (!pb || !pb->transcode || pb->session != wanted->session ||
        !may_relink(pb, web->number, clock_now_us()))
        return;
    link_web(web, pb->transcode, pb);
}

/* ---- workers ---- */

static void retire(struct process **worker)
{
    if (!*worker)
        return;
    (*worker)->owner = NULL;
    process_end(*worker);
    chan_free((*worker)->chan); /* the end of its channel is its order to go */
    (*worker)->chan = NULL;
    *worker = NULL;
}

/* Where the numbers of a new worker begin (design.md 2a). */
static void number(struct playback *pb, struct msg_transcode_bind *bind)
{
    uint64_t seconds = clock_wall_us() / CLOCK_SECOND_US;
    if (pb->continues) {
        bind->next_msn = pb->msn + 1;
        bind->next_discontinuity = pb->discontinuity + 1;
    } else {
        bind->next_msn = pb->numbered && pb->msn + 1 > seconds ? pb->msn + 1 : seconds;
        bind->next_discontinuity = 0;
    }
    bind->continues = pb->continues;
    pb->next_msn = bind->next_msn;
    pb->next_discontinuity = bind->next_discontinuity;
}

static void start_worker(struct playback *pb)
{
    struct supervisor *sup = pb->sup;
    struct publication *pub = publication_by_session(sup, pb->session);
    struct msg_transcode_bind bind = {.session = pb->session,
                                      .max_bitrate_bps = pb->max_bitrate_bps,
                                      .renditions = pb->renditions};
    if (!pub || !pb->wanted)
        return;
    pb->transcode = process_take(sup, PROCESS_TRANSCODE, pb);
    if (!pb->transcode)
        return;
    pb->wanted = false;
    number(pb, &bind);
    secret_random(&bind.epoch, sizeof(bind.epoch));
    memcpy(bind.stream, pb->stream, sizeof(bind.stream));
    int fds[2] = {pub->ring_fd, pub->wakeup_fd};
    if (process_send(pb->transcode, MSG_TRANSCODE_BIND, &bind, NULL, 0, fds) == 0)
        process_each_web(sup, link_to, pb);
}

/* ---- handing over: a successor may only be numbered when the old worker's last segment is known
 * (it may open one more for what ingest wrote last) ---- */

static void stop_draining(struct playback *pb)
{
    loop_timer_cancel(&pb->sup->loop, &pb->drain);
    pb->drain_ping = 0;
}

static void hand_over(void *ctx)
{
    struct playback *pb = ctx;
    stop_draining(pb);
    if (pb->transcode) {
        retire(&pb->previous);
        pb->previous = pb->transcode;
        pb->transcode = NULL;
    }
    start_worker(pb);
}

static void start_draining(struct playback *pb)
{
    if (pb->drain_ping != 0)
        return;
    pb->drain_ping = process_ping(pb->transcode);
    loop_timer_set(&pb->sup->loop, &pb->drain, clock_now_us() + PLAYBACK_DRAIN_US, hand_over, pb);
}

void playback_on_pong(struct playback *pb, struct process *from)
{
    if (pb->drain_ping != 0 && from == pb->transcode && from->ping_seen >= pb->drain_ping)
        hand_over(pb);
}

void playback_on_worker(struct supervisor *sup)
{
    for (size_t i = 0; i < PLAYBACK_MAX; i++) {
        if (sup->playbacks[i] && sup->playbacks[i]->wanted && sup->playbacks[i]->drain_ping == 0) {
            start_worker(sup->playbacks[i]);
            return;
        }
    }
}

static void playback_free(struct playback *pb)
{
    size_t slot = slot_of(pb->sup, pb);
    loop_timer_cancel(&pb->sup->loop, &pb->timer);
    stop_draining(pb);
    retire(&pb->transcode);
    retire(&pb->previous);
    if (slot < PLAYBACK_MAX)
        pb->sup->playbacks[slot] = NULL;
    free(pb);
}

void playback_free_all(struct supervisor *sup)
{
    for (size_t i = 0; i < PLAYBACK_MAX; i++) {
        if (sup->playbacks[i])
            playback_free(sup->playbacks[i]);
    }
}

static void on_linger_over(void *ctx)
{
    struct playback *pb = ctx;
    enter(pb, STREAM_GONE);
    playback_free(pb);
}

/* Ended playlists linger only as long as they do not outnumber what may be live: each keeps a
 * worker. */
static void make_room(struct supervisor *sup)
{
    struct playback *oldest = NULL;
    size_t ended = 0;
    for (size_t i = 0; i < PLAYBACK_MAX; i++) {
        struct playback *pb = sup->playbacks[i];
        if (!pb || pb->state != STREAM_ENDED)
            continue;
        ended++;
        if (!oldest || pb->timer.due_us < oldest->timer.due_us)
            oldest = pb;
    }
    if (oldest && ended >= sup->conf.max_streams)
        on_linger_over(oldest);
}

static struct playback *playback_new(struct supervisor *sup, const char *stream)
{
    make_room(sup);
    size_t slot = slot_of(sup, NULL);
    struct playback *pb = slot < PLAYBACK_MAX ? calloc(1, sizeof(*pb)) : NULL;
    if (!pb)
        return NULL;
    pb->sup = sup;
    (void)text_copy(pb->stream, sizeof(pb->stream), slice_of(stream));
    pb->state = STREAM_ENDED;
    sup->playbacks[slot] = pb;
    return pb;
}

int playback_begin(struct supervisor *sup, const char *stream, uint64_t session,
                   uint32_t renditions, uint64_t max_bitrate_bps)
{
    struct playback *pb = playback_by_stream(sup, stream);
    if (!pb)
        pb = playback_new(sup, stream);
    if (!pb)
        return -ENOSPC;
    loop_timer_cancel(&sup->loop, &pb->timer);
    pb->continues = pb->state == STREAM_REJOIN && pb->numbered;
    pb->session = session;
    pb->reason = END_NONE;
    pb->renditions = renditions;
    pb->max_bitrate_bps = max_bitrate_bps;
    pb->crashes = 0;
    pb->wanted = true;
    enter(pb, STREAM_LIVE);
    if (pb->transcode && pb->continues)
        start_draining(pb);
    else
        hand_over(pb);
    return 0;
}

/* ---- the time after the publisher ---- */

static void end_playlist(struct playback *pb)
{
    enter(pb, STREAM_ENDED);
    loop_timer_set(&pb->sup->loop, &pb->timer,
                   clock_now_us() + (uint64_t)pb->sup->conf.ended_linger_s * CLOCK_SECOND_US,
                   on_linger_over, pb);
}

static void on_rejoin_over(void *ctx)
{
    end_playlist(ctx);
}

void playback_finish(struct supervisor *sup, const char *stream, uint64_t session,
                     enum end_reason reason)
{
    struct playback *pb = playback_by_stream(sup, stream);
    struct msg_end end = {.session = session, .reason = reason};
    if (!pb || pb->session != session)
        return;
    pb->session = 0;
    pb->last_session = session;
    pb->reason = reason;
    pb->wanted = false;
    if (pb->drain_ping == 0) /* else it is the last session's, and has been told */
        (void)process_send(pb->transcode, MSG_END, &end, NULL, 0, NULL);
    stop_draining(pb);
    if (!pb->numbered) { /* nobody has seen anything of it */
        on_linger_over(pb);
        return;
    }
    /* Without a segment of its own there is only the playlist before it, which has ended. */
    if (!pb->continues || end_reason_is_final(reason) ||
        (sup->conf.rejoin_window_s == 0 && reason != END_REPLACED)) {
        end_playlist(pb);
        return;
    }
    enter(pb, STREAM_REJOIN);
    loop_timer_set(&sup->loop, &pb->timer,
                   clock_now_us() + (uint64_t)sup->conf.rejoin_window_s * CLOCK_SECOND_US,
                   on_rejoin_over, pb);
}

bool playback_leave(struct supervisor *sup, uint64_t session)
{
    for (size_t i = 0; i < PLAYBACK_MAX; i++) {
        struct playback *pb = sup->playbacks[i];
        if (pb && pb->state == STREAM_REJOIN && pb->last_session == session) {
            pb->reason = END_DELETED;
            end_playlist(pb);
            return true;
        }
    }
    return false;
}

/* ---- what workers tell ---- */

int playback_on_segment(struct playback *pb, struct process *from,
                        const struct msg_segment_opened *m)
{
    if (from != pb->transcode || (pb->numbered && pb->continues && m->msn <= pb->msn))
        return 0;
    if (m->msn > pb->next_msn + PLAYBACK_STEP_MAX ||
        m->discontinuity_sequence > pb->next_discontinuity + PLAYBACK_STEP_MAX)
        return -EPROTO;
    pb->next_msn = m->msn + 1;
    pb->next_discontinuity = m->discontinuity_sequence + 1;
    pb->numbered = true;
    pb->continues = true; /* whoever comes next goes on from here */
    pb->msn = m->msn;
    pb->discontinuity = m->discontinuity_sequence;
    return 0;
}

void playback_on_playable(struct playback *pb, struct process *from)
{
    const struct publication *pub = publication_by_session(pb->sup, pb->session);
    if (from != pb->transcode || pb->drain_ping != 0)
        return;
    if (pub)
        log_event(LOG_INFO, "playable", "session=%llu stream=%s after_ms=%llu",
                  (unsigned long long)pb->session, pb->stream,
                  (unsigned long long)((clock_now_us() - pub->started_us) / 1000));
    retire(&pb->previous);
}

void playback_on_refused(struct playback *pb, const struct process *from, uint64_t session)
{
    struct publication *pub = publication_by_session(pb->sup, pb->session);
    if (from != pb->transcode || pb->drain_ping != 0) /* the last session's has no say in this */
        return;
    if (session == pb->session && pub)
        publication_end(pub, END_BROKEN);
}

/* kill -9 of a worker: a successor reads the same ring (design.md 2a). */
void playback_on_transcode_exit(struct playback *pb, struct process *p, bool expected)
{
    uint64_t now = clock_now_us();
    struct publication *pub = publication_by_session(pb->sup, pb->session);
    if (p == pb->previous)
        pb->previous = NULL;
    if (p != pb->transcode)
        return;
    pb->transcode = NULL;
    if (pb->drain_ping != 0) { /* the last session's: it has said all it will */
        hand_over(pb);
        return;
    }
    if (expected || !pub)
        return;
    if (now - pb->crashes_since_us > PLAYBACK_CRASHES_US) {
        pb->crashes_since_us = now;
        pb->crashes = 0;
    }
    if (++pb->crashes >= PLAYBACK_CRASHES_MAX) {
        publication_end(pub, END_BROKEN);
        return;
    }
    pb->wanted = true; /* it continues what has been seen of this playlist, if anything has */
    start_worker(pb);
}
