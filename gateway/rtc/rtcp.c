/* RTCP packets in and out (RFC 3550 6, 4585 6, 5104 4.3, 5506). */
#include "gateway/rtc/rtcp.h"

#include "lib/base/clock.h"

#include <assert.h>
#include <errno.h>

#define SENDER_INFO_LEN 24u /* SSRC and sender info */
#define REPORT_LEN 24u
#define SDES_CNAME 1
#define DLRR_WORDS 3u
#define RRTR_WORDS 2u

void rtcp_begin(struct rtcp_walk *walk, const uint8_t *data, size_t len)
{
    reader_init(&walk->r, data, len);
    if (len == 0)
        walk->r.failed = true;
}

bool rtcp_next(struct rtcp_walk *walk, struct rtcp_packet *out)
{
    struct reader *r = &walk->r;
    if (reader_left(r) == 0)
        return false;
    uint8_t first = reader_u8(r);
    struct rtcp_packet packet = {.count = first & 0x1f, .type = reader_u8(r)};
    packet.len = 4u * reader_u16(r);
    packet.body = reader_bytes(r, packet.len);
    if (!reader_ok(r) || first >> 6 != 2) {
        r->failed = true;
        return false;
    }
    if (first & 0x20) {
        /* Only the last packet of a compound may be padded (RFC 3550 6.4.1). */
        uint8_t padding = packet.len > 0 ? packet.body[packet.len - 1] : 0;
        if (padding == 0 || padding % 4 != 0 || padding > packet.len || reader_left(r) > 0) {
            r->failed = true;
            return false;
        }
        packet.len -= padding;
    }
    *out = packet;
    return true;
}

bool rtcp_ok(const struct rtcp_walk *walk)
{
    return reader_ok(&walk->r);
}

int rtcp_parse_sender_info(const struct rtcp_packet *packet, struct rtcp_sender_info *out)
{
    struct reader r;
    reader_init(&r, packet->body, packet->len);
    struct rtcp_sender_info info = {.ssrc = reader_u32(&r)};
    info.ntp = reader_u64(&r);
    info.rtp_timestamp = reader_u32(&r);
    info.packets = reader_u32(&r);
    info.octets = reader_u32(&r);
    if (!reader_ok(&r) || packet->type != RTCP_SR)
        return -EBADMSG;
    *out = info;
    return 0;
}

int rtcp_parse_report(const struct rtcp_packet *packet, size_t index, struct rtcp_report *out)
{
    if ((packet->type != RTCP_SR && packet->type != RTCP_RR) || index >= packet->count)
        return -EBADMSG;
    struct reader r;
    reader_init(&r, packet->body, packet->len);
    size_t head = packet->type == RTCP_SR ? SENDER_INFO_LEN : 4u;
    reader_bytes(&r, head + index * REPORT_LEN);
    struct rtcp_report report = {.ssrc = reader_u32(&r)};
    report.fraction_lost = reader_u8(&r);
    uint32_t lost = reader_u24(&r);
    report.cumulative_lost = lost & 0x800000u ? (int32_t)lost - 0x1000000 : (int32_t)lost;
    report.highest_sequence = reader_u32(&r);
    report.jitter = reader_u32(&r);
    report.last_sr = reader_u32(&r);
    report.delay_since_sr = reader_u32(&r);
    if (!reader_ok(&r))
        return -EBADMSG;
    *out = report;
    return 0;
}

int rtcp_parse_sender(const struct rtcp_packet *packet, uint32_t *out_ssrc)
{
    bool has_sender = packet->type == RTCP_SR || packet->type == RTCP_RR ||
                      packet->type == RTCP_RTPFB || packet->type == RTCP_PSFB;
    struct reader r;
    reader_init(&r, packet->body, packet->len);
    uint32_t ssrc = reader_u32(&r);
    if (!reader_ok(&r) || !has_sender)
        return -EBADMSG;
    *out_ssrc = ssrc;
    return 0;
}

