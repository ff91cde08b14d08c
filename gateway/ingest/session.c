/* The state machine of one published session: its life, its machine and its timers. */
#include "gateway/ingest/session.h"

#include "gateway/ingest/session_state.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/secret.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- the machine ---- */

static void report(struct session *s, enum ingest_state state, enum end_reason reason)
{
    struct msg_ingest_state message = {.session = s->bind.session,
                                       .last_packet_us = s->last_packet_us,
                                       .state = state,
                                       .reason = reason};
    s->io.report(s->ctx, &message);
}

void session_wipe(struct session *s)
{
    srtp_free(s->srtp);
    s->srtp = NULL;
    dtls_free(s->dtls);
    s->dtls = NULL;
    media_free(s->media);
    s->media = NULL;
    if (s->answer)
        secret_wipe(s->answer, sizeof(*s->answer));
    free(s->answer);
    s->answer = NULL;
    icestate_done(&s->ice);
}

/* Survives the media: what the last report tells. */
static void log_media(struct session *s)
{
    if (!s->media)
        return;
    media_count(s->media);
    const struct stats *stats = &s->media->stats;
    const struct stats_track *video = &stats->tracks[TRACK_VIDEO];
    const struct stats_track *audio = &stats->tracks[TRACK_AUDIO];
    s->last_packet_us = stats->last_packet_us;
    log_event(LOG_INFO, "media",
              "session=%" PRIu64 " video_frames=%" PRIu64 " video_lost=%" PRIu64
              " video_recovered=%" PRIu64 " plis=%" PRIu64 " audio_frames=%" PRIu64
              " audio_lost=%" PRIu64,
              s->bind.session, video->frames, video->lost,
              video->recovered_rtx + video->recovered_same, video->plis, audio->frames,
              audio->lost);
}

static void enter_ended(struct session *s, enum end_reason reason)
{
    log_media(s);
    if (s->dtls)
        dtls_close(s->dtls); /* close_notify, when there are keys (SEC-15) */
    session_wipe(s);
    log_event(LOG_INFO, "ended",
              "session=%" PRIu64 " reason=%s last_packet_us=%" PRIu64 " bad_srtp=%" PRIu64
              " replayed=%" PRIu64 " over_limit=%" PRIu64 " malformed=%" PRIu64
              " unexpected=%" PRIu64 " dropped=%" PRIu64,
              s->bind.session, end_reason_name(reason), s->last_packet_us, s->bad_srtp, s->replayed,
              s->over_limit, s->malformed, s->unexpected, s->dropped);
    report(s, INGEST_ENDED, reason);
}

/* The only writer of the state. */
static void enter(struct session *s, enum session_state state, enum end_reason reason)
{
    s->state = state;
    if (state != SESSION_ENDED)
        log_event(LOG_INFO, lifecycle_name(state), "session=%" PRIu64, s->bind.session);
    switch (state) {
    case SESSION_CONNECTED:
        report(s, INGEST_CONNECTED, END_NONE);
        break;
    case SESSION_KEYED:
        report(s, INGEST_KEYED, END_NONE);
        break;
    case SESSION_LIVE:
        report(s, INGEST_LIVE, END_NONE);
        break;
    case SESSION_ENDED:
        enter_ended(s, reason);
        break;
    default:
        break;
    }
}

void session_step(struct session *s, enum session_event event, enum end_reason reason)
{
    int next = lifecycle_next(s->state, event);
    if (next >= 0)
        enter(s, (enum session_state)next, reason);
}

void session_end(struct session *s, enum end_reason reason)
{
    session_step(s, SESSION_END, reason);
}

enum session_state session_state(const struct session *s)
{
    return s->state;
}

/* ---- life ---- */

int session_new(const struct session_config *config, const struct session_io *io, void *ctx,
                struct session **out)
{
    struct session *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->io = *io;
    s->ctx = ctx;
    s->settings = *config->settings;
    s->bind = *config->bind;
    s->cert = config->cert;
    s->ring = config->ring;
    s->wall_offset_us = config->wall_offset_us;
    tuples_init(&s->tuples);
    *out = s;
    return 0;
}

