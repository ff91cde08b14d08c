/* RTP packets (RFC 3550 5.1) and numbers that wrap.
 *
 *  0                   1                   2                   3
 *  |V=2|P|X|  CC   |M|     PT      |       sequence number         |
 *  |                           timestamp                           |
 *  |                             SSRC                              |
 *  |                       CSRC, CC times                          |
 *  |   if X: profile               |  length in 32-bit words       | extension ... | payload */
#ifndef SLUICE_RTC_RTP_H
#define SLUICE_RTC_RTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RTP_HEADER_LEN 12u

/* A parsed packet; pointers borrow from the datagram. Invariant: header_len + payload_len +
 * padding_len is the datagram's length. */
struct rtp_packet {
    bool marker;
    bool padded; /* the P bit */
    uint8_t payload_type;
    uint8_t csrc_count;
    uint16_t sequence;
    uint32_t timestamp;
    uint32_t ssrc;
    bool has_extension;
    uint16_t extension_profile;
    const uint8_t *extension; /* NULL when absent or empty */
    size_t extension_len;
    size_t header_len; /* fixed part, CSRC list and extension */
    const uint8_t *payload;
    size_t payload_len; /* 0 in padding-only packets (RTP-05) */
    uint8_t padding_len;
};

/* Parses a plain packet and strips its padding. 0 or -EBADMSG. */
int rtp_parse(const uint8_t *data, size_t len, struct rtp_packet *out);

/* Parses what SRTP leaves in clear: like rtp_parse but the padding, which is encrypted, is not
 * looked at and payload covers everything behind the header. 0 or -EBADMSG. */
int rtp_parse_header(const uint8_t *data, size_t len, struct rtp_packet *out);

/* The packet that an RTX packet carries (RFC 4588 4): same timestamp and marker, the original
 * sequence number from the payload's first two bytes, payload type and SSRC as given. 0, or
 * -EBADMSG when the payload is too short; padding-only probes give -EAGAIN. */
int rtp_unwrap_rtx(const struct rtp_packet *rtx, uint8_t payload_type, uint32_t ssrc,
                   struct rtp_packet *out);

/* The extended value nearest to `last` whose low 16 or 32 bits are `low`. Start with last = low. */
int64_t rtp_extend_sequence(int64_t last, uint16_t low);
int64_t rtp_extend_timestamp(int64_t last, uint32_t low);

#endif
