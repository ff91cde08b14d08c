/* Media packets of unknown ports, kept for a moment: the few that are shown to a worker (stray.h)
 * are not all that come until it has the flow's socket.
 *
 * A ring in arrival order; the oldest gives way, so junk of others can cost a publisher some of its
 * packets and nothing else. */
#ifndef SLUICE_EDGE_HELD_H
#define SLUICE_EDGE_HELD_H

#include "lib/base/addr.h"
#include "lib/proto/stream.h"

#include <stddef.h>
#include <stdint.h>

#define HELD_MAX 128u
#define HELD_US 300000u /* older ones are of no use (jitter_deadline) */

/* Free when len is 0. */
struct held_packet {
    struct addr local;
    struct addr remote;
    uint64_t at_us;
    size_t len;
    uint8_t bytes[STREAM_DATAGRAM_MAX];
};

struct held {
    size_t next;
    struct held_packet packets[HELD_MAX];
};

/* len up to STREAM_DATAGRAM_MAX, others are left out. */
void held_keep(struct held *held, const struct addr *local, const struct addr *remote,
               const uint8_t *data, size_t len, uint64_t now_us);

/* Takes the tuple's oldest packet out; NULL: none. Valid until the next held_keep. */
const struct held_packet *held_take(struct held *held, const struct addr *local,
                                    const struct addr *remote, uint64_t now_us, size_t *out_len);

#endif
