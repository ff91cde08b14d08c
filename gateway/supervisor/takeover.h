/* A publisher whose stream is being published already: refused, or let in to take it over (WHIP-23,
 * threats.md W5).
 *
 * A session of the same token that has fallen silent is no rival but what a crashed publisher left;
 * so is one that has no keys yet, but not at once: each take-over costs a worker. Any other is cut
 * only if the new token's clash policy says so. */
#ifndef SLUICE_SUPERVISOR_TAKEOVER_H
#define SLUICE_SUPERVISOR_TAKEOVER_H

#include <stdint.h>

/* Without an accepted media packet, or without keys after its 201, for so long; counters come each
 * second. */
#define TAKEOVER_STALE_US 2000000u

struct publication;

enum takeover {
    TAKEOVER_FREE,        /* nobody publishes the stream */
    TAKEOVER_ALLOWED,     /* *out_old: the live session that goes when the new one has its answer */
    TAKEOVER_REFUSED,     /* another token's session, or one more that is being set up */
    TAKEOVER_REFUSED_OWN, /* the same token's session, alive: it may be dead in a moment */
};

/* p has its grant. *out_old is set with TAKEOVER_ALLOWED only. */
enum takeover takeover_judge(const struct publication *p, uint64_t now_us, uint64_t *out_old);

#endif
