/* Chooses codecs from a parsed offer and checks that all of it can be served; the text is written
 * by answertext.c. */
#include "gateway/rtc/answer.h"

#include "gateway/rtc/answertext.h"

#include <errno.h>
#include <string.h>

#define ONE_BYTE_ID_MAX 14u
#define VIDEO_FEEDBACK (SDP_FB_NACK | SDP_FB_PLI | SDP_FB_FIR | SDP_FB_REMB)
#define AUDIO_FEEDBACK SDP_FB_NACK
#define H264_MODE_MAX 1u /* interleaved mode 2 is for broadcast, not for WebRTC (RFC 7742 6.2) */

static int refuse(const char **reason, int error, const char *text)
{
    *reason = text;
    return error;
}

/* ---- codecs ---- */

/* Baseline, Main and High; 4:4:4 and the like are not for viewers (COD-02). Absent means
 * Baseline 420010 (RFC 6184 8.1). */
static bool h264_profile_ok(struct slice fmtp)
{
    struct slice text = sdp_fmtp_get(fmtp, "profile-level-id");
    uint8_t id[3];
    if (text.len == 0)
        return true;
    if (text_unhex(text, id, sizeof(id)) < 0)
        return false;
    return id[0] == 0x42 || id[0] == 0x4d || id[0] == 0x64;
}

/* Absent means 0 (COD-01); a mode we do not have gives UINT32_MAX. */
static uint32_t h264_mode(struct slice fmtp)
{
    struct slice text = sdp_fmtp_get(fmtp, "packetization-mode");
    uint32_t mode = 0;
    if (text.len > 0 && text_parse_u32(text, H264_MODE_MAX, &mode) < 0)
        return UINT32_MAX;
    return mode;
}

/* How much we want a format for this kind of section: the highest rank wins, the first of equals.
 * 0: not at all. */
static unsigned format_rank(enum sdp_kind kind, const struct sdp_format *f)
{
    if (kind == SDP_AUDIO)
        return slice_is_nocase(f->encoding, "opus") && f->clock_rate == 48000 && f->channels == 2;
    if (f->clock_rate != 90000)
        return 0;
    if (slice_is_nocase(f->encoding, "VP8"))
        return 1;
    if (!slice_is_nocase(f->encoding, "H264") || !h264_profile_ok(f->fmtp))
        return 0;
    uint32_t mode = h264_mode(f->fmtp);
    return mode == UINT32_MAX ? 0 : 2 + mode;
}

static const struct sdp_format *choose_format(const struct sdp_section *s)
{
    const struct sdp_format *best = NULL;
    unsigned best_rank = 0;
    for (size_t i = 0; i < s->format_count; i++) {
        unsigned rank = format_rank(s->kind, &s->formats[i]);
        if (rank > best_rank) {
            best = &s->formats[i];
            best_rank = rank;
        }
    }
    return best;
}

/* The RTX format whose apt is pt (COD-12); 0 when there is none. */
static uint8_t find_rtx(const struct sdp_section *s, const struct sdp_format *format)
{
    for (size_t i = 0; i < s->format_count; i++) {
        const struct sdp_format *f = &s->formats[i];
        uint32_t apt = 0;
        if (slice_is_nocase(f->encoding, "rtx") && f->clock_rate == format->clock_rate &&
            text_parse_u32(sdp_fmtp_get(f->fmtp, "apt"), 127, &apt) == 0 && apt == format->pt)
            return f->pt;
    }
    return 0;
}

static uint8_t find_mid_ext(const struct sdp_section *s)
{
    for (size_t i = 0; i < s->extmap_count; i++) {
        const struct sdp_extmap *e = &s->extmaps[i];
        bool sends = e->direction == SDP_SENDRECV || e->direction == SDP_SENDONLY;
        if (sends && e->id <= ONE_BYTE_ID_MAX && slice_is(e->uri, ANSWERTEXT_MID_URI))
            return e->id;
    }
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

static enum codec codec_of(const struct sdp_format *format)
{
    if (slice_is_nocase(format->encoding, "H264"))
        return CODEC_H264;
    return slice_is_nocase(format->encoding, "VP8") ? CODEC_VP8 : CODEC_OPUS;
}

static int make_track(const struct sdp_section *s, const struct sdp_format *format,
                      struct answer_track *track)
{
    uint32_t feedback = s->kind == SDP_VIDEO ? VIDEO_FEEDBACK : AUDIO_FEEDBACK;
    *track = (struct answer_track){
        .codec = codec_of(format),
        .pt = format->pt,
        .rtx_pt = find_rtx(s, format),
        .mid_ext_id = find_mid_ext(s),
        .clock_rate = format->clock_rate,
        .feedback = format->feedback & feedback,
    };
    if (track->codec == CODEC_H264) {
        track->packetization_mode = (uint8_t)h264_mode(format->fmtp);
        /* Too long to be parameter sets: they will come in-band. */
        (void)text_copy(track->sprop, sizeof(track->sprop),
                        sdp_fmtp_get(format->fmtp, "sprop-parameter-sets"));
    }
    list_ssrcs(s, track);
    return text_copy(track->mid, sizeof(track->mid), s->mid);
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
                          struct answer *out, const char **reason)
{
    struct sdp_transport t;
    sdp_get_transport(offer, tagged_section(offer, plan), &t);
    if (t.ufrag.len == 0 || t.pwd.len == 0)
        return refuse(reason, -EBADMSG, "The offer has no a=ice-ufrag or no a=ice-pwd.");
    if (t.setup == SDP_SETUP_PASSIVE || t.setup == SDP_SETUP_OTHER)
        return refuse(reason, -ENOTSUP, "The offer must have setup:actpass or setup:active.");
    int err = text_copy(out->peer_ufrag, sizeof(out->peer_ufrag), t.ufrag);
    if (err < 0)
        return refuse(reason, -EBADMSG, "The a=ice-ufrag is malformed.");
    return take_fingerprints(&t, out, reason);
}

/* ---- the whole ---- */

static int plan_section(const struct sdp *offer, size_t index, struct answer *out,
                        struct answer_plan *plan, const char **reason)
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
    const struct sdp_format *format = choose_format(s);
    if (!format)
        return refuse(reason, -ENOTSUP,
                      s->kind == SDP_VIDEO ? "Video must be offered as H.264 (4:2:0) or VP8."
                                           : "Audio must be offered as Opus.");
    if (plan->accepted++ == 0)
        plan->first = index;
    plan->formats[index] = format;
    out->rtcp_rsize = out->rtcp_rsize && s->rtcp_rsize;
    err = make_track(s, format, track);
    return err < 0 ? refuse(reason, -EBADMSG, "An a=mid line is malformed.") : 0;
}

int answer_make(const struct sdp *offer, const struct answer_local *local, struct answer *out,
                const char **out_reason)
{
    struct answer_plan plan = {.accepted = 0};
    memset(out, 0, sizeof(*out));
    out->rtcp_rsize = true;
    for (size_t i = 0; i < offer->section_count; i++) {
        int err = plan_section(offer, i, out, &plan, out_reason);
        if (err < 0)
            return err;
    }
    if (plan.accepted == 0)
        return refuse(out_reason, -ENOTSUP, "The offer has no audio or video to publish.");
    int err = check_bundle(offer, &plan, out_reason);
    if (err == 0)
        err = check_msids(offer, &plan, out_reason);
    if (err == 0)
        err = take_transport(offer, &plan, out, out_reason);
    if (err < 0)
        return err;
    err = answertext_write(offer, &plan, local, out);
    return err < 0 ? refuse(out_reason, err, "The answer to this offer would be too long.") : 0;
}
