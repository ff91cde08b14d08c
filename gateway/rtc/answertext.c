/* The text of an answer (RFC 9429 5.3.1; protocols.md 1.7). */
#include "gateway/rtc/answertext.h"

#include "gateway/rtc/answercodec.h"
#include "gateway/rtc/sdprid.h"
#include "lib/base/writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>

#define FMTP_MAX 256u
#define HOST_TYPE_PREFERENCE 126u /* RFC 8445 5.1.2.1 */
/* Below every UDP candidate. Local preference of a passive host: direction 4 in the upper three
 * bits (RFC 6544 4.2). */
#define TCP_TYPE_PREFERENCE 90u
#define TCP_PASSIVE_PREFERENCE (4u << 13 | 8191u)

const struct answertext_extension answertext_extensions[ANSWERTEXT_EXTENSIONS] = {
    {"urn:ietf:params:rtp-hdrext:sdes:mid", offsetof(struct answer_track, mid_ext_id)},
    {"urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id", offsetof(struct answer_track, rid_ext_id)},
    {"urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
     offsetof(struct answer_track, repaired_rid_ext_id)},
    {"http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
     offsetof(struct answer_track, transport_cc_ext_id)},
};

uint8_t answertext_extension_id(const struct answer_track *track, size_t extension)
{
    return *((const uint8_t *)track + answertext_extensions[extension].id);
}

