/* Chooses codecs from a parsed offer and checks that all of it can be served; the text is written
 * by answertext.c. */
#include "gateway/rtc/answer.h"

#include "gateway/rtc/answercodec.h"
#include "gateway/rtc/answertext.h"

#include <errno.h>
#include <string.h>

#define ONE_BYTE_ID_MAX 14u
#define VIDEO_FEEDBACK (SDP_FB_NACK | SDP_FB_PLI | SDP_FB_FIR | SDP_FB_REMB | SDP_FB_TRANSPORT_CC)
#define AUDIO_FEEDBACK (SDP_FB_NACK | SDP_FB_TRANSPORT_CC)

static int refuse(const char **reason, int error, const char *text)
{
    *reason = text;
    return error;
}

/* ---- tracks ---- */

/* The id under which the publisher can send that extension; 0 when it does not. */
static uint8_t find_extension(const struct sdp_section *s, const char *uri)
{
    for (size_t i = 0; i < s->extmap_count; i++) {
        const struct sdp_extmap *e = &s->extmaps[i];
        bool sends = e->direction == SDP_SENDRECV || e->direction == SDP_SENDONLY;
        if (sends && e->id <= ONE_BYTE_ID_MAX && slice_is(e->uri, uri))
            return e->id;
    }
    return 0;
}

/* Transport-wide feedback needs the extension and the feedback line; layers need their rid in the
 * packets. What lacks its other half is left out. */
static void agree_extensions(const struct sdp_section *s, const struct answer_local *local,
                             struct answer_track *track)
{
    for (size_t i = 0; i < ANSWERTEXT_EXTENSIONS; i++)
        *((uint8_t *)track + answertext_extensions[i].id) =
            find_extension(s, answertext_extensions[i].uri);
    if (!local->transport_cc || !(track->feedback & SDP_FB_TRANSPORT_CC))
        track->transport_cc_ext_id = 0;
    if (track->transport_cc_ext_id == 0)
        track->feedback &= ~(uint32_t)SDP_FB_TRANSPORT_CC;
    if (!local->simulcast || s->layer_count == 0)
        track->rid_ext_id = 0;
    if (track->rid_ext_id == 0 || track->rtx_pt == 0)
        track->repaired_rid_ext_id = 0;
}

static int agree_layers(const struct sdp_section *s, struct answer_track *track,
                        const char **reason)
{
    if (track->rid_ext_id == 0)
        return 0;
    if (s->layer_count > ANSWER_LAYERS_MAX)
        return refuse(reason, -ENOTSUP, "At most 4 simulcast layers can be published.");
    for (size_t i = 0; i < s->layer_count; i++) {
        struct answer_layer *layer = &track->layers[i];
        layer->paused = s->layers[i].paused;
        int err = text_copy(layer->rid, sizeof(layer->rid), s->layers[i].rid);
        if (err < 0)
            return refuse(reason, -EBADMSG, "An a=rid line is malformed.");
    }
    track->layer_count = s->layer_count;
    return 0;
}

/* Media SSRCs with their RTX partners; an SSRC that is itself a partner is no media. */
static void list_ssrcs(const struct sdp_section *s, struct answer_track *track)
{
    for (size_t i = 0; i < s->ssrc_count && track->ssrc_count < ANSWER_SSRCS_MAX; i++) {
        uint32_t rtx = 0;
        bool is_rtx = false;
        for (size_t k = 0; k < s->fid_count; k++) {
            if (s->fids[k].media_ssrc == s->ssrcs[i])
                rtx = s->fids[k].rtx_ssrc;
            is_rtx = is_rtx || s->fids[k].rtx_ssrc == s->ssrcs[i];
        }
        if (is_rtx)
            continue;
        track->ssrcs[track->ssrc_count] = s->ssrcs[i];
        track->rtx_ssrcs[track->ssrc_count++] = rtx;
    }
}

