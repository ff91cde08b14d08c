/* Reads a WHIP offer (RFC 8866, the subset of RFC 8829 that publishers write) into plain data. */
#include "gateway/rtc/sdp.h"

#include "gateway/rtc/sdpattr.h"
#include "gateway/rtc/sdprid.h"

#include <errno.h>
#include <string.h>

#define PT_MAX 127u

static enum sdp_kind kind_of(struct slice media)
{
    if (slice_is(media, "audio"))
        return SDP_AUDIO;
    if (slice_is(media, "video"))
        return SDP_VIDEO;
    return slice_is(media, "application") ? SDP_APPLICATION : SDP_OTHER;
}

static bool is_secure(struct slice proto)
{
    static const char *const secure[] = {
        "UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "TCP/TLS/RTP/SAVPF", "TCP/DTLS/RTP/SAVPF",
        "TCP/DTLS/RTP/SAVP", "UDP/DTLS/SCTP",    "TCP/DTLS/SCTP",     "DTLS/SCTP"};
    for (size_t i = 0; i < sizeof(secure) / sizeof(secure[0]); i++) {
        if (slice_is_nocase(proto, secure[i]))
            return true;
    }
    return false;
}

static bool is_rtp(struct slice proto)
{
    for (size_t i = 0; i + 4 <= proto.len; i++) {
        if (memcmp(proto.data + i, "RTP/", 4) == 0)
            return true;
    }
    return false;
}

static int read_formats(struct sdp_parser *p, struct sdp_section *s)
{
    struct slice rest = s->formats_text;
    for (;;) {
        struct slice word = sdpattr_next_word(&rest);
        uint32_t pt = 0;
        if (word.len == 0)
            return 0;
        int err = text_parse_u32(word, PT_MAX, &pt);
        if (err < 0 || sdp_find_format(s, pt))
            return sdpattr_fail(p, -EBADMSG, "An m= line lists a wrong or repeated payload type.");
        if (s->format_count == SDP_FORMATS_MAX)
            return sdpattr_fail(p, -EMSGSIZE, "A section has more than 64 payload types.");
        s->formats[s->format_count++] = (struct sdp_format){.pt = (uint8_t)pt, .channels = 1};
    }
}

static int on_media(struct sdp_parser *p, struct slice line)
{
    struct sdp *sdp = p->sdp;
    if (sdp->section_count == SDP_SECTIONS_MAX)
        return sdpattr_fail(p, -EMSGSIZE, "The offer has more than 8 sections.");
    struct slice rest = line;
    struct slice media = sdpattr_next_word(&rest);
    struct slice port_range = sdpattr_next_word(&rest);
    struct slice proto = sdpattr_next_word(&rest);
    struct slice formats = slice_trim(rest);
    struct slice port_text = slice_cut(&port_range, '/');
    uint32_t port = 0;
    int err = text_parse_u32(port_text, UINT16_MAX, &port);
    if (err < 0 || !sdpattr_is_printable(media) || !sdpattr_is_printable(proto) || formats.len == 0)
        return sdpattr_fail(p, -EBADMSG, "An m= line is malformed.");
    struct sdp_section *s = &sdp->sections[sdp->section_count++];
    s->kind = kind_of(media);
    s->direction = p->session_direction;
    s->port = (uint16_t)port;
    s->secure_profile = is_secure(proto);
    s->media = media;
    s->proto = proto;
    s->formats_text = formats;
    p->section = s;
    return is_rtp(proto) ? read_formats(p, s) : 0;
}

/* Control bytes have no place in a line; they could smuggle lines into the answer. */
static bool has_control(struct slice line)
{
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.data[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

static int on_line(struct sdp_parser *p, struct slice line)
{
    if (line.len == 0)
        return 0;
    if (line.len < 2 || line.data[0] < 'a' || line.data[0] > 'z' || line.data[1] != '=' ||
        has_control(line))
        return sdpattr_fail(p, -EBADMSG, "A line is not of the form letter=text.");
    struct slice value = slice_skip(line, 2);
    if (line.data[0] == 'm')
        return on_media(p, value);
    return line.data[0] == 'a' ? sdpattr_parse(p, value) : 0;
}

static int parse_lines(struct sdp_parser *p, struct slice text)
{
    struct slice rest = text;
    if (!slice_is(slice_line(&rest), "v=0"))
        return sdpattr_fail(p, -EBADMSG, "The offer does not start with v=0.");
    unsigned lines = 1;
    while (rest.len > 0) {
        if (++lines > SDP_LINES_MAX)
            return sdpattr_fail(p, -EMSGSIZE, "The offer has more than 600 lines.");
        int err = on_line(p, slice_line(&rest));
        if (err < 0)
            return err;
    }
    if (p->sdp->section_count == 0)
        return sdpattr_fail(p, -EBADMSG, "The offer has no m= line.");
    for (size_t i = 0; i < p->sdp->section_count; i++)
        sdprid_finish(&p->sdp->sections[i]);
    if (p->mixed_sections == p->sdp->section_count)
        p->sdp->extmap_allow_mixed = true;
    return 0;
}

int sdp_parse(struct slice text, struct sdp *out, const char **out_reason)
{
    struct sdp_parser p = {.sdp = out, .session_direction = SDP_SENDRECV};
    memset(out, 0, sizeof(*out));
    int err = 0;
    if (text.len > SDP_TEXT_MAX)
        err = sdpattr_fail(&p, -EMSGSIZE, "The offer is larger than 64 KiB.");
    else
        err = parse_lines(&p, text);
    if (err < 0)
        *out_reason = p.reason;
    return err;
}

void sdp_get_transport(const struct sdp *sdp, const struct sdp_section *section,
                       struct sdp_transport *out)
{
    *out = section->transport;
    if (out->ufrag.len == 0)
        out->ufrag = sdp->session.ufrag;
    if (out->pwd.len == 0)
        out->pwd = sdp->session.pwd;
    if (out->setup == SDP_SETUP_NONE)
        out->setup = sdp->session.setup;
    if (out->fingerprint_count == 0) {
        out->fingerprint_count = sdp->session.fingerprint_count;
        memcpy(out->fingerprints, sdp->session.fingerprints, sizeof(out->fingerprints));
    }
}

bool sdp_section_alive(const struct sdp_section *section)
{
    return section->port != 0 || section->bundle_only;
}

const struct sdp_format *sdp_find_format(const struct sdp_section *section, uint32_t pt)
{
    for (size_t i = 0; i < section->format_count; i++) {
        if (section->formats[i].pt == pt)
            return &section->formats[i];
    }
    return NULL;
}

struct slice sdp_fmtp_get(struct slice fmtp, const char *name)
{
    struct slice rest = fmtp;
    while (rest.len > 0) {
        struct slice value = slice_trim(slice_cut(&rest, ';'));
        struct slice key = slice_trim(slice_cut(&value, '='));
        if (slice_is_nocase(key, name))
            return slice_trim(value);
    }
    return (struct slice){.data = NULL, .len = 0};
}

unsigned sdp_http_status(int error)
{
    switch (error) {
    case -EBADMSG:
        return 400;
    case -ENOTSUP:
    case -EMSGSIZE:
        return 422;
    default:
        return 500;
    }
}
