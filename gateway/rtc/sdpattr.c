/* The attributes of an offer that mean something to us. */
#include "gateway/rtc/sdpattr.h"

#include "gateway/rtc/sdprid.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define PT_MAX 127u
#define EXTMAP_ID_MAX 4351u /* 4096 to 4351 are placeholders for negotiation, RFC 8285 5 */
#define ICE_TEXT_MAX 256u

int sdpattr_fail(struct sdp_parser *p, int error, const char *reason)
{
    p->reason = reason;
    return error;
}

bool sdpattr_is_printable(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] <= ' ' || s.data[i] > '~')
            return false;
    }
    return s.len > 0;
}

struct slice sdpattr_next_word(struct slice *rest)
{
    *rest = slice_trim(*rest);
    return slice_cut(rest, ' ');
}

/* ---- attributes; each handler gets the text behind the colon ---- */

typedef int (*attribute_fn)(struct sdp_parser *p, struct slice value);

static struct sdp_transport *transport_of(struct sdp_parser *p)
{
    return p->section ? &p->section->transport : &p->sdp->session;
}

static int on_ufrag(struct sdp_parser *p, struct slice value)
{
    if (!sdpattr_is_printable(value) || value.len > ICE_TEXT_MAX ||
        memchr(value.data, ':', value.len))
        return sdpattr_fail(p, -EBADMSG, "An a=ice-ufrag line is malformed.");
    transport_of(p)->ufrag = value;
    return 0;
}

static int on_pwd(struct sdp_parser *p, struct slice value)
{
    if (!sdpattr_is_printable(value) || value.len > ICE_TEXT_MAX)
        return sdpattr_fail(p, -EBADMSG, "An a=ice-pwd line is malformed.");
    transport_of(p)->pwd = value;
    return 0;
}

static int on_fingerprint(struct sdp_parser *p, struct slice value)
{
    struct sdp_transport *t = transport_of(p);
    if (t->fingerprint_count == SDP_FINGERPRINTS_MAX)
        return sdpattr_fail(p, -EMSGSIZE, "The offer has too many a=fingerprint lines.");
    int err = fingerprint_parse(value, &t->fingerprints[t->fingerprint_count]);
    if (err < 0)
        return sdpattr_fail(p, err, "An a=fingerprint line is malformed.");
    t->fingerprint_count++;
    return 0;
}

static int on_setup(struct sdp_parser *p, struct slice value)
{
    struct sdp_transport *t = transport_of(p);
    if (slice_is_nocase(value, "active"))
        t->setup = SDP_SETUP_ACTIVE;
    else if (slice_is_nocase(value, "passive"))
        t->setup = SDP_SETUP_PASSIVE;
    else if (slice_is_nocase(value, "actpass"))
        t->setup = SDP_SETUP_ACTPASS;
    else
        t->setup = SDP_SETUP_OTHER;
    return 0;
}

static int set_direction(struct sdp_parser *p, enum sdp_direction direction)
{
    if (p->section)
        p->section->direction = direction;
    else
        p->session_direction = direction;
    return 0;
}

static int on_sendrecv(struct sdp_parser *p, struct slice value)
{
    (void)value;
    return set_direction(p, SDP_SENDRECV);
}

static int on_sendonly(struct sdp_parser *p, struct slice value)
{
    (void)value;
    return set_direction(p, SDP_SENDONLY);
}

static int on_recvonly(struct sdp_parser *p, struct slice value)
{
    (void)value;
    return set_direction(p, SDP_RECVONLY);
}

static int on_inactive(struct sdp_parser *p, struct slice value)
{
    (void)value;
    return set_direction(p, SDP_INACTIVE);
}

static int on_group(struct sdp_parser *p, struct slice value)
{
    struct slice rest = value;
    if (!slice_is(sdpattr_next_word(&rest), "BUNDLE") || p->sdp->has_bundle)
        return 0;
    p->sdp->has_bundle = true;
    for (;;) {
        struct slice mid = sdpattr_next_word(&rest);
        if (mid.len == 0)
            return 0;
        if (p->sdp->bundle_count == SDP_SECTIONS_MAX)
            return sdpattr_fail(p, -EMSGSIZE, "The BUNDLE group has too many members.");
        p->sdp->bundle[p->sdp->bundle_count++] = mid;
    }
}

static int on_extmap_allow_mixed(struct sdp_parser *p, struct slice value)
{
    (void)value;
    if (p->section)
        p->mixed_sections++;
    else
        p->sdp->extmap_allow_mixed = true;
    return 0;
}

static int on_mid(struct sdp_parser *p, struct slice value)
{
    if (!sdpattr_is_printable(value))
        return sdpattr_fail(p, -EBADMSG, "An a=mid line is malformed.");
    if (value.len > SDP_MID_MAX)
        return sdpattr_fail(p, -EMSGSIZE, "A mid has more than 32 characters.");
    for (size_t i = 0; i < p->sdp->section_count; i++) {
        if (slice_equal(p->sdp->sections[i].mid, value))
            return sdpattr_fail(p, -EBADMSG, "Two sections have the same mid.");
    }
    p->section->mid = value;
    return 0;
}