/* Reads one SDES chunk: SSRC, items, a zero, padding to 32 bits (RFC 3550 6.5). */
static void read_chunk(struct reader *r, uint32_t *ssrc, struct slice *cname)
{
    *ssrc = reader_u32(r);
    *cname = (struct slice){.data = NULL};
    for (;;) {
        uint8_t type = reader_u8(r);
        if (!reader_ok(r) || type == 0)
            break;
        size_t len = reader_u8(r);
        const uint8_t *text = reader_bytes(r, len);
        if (type == SDES_CNAME && text)
            *cname = slice_make(text, len);
    }
    reader_bytes(r, (4 - r->pos % 4) % 4);
}

int rtcp_parse_cname(const struct rtcp_packet *packet, size_t index, uint32_t *out_ssrc,
                     struct slice *out_cname)
{
    if (packet->type != RTCP_SDES || index >= packet->count)
        return -EBADMSG;
    struct reader r;
    reader_init(&r, packet->body, packet->len);
    uint32_t ssrc = 0;
    struct slice cname = {.data = NULL};
    for (size_t i = 0; i <= index; i++)
        read_chunk(&r, &ssrc, &cname);
    if (!reader_ok(&r))
        return -EBADMSG;
    *out_ssrc = ssrc;
    *out_cname = cname;
    return 0;
}

int rtcp_parse_bye(const struct rtcp_packet *packet, size_t index, uint32_t *out_ssrc)
{
    if (packet->type != RTCP_BYE || index >= packet->count)
        return -EBADMSG;
    struct reader r;
    reader_init(&r, packet->body, packet->len);
    reader_bytes(&r, 4 * index);
    uint32_t ssrc = reader_u32(&r);
    if (!reader_ok(&r))
        return -EBADMSG;
    *out_ssrc = ssrc;
    return 0;
}

/* The next report block of an XR with its contents; false at the end or when malformed. */
static bool next_block(struct reader *r, uint8_t *out_type, struct reader *out_block)
{
    if (reader_left(r) == 0)
        return false;
    *out_type = reader_u8(r);
    reader_u8(r); /* specific to the type */
    size_t len = 4u * reader_u16(r);
    *out_block = reader_sub(r, len);
    return reader_ok(r);
}

static bool begin_blocks(const struct rtcp_packet *packet, struct reader *r)
{
    reader_init(r, packet->body, packet->len);
    reader_u32(r); /* who sends it */
    return reader_ok(r) && packet->type == RTCP_XR;
}

size_t rtcp_parse_dlrr(const struct rtcp_packet *packet, struct rtcp_dlrr *out, size_t cap)
{
    struct reader r, block;
    uint8_t type;
    size_t count = 0;
    if (!begin_blocks(packet, &r))
        return 0;
    while (next_block(&r, &type, &block)) {
        while (type == RTCP_XR_DLRR && count < cap && reader_left(&block) >= 4 * DLRR_WORDS) {
            struct rtcp_dlrr *entry = &out[count++];
            entry->ssrc = reader_u32(&block);
            entry->reference = reader_u32(&block);
            entry->delay = reader_u32(&block);
        }
    }
    return count;
}

int rtcp_parse_rrtr(const struct rtcp_packet *packet, uint64_t *out_ntp)
{
    struct reader r, block;
    uint8_t type;
    if (!begin_blocks(packet, &r))
        return -EBADMSG;
    while (next_block(&r, &type, &block)) {
        uint64_t ntp = reader_u64(&block);
        if (type != RTCP_XR_RRTR || !reader_ok(&block))
            continue;
        *out_ntp = ntp;
        return 0;
    }
    return -EBADMSG;
}

int rtcp_parse_feedback(const struct rtcp_packet *packet, struct rtcp_feedback *out)
{
    struct reader r;
    reader_init(&r, packet->body, packet->len);
    struct rtcp_feedback feedback = {.sender_ssrc = reader_u32(&r)};
    feedback.media_ssrc = reader_u32(&r);
    feedback.fci_len = reader_left(&r);
    feedback.fci = reader_bytes(&r, feedback.fci_len);
    if (!reader_ok(&r) || (packet->type != RTCP_RTPFB && packet->type != RTCP_PSFB))
        return -EBADMSG;
    *out = feedback;
    return 0;
}

