/* The state machine of one published session. */
#include "gateway/ingest/session.h"

#include "gateway/ingest/ceiling.h"
#include "gateway/ingest/client.h"
#include "gateway/ingest/feedback.h"
#include "gateway/ingest/media.h"
#include "gateway/ingest/tuples.h"
#include "gateway/rtc/answer.h"
#include "gateway/rtc/demux.h"
#include "gateway/rtc/dtls.h"
#include "gateway/rtc/ice.h"
#include "gateway/rtc/sdp.h"
#include "gateway/rtc/srtp.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/secret.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Invariant: answer exists from OFFERED on, dtls and media too; srtp from KEYED on; none of them in
 * ENDED. */
struct session {
    enum session_state state;
    struct session_io io;
    void *ctx;
    struct settings_ingest settings;
    struct msg_ingest_bind bind;
    const struct cert *cert;
    struct ring_writer *ring;
    int64_t wall_offset_us;
    struct answer *answer;
    char ufrag[STREAM_UFRAG_LEN + 1];
    char pwd[STREAM_PWD_LEN + 1];
    struct tuples tuples;
    struct dtls *dtls;
    struct srtp *srtp;
    struct media *media;
    struct feedback feedback;
    struct ceiling ceiling;
    uint64_t answered_us;
    uint64_t alive_us;
    uint64_t tick_us;
    uint64_t last_packet_us; /* survives the media for the last report */
    unsigned rtcp_this_second;
    uint64_t bad_srtp;
    enum stats_client client;
    uint64_t replayed;
    uint64_t over_limit;
    uint64_t dropped;
};

/* ---- the machine ---- */

static void report(struct session *s, enum ingest_state state, enum end_reason reason)
{
    struct msg_ingest_state message = {.session = s->bind.session,
                                       .last_packet_us = s->last_packet_us,
                                       .state = state,
                                       .reason = reason};
    s->io.report(s->ctx, &message);
}

static void wipe(struct session *s)
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
    secret_wipe(s->ufrag, sizeof(s->ufrag));
    secret_wipe(s->pwd, sizeof(s->pwd));
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
    wipe(s);
    log_event(LOG_INFO, "ended",
              "session=%" PRIu64 " reason=%s last_packet_us=%" PRIu64 " bad_srtp=%" PRIu64
              " replayed=%" PRIu64 " over_limit=%" PRIu64 " dropped=%" PRIu64,
              s->bind.session, end_reason_name(reason), s->last_packet_us, s->bad_srtp, s->replayed,
              s->over_limit, s->dropped);
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

static void step(struct session *s, enum session_event event, enum end_reason reason)
{
    int next = lifecycle_next(s->state, event);
    if (next >= 0)
        enter(s, (enum session_state)next, reason);
}

void session_end(struct session *s, enum end_reason reason)
{
    step(s, SESSION_END, reason);
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
    wipe(s);
    free(s);
}

/* ---- offer and answer ---- */

static void on_dtls_send(void *ctx, const uint8_t *data, size_t len)
{
    struct session *s = ctx;
    if (s->tuples.selected != TUPLES_NONE)
        s->io.send(s->ctx, s->tuples.selected, data, len);
}

static uint32_t max_bitrate_kbps(const struct session *s)
{
    uint64_t kbps = s->bind.max_bitrate_bps / 1000;
    return kbps > UINT32_MAX ? UINT32_MAX : (uint32_t)kbps;
}

static int make_answer(struct session *s, struct slice offer, const char **out_reason)
{
    int rc = -ENOMEM;
    struct sdp *sdp = calloc(1, sizeof(*sdp));
    s->answer = calloc(1, sizeof(*s->answer));
    if (!sdp || !s->answer)
        goto out;
    rc = sdp_parse(offer, sdp, out_reason);
    if (rc < 0)
        goto out;
    secret_random_text(s->ufrag, STREAM_UFRAG_LEN);
    secret_random_text(s->pwd, STREAM_PWD_LEN);
    struct answer_local local = {.ufrag = s->ufrag,
                                 .pwd = s->pwd,
                                 .addresses = s->bind.candidates,
                                 .address_count = s->bind.candidate_count,
                                 .tcp_addresses = s->bind.tcp,
                                 .tcp_count = s->bind.tcp_count,
                                 .start_bitrate_kbps = s->settings.start_bitrate_kbps,
                                 .max_bitrate_kbps = max_bitrate_kbps(s),
                                 .transport_cc = true,
                                 .simulcast = true};
    cert_fingerprint(s->cert, &local.fingerprint);
    secret_random(&local.session_id, sizeof(local.session_id));
    local.session_id >>= 1;
    rc = answer_make(sdp, &local, s->answer, out_reason);
out:
    free(sdp);
    return rc;
}

