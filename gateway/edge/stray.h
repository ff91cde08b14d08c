/* Which sessions a media packet from an unknown port may belong to (threats.md U17).
 *
 * A NAT that gives a publisher a new port shows first as media: the next check comes seconds later
 * (Chromium: 2.65 s). Such a packet is shown, strictly limited, to the sessions that have a checked
 * flow of the same host here, and the worker whose keys fit it may ask for the flow. That is less
 * than RFC 8445 12 wants, and safe: until a check came from there nothing is ever sent to it, and
 * only the worker can tell authentic media. Strangers cost a look into one bucket.
 *
 * No I/O; everything is bounded and lies in the struct. */
#ifndef SLUICE_EDGE_STRAY_H
#define SLUICE_EDGE_STRAY_H

#include "gateway/edge/rate.h"
#include "lib/base/addr.h"
#include "lib/proto/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STRAY_SESSIONS_MAX 8u /* that one packet is shown to; with more they take turns */
#define STRAY_WALK_MAX 24u    /* entries looked at for one packet */
#define STRAY_HOSTS_MAX (STREAM_MAX * STREAM_PATHS_MAX)
#define STRAY_BUCKETS 4096u      /* a power of two */
#define STRAY_RECENT_MAX 32u     /* tuples of each session that its worker may ask for */
#define STRAY_RECENT_US 2000000u /* for so long */
#define STRAY_SESSION_BURST 16u  /* packets shown to a session at once, */
#define STRAY_SESSION_RATE 50u   /* per second, */
#define STRAY_TOTAL_BURST 512u   /* and to all */
#define STRAY_TOTAL_RATE 1000u

/* A host that has `flows` checked flows of a session to the same address here. Those of one bucket
 * form a ring. flows is 0 for a free one, then next is in the free list; indices are 1 + the
 * position, 0 means none. */
struct stray_host {
    struct addr local;
    struct addr host; /* port 0 */
    uint16_t session; /* index */
    uint16_t flows;
    uint16_t next;
};

struct stray_recent {
    struct addr local;
    struct addr remote;
    uint64_t at_us;
};

/* Free when it has no hosts. */
struct stray_session {
    uint64_t id;
    unsigned hosts;
    unsigned newest; /* in recent */
    struct rate rate;
    struct stray_recent recent[STRAY_RECENT_MAX];
};

struct stray {
    uint64_t seed;
    uint64_t first_us;
    struct rate rate;
    uint16_t free_host;
    uint16_t buckets[STRAY_BUCKETS]; /* whose turn is next */
    struct stray_session sessions[STREAM_MAX];
    struct stray_host hosts[STRAY_HOSTS_MAX];
};

void stray_init(struct stray *stray, uint64_t seed, uint64_t now_us);

/* A checked flow of the session began, or ended. As many as the door takes fit. */
void stray_add(struct stray *stray, uint64_t session, const struct addr *local,
               const struct addr *remote);
void stray_remove(struct stray *stray, uint64_t session, const struct addr *local,
                  const struct addr *remote);

/* Whether a session has a flow of that host: else the packet is a stranger's. */
bool stray_is_known(const struct stray *stray, const struct addr *local, const struct addr *remote);

/* Takes turns among the sessions that a packet from remote to local may belong to: fills
 * out[STRAY_SESSIONS_MAX] with those that it is to be shown to now and returns their number; 0
 * above the rates. */
size_t stray_judge(struct stray *stray, const struct addr *local, const struct addr *remote,
                   uint64_t now_us, uint64_t *out);

/* True when a packet of that tuple was shown to the session a moment ago, so that its worker may
 * ask for it: a worker gets no socket to anywhere else. Once for each packet. */
bool stray_may_open(struct stray *stray, uint64_t session, const struct addr *local,
                    const struct addr *remote, uint64_t now_us);

#endif
