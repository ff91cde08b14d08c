#include "tests/support/rawrtcp.h"

#include "lib/base/reader.h"
#include "lib/base/writer.h"

#include <errno.h>
#include <string.h>

#define RTCP_SR 200
#define RTCP_RR 201
#define RTCP_SDES 202
#define RTCP_BYE 203
#define RTCP_RTPFB 205
#define RTCP_PSFB 206
#define RTCP_XR 207
#define XR_RRTR 4
#define XR_DLRR 5
#define FMT_NACK 1
#define FMT_PLI 1
#define FMT_FIR 4
#define FMT_AFB 15
#define NTP_1970 2208988800ull /* seconds from 1900 to 1970 */

static void parse_nack(struct reader *r, uint32_t ssrc, rawrtcp_fn fn, void *ctx)
{
    while (reader_left(r) >= 4) {
        uint16_t first = reader_u16(r), mask = reader_u16(r);
        for (unsigned i = 0; i <= 16; i++) {
            if (i > 0 && (mask >> (i - 1) & 1) == 0)
                continue;
            struct rawrtcp_event event = {RAWRTCP_NACK, ssrc, (uint16_t)(first + i)};
            fn(ctx, &event);
        }
    }
}

static void parse_remb(struct reader *r, rawrtcp_fn fn, void *ctx)
{
    const uint8_t *name = reader_bytes(r, 4);
    uint8_t count = reader_u8(r);
    uint32_t packed = reader_u24(r);
    uint32_t ssrc = count > 0 ? reader_u32(r) : 0;
    if (!reader_ok(r) || memcmp(name, "REMB", 4) != 0)
        return;
    struct rawrtcp_event event = {RAWRTCP_REMB, ssrc,
                                  (uint64_t)(packed & 0x3ffff) << (packed >> 18 & 0x3f)};
    fn(ctx, &event);
}

static void parse_feedback(unsigned type, unsigned format, struct reader *r, rawrtcp_fn fn,
                           void *ctx)
{
    reader_u32(r); /* who sends it */
    uint32_t ssrc = reader_u32(r);
    if (!reader_ok(r))
        return;
    if (type == RTCP_RTPFB && format == FMT_NACK)
        parse_nack(r, ssrc, fn, ctx);
    if (type != RTCP_PSFB)
        return;
    if (format == FMT_AFB)
        parse_remb(r, fn, ctx);
    if (format == FMT_FIR)
        ssrc = reader_u32(r);
    if ((format == FMT_PLI || format == FMT_FIR) && reader_ok(r)) {
        struct rawrtcp_event event = {RAWRTCP_KEYFRAME, ssrc, 0};
        fn(ctx, &event);
    }
}

static void parse_reports(unsigned count, struct reader *r, rawrtcp_fn fn, void *ctx)
{
    reader_u32(r);
    for (unsigned i = 0; i < count; i++) {
        uint32_t ssrc = reader_u32(r);
        reader_u8(r);
        uint32_t lost = reader_u24(r);
        reader_bytes(r, 16);
        if (!reader_ok(r))
            return;
        struct rawrtcp_event event = {RAWRTCP_REPORT, ssrc, lost};
        fn(ctx, &event);
    }
}

static void parse_extended(struct reader *r, rawrtcp_fn fn, void *ctx)
{
    uint32_t ssrc = reader_u32(r);
    while (reader_left(r) >= 4) {
        uint8_t kind = reader_u8(r);
        reader_u8(r);
        size_t size = (size_t)reader_u16(r) * 4;
        struct reader block = reader_sub(r, size);
        uint64_t ntp = reader_u64(&block);
        struct rawrtcp_event event = {RAWRTCP_REFERENCE, ssrc, ntp >> 16 & 0xffffffff};
        if (kind == XR_RRTR && reader_ok(&block))
            fn(ctx, &event);
    }
}

