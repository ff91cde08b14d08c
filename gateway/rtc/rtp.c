/* RTP packets (RFC 3550 5.1) and numbers that wrap. */
#include "gateway/rtc/rtp.h"

#include "lib/base/clock.h"
#include "lib/base/reader.h"

#include <errno.h>

static void read_extension(struct reader *r, struct rtp_packet *packet)
{
    packet->has_extension = true;
    packet->extension_profile = reader_u16(r);
    packet->extension_len = 4u * reader_u16(r);
    packet->extension = reader_bytes(r, packet->extension_len);
    if (packet->extension_len == 0)
        packet->extension = NULL;
}

int rtp_parse_header(const uint8_t *data, size_t len, struct rtp_packet *out)
{
    struct reader r;
    reader_init(&r, data, len);
    uint8_t first = reader_u8(&r); /* V=2, P, X, CC, RFC 3550 5.1 */
    uint8_t second = reader_u8(&r);
    struct rtp_packet packet = {
        .padded = first & 0x20,
        .csrc_count = first & 0x0f,
        .marker = second & 0x80,
        .payload_type = second & 0x7f,
    };
    packet.sequence = reader_u16(&r);
    packet.timestamp = reader_u32(&r);
    packet.ssrc = reader_u32(&r);
    reader_bytes(&r, 4u * packet.csrc_count);
    if (first & 0x10)
        read_extension(&r, &packet);
    if (!reader_ok(&r) || first >> 6 != 2)
        return -EBADMSG;
    packet.payload_len = reader_left(&r);
    packet.header_len = len - packet.payload_len;
    packet.payload = reader_bytes(&r, packet.payload_len);
    *out = packet;
    return 0;
}

int rtp_parse(const uint8_t *data, size_t len, struct rtp_packet *out)
{
    struct rtp_packet packet;
    int err = rtp_parse_header(data, len, &packet);
    if (err < 0)
        return err;
    if (packet.padded) {
        /* The last byte counts the padding, itself included. */
        uint8_t padding = packet.payload_len > 0 ? data[len - 1] : 0;
        if (padding == 0 || padding > packet.payload_len)
            return -EBADMSG;
        packet.padding_len = padding;
        packet.payload_len -= padding;
    }
    *out = packet;
    return 0;
}

int rtp_unwrap_rtx(const struct rtp_packet *rtx, uint8_t payload_type, uint32_t ssrc,
                   struct rtp_packet *out)
{
    if (rtx->payload_len == 0)
        return -EAGAIN;
    if (rtx->payload_len < 2)
        return -EBADMSG;
    struct rtp_packet packet = *rtx;
    packet.sequence = (uint16_t)(rtx->payload[0] << 8 | rtx->payload[1]);
    packet.payload_type = payload_type;
    packet.ssrc = ssrc;
    packet.header_len += 2;
    packet.payload += 2;
    packet.payload_len -= 2;
    *out = packet;
    return 0;
}

int64_t rtp_extend_sequence(int64_t last, uint16_t low)
{
    return last + clock_diff16(low, (uint16_t)last);
}

int64_t rtp_extend_timestamp(int64_t last, uint32_t low)
{
    return last + clock_diff32(low, (uint32_t)last);
}