static int prepare(struct session *s)
{
    const struct answer *answer = s->answer;
    struct media_limits limits = {.max_width = s->bind.max_width,
                                  .max_height = s->bind.max_height,
                                  .jitter_deadline_us = s->settings.jitter_deadline_us};
    int rc = dtls_new(s->cert, answer->fingerprints, answer->fingerprint_count, on_dtls_send, s,
                      &s->dtls);
    if (rc < 0)
        return rc;
    rc = media_new(answer, &limits, s->ring, s->wall_offset_us, &s->media);
    if (rc < 0)
        return rc;
    uint32_t ssrc;
    char cname[FEEDBACK_CNAME_LEN + 1];
    secret_random(&ssrc, sizeof(ssrc));
    secret_random_text(cname, FEEDBACK_CNAME_LEN);
    feedback_init(&s->feedback, answer, s->bind.max_bitrate_bps, ssrc, cname);
    return 0;
}

static void fill_answer(struct session *s, struct msg_answer *out, char *text, size_t *out_len)
{
    memcpy(text, s->answer->text, s->answer->text_len);
    *out_len = s->answer->text_len;
    out->status = 201;
    memcpy(out->ufrag, s->ufrag, sizeof(s->ufrag));
    memcpy(out->pwd, s->pwd, sizeof(s->pwd));
    if (s->answer->tracks[TRACK_VIDEO].codec != CODEC_NONE)
        out->renditions |= 1u << TRACK_VIDEO;
    if (s->answer->tracks[TRACK_AUDIO].codec != CODEC_NONE)
        out->renditions |= 1u << TRACK_AUDIO;
}

void session_offer(struct session *s, struct slice offer, uint64_t now_us, struct msg_answer *out,
                   char *text, size_t cap, size_t *out_len)
{
    const char *reason = "The gateway could not prepare the session.";
    memset(out, 0, sizeof(*out));
    out->session = s->bind.session;
    *out_len = 0;
    int rc = make_answer(s, offer, &reason);
    if (rc == 0 && s->answer->text_len > cap)
        rc = -EMSGSIZE;
    if (rc == 0)
        rc = prepare(s);
    if (rc < 0) {
        out->status = (uint16_t)sdp_http_status(rc);
        (void)text_copy(out->reason, sizeof(out->reason), slice_of(reason));
        log_event(LOG_INFO, "refused", "session=%" PRIu64 " status=%u reason=\"%s\"",
                  s->bind.session, out->status, reason);
        wipe(s);
        s->state = SESSION_ENDED; /* quietly: the answer has told all */
        return;
    }
    fill_answer(s, out, text, out_len);
    s->client = client_guess(offer);
    s->answered_us = now_us;
    s->alive_us = now_us;
    s->tick_us = now_us + CLOCK_SECOND_US;
    step(s, SESSION_ANSWERED, END_NONE);
}

/* ---- datagrams ---- */

void session_open_path(struct session *s, size_t path, const struct addr *remote, uint64_t now_us)
{
    if (path < STREAM_PATHS_MAX)
        tuples_open(&s->tuples, path, remote, now_us);
}

void session_close_path(struct session *s, size_t path)
{
    if (path < STREAM_PATHS_MAX)
        tuples_close(&s->tuples, path);
}

static void note_alive(struct session *s, size_t path, uint64_t now_us)
{
    s->alive_us = now_us;
    s->tuples.list[path].alive_us = now_us;
}

static void select_path(struct session *s, size_t path, bool nominate)
{
    if (tuples_select(&s->tuples, path, nominate))
        log_event(LOG_DEBUG, "path_selected", "session=%" PRIu64 " path=%zu", s->bind.session,
                  path);
}

/* Paths that are not in use go back to edge (design.md 2a). */
static void close_path(struct session *s, size_t path)
{
    if (path == TUPLES_NONE)
        return;
    tuples_close(&s->tuples, path);
    s->io.close_path(s->ctx, path);
}

static void receive_stun(struct session *s, size_t path, const uint8_t *data, size_t len,
                         uint64_t now_us)
{
    struct ice_credentials credentials = {
        .ufrag = s->ufrag, .pwd = s->pwd, .peer_ufrag = s->answer->peer_ufrag};
    uint8_t reply[ICE_REPLY_MAX];
    size_t reply_len = 0;
    bool use = false;
    enum ice_verdict verdict = ice_answer(data, len, &credentials, &s->tuples.list[path].remote,
                                          reply, sizeof(reply), &reply_len, &use);
    if (verdict == ICE_DROP) {
        s->dropped++;
        return;
    }
    note_alive(s, path, now_us);
    s->io.send(s->ctx, path, reply, reply_len);
    if (verdict != ICE_ACCEPT)
        return;
    s->tuples.list[path].validated = true;
    if (use || s->tuples.selected == TUPLES_NONE)
        select_path(s, path, use);
    close_path(s, tuples_spare(&s->tuples, now_us));
    step(s, SESSION_CHECKED, END_NONE);
}