static int make_track(const struct sdp_section *s, const struct sdp_format *format,
                      const struct answer_local *local, struct answer_track *track,
                      const char **reason)
{
    uint32_t feedback = s->kind == SDP_VIDEO ? VIDEO_FEEDBACK : AUDIO_FEEDBACK;
    const struct sdp_format *rtx = answercodec_find_rtx(s, format);
    *track = (struct answer_track){
        .codec = answercodec_of(format),
        .pt = format->pt,
        .rtx_pt = rtx ? rtx->pt : 0,
        .clock_rate = format->clock_rate,
        .feedback = format->feedback & feedback,
    };
    if (track->codec == CODEC_H264)
        track->packetization_mode = (uint8_t)answercodec_h264_mode(format->fmtp);
    answercodec_copy_sprop(format, track->sprop, sizeof(track->sprop));
    list_ssrcs(s, track);
    agree_extensions(s, local, track);
    int err = text_copy(track->mid, sizeof(track->mid), s->mid);
    if (err < 0)
        return refuse(reason, -EBADMSG, "An a=mid line is malformed.");
    return agree_layers(s, track, reason);
}

/* ---- checks of a section ---- */

static bool in_bundle(const struct sdp *offer, struct slice mid)
{
    for (size_t i = 0; i < offer->bundle_count; i++) {
        if (mid.len > 0 && slice_equal(offer->bundle[i], mid))
            return true;
    }
    return false;
}

/* Rules that hold for each audio and video section that is alive. */
static int check_section(const struct sdp *offer, const struct sdp_section *s, const char **reason)
{
    if (s->kind == SDP_OTHER)
        return refuse(reason, -ENOTSUP, "Only audio and video sections can be published.");
    if (s->crypto || !s->secure_profile)
        return refuse(reason, -ENOTSUP, "Media must be protected by DTLS-SRTP.");
    if (s->direction == SDP_RECVONLY || s->direction == SDP_INACTIVE)
        return refuse(reason, -ENOTSUP, "Each section must be sendonly or sendrecv.");
    if (!s->rtcp_mux)
        return refuse(reason, -ENOTSUP, "Each section must offer rtcp-mux.");
    if (s->bundle_only && !in_bundle(offer, s->mid))
        return refuse(reason, -EBADMSG, "A bundle-only section is not in the BUNDLE group.");
    return 0;
}

static int check_bundle(const struct sdp *offer, const struct answer_plan *plan,
                        const char **reason)
{
    size_t outside = 0;
    for (size_t i = 0; i < offer->section_count; i++) {
        if (plan->formats[i] && !in_bundle(offer, offer->sections[i].mid))
            outside++;
    }
    if (outside > 0 && (plan->accepted > 1 || offer->has_bundle))
        return refuse(reason, -ENOTSUP, "All sections must be in one BUNDLE group with their mid.");
    return 0;
}

/* One stream at most; "-" means none (WHIP-93). */
static int check_msids(const struct sdp *offer, const struct answer_plan *plan, const char **reason)
{
    struct slice stream = {.data = NULL, .len = 0};
    for (size_t i = 0; i < offer->section_count; i++) {
        const struct sdp_section *s = &offer->sections[i];
        for (size_t k = 0; plan->formats[i] && k < s->msid_count; k++) {
            if (slice_is(s->msids[k], "-"))
                continue;
            if (stream.len > 0 && !slice_equal(stream, s->msids[k]))
                return refuse(reason, -ENOTSUP, "All tracks must belong to one media stream.");
            stream = s->msids[k];
        }
    }
    return 0;
}

/* ---- ICE and DTLS ---- */

/* The offerer-tagged section carries the transport of the whole bundle (RFC 9143 7.2.1); without a
 * group it is the first section that we take. */
static const struct sdp_section *tagged_section(const struct sdp *offer,
                                                const struct answer_plan *plan)
{
    for (size_t i = 0; i < offer->bundle_count; i++) {
        for (size_t k = 0; k < offer->section_count; k++) {
            const struct sdp_section *s = &offer->sections[k];
            if (slice_equal(s->mid, offer->bundle[i]) && sdp_section_alive(s))
                return s;
        }
    }
    return &offer->sections[plan->first];
}

static int take_fingerprints(const struct sdp_transport *t, struct answer *out, const char **reason)
{
    if (t->fingerprint_count == 0)
        return refuse(reason, -EBADMSG, "The offer has no a=fingerprint.");
    for (size_t i = 0; i < t->fingerprint_count; i++) {
        if (t->fingerprints[i].algorithm > FINGERPRINT_WEAK)
            out->fingerprints[out->fingerprint_count++] = t->fingerprints[i];
    }
    if (out->fingerprint_count == 0)
        return refuse(reason, -ENOTSUP, "The certificate fingerprint must be SHA-256 or stronger.");
    return 0;
}