/* What the lines of one accepted section are made from. */
struct section_view {
    const struct sdp_section *offered;
    const struct sdp_format *format;
    const struct answer_track *track;
    const struct answer_local *local;
    bool active; /* our DTLS role */
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

/* most_kbps: what we are willing to receive, 0 for no ceiling. Some publishers know only the older
 * form (RFC 8866 5.8), some prefer bits per second without headers (RFC 3890). */
static void write_connection(struct writer *w, const struct sdp_section *s, uint32_t most_kbps)
{
    writer_text(w, "\r\nc=IN IP4 0.0.0.0\r\n");
    if (most_kbps > 0)
        writer_text(w, "b=AS:%" PRIu32 "\r\nb=TIAS:%" PRIu64 "\r\n", most_kbps,
                    (uint64_t)most_kbps * 1000);
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
    write_connection(w, s, 0);
    writer_text(w, "a=inactive\r\n");
}

static void write_transport(struct writer *w, const struct answer_local *local, bool active)
{
    char fingerprint[FINGERPRINT_TEXT_MAX];
    fingerprint_format(&local->fingerprint, fingerprint);
    writer_text(w, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", local->ufrag, local->pwd);
    writer_text(w, "a=fingerprint:%s\r\na=setup:%s\r\n", fingerprint,
                active ? "active" : "passive");
}

static void write_feedback(struct writer *w, unsigned pt, uint32_t feedback)
{
    if (feedback & SDP_FB_REMB)
        writer_text(w, "a=rtcp-fb:%u goog-remb\r\n", pt);
    if (feedback & SDP_FB_TRANSPORT_CC)
        writer_text(w, "a=rtcp-fb:%u transport-cc\r\n", pt);
    if (feedback & SDP_FB_FIR)
        writer_text(w, "a=rtcp-fb:%u ccm fir\r\n", pt);
    if (feedback & SDP_FB_NACK)
        writer_text(w, "a=rtcp-fb:%u nack\r\n", pt);
    if (feedback & SDP_FB_PLI)
        writer_text(w, "a=rtcp-fb:%u nack pli\r\n", pt);
}

static void write_bitrate(struct writer *w, const char *name, uint32_t kbps)
{
    if (kbps > 0)
        writer_text(w, "%s%s=%" PRIu32, w->len > 0 ? ";" : "", name, kbps);
}

/* The offer's format parameters, then ours. The line needs at least one. */
static void write_fmtp(struct writer *w, const struct section_view *view)
{
    uint8_t bytes[FMTP_MAX];
    struct writer text;
    writer_init(&text, bytes, sizeof(bytes));
    answercodec_write_parameters(&text, view->format);
    if (view->offered->kind == SDP_VIDEO) {
        uint32_t most = view->local->max_bitrate_kbps;
        uint32_t start = view->local->start_bitrate_kbps;
        write_bitrate(&text, "x-google-start-bitrate", most > 0 && start > most ? most : start);
        write_bitrate(&text, "x-google-max-bitrate", most);
    }
    if (!writer_ok(&text))
        w->failed = true;
    if (text.len == 0)
        return;
    writer_text(w, "a=fmtp:%u ", (unsigned)view->track->pt);
    writer_bytes(w, text.data, text.len);
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

static void write_candidate(struct writer *w, const struct addr *a, unsigned number, bool tcp)
{
    char ip[ADDR_TEXT_MAX];
    uint32_t type = tcp ? TCP_TYPE_PREFERENCE : HOST_TYPE_PREFERENCE;
    uint32_t preference = (tcp ? TCP_PASSIVE_PREFERENCE : 65535u) + 1u - number;
    addr_format_ip(a, ip);
    writer_text(w, "a=candidate:%u 1 %s %" PRIu32 " %s %u typ host%s\r\n", number,
                tcp ? "tcp" : "udp", type << 24 | preference << 8 | 255u, ip, (unsigned)a->port,
                tcp ? " tcptype passive" : "");
}

/* UDP and IPv4 first: some publishers use only the first host candidate (WHIP-88). */
void answertext_write_candidates(struct writer *w, const struct answer_local *local)
{
    unsigned number = 0;
    for (unsigned pass = 0; pass < 4; pass++) {
        bool tcp = pass >= 2, ip4 = pass % 2 == 0;
        const struct addr *list = tcp ? local->tcp_addresses : local->addresses;
        size_t count = tcp ? local->tcp_count : local->address_count;
        for (size_t i = 0; i < count; i++) {
            if ((list[i].family == 4) == ip4)
                write_candidate(w, &list[i], ++number, tcp);
        }
    }
    writer_text(w, "a=end-of-candidates\r\n");
}

static void write_extension(struct writer *w, const struct section_view *view, size_t extension)
{
    const char *uri = answertext_extensions[extension].uri;
    unsigned id = answertext_extension_id(view->track, extension);
    for (size_t i = 0; id > 0 && i < view->offered->extmap_count; i++) {
        const struct sdp_extmap *e = &view->offered->extmaps[i];
        if (e->id != id || !slice_is(e->uri, uri))
            continue;
        /* The suffix is seen from the side that writes it (RFC 8285 6). */
        writer_text(w, "a=extmap:%u%s %s\r\n", id, e->direction == SDP_SENDONLY ? "/recvonly" : "",
                    uri);
        return;
    }
}

/* All layers or none: OBS ends the call when one is missing (WHIP-94). */
static void write_layers(struct writer *w, const struct section_view *view)
{
    const struct answer_track *track = view->track;
    for (size_t i = 0; i < track->layer_count; i++) {
        writer_text(w, "a=rid:%s recv", track->layers[i].rid);
        sdprid_write_restrictions(w, view->offered, slice_of(track->layers[i].rid), track->pt);
        writer_text(w, "\r\n");
    }
    for (size_t i = 0; i < track->layer_count; i++)
        writer_text(w, "%s%s%s", i == 0 ? "a=simulcast:recv " : ";",
                    track->layers[i].paused ? "~" : "", track->layers[i].rid);
    if (track->layer_count > 0)
        writer_text(w, "\r\n");
}

static void write_accepted(struct writer *w, const struct section_view *view, bool first)
{
    const struct answer_track *track = view->track;
    write_head(w, view->offered, 9);
    writer_text(w, " %u", (unsigned)track->pt);
    if (track->rtx_pt > 0)
        writer_text(w, " %u", (unsigned)track->rtx_pt);
    write_connection(w, view->offered,
                     view->offered->kind == SDP_VIDEO ? view->local->max_bitrate_kbps : 0);
    write_transport(w, view->local, view->active);
    for (size_t i = 0; i < ANSWERTEXT_EXTENSIONS; i++)
        write_extension(w, view, i);
    writer_text(w, "a=recvonly\r\na=rtcp-mux\r\na=rtcp-mux-only\r\n");
    if (view->offered->rtcp_rsize)
        writer_text(w, "a=rtcp-rsize\r\n");
    if (view->offered->receiver_rtt)
        writer_text(w, "a=rtcp-xr:rcvr-rtt=all\r\n");
    write_formats(w, view);
    write_layers(w, view);
    if (first)
        answertext_write_candidates(w, view->local);
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
            .active = out->dtls_client,
        };
        write_accepted(&w, &view, i == plan->first);
    }
    if (!writer_ok(&w))
        return -EMSGSIZE;
    out->text_len = w.len;
    return 0;
}
