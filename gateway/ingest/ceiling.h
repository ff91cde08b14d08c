/* How much a publisher may send (threats.md U15): a bucket of bytes and one of packets, a second
 * deep, filled by the grant's bitrate with room for repairs, probes and headers.
 *
 * Only authentic packets are charged: nobody else can use it up. No I/O, no clock. */
#ifndef SLUICE_INGEST_CEILING_H
#define SLUICE_INGEST_CEILING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CEILING_ROOM_PERCENT 150u /* of the grant's bitrate: 30 % loss makes repairs of 43 % */
#define CEILING_PACKET_BYTES 100u /* packets may be as small as that on average */
#define CEILING_PACKETS_MIN 1000u /* a second, whatever the bitrate */
#define CEILING_OVER_S 10u        /* so long over it ends the stream */

struct ceiling {
    uint64_t bytes_per_s;
    uint64_t packets_per_s;
    uint64_t filled_us;
    int64_t byte_us; /* what may be sent, in time: a byte takes 1 / bytes_per_s; below 0: debt */
    int64_t packet_us;
    bool dropped; /* something, since the last tick */
    unsigned over_s;
};

/* max_bitrate_bps is not 0. */
void ceiling_init(struct ceiling *c, uint64_t max_bitrate_bps, uint64_t now_us);
/* False when a packet must be dropped now, before any work on it. */
bool ceiling_allows(struct ceiling *c, uint64_t now_us);
/* An authentic packet of len bytes was taken. */
void ceiling_charge(struct ceiling *c, size_t len);
/* Once a second; true when the stream must end. */
bool ceiling_tick(struct ceiling *c);

#endif
