#include "tests/support/rawsdp.h"

#include "lib/base/writer.h"

#include <errno.h>
#include <stdio.h>

#define AUDIO_TYPE 111
#define H264_TYPE 102
#define VP8_TYPE 96
#define RTX_TYPE 103

/* ---- offer ---- */

static void write_section_head(struct writer *w, const struct rawsdp_offer *offer, unsigned mid,
                               const char *media, unsigned type, unsigned rtx)
{
    char hex[3];
    writer_text(w, "m=%s 9 UDP/TLS/RTP/SAVPF %u", media, type);
    if (rtx != 0)
        writer_text(w, " %u", rtx);
    writer_text(w, "\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n");
    writer_text(w, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\na=ice-options:trickle\r\n", offer->ufrag,
                offer->pwd);
    writer_text(w, "a=fingerprint:sha-256 ");
    for (size_t i = 0; i < RAWDTLS_FINGERPRINT_LEN; i++) {
        (void)snprintf(hex, sizeof(hex), "%02X", offer->fingerprint[i]);
        writer_text(w, "%s%s", i > 0 ? ":" : "", hex);
    }
    writer_text(w, "\r\na=setup:%s\r\na=mid:%u\r\na=extmap:%d %s\r\na=sendonly\r\n",
                offer->passive ? "passive" : "actpass", mid, RAWSDP_MID_ID, RAWSDP_MID_URI);
    writer_text(w, "a=msid:rawpub %s\r\na=rtcp-mux\r\na=rtcp-rsize\r\n", media);
    writer_text(w, "a=rtcp-xr:rcvr-rtt=all\r\n");
}

static void write_ssrc(struct writer *w, const struct rawsdp_offer *offer, uint32_t ssrc)
{
    writer_text(w, "a=ssrc:%u cname:%s\r\n", ssrc, offer->cname);
}

static void write_feedback(struct writer *w, unsigned type)
{
    static const char *const kinds[] = {"goog-remb", "ccm fir", "nack", "nack pli"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        writer_text(w, "a=rtcp-fb:%u %s\r\n", type, kinds[i]);
}

static void write_rtx(struct writer *w, const struct rawsdp_offer *offer, unsigned type)
{
    if (offer->rtx_ssrc == 0)
        return;
    writer_text(w, "a=rtpmap:%d rtx/90000\r\na=fmtp:%d apt=%u\r\n", RTX_TYPE, RTX_TYPE, type);
    writer_text(w, "a=ssrc-group:FID %u %u\r\n", offer->video_ssrc, offer->rtx_ssrc);
    write_ssrc(w, offer, offer->rtx_ssrc);
}

/* RFC 8851, RFC 8853. */
static void write_layers(struct writer *w, const struct rawsdp_offer *offer)
{
    writer_text(w, "a=extmap:%d %s\r\n", RAWSDP_RID_ID, RAWSDP_RID_URI);
    for (unsigned i = 0; i < offer->layers; i++)
        writer_text(w, "a=rid:%u send\r\n", i);
    for (unsigned i = 0; i < offer->layers; i++)
        writer_text(w, "%s%u", i > 0 ? ";" : "a=simulcast:send ", i);
    writer_text(w, "\r\n");
}

int rawsdp_write_offer(const struct rawsdp_offer *offer, char *to)
{
    struct writer w;
    static const struct {
        unsigned type;
        const char *name;
        const char *parameters; /* "": none */
    } formats[RAWMEDIA_CODEC_COUNT] = {
        [RAWMEDIA_H264] = {H264_TYPE, "H264",
                           "level-asymmetry-allowed=1;packetization-mode=1;"
                           "profile-level-id=42e01f"},
        [RAWMEDIA_VP8] = {VP8_TYPE, "VP8", ""},
        [RAWMEDIA_H265] = {104, "H265", "level-id=93;profile-id=1;tier-flag=0;tx-mode=SRST"},
        [RAWMEDIA_VP9] = {98, "VP9", "profile-id=0"},
        [RAWMEDIA_AV1] = {45, "AV1", "level-idx=5;profile=0;tier=0"},
    };
    unsigned type = formats[offer->video].type;
    writer_init(&w, to, RAWSDP_OFFER_MAX);
    writer_text(&w, "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n");
    writer_text(&w,
                "a=group:BUNDLE 0 1\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS rawpub\r\n");
    write_section_head(&w, offer, 0, "audio", AUDIO_TYPE, 0);
    writer_text(&w, "a=rtpmap:%u opus/48000/2\r\na=fmtp:%u minptime=10;useinbandfec=1\r\n",
                AUDIO_TYPE, AUDIO_TYPE);
    write_ssrc(&w, offer, offer->audio_ssrc);
    write_section_head(&w, offer, 1, "video", type, offer->rtx_ssrc != 0 ? RTX_TYPE : 0);
    writer_text(&w, "a=rtpmap:%u %s/90000\r\n", type, formats[offer->video].name);
    write_feedback(&w, type);
    if (formats[offer->video].parameters[0] != '\0')
        writer_text(&w, "a=fmtp:%u %s\r\n", type, formats[offer->video].parameters);
    write_rtx(&w, offer, type);
    if (offer->layers > 0)
        write_layers(&w, offer);
    else
        write_ssrc(&w, offer, offer->video_ssrc);
    writer_u8(&w, 0);
    return writer_ok(&w) ? 0 : -EMSGSIZE;
}

/* ---- answer ---- */

static void take_text(char *to, struct slice value)
{
    if (to[0] == 0) /* the same in each section of a bundle: the first counts */
        (void)text_copy(to, RAWSDP_TEXT_MAX + 1, value);
}

static void parse_fingerprint(struct slice value, struct rawsdp_answer *out)
{
    struct slice hash = slice_cut(&value, ' ');
    uint8_t bytes[RAWDTLS_FINGERPRINT_LEN];
    if (!slice_is_nocase(hash, "sha-256"))
        return;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        if (text_unhex(slice_cut(&value, ':'), &bytes[i], 1) != 0)
            return;
    }
    for (size_t i = 0; i < sizeof(bytes); i++)
        out->fingerprint[i] = bytes[i];
    out->has_fingerprint = true;
}

