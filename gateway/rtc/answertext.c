/* The text of an answer (RFC 9429 5.3.1; protocols.md 1.7). */
#include "gateway/rtc/answertext.h"

#include "lib/base/writer.h"

#include <errno.h>
#include <inttypes.h>

#define HOST_TYPE_PREFERENCE 126u /* RFC 8445 5.1.2.1 */

/* What the lines of one accepted section are made from. */
struct section_view {
    const struct sdp_section *offered;
    const struct sdp_format *format;
    const struct answer_track *track;
    const struct answer_local *local;
};

static void write_slice(struct writer *w, struct slice s)
{
    writer_bytes(w, s.data, s.len);
}

static void write_session(struct writer *w, const struct sdp *offer, const struct answer_plan *plan,
                          const struct answer_local *local)
{
    writer_text(w, "v=0\r\no=- %" PRIu64 " 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n",
                local->session_id);
    writer_text(w, "a=ice-lite\r\n");
    if (offer->has_bundle) {
        writer_text(w, "a=group:BUNDLE");
        for (size_t i = 0; i < offer->section_count; i++) {
            if (!plan->formats[i])
                continue;
            writer_text(w, " ");
            write_slice(w, offer->sections[i].mid);
        }
        writer_text(w, "\r\n");
    }
    if (offer->extmap_allow_mixed)
        writer_text(w, "a=extmap-allow-mixed\r\n");
}

/* m= line, c= line and mid. The formats of a refused section mean nothing; one is enough. */
static void write_head(struct writer *w, const struct sdp_section *s, unsigned port)
{
    writer_text(w, "m=");
    write_slice(w, s->media);
    writer_text(w, " %u ", port);
    write_slice(w, s->proto);
}

static void write_connection(struct writer *w, const struct sdp_section *s)
{
    writer_text(w, "\r\nc=IN IP4 0.0.0.0\r\n");
    if (s->mid.len == 0)
        return;
    writer_text(w, "a=mid:");
    write_slice(w, s->mid);
    writer_text(w, "\r\n");
}

static void write_refused(struct writer *w, const struct sdp_section *s)
{
    struct slice formats = s->formats_text;
    write_head(w, s, 0);
    writer_text(w, " ");
    write_slice(w, slice_cut(&formats, ' '));
    write_connection(w, s);
    writer_text(w, "a=inactive\r\n");
}

