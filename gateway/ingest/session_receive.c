/* What comes on a session's paths: checks, DTLS, SRTP and SRTCP. */
#include "gateway/ingest/session_state.h"
#include "gateway/rtc/demux.h"
#include "gateway/rtc/ice.h"
#include "gateway/rtc/rtpsource.h"
#include "lib/base/log.h"
#include "lib/base/secret.h"

#include <errno.h>
#include <inttypes.h>

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

void session_return_path(struct session *s, size_t path)
{
    if (path == TUPLES_NONE)
        return;
    tuples_close(&s->tuples, path);
    s->io.close_path(s->ctx, path);
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
    session_step(s, SESSION_SECURED, END_NONE);
    ceiling_init(&s->ceiling, s->feedback.max_bitrate_bps, now_us);
    feedback_start(&s->feedback, now_us);
}

void session_on_dtls(struct session *s, enum dtls_event event, uint64_t now_us)
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

/* A NAT, or the publisher's own kernel, has given the port of a publisher that vanished to another
 * one: its checks come to our socket and would never reach edge. A path in use is never silent so
 * long, because peers check more often (ICE-08). */
static bool belongs_to_another(const struct session *s, size_t path, const uint8_t *data,
                               size_t len, uint64_t now_us)
{
    return now_us - s->tuples.list[path].alive_us >= SESSION_ABANDONED_US &&
           icestate_is_foreign(&s->ice, data, len);
}

static void receive_stun(struct session *s, size_t path, const uint8_t *data, size_t len,
                         uint64_t now_us)
{
    uint8_t reply[ICE_REPLY_MAX];
    size_t reply_len = 0;
    bool use = false, switched = false;
    enum ice_verdict verdict = icestate_answer(&s->ice, data, len, &s->tuples.list[path].remote,
                                               reply, sizeof(reply), &reply_len, &use, &switched);
    if (verdict == ICE_DROP) {
        s->dropped++;
        if (belongs_to_another(s, path, data, len, now_us))
            session_return_path(s, path); /* edge sees the next check */
        return;
    }
    note_alive(s, path, now_us);
    s->io.send(s->ctx, path, reply, reply_len);
    if (verdict != ICE_ACCEPT)
        return;
    s->tuples.list[path].validated = true;
    if (use || s->tuples.selected == TUPLES_NONE)
        select_path(s, path, use);
    if (switched)
        log_event(LOG_INFO, "ice_restarted", "session=%" PRIu64 " generation=%" PRIu32,
                  s->bind.session, s->ice.generation);
    session_return_path(s, tuples_spare(&s->tuples, now_us));
    session_step(s, SESSION_CHECKED, END_NONE);
    session_on_dtls(s, dtls_start(s->dtls, now_us), now_us); /* once, as client (WHIP-86) */
}

/* A replay is authentic: mostly a repair that came twice (RTP-09), no sign of an attack. */
static void note_srtp_failure(struct session *s, int error)
{
    if (error == -EALREADY)
        s->replayed++;
    else if (error == -EDQUOT)
        s->unexpected++;
    else if (error == -EBADMSG)
        s->malformed++;
    else
        s->bad_srtp++;
}

/* What the media refused; layers that are not known yet are no fault. */
static void note_media_failure(struct session *s, int error)
{
    if (error == -EBADMSG)
        s->malformed++;
    else if (error == -EAGAIN)
        s->dropped++;
    else
        s->unexpected++;
}

bool session_take_rtp(struct session *s, uint8_t *data, size_t len, uint64_t now_us)
{
    struct rtp_packet clear;
    if (rtp_parse_header(data, len, &clear) < 0) {
        s->malformed++;
        return false;
    }
    if (!rtpsource_expects(s->answer, clear.payload_type)) {
        s->unexpected++;
        return false;
    }
    if (!ceiling_allows(&s->ceiling, now_us)) {
        s->over_limit++;
        return false;
    }
    int rc = srtp_decrypt_rtp(s->srtp, data, &len, now_us);
    if (rc < 0) {
        note_srtp_failure(s, rc);
        return false;
    }
    ceiling_charge(&s->ceiling, len);
    s->alive_us = now_us;
    rc = media_rtp(s->media, data, len, now_us);
    if (rc < 0)
        note_media_failure(s, rc);
    if (s->state == SESSION_KEYED && s->media->live)
        session_step(s, SESSION_FRAME, END_NONE);
    if (s->media->unsupported)
        session_end(s, END_BROKEN);
    return true;
}

static void receive_rtcp(struct session *s, size_t path, uint8_t *data, size_t len, uint64_t now_us)
{
    if (s->rtcp_this_second >= SESSION_RTCP_PER_S) {
        s->dropped++;
        return;
    }
    int rc = srtp_decrypt_rtcp(s->srtp, data, &len);
    if (rc < 0) {
        note_srtp_failure(s, rc);
        return;
    }
    s->rtcp_this_second++; /* only authentic ones: a forger must not use it up (U10) */
    note_alive(s, path, now_us);
    rc = media_rtcp(s->media, data, len, now_us);
    if (rc < 0)
        note_media_failure(s, rc);
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
    bool validated = s->tuples.list[path].validated;
    if (class == DEMUX_DROP || (class == DEMUX_DTLS && !validated)) {
        s->dropped++;
        return;
    }
    if (class == DEMUX_DTLS) {
        select_path(s, path, false);
        session_on_dtls(s, dtls_receive(s->dtls, data, len, now_us), now_us);
        return;
    }
    if (!s->srtp) {
        s->dropped++;
        return;
    }
    if (class == DEMUX_RTCP)
        receive_rtcp(s, path, data, len, now_us);
    else if (session_take_rtp(s, data, len, now_us))
        s->tuples.list[path].alive_us = now_us;
}

void session_send_dtls(void *ctx, const uint8_t *data, size_t len)
{
    struct session *s = ctx;
    if (s->tuples.selected != TUPLES_NONE)
        s->io.send(s->ctx, s->tuples.selected, data, len);
}
