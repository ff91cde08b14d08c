/* Header extension elements of an RTP packet, one-byte and two-byte form (RFC 8285 4.2, 4.3). */
#ifndef SLUICE_RTC_RTPEXT_H
#define SLUICE_RTC_RTPEXT_H

#include "gateway/rtc/rtp.h"
#include "lib/base/reader.h"
#include "lib/base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct rtpext_element {
    uint8_t id; /* 1 to 14 or 1 to 255 */
    const uint8_t *data;
    size_t len; /* may be 0 in the two-byte form */
};

struct rtpext_walk {
    struct reader r;
    bool two_byte;
    bool done;
};

/* Starts at the packet's extension. Unknown profiles have no elements. */
void rtpext_begin(struct rtpext_walk *walk, const struct rtp_packet *packet);
/* The next element, or false at the end; then rtpext_ok says whether the block was well-formed.
 * Padding is skipped, id 15 in the one-byte form ends the block (RFC 8285 4.2). */
bool rtpext_next(struct rtpext_walk *walk, struct rtpext_element *out);
bool rtpext_ok(const struct rtpext_walk *walk);

/* The first element with that id. 0; -ENOENT when there is none; -EBADMSG when any length in the
 * block is wrong: the packet must be dropped (RTP-03). id 0 is never found. */
int rtpext_find(const struct rtp_packet *packet, uint8_t id, struct slice *out);

#endif
