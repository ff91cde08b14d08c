/* Another SSRC on a track: tells whether it is the source from now on (RTP-06).
 *
 * A publisher that starts anew sends packet after packet; a single one may be a stray. So the first
 * packet of a newcomer is kept, and the second one takes over with it, unless the source before is
 * silent anyway. A source that was replaced comes back only when its successor is silent. No I/O,
 * no clock. */
#ifndef SLUICE_INGEST_NEWCOMER_H
#define SLUICE_INGEST_NEWCOMER_H

#include "gateway/rtc/rtp.h"
#include "lib/proto/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NEWCOMER_SECOND_US 2000000u /* its second packet comes within that time */
#define NEWCOMER_PAUSE_US 200000u   /* so long silent: a newcomer needs no second packet */
#define NEWCOMER_RETURN_US 1000000u /* so long silent: one that was replaced may come back */

/* Invariant: while waits, packet is the first one of its SSRC, its payload lies in bytes. All zero:
 * nothing was heard yet. */
struct newcomer {
    uint64_t heard_us; /* last packet of the source that counts; 0: none */
    bool waits;
    uint64_t since_us; /* arrival of packet */
    struct rtp_packet packet;
    uint8_t bytes[STREAM_DATAGRAM_MAX];
};

enum newcomer_verdict {
    NEWCOMER_IGNORED,    /* the packet is of no use */
    NEWCOMER_TAKES_OVER, /* begin with this packet */
    NEWCOMER_PROVED,     /* begin with n->packet, then this one */
};

/* Judges a packet of another SSRC than the one that counts. is_new: this SSRC was never heard, or
 * came back after its end. */
enum newcomer_verdict newcomer_judge(struct newcomer *n, const struct rtp_packet *packet,
                                     bool is_new, uint64_t now_us);

/* A packet of the source that counts came. */
void newcomer_note_source(struct newcomer *n, uint64_t now_us);
/* The source that counts ended (BYE): the next newcomer needs no second packet. */
void newcomer_note_end(struct newcomer *n);
/* Wipes the packet that waits. */
void newcomer_forget(struct newcomer *n);

#endif