static void write_transport(struct writer *w, const struct answer_local *local)
{
    char fingerprint[FINGERPRINT_TEXT_MAX];
    fingerprint_format(&local->fingerprint, fingerprint);
    writer_text(w, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", local->ufrag, local->pwd);
    writer_text(w, "a=fingerprint:%s\r\na=setup:passive\r\n", fingerprint);
}

static void write_feedback(struct writer *w, unsigned pt, uint32_t feedback)
{
    if (feedback & SDP_FB_REMB)
        writer_text(w, "a=rtcp-fb:%u goog-remb\r\n", pt);
    if (feedback & SDP_FB_FIR)
        writer_text(w, "a=rtcp-fb:%u ccm fir\r\n", pt);
    if (feedback & SDP_FB_NACK)
        writer_text(w, "a=rtcp-fb:%u nack\r\n", pt);
    if (feedback & SDP_FB_PLI)
        writer_text(w, "a=rtcp-fb:%u nack pli\r\n", pt);
}

/* The format parameters that must be repeated: asymmetry, mode and profile (RFC 6184 8.2.2). */
static void write_h264_parameters(struct writer *w, const struct section_view *view)
{
    struct slice fmtp = view->format->fmtp;
    struct slice profile = sdp_fmtp_get(fmtp, "profile-level-id");
    if (slice_is(sdp_fmtp_get(fmtp, "level-asymmetry-allowed"), "1"))
        writer_text(w, "level-asymmetry-allowed=1;");
    writer_text(w, "packetization-mode=%u", (unsigned)view->track->packetization_mode);
    if (profile.len > 0) {
        writer_text(w, ";profile-level-id=");
        write_slice(w, profile);
    }
}

static void write_fmtp(struct writer *w, const struct section_view *view)
{
    uint32_t start = view->local->start_bitrate_kbps;
    enum codec codec = view->track->codec;
    if (codec == CODEC_VP8 && start == 0)
        return;
    writer_text(w, "a=fmtp:%u ", (unsigned)view->track->pt);
    if (codec == CODEC_H264)
        write_h264_parameters(w, view);
    if (codec == CODEC_OPUS)
        writer_text(w, "minptime=10;useinbandfec=1;stereo=1");
    else if (start > 0)
        writer_text(w, "%sx-google-start-bitrate=%" PRIu32, codec == CODEC_H264 ? ";" : "", start);
    writer_text(w, "\r\n");
}

static void write_formats(struct writer *w, const struct section_view *view)
{
    const struct answer_track *track = view->track;
    unsigned pt = track->pt;
    writer_text(w, "a=rtpmap:%u ", pt);
    write_slice(w, view->format->encoding);
    writer_text(w, "/%" PRIu32 "%s\r\n", track->clock_rate, track->codec == CODEC_OPUS ? "/2" : "");
    write_feedback(w, pt, track->feedback);
    write_fmtp(w, view);
    if (track->rtx_pt > 0) {
        unsigned rtx = track->rtx_pt;
        writer_text(w, "a=rtpmap:%u rtx/%" PRIu32 "\r\na=fmtp:%u apt=%u\r\n", rtx,
                    track->clock_rate, rtx, pt);
    }
}

/* IPv4 first: some publishers use only the first host candidate (WHIP-88). */
static void write_candidates(struct writer *w, const struct answer_local *local)
{
    unsigned number = 0;
    for (unsigned pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < local->address_count; i++) {
            const struct addr *a = &local->addresses[i];
            char ip[ADDR_TEXT_MAX];
            if ((a->family == 4) != (pass == 0))
                continue;
            number++;
            addr_format_ip(a, ip);
            uint32_t priority = HOST_TYPE_PREFERENCE << 24 | (65536u - number) << 8 | 255u;
            writer_text(w, "a=candidate:%u 1 udp %" PRIu32 " %s %u typ host\r\n", number, priority,
                        ip, (unsigned)a->port);
        }
    }
    writer_text(w, "a=end-of-candidates\r\n");
}

static void write_extension(struct writer *w, const struct section_view *view)
{
    unsigned id = view->track->mid_ext_id;
    for (size_t i = 0; id > 0 && i < view->offered->extmap_count; i++) {
        const struct sdp_extmap *e = &view->offered->extmaps[i];
        if (e->id != id || !slice_is(e->uri, ANSWERTEXT_MID_URI))
            continue;
        /* The suffix is seen from the side that writes it (RFC 8285 6). */
        writer_text(w, "a=extmap:%u%s ", id, e->direction == SDP_SENDONLY ? "/recvonly" : "");
        write_slice(w, e->uri);
        writer_text(w, "\r\n");
        return;
    }
}

static void write_accepted(struct writer *w, const struct section_view *view, bool first)
{
    const struct answer_track *track = view->track;
    write_head(w, view->offered, 9);
    writer_text(w, " %u", (unsigned)track->pt);
    if (track->rtx_pt > 0)
        writer_text(w, " %u", (unsigned)track->rtx_pt);
    write_connection(w, view->offered);
    write_transport(w, view->local);
    write_extension(w, view);
    writer_text(w, "a=recvonly\r\na=rtcp-mux\r\na=rtcp-mux-only\r\n");
    if (view->offered->rtcp_rsize)
        writer_text(w, "a=rtcp-rsize\r\n");
    write_formats(w, view);
    if (first)
        write_candidates(w, view->local);
}

int answertext_write(const struct sdp *offer, const struct answer_plan *plan,
                     const struct answer_local *local, struct answer *out)
{
    struct writer w;
    writer_init(&w, out->text, sizeof(out->text));
    write_session(&w, offer, plan, local);
    for (size_t i = 0; i < offer->section_count; i++) {
        const struct sdp_section *s = &offer->sections[i];
        if (!plan->formats[i]) {
            write_refused(&w, s);
            continue;
        }
        struct section_view view = {
            .offered = s,
            .format = plan->formats[i],
            .track = &out->tracks[s->kind == SDP_VIDEO ? TRACK_VIDEO : TRACK_AUDIO],
            .local = local,
        };
        write_accepted(&w, &view, i == plan->first);
    }
    if (!writer_ok(&w))
        return -EMSGSIZE;
    out->text_len = w.len;
    return 0;
}