/* Splits "<payload type> <rest>"; *out_format is NULL for one that the m= line does not list. */
static int read_format(struct sdp_parser *p, struct slice *rest, struct sdp_format **out_format)
{
    uint32_t pt = 0;
    int err = text_parse_u32(sdpattr_next_word(rest), PT_MAX, &pt);
    if (err < 0)
        return sdpattr_fail(p, -EBADMSG, "A payload type is no number up to 127.");
    *out_format = NULL;
    for (size_t i = 0; i < p->section->format_count; i++) {
        if (p->section->formats[i].pt == pt)
            *out_format = &p->section->formats[i];
    }
    return 0;
}

static int on_rtpmap(struct sdp_parser *p, struct slice value)
{
    struct sdp_format *format = NULL;
    struct slice rest = value;
    int err = read_format(p, &rest, &format);
    if (err < 0)
        return err;
    rest = slice_trim(rest);
    struct slice encoding = slice_cut(&rest, '/');
    struct slice clock = slice_cut(&rest, '/');
    uint32_t clock_rate = 0;
    uint32_t channels = 1;
    err = text_parse_u32(clock, UINT32_MAX, &clock_rate);
    if (err == 0 && rest.len > 0)
        err = text_parse_u32(rest, UINT8_MAX, &channels);
    if (err < 0 || !sdpattr_is_printable(encoding))
        return sdpattr_fail(p, -EBADMSG, "An a=rtpmap line is malformed.");
    if (!format)
        return 0;
    format->encoding = encoding;
    format->clock_rate = clock_rate;
    format->channels = (uint8_t)channels;
    return 0;
}

static int on_fmtp(struct sdp_parser *p, struct slice value)
{
    struct sdp_format *format = NULL;
    struct slice rest = value;
    int err = read_format(p, &rest, &format);
    if (err < 0)
        return err;
    if (format)
        format->fmtp = slice_trim(rest);
    return 0;
}

static uint32_t feedback_bit(struct slice value)
{
    static const struct {
        const char *text;
        uint32_t bit;
    } known[] = {{"nack", SDP_FB_NACK},
                 {"nack pli", SDP_FB_PLI},
                 {"ccm fir", SDP_FB_FIR},
                 {"goog-remb", SDP_FB_REMB},
                 {"transport-cc", SDP_FB_TRANSPORT_CC}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (slice_is_nocase(value, known[i].text))
            return known[i].bit;
    }
    return 0;
}

static int on_rtcp_fb(struct sdp_parser *p, struct slice value)
{
    struct slice rest = slice_trim(value);
    if (rest.len > 0 && rest.data[0] == '*') {
        uint32_t bit = feedback_bit(slice_trim(slice_skip(rest, 1)));
        for (size_t i = 0; i < p->section->format_count; i++)
            p->section->formats[i].feedback |= bit;
        return 0;
    }
    struct sdp_format *format = NULL;
    int err = read_format(p, &rest, &format);
    if (err < 0)
        return err;
    if (format)
        format->feedback |= feedback_bit(slice_trim(rest));
    return 0;
}

static int on_rtcp_xr(struct sdp_parser *p, struct slice value)
{
    struct slice rest = value;
    while (rest.len > 0) {
        struct slice name = sdpattr_next_word(&rest);
        if (slice_is_nocase(slice_cut(&name, '='), "rcvr-rtt"))
            p->section->receiver_rtt = true;
    }
    return 0;
}

static int on_extmap(struct sdp_parser *p, struct slice value)
{
    struct slice rest = value;
    struct slice direction = sdpattr_next_word(&rest);
    struct slice number = slice_cut(&direction, '/');
    struct slice uri = sdpattr_next_word(&rest);
    uint32_t id = 0;
    int err = text_parse_u32(number, EXTMAP_ID_MAX, &id);
    if (err < 0 || id == 0 || !sdpattr_is_printable(uri))
        return sdpattr_fail(p, -EBADMSG, "An a=extmap line is malformed.");
    struct sdp_extmap extmap = {.id = (uint8_t)id, .uri = uri, .direction = SDP_SENDRECV};
    if (slice_is(direction, "sendonly"))
        extmap.direction = SDP_SENDONLY;
    else if (slice_is(direction, "recvonly"))
        extmap.direction = SDP_RECVONLY;
    else if (slice_is(direction, "inactive"))
        extmap.direction = SDP_INACTIVE;
    if (p->section->extmap_count == SDP_EXTMAPS_MAX)
        return sdpattr_fail(p, -EMSGSIZE, "A section has more than 32 header extensions.");
    if (id <= UINT8_MAX)
        p->section->extmaps[p->section->extmap_count++] = extmap;
    return 0;
}

