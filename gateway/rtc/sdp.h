/* Reads a WHIP offer (RFC 8866, the subset of RFC 8829 that publishers write) into plain data.
 *
 * Unknown lines and attributes are skipped, lines may end in LF or CRLF. Nothing is judged here
 * except the form: what we can serve is decided by answer.h. All slices borrow from the offer's
 * text, which must outlive the struct. */
#ifndef SLUICE_RTC_SDP_H
#define SLUICE_RTC_SDP_H

#include "gateway/rtc/fingerprint.h"
#include "lib/base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Limits of threats.md W3; above them sdp_parse gives -EMSGSIZE. */
#define SDP_TEXT_MAX 65536u
#define SDP_LINES_MAX 600u
#define SDP_SECTIONS_MAX 8u
#define SDP_FORMATS_MAX 64u
#define SDP_EXTMAPS_MAX 32u
#define SDP_FINGERPRINTS_MAX 8u /* per section and at session level */
#define SDP_SSRCS_MAX 16u
#define SDP_FID_MAX 8u
#define SDP_MSIDS_MAX 4u
#define SDP_MID_MAX 32u /* characters of a mid */
#define SDP_RIDS_MAX 8u
#define SDP_LAYERS_MAX 8u
#define SDP_RID_MAX 32u /* characters of a rid */

enum sdp_kind { SDP_AUDIO, SDP_VIDEO, SDP_APPLICATION, SDP_OTHER };
enum sdp_direction { SDP_SENDRECV, SDP_SENDONLY, SDP_RECVONLY, SDP_INACTIVE };
enum sdp_setup {
    SDP_SETUP_NONE,
    SDP_SETUP_ACTIVE,
    SDP_SETUP_PASSIVE,
    SDP_SETUP_ACTPASS,
    SDP_SETUP_OTHER
};

/* a=rtcp-fb of a payload type, a set of bits; `*` lines are spread over all formats. */
enum sdp_feedback {
    SDP_FB_NACK = 1,
    SDP_FB_PLI = 2,
    SDP_FB_FIR = 4,
    SDP_FB_REMB = 8,
    SDP_FB_TRANSPORT_CC = 16
};

/* One payload type of the m= line. encoding is empty when there was no a=rtpmap. channels is 1
 * unless given. */
struct sdp_format {
    uint8_t pt;
    uint8_t channels;
    uint32_t clock_rate;
    uint32_t feedback;
    struct slice encoding;
    struct slice fmtp;
};

/* id 1 to 255; others are skipped. direction is that of the suffix, SDP_SENDRECV without one. */
struct sdp_extmap {
    uint8_t id;
    enum sdp_direction direction;
    struct slice uri;
};

/* What ICE and DTLS need; a section that lacks a value inherits the session's: use sdp_transport.
 */
struct sdp_transport {
    struct slice ufrag;
    struct slice pwd;
    enum sdp_setup setup;
    size_t fingerprint_count;
    struct fingerprint fingerprints[SDP_FINGERPRINTS_MAX];
};

struct sdp_fid {
    uint32_t media_ssrc;
    uint32_t rtx_ssrc;
};

/* One a=rid line with direction send. */
struct sdp_rid {
    struct slice id;
    struct slice restrictions;
};

/* One stream of a=simulcast:send. */
struct sdp_layer {
    struct slice rid; /* of the section's rids */
    bool paused;
};

struct sdp_section {
    enum sdp_kind kind;
    enum sdp_direction direction;
    uint16_t port;
    bool bundle_only;    /* with port 0: alive (WHIP-79) */
    bool secure_profile; /* proto UDP/TLS/RTP/SAVP(F), or DTLS/SCTP for an application section */
    bool crypto;         /* has a=crypto lines (SDES) */
    bool rtcp_mux;
    bool rtcp_rsize;
    bool receiver_rtt;  /* a=rtcp-xr names rcvr-rtt: it answers reference times (RFC 3611 5.1) */
    bool simulcast;     /* has a=simulcast or a=rid lines */
    struct slice media; /* first word of the m= line */
    struct slice proto;
    struct slice formats_text; /* the m= line's list of formats, for sections that we refuse */
    struct slice mid;          /* empty when absent */
    struct sdp_transport transport;
    size_t format_count;
    struct sdp_format formats[SDP_FORMATS_MAX];
    size_t extmap_count;
    struct sdp_extmap extmaps[SDP_EXTMAPS_MAX];
    size_t ssrc_count;
    uint32_t ssrcs[SDP_SSRCS_MAX]; /* each named by an a=ssrc line, once, in order */
    size_t fid_count;
    struct sdp_fid fids[SDP_FID_MAX];
    size_t msid_count;
    struct slice msids[SDP_MSIDS_MAX]; /* stream part of a=msid; "-" is none */
    size_t rid_count;
    struct sdp_rid rids[SDP_RIDS_MAX];
    size_t layer_count; /* simulcast layers in the offer's order */
    struct sdp_layer layers[SDP_LAYERS_MAX];
};

struct sdp {
    struct sdp_transport session;
    bool has_bundle; /* a=group:BUNDLE; its mids may name sections that do not exist (COD-15) */
    size_t bundle_count;
    struct slice bundle[SDP_SECTIONS_MAX];
    bool extmap_allow_mixed; /* at session level or in every section */
    size_t section_count;
    struct sdp_section sections[SDP_SECTIONS_MAX];
};

/* Parses text; out is about 40 KiB, so not for small stacks. 0, -EBADMSG (malformed) or -EMSGSIZE
 * (over a limit). On failure *out has undefined content and *out_reason is one sentence that lives
 * for ever and contains nothing of the offer. */
int sdp_parse(struct slice text, struct sdp *out, const char **out_reason);

/* The transport of a section with the session's values filled in. */
void sdp_get_transport(const struct sdp *sdp, const struct sdp_section *section,
                       struct sdp_transport *out);

/* False for sections that the offer itself switched off: port 0 without bundle-only (RFC 9143 6).
 */
bool sdp_section_alive(const struct sdp_section *section);

/* The format with that payload type, or NULL. */
const struct sdp_format *sdp_find_format(const struct sdp_section *section, uint32_t pt);

/* The value of a parameter in a fmtp line (name in any case), empty when absent. */
struct slice sdp_fmtp_get(struct slice fmtp, const char *name);

/* 400 for -EBADMSG, 422 for -ENOTSUP and -EMSGSIZE, 500 for others (protocols.md WHIP-20, 26). */
unsigned sdp_http_status(int error);

#endif
