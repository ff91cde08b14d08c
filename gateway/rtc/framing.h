/* Frames on a byte stream: two bytes of length, then the packet (RFC 4571 2), as ICE-TCP carries
 * them (RFC 6544 3). */
#ifndef SLUICE_RTC_FRAMING_H
#define SLUICE_RTC_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAMING_PREFIX 2u
#define FRAMING_PACKET_MAX 1500u /* longer frames are skipped: no datagram would hold them */
#define FRAMING_IN_MAX (16u << 10)

/* What was read and not yet taken. Invariant: pos <= len; bytes before pos have been taken; the
 * next `skip` bytes of the stream belong to a frame that is not wanted. */
struct framing_in {
    size_t pos;
    size_t len;
    size_t skip;
    uint64_t oversized; /* frames skipped */
    uint8_t bytes[FRAMING_IN_MAX];
};

/* At most one frame, partly sent. Invariant: sent <= len; free for the next when they are equal. */
struct framing_out {
    size_t sent;
    size_t len;
    uint8_t bytes[FRAMING_PREFIX + FRAMING_PACKET_MAX];
};

void framing_in_reset(struct framing_in *in);
/* Room for further bytes of the stream: at least one once framing_next has given false. */
uint8_t *framing_room(struct framing_in *in, size_t *out_room);
void framing_filled(struct framing_in *in, size_t len); /* so many bytes were put there */
/* The next whole packet, in place and writable until the next framing_room. False: more bytes are
 * needed. Empty frames carry nothing and are left out. */
bool framing_next(struct framing_in *in, uint8_t **out_data, size_t *out_len);

void framing_out_reset(struct framing_out *out);
/* Makes a frame of a packet. 0, -EAGAIN while the last one is not all sent, -EMSGSIZE. */
int framing_put(struct framing_out *out, const uint8_t *data, size_t len);
/* What is still to be sent; the length, 0 when there is nothing. */
size_t framing_rest(const struct framing_out *out, const uint8_t **out_data);
void framing_sent(struct framing_out *out, size_t len); /* at most framing_rest */

#endif