static int on_ssrc(struct sdp_parser *p, struct slice value)
{
    struct slice rest = value;
    struct sdp_section *s = p->section;
    uint32_t ssrc = 0;
    int err = text_parse_u32(sdpattr_next_word(&rest), UINT32_MAX, &ssrc);
    if (err < 0)
        return sdpattr_fail(p, -EBADMSG, "An a=ssrc line is malformed.");
    for (size_t i = 0; i < s->ssrc_count; i++) {
        if (s->ssrcs[i] == ssrc)
            return 0;
    }
    if (s->ssrc_count == SDP_SSRCS_MAX)
        return sdpattr_fail(p, -EMSGSIZE, "A section has more than 16 sources.");
    s->ssrcs[s->ssrc_count++] = ssrc;
    return 0;
}

static int on_ssrc_group(struct sdp_parser *p, struct slice value)
{
    struct slice rest = value;
    struct sdp_section *s = p->section;
    if (!slice_is(sdpattr_next_word(&rest), "FID"))
        return 0;
    struct sdp_fid fid = {.media_ssrc = 0};
    int err = text_parse_u32(sdpattr_next_word(&rest), UINT32_MAX, &fid.media_ssrc);
    if (err == 0)
        err = text_parse_u32(sdpattr_next_word(&rest), UINT32_MAX, &fid.rtx_ssrc);
    if (err < 0)
        return sdpattr_fail(p, -EBADMSG, "An a=ssrc-group line is malformed.");
    if (s->fid_count == SDP_FID_MAX)
        return sdpattr_fail(p, -EMSGSIZE, "A section has more than 8 source groups.");
    s->fids[s->fid_count++] = fid;
    return 0;
}

static int on_msid(struct sdp_parser *p, struct slice value)
{
    struct slice rest = value;
    struct sdp_section *s = p->section;
    struct slice stream = sdpattr_next_word(&rest);
    for (size_t i = 0; i < s->msid_count; i++) {
        if (slice_equal(s->msids[i], stream))
            return 0;
    }
    if (s->msid_count == SDP_MSIDS_MAX)
        return sdpattr_fail(p, -EMSGSIZE, "A section belongs to more than 4 streams.");
    s->msids[s->msid_count++] = stream;
    return 0;
}

/* Where an attribute counts; RTP: in sections whose formats are payload types. */
enum level { SESSION = 1, MEDIA = 2, RTP = 4, BOTH = SESSION | MEDIA };

/* A row has a handler, or is a plain flag of the section at that offset. */
static const struct attribute_row {
    const char *name;
    enum level levels;
    attribute_fn handle;
    size_t flag;
} attributes[] = {
    {"ice-ufrag", BOTH, on_ufrag, 0},
    {"ice-pwd", BOTH, on_pwd, 0},
    {"fingerprint", BOTH, on_fingerprint, 0},
    {"setup", BOTH, on_setup, 0},
    {"sendrecv", BOTH, on_sendrecv, 0},
    {"sendonly", BOTH, on_sendonly, 0},
    {"recvonly", BOTH, on_recvonly, 0},
    {"inactive", BOTH, on_inactive, 0},
    {"extmap-allow-mixed", BOTH, on_extmap_allow_mixed, 0},
    {"group", SESSION, on_group, 0},
    {"mid", MEDIA, on_mid, 0},
    {"rtpmap", RTP, on_rtpmap, 0},
    {"fmtp", RTP, on_fmtp, 0},
    {"rtcp-fb", RTP, on_rtcp_fb, 0},
    {"rtcp-xr", MEDIA, on_rtcp_xr, 0},
    {"extmap", MEDIA, on_extmap, 0},
    {"ssrc", MEDIA, on_ssrc, 0},
    {"ssrc-group", MEDIA, on_ssrc_group, 0},
    {"msid", MEDIA, on_msid, 0},
    {"bundle-only", MEDIA, NULL, offsetof(struct sdp_section, bundle_only)},
    {"crypto", MEDIA, NULL, offsetof(struct sdp_section, crypto)},
    {"rtcp-mux", MEDIA, NULL, offsetof(struct sdp_section, rtcp_mux)},
    {"rtcp-rsize", MEDIA, NULL, offsetof(struct sdp_section, rtcp_rsize)},
    {"rid", MEDIA, sdprid_on_rid, 0},
    {"simulcast", MEDIA, sdprid_on_simulcast, 0},
};

int sdpattr_parse(struct sdp_parser *p, struct slice line)
{
    struct slice value = line;
    struct slice name = slice_cut(&value, ':');
    unsigned here = SESSION;
    if (p->section)
        here = MEDIA | (p->section->format_count > 0 ? RTP : 0u);
    for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
        const struct attribute_row *row = &attributes[i];
        if (!(row->levels & here) || !slice_is(name, row->name))
            continue;
        if (row->handle)
            return row->handle(p, slice_trim(value));
        *(bool *)((char *)p->section + row->flag) = true;
    }
    return 0;
}