/* candidate:FOUNDATION COMPONENT TRANSPORT PRIORITY ADDRESS PORT typ TYPE ... (RFC 8839 5.1) */
static void parse_candidate(struct slice value, const struct addr *preferred,
                            struct rawsdp_answer *out)
{
    struct addr address = {0};
    uint32_t port = 0;
    slice_cut(&value, ' ');
    slice_cut(&value, ' ');
    struct slice transport = slice_cut(&value, ' ');
    bool udp = slice_is_nocase(transport, "udp"), tcp = slice_is_nocase(transport, "tcp");
    struct addr *to = tcp ? &out->tcp : &out->candidate;
    slice_cut(&value, ' ');
    int rc = addr_parse(slice_cut(&value, ' '), &address);
    if (rc == 0)
        rc = text_parse_u32(slice_cut(&value, ' '), 65535, &port);
    if (rc != 0 || !(udp || tcp) || port == 0)
        return;
    if (tcp && !slice_is(value, "typ host tcptype passive"))
        return;
    address.port = (uint16_t)port;
    if (to->family == 0 || (addr_same_host(&address, preferred) && !addr_same_host(to, preferred)))
        *to = address;
}

/* Whether the section takes our RTX too. */
static uint8_t parse_rtx(struct slice line)
{
    for (unsigned i = 0; i < 4; i++)
        slice_cut(&line, ' ');
    return slice_is(slice_cut(&line, ' '), "103") ? RTX_TYPE : 0;
}

/* The section's first payload type; 0 when its port says that it is refused. */
static uint8_t parse_media(struct slice line)
{
    uint32_t type = 0;
    slice_cut(&line, ' ');
    bool refused = slice_is(slice_cut(&line, ' '), "0");
    slice_cut(&line, ' ');
    if (refused || text_parse_u32(slice_cut(&line, ' '), 127, &type) != 0)
        return 0;
    return (uint8_t)type;
}

static void parse_line(struct slice line, const struct addr *preferred, struct rawsdp_answer *out)
{
    struct slice value = line;
    struct slice name = slice_cut(&value, ':');
    if (slice_starts(line, "m=audio ")) {
        out->audio_type = parse_media(line);
    } else if (slice_starts(line, "m=video ")) {
        out->video_type = parse_media(line);
        out->rtx_type = parse_rtx(line);
    } else if (slice_is(name, "a=ice-ufrag"))
        take_text(out->ufrag, value);
    else if (slice_is(name, "a=ice-pwd"))
        take_text(out->pwd, value);
    else if (slice_is(name, "a=fingerprint"))
        parse_fingerprint(value, out);
    else if (slice_is(name, "a=candidate"))
        parse_candidate(value, preferred, out);
    else if (slice_is(name, "a=extmap"))
        out->mid_extension |= slice_is(value, "4 " RAWSDP_MID_URI);
    else if (slice_is(line, "a=setup:active"))
        out->active = true;
    else if (slice_is(name, "a=setup"))
        out->other_setup |= !slice_is(value, "passive");
}

int rawsdp_parse_answer(struct slice text, const struct addr *preferred, struct rawsdp_answer *out)
{
    *out = (struct rawsdp_answer){0};
    while (text.len > 0)
        parse_line(slice_line(&text), preferred, out);
    if (out->ufrag[0] == 0 || out->pwd[0] == 0 || !out->has_fingerprint ||
        out->candidate.family == 0 || out->audio_type == 0 || out->video_type == 0)
        return -EBADMSG;
    return out->other_setup ? -ENOTSUP : 0;
}
