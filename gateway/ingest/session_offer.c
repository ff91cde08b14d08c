/* From the publisher's offer to our answer, and what the session needs from then on. */
#include "gateway/ingest/session_state.h"
#include "gateway/rtc/sdp.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/secret.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static uint32_t max_bitrate_kbps(const struct session *s)
{
    uint64_t kbps = s->bind.max_bitrate_bps / 1000;
    return kbps > UINT32_MAX ? UINT32_MAX : (uint32_t)kbps;
}

struct answer_local session_local(const struct session *s)
{
    const struct icestate_pair *pair = icestate_newest(&s->ice);
    struct answer_local local = {.ufrag = pair->ufrag,
                                 .pwd = pair->pwd,
                                 .addresses = s->bind.candidates,
                                 .address_count = s->bind.candidate_count,
                                 .tcp_addresses = s->bind.tcp,
                                 .tcp_count = s->bind.tcp_count,
                                 .start_bitrate_kbps = s->settings.start_bitrate_kbps,
                                 .max_bitrate_kbps = max_bitrate_kbps(s),
                                 .dtls_client = true,
                                 .transport_cc = true,
                                 .simulcast = true,
                                 .codecs = ANSWER_CODECS_ALL};
    cert_fingerprint(s->cert, &local.fingerprint);
    return local;
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
    icestate_init(&s->ice);
    struct answer_local local = session_local(s);
    secret_random(&local.session_id, sizeof(local.session_id));
    local.session_id >>= 1;
    rc = answer_make(sdp, &local, s->answer, out_reason);
    if (rc == 0)
        rc = icestate_set_peer(&s->ice, slice_of(s->answer->peer_ufrag),
                               slice_of(s->answer->peer_pwd));
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
    int (*make_dtls)(const struct cert *, const struct fingerprint *, size_t, dtls_send_fn, void *,
                     struct dtls **) = answer->dtls_client ? dtls_new_client : dtls_new;
    int rc = make_dtls(s->cert, answer->fingerprints, answer->fingerprint_count, session_send_dtls,
                       s, &s->dtls);
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
    const struct icestate_pair *pair = icestate_newest(&s->ice);
    memcpy(out->ufrag, pair->ufrag, sizeof(pair->ufrag));
    memcpy(out->pwd, pair->pwd, sizeof(pair->pwd));
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
        session_wipe(s);
        s->state = SESSION_ENDED; /* quietly: the answer has told all */
        return;
    }
    fill_answer(s, out, text, out_len);
    s->client = client_guess(offer);
    s->answered_us = now_us;
    s->alive_us = now_us;
    s->tick_us = now_us + CLOCK_SECOND_US;
    session_step(s, SESSION_ANSWERED, END_NONE);
}