void session_free(struct session *s)
{
    if (!s)
        return;
    session_wipe(s);
    free(s);
}

/* ---- time ---- */

static bool is_keyed(const struct session *s)
{
    return s->state == SESSION_KEYED || s->state == SESSION_LIVE;
}

static void send_feedback(struct session *s, uint64_t now_us)
{
    uint8_t packet[FEEDBACK_PACKET_MAX + SRTP_TRAILER_MAX];
    struct writer w;
    for (unsigned i = 0; i < FEEDBACK_BURST_MAX && s->tuples.selected != TUPLES_NONE; i++) {
        writer_init(&w, packet, FEEDBACK_PACKET_MAX);
        if (!feedback_write(&s->feedback, s->media, now_us, &w))
            return;
        size_t len = w.len;
        if (srtp_encrypt_rtcp(s->srtp, packet, &len, sizeof(packet)) == 0)
            s->io.send(s->ctx, s->tuples.selected, packet, len);
    }
}

static void close_silent_paths(struct session *s, uint64_t now_us)
{
    size_t path = tuples_silent(&s->tuples, now_us);
    for (; path != TUPLES_NONE; path = tuples_silent(&s->tuples, now_us))
        session_return_path(s, path);
    path = tuples_overdue(&s->tuples, now_us);
    for (; path != TUPLES_NONE; path = tuples_overdue(&s->tuples, now_us))
        session_return_path(s, path);
}

static void tick(struct session *s, uint64_t now_us)
{
    s->tick_us = now_us + CLOCK_SECOND_US;
    s->rtcp_this_second = 0;
    s->restarts_this_second = 0;
    s->wants_this_second = 0;
    close_silent_paths(s, now_us);
    if (!is_keyed(s))
        return;
    media_tick(s->media, now_us);
    struct stats stats = s->media->stats;
    stats.bad_srtp = s->bad_srtp;
    stats.replayed = s->replayed;
    stats.client = (uint8_t)s->client;
    stats.over_limit = s->over_limit;
    stats.malformed = s->malformed;
    stats.unexpected = s->unexpected;
    stats.dropped += s->dropped;
    if (s->tuples.selected != TUPLES_NONE)
        stats.family = s->tuples.list[s->tuples.selected].remote.family;
    s->io.stats(s->ctx, s->tuples.selected, &stats);
    if (ceiling_tick(&s->ceiling))
        session_end(s, END_OVER_LIMIT);
}

void session_on_timer(struct session *s, uint64_t now_us)
{
    if (s->state == SESSION_BOUND || s->state == SESSION_ENDED)
        return;
    if (!is_keyed(s) && now_us - s->answered_us >= SESSION_KEYS_US) {
        session_end(s, END_NOT_STARTED);
        return;
    }
    if (now_us - s->alive_us >= SESSION_SILENCE_US) {
        session_end(s, END_SILENT);
        return;
    }
    if (dtls_deadline_us(s->dtls, now_us) <= now_us)
        session_on_dtls(s, dtls_on_timer(s->dtls, now_us), now_us);
    if (s->state == SESSION_ENDED)
        return;
    if (is_keyed(s)) {
        media_on_timer(s->media, now_us);
        send_feedback(s, now_us);
    }
    if (now_us >= s->tick_us)
        tick(s, now_us);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t session_due_us(const struct session *s, uint64_t now_us)
{
    if (s->state == SESSION_BOUND || s->state == SESSION_ENDED)
        return UINT64_MAX;
    uint64_t due_us = sooner(s->tick_us, s->alive_us + SESSION_SILENCE_US);
    due_us = sooner(due_us, dtls_deadline_us(s->dtls, now_us));
    if (!is_keyed(s))
        return sooner(due_us, s->answered_us + SESSION_KEYS_US);
    due_us = sooner(due_us, media_due_us(s->media));
    return sooner(due_us, feedback_due_us(&s->feedback, s->media));
}

void session_want_keyframe(struct session *s)
{
    if (s->media)
        media_want_keyframe(s->media);
}