static int take_transport(const struct sdp *offer, const struct answer_plan *plan,
                          const struct answer_local *local, struct answer *out, const char **reason)
{
    struct sdp_transport t;
    sdp_get_transport(offer, tagged_section(offer, plan), &t);
    if (t.ufrag.len == 0 || t.pwd.len == 0)
        return refuse(reason, -EBADMSG, "The offer has no a=ice-ufrag or no a=ice-pwd.");
    out->dtls_client = t.setup == SDP_SETUP_PASSIVE;
    if ((out->dtls_client && !local->dtls_client) || t.setup == SDP_SETUP_OTHER)
        return refuse(reason, -ENOTSUP, "The offer must have setup:actpass or setup:active.");
    int err = text_copy(out->peer_ufrag, sizeof(out->peer_ufrag), t.ufrag);
    if (err == 0)
        err = text_copy(out->peer_pwd, sizeof(out->peer_pwd), t.pwd);
    if (err < 0)
        return refuse(reason, -EBADMSG, "The a=ice-ufrag or a=ice-pwd is malformed.");
    return take_fingerprints(&t, out, reason);
}

/* ---- the whole ---- */

/* Why no format of a section can be taken. */
static const char *codec_reason(const struct sdp_section *s, uint32_t codecs)
{
    if (s->kind == SDP_AUDIO)
        return "Audio must be offered as Opus (opus/48000/2).";
    for (size_t i = 0; i < s->format_count; i++) {
        if (codecs & 1u << answercodec_of(&s->formats[i]))
            return "The offered profiles of the video codec can not be played; H.264 must be "
                   "Baseline, Main or High with packetization-mode 0 or 1.";
    }
    return codecs == ANSWER_CODECS_FIRST
               ? "Video must be offered as H.264 (4:2:0) or VP8."
               : "Video must be offered as H.264 (4:2:0), H.265, VP9, AV1 or VP8.";
}

static int plan_section(const struct sdp *offer, size_t index, const struct answer_local *local,
                        struct answer *out, struct answer_plan *plan, const char **reason)
{
    const struct sdp_section *s = &offer->sections[index];
    if (s->kind == SDP_APPLICATION || !sdp_section_alive(s))
        return 0; /* answered with port 0 */
    int err = check_section(offer, s, reason);
    if (err < 0)
        return err;
    struct answer_track *track = &out->tracks[s->kind == SDP_VIDEO ? TRACK_VIDEO : TRACK_AUDIO];
    if (track->codec != CODEC_NONE)
        return refuse(reason, -ENOTSUP, "Only one audio and one video section can be published.");
    uint32_t codecs = local->codecs ? local->codecs : ANSWER_CODECS_FIRST;
    const struct sdp_format *format = answercodec_choose(s, codecs);
    if (!format)
        return refuse(reason, -ENOTSUP, codec_reason(s, codecs));
    if (plan->accepted++ == 0) {
        plan->first = index;
        out->first = s->kind == SDP_VIDEO ? TRACK_VIDEO : TRACK_AUDIO;
    }
    plan->formats[index] = format;
    out->rtcp_rsize = out->rtcp_rsize && s->rtcp_rsize;
    out->receiver_rtt = out->receiver_rtt || s->receiver_rtt;
    return make_track(s, format, local, track, reason);
}

int answer_make(const struct sdp *offer, const struct answer_local *local, struct answer *out,
                const char **out_reason)
{
    struct answer_plan plan = {.accepted = 0};
    memset(out, 0, sizeof(*out));
    out->rtcp_rsize = true;
    for (size_t i = 0; i < offer->section_count; i++) {
        int err = plan_section(offer, i, local, out, &plan, out_reason);
        if (err < 0)
            return err;
    }
    if (plan.accepted == 0)
        return refuse(out_reason, -ENOTSUP, "The offer has no audio or video to publish.");
    int err = check_bundle(offer, &plan, out_reason);
    if (err == 0)
        err = check_msids(offer, &plan, out_reason);
    if (err == 0)
        err = take_transport(offer, &plan, local, out, out_reason);
    if (err < 0)
        return err;
    err = answertext_write(offer, &plan, local, out);
    return err < 0 ? refuse(out_reason, err, "The answer to this offer would be too long.") : 0;
}
