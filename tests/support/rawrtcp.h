/* RTCP of a sender: sender reports out (RFC 3550 6.4), feedback in (RFC 4585, RFC 5104, REMB). */
#ifndef SLUICE_SUPPORT_RAWRTCP_H
#define SLUICE_SUPPORT_RAWRTCP_H

#include <stddef.h>
#include <stdint.h>

enum rawrtcp_kind {
    RAWRTCP_NACK,
    RAWRTCP_KEYFRAME,
    RAWRTCP_REMB,
    RAWRTCP_REPORT,
    RAWRTCP_REFERENCE
};

/* value: NACK the sequence number (one event each), REMB the bits per second, REPORT the packets
 * lost in all, REFERENCE the middle of a receiver's reference time (RFC 3611 4.4); ssrc: the stream
 * meant, for REMB the first one listed, for REFERENCE the receiver. */
struct rawrtcp_event {
    enum rawrtcp_kind kind;
    uint32_t ssrc;
    uint64_t value;
};

typedef void (*rawrtcp_fn)(void *ctx, const struct rawrtcp_event *event);

/* Calls fn for each piece of feedback of a decrypted compound packet. 0 or -EBADMSG. */
int rawrtcp_parse(const uint8_t *data, size_t len, rawrtcp_fn fn, void *ctx);

struct rawrtcp_sender {
    uint32_t ssrc;
    uint64_t wall_us; /* now, and the media clock at that time */
    uint32_t rtp_time;
    uint32_t packets;
    uint32_t bytes;
    const char *cname;
};

/* Writes a sender report with its source description to to[cap]; the length, 0 if it does not fit.
 */
size_t rawrtcp_write_report(const struct rawrtcp_sender *sender, uint8_t *to, size_t cap);

/* Writes the answer to a reference time (RFC 3611 4.5), which came delay_us ago; the length, 0 if
 * it does not fit. */
size_t rawrtcp_write_answer(uint32_t ssrc, const struct rawrtcp_event *reference, uint64_t delay_us,
                            uint8_t *to, size_t cap);

/* The rest of an unwelcome compound packet: a receiver report of 31 blocks, items that make no
 * sense and a BYE, all of a stranger. The length, 0 if it does not fit. */
size_t rawrtcp_write_bomb(uint32_t ssrc, uint8_t *to, size_t cap);

#endif