int rawrtcp_parse(const uint8_t *data, size_t len, rawrtcp_fn fn, void *ctx)
{
    struct reader r;
    reader_init(&r, data, len);
    while (reader_left(&r) > 0) {
        uint8_t first = reader_u8(&r);
        unsigned type = reader_u8(&r);
        size_t size = (size_t)reader_u16(&r) * 4;
        struct reader body = reader_sub(&r, size);
        if (!reader_ok(&r) || first >> 6 != 2)
            return -EBADMSG;
        if (type == RTCP_RR)
            parse_reports(first & 0x1f, &body, fn, ctx);
        else if (type == RTCP_XR)
            parse_extended(&body, fn, ctx);
        else if (type == RTCP_RTPFB || type == RTCP_PSFB)
            parse_feedback(type, first & 0x1f, &body, fn, ctx);
    }
    return 0;
}

size_t rawrtcp_write_answer(uint32_t ssrc, const struct rawrtcp_event *reference, uint64_t delay_us,
                            uint8_t *to, size_t cap)
{
    struct writer w;
    writer_init(&w, to, cap);
    writer_u8(&w, 0x80);
    writer_u8(&w, RTCP_XR);
    writer_u16(&w, 5);
    writer_u32(&w, ssrc);
    writer_u16(&w, XR_DLRR << 8);
    writer_u16(&w, 3);
    writer_u32(&w, reference->ssrc);
    writer_u32(&w, (uint32_t)reference->value);
    writer_u32(&w, (uint32_t)(delay_us * 65536 / 1000000u));
    return writer_ok(&w) ? w.len : 0;
}

size_t rawrtcp_write_report(const struct rawrtcp_sender *sender, uint8_t *to, size_t cap)
{
    struct writer w;
    size_t name = strlen(sender->cname);
    uint64_t fraction = ((sender->wall_us % 1000000u) << 32) / 1000000u;
    writer_init(&w, to, cap);
    writer_u8(&w, 0x80);
    writer_u8(&w, RTCP_SR);
    writer_u16(&w, 6);
    writer_u32(&w, sender->ssrc);
    writer_u32(&w, (uint32_t)(sender->wall_us / 1000000u + NTP_1970));
    writer_u32(&w, (uint32_t)fraction);
    writer_u32(&w, sender->rtp_time);
    writer_u32(&w, sender->packets);
    writer_u32(&w, sender->bytes);
    size_t pad = 4 - (2 + name) % 4; /* at least one zero ends the items */
    writer_u8(&w, 0x81);
    writer_u8(&w, RTCP_SDES);
    writer_u16(&w, (uint16_t)(1 + (2 + name + pad) / 4));
    writer_u32(&w, sender->ssrc);
    writer_u8(&w, 1); /* CNAME */
    writer_u8(&w, (uint8_t)name);
    writer_bytes(&w, sender->cname, name);
    writer_zeros(&w, pad);
    return writer_ok(&w) ? w.len : 0;
}

size_t rawrtcp_write_bomb(uint32_t ssrc, uint8_t *to, size_t cap)
{
    struct writer w;
    writer_init(&w, to, cap);
    writer_u8(&w, 0x80 | 31);
    writer_u8(&w, RTCP_RR);
    writer_u16(&w, 1 + 31 * 6);
    writer_u32(&w, ssrc);
    for (uint32_t i = 0; i < 31 * 6; i++)
        writer_u32(&w, ssrc * (i + 1));
    writer_u8(&w, 0x81);
    writer_u8(&w, RTCP_SDES);
    writer_u16(&w, 3);
    writer_u32(&w, ssrc);
    writer_u8(&w, 8); /* PRIV, longer than there is room */
    writer_u8(&w, 255);
    writer_zeros(&w, 6);
    writer_u8(&w, 0x81);
    writer_u8(&w, RTCP_BYE);
    writer_u16(&w, 1);
    writer_u32(&w, ssrc);
    return writer_ok(&w) ? w.len : 0;
}