static void secure(struct session *s, uint64_t now_us)
{
    struct srtp_keys keys;
    int rc = dtls_get_keys(s->dtls, &keys);
    if (rc == 0)
        rc = srtp_new(&keys, &s->srtp);
    secret_wipe(&keys, sizeof(keys));
    if (rc < 0) {
        log_event(LOG_ERROR, "srtp", "session=%" PRIu64 " error=%d", s->bind.session, rc);
        session_end(s, END_REFUSED);
        return;
    }
    step(s, SESSION_SECURED, END_NONE);
    ceiling_init(&s->ceiling, s->feedback.max_bitrate_bps, now_us);
    feedback_start(&s->feedback, now_us);
}

static void on_dtls_event(struct session *s, enum dtls_event event, uint64_t now_us)
{
    switch (event) {
    case DTLS_NONE:
        break;
    case DTLS_KEYED:
        secure(s, now_us);
        break;
    case DTLS_CLOSED:
        session_end(s, END_CLOSED);
        break;
    case DTLS_FAILED:
        log_event(LOG_WARN, "dtls_failed", "session=%" PRIu64 " cause=%s", s->bind.session,
                  dtls_failure_name(dtls_failure(s->dtls)));
        session_end(s, END_REFUSED);
        break;
    }
}

/* A replay is authentic: mostly a repair that came twice (RTP-09), no sign of an attack. */
static void note_srtp_failure(struct session *s, int error)
{
    if (error == -EALREADY)
        s->replayed++;
    else if (error == -EDQUOT)
        s->dropped++;
    else
        s->bad_srtp++;
}

static void receive_rtp(struct session *s, size_t path, uint8_t *data, size_t len, uint64_t now_us)
{
    struct rtp_packet clear;
    if (rtp_parse_header(data, len, &clear) < 0 ||
        !rtpsource_expects(s->answer, clear.payload_type)) {
        s->dropped++;
        return;
    }
    if (!ceiling_allows(&s->ceiling, now_us)) {
        s->over_limit++;
        return;
    }
    int rc = srtp_decrypt_rtp(s->srtp, data, &len, now_us);
    if (rc < 0) {
        note_srtp_failure(s, rc);
        return;
    }
    ceiling_charge(&s->ceiling, len);
    note_alive(s, path, now_us);
    if (media_rtp(s->media, data, len, now_us) < 0)
        s->dropped++;
    if (s->state == SESSION_KEYED && s->media->live)
        step(s, SESSION_FRAME, END_NONE);
    if (s->media->unsupported)
        session_end(s, END_BROKEN);
}

static void receive_rtcp(struct session *s, size_t path, uint8_t *data, size_t len, uint64_t now_us)
{
    if (s->rtcp_this_second >= SESSION_RTCP_PER_S) {
        s->dropped++;
        return;
    }
    s->rtcp_this_second++;
    int rc = srtp_decrypt_rtcp(s->srtp, data, &len);
    if (rc < 0) {
        note_srtp_failure(s, rc);
        return;
    }
    note_alive(s, path, now_us);
    if (media_rtcp(s->media, data, len, now_us) < 0)
        s->dropped++;
}

void session_receive(struct session *s, size_t path, uint8_t *data, size_t len, uint64_t now_us)
{
    bool running = s->state != SESSION_BOUND && s->state != SESSION_ENDED;
    if (!running || path >= STREAM_PATHS_MAX || !s->tuples.list[path].open)
        return;
    enum demux_class class = demux_classify(data, len);
    if (class == DEMUX_STUN) {
        receive_stun(s, path, data, len, now_us);
        return;
    }
    if (class == DEMUX_DROP || !s->tuples.list[path].validated) {
        s->dropped++;
        return;
    }
    if (class == DEMUX_DTLS) {
        select_path(s, path, false);
        on_dtls_event(s, dtls_receive(s->dtls, data, len, now_us), now_us);
        return;
    }
    if (!s->srtp) {
        s->dropped++;
        return;
    }
    if (class == DEMUX_RTP)
        receive_rtp(s, path, data, len, now_us);
    else
        receive_rtcp(s, path, data, len, now_us);
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
        close_path(s, path);
}

static void tick(struct session *s, uint64_t now_us)
{
    s->tick_us = now_us + CLOCK_SECOND_US;
    s->rtcp_this_second = 0;
    close_silent_paths(s, now_us);
    if (!is_keyed(s))
        return;
    media_tick(s->media, now_us);
    struct stats stats = s->media->stats;
    stats.bad_srtp = s->bad_srtp;
    stats.replayed = s->replayed;
    stats.client = (uint8_t)s->client;
    stats.over_limit = s->over_limit;
    stats.dropped += s->dropped;
    s->io.stats(s->ctx, &stats);
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
        on_dtls_event(s, dtls_on_timer(s->dtls, now_us), now_us);
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