size_t rtcp_nack_sequences(const struct rtcp_feedback *feedback, uint16_t *out, size_t cap)
{
    struct reader r;
    reader_init(&r, feedback->fci, feedback->fci_len);
    size_t count = 0;
    while (reader_left(&r) >= 4) {
        uint16_t first = reader_u16(&r);
        uint16_t more = reader_u16(&r); /* bit i: first + i + 1 is lost too, RFC 4585 6.2.1 */
        if (count < cap)
            out[count++] = first;
        for (unsigned i = 0; i < 16; i++) {
            if ((more >> i & 1) && count < cap)
                out[count++] = (uint16_t)(first + i + 1);
        }
    }
    return count;
}

int rtcp_parse_fir(const struct rtcp_feedback *feedback, size_t index, uint32_t *out_ssrc,
                   uint8_t *out_sequence)
{
    if (index >= feedback->fci_len / 8)
        return -ENOENT;
    struct reader r;
    reader_init(&r, feedback->fci, feedback->fci_len);
    reader_bytes(&r, 8 * index);
    *out_ssrc = reader_u32(&r);
    *out_sequence = reader_u8(&r);
    return 0;
}

int rtcp_parse_remb(const struct rtcp_feedback *feedback, uint64_t *out_bps)
{
    struct reader r;
    reader_init(&r, feedback->fci, feedback->fci_len);
    uint32_t name = reader_u32(&r);
    uint8_t count = reader_u8(&r);
    uint32_t value = reader_u24(&r); /* 6 bits exponent, 18 bits mantissa */
    reader_bytes(&r, 4u * count);
    if (!reader_ok(&r) || name != 0x52454d42) /* "REMB" */
        return -EBADMSG;
    uint64_t mantissa = value & 0x3ffff;
    uint32_t exponent = value >> 18;
    uint64_t bps = mantissa << exponent;
    *out_bps = bps >> exponent == mantissa ? bps : UINT64_MAX;
    return 0;
}

/* Header with V=2; words is the length of what follows the header. */
static void write_head(struct writer *w, unsigned count, enum rtcp_type type, size_t words)
{
    writer_u8(w, (uint8_t)(0x80u | count));
    writer_u8(w, (uint8_t)type);
    writer_u16(w, (uint16_t)words);
}

static void write_feedback_head(struct writer *w, unsigned format, enum rtcp_type type,
                                size_t fci_words, uint32_t ssrc, uint32_t media_ssrc)
{
    write_head(w, format, type, 2 + fci_words);
    writer_u32(w, ssrc);
    writer_u32(w, media_ssrc);
}

void rtcp_write_sr(struct writer *w, const struct rtcp_sender_info *info)
{
    write_head(w, 0, RTCP_SR, 6);
    writer_u32(w, info->ssrc);
    writer_u64(w, info->ntp);
    writer_u32(w, info->rtp_timestamp);
    writer_u32(w, info->packets);
    writer_u32(w, info->octets);
}

/* Lost packets as a signed 24-bit number that saturates (RFC 3550 6.4.1). */
static uint32_t lost_field(int32_t lost)
{
    if (lost > 0x7fffff)
        lost = 0x7fffff;
    if (lost < -0x800000)
        lost = -0x800000;
    return (uint32_t)lost & 0xffffffu;
}

void rtcp_write_rr(struct writer *w, uint32_t ssrc, const struct rtcp_report *reports, size_t count)
{
    assert(count <= RTCP_REPORTS_MAX);
    write_head(w, (unsigned)count, RTCP_RR, 1 + 6 * count);
    writer_u32(w, ssrc);
    for (size_t i = 0; i < count; i++) {
        writer_u32(w, reports[i].ssrc);
        writer_u8(w, reports[i].fraction_lost);
        writer_u24(w, lost_field(reports[i].cumulative_lost));
        writer_u32(w, reports[i].highest_sequence);
        writer_u32(w, reports[i].jitter);
        writer_u32(w, reports[i].last_sr);
        writer_u32(w, reports[i].delay_since_sr);
    }
}

void rtcp_write_cname(struct writer *w, uint32_t ssrc, struct slice cname)
{
    size_t len = cname.len < RTCP_CNAME_MAX ? cname.len : RTCP_CNAME_MAX;
    size_t items = 2 + len + 1; /* type, length, text, and at least one zero to end the chunk */
    size_t padded = (items + 3) / 4 * 4;
    write_head(w, 1, RTCP_SDES, 1 + padded / 4);
    writer_u32(w, ssrc);
    writer_u8(w, 1);
    writer_u8(w, (uint8_t)len);
    writer_bytes(w, cname.data, len);
    writer_zeros(w, padded - 2 - len);
}

/* Packs ascending sequence numbers into PID and BLP pairs, RFC 4585 6.2.1. */
static size_t pack_nacks(const uint16_t *sequences, size_t count, uint32_t *entries)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        int32_t ahead =
            used > 0 ? clock_diff16(sequences[i], (uint16_t)(entries[used - 1] >> 16)) : 0;
        if (used > 0 && ahead == 0)
            continue;
        if (used > 0 && ahead > 0 && ahead <= 16)
            entries[used - 1] |= 1u << (ahead - 1);
        else
            entries[used++] = (uint32_t)sequences[i] << 16;
    }
    return used;
}

void rtcp_write_nack(struct writer *w, uint32_t ssrc, uint32_t media_ssrc,
                     const uint16_t *sequences, size_t count)
{
    assert(count > 0 && count <= RTCP_NACKS_MAX);
    uint32_t entries[RTCP_NACKS_MAX];
    size_t used = pack_nacks(sequences, count, entries);
    write_feedback_head(w, RTCP_FB_NACK, RTCP_RTPFB, used, ssrc, media_ssrc);
    for (size_t i = 0; i < used; i++)
        writer_u32(w, entries[i]);
}

void rtcp_write_pli(struct writer *w, uint32_t ssrc, uint32_t media_ssrc)
{
    write_feedback_head(w, RTCP_FB_PLI, RTCP_PSFB, 0, ssrc, media_ssrc);
}

void rtcp_write_fir(struct writer *w, uint32_t ssrc, uint32_t media_ssrc, uint8_t sequence)
{
    /* The media SSRC of the common head is unused and 0 (RFC 5104 4.3.1.2). */
    write_feedback_head(w, RTCP_FB_FIR, RTCP_PSFB, 2, ssrc, 0);
    writer_u32(w, media_ssrc);
    writer_u8(w, sequence);
    writer_zeros(w, 3);
}

void rtcp_write_rrtr(struct writer *w, uint32_t ssrc, uint64_t ntp)
{
    write_head(w, 0, RTCP_XR, 2 + RRTR_WORDS);
    writer_u32(w, ssrc);
    writer_u16(w, RTCP_XR_RRTR << 8);
    writer_u16(w, RRTR_WORDS);
    writer_u64(w, ntp);
}

void rtcp_write_dlrr(struct writer *w, uint32_t ssrc, const struct rtcp_dlrr *dlrr)
{
    write_head(w, 0, RTCP_XR, 2 + DLRR_WORDS);
    writer_u32(w, ssrc);
    writer_u16(w, RTCP_XR_DLRR << 8);
    writer_u16(w, DLRR_WORDS);
    writer_u32(w, dlrr->ssrc);
    writer_u32(w, dlrr->reference);
    writer_u32(w, dlrr->delay);
}

void rtcp_write_remb(struct writer *w, uint32_t ssrc, uint64_t bps, const uint32_t *ssrcs,
                     size_t count)
{
    assert(count <= 255);
    unsigned exponent = 0;
    while (bps >> exponent > 0x3ffff)
        exponent++;
    write_feedback_head(w, RTCP_FB_AFB, RTCP_PSFB, 2 + count, ssrc, 0);
    writer_bytes(w, "REMB", 4);
    writer_u8(w, (uint8_t)count);
    writer_u24(w, exponent << 18 | (uint32_t)(bps >> exponent));
    for (size_t i = 0; i < count; i++)
        writer_u32(w, ssrcs[i]);
}

void rtcp_write_bye(struct writer *w, uint32_t ssrc)
{
    write_head(w, 1, RTCP_BYE, 1);
    writer_u32(w, ssrc);
}
