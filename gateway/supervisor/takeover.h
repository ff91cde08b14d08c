/* A publisher whose stream is being published already: refused, or let in to take it over (WHIP-23,
 * threats.md W5).
 *
 * A session of the same token that has fallen silent is no rival but what a crashed publisher left;
 * so is one that has no keys yet, but not at once: each take-over costs a worker. It goes when the
 * new one has its answer. Any other is cut only if the new token's clash policy says so, and only
 * when the new one has keys: till then that is an heir, which shows nothing and can end without a
 * trace. When the old one ends by itself, its heir has its place at once. */
#ifndef SLUICE_SUPERVISOR_TAKEOVER_H
#define SLUICE_SUPERVISOR_TAKEOVER_H

#include <stdbool.h>
#include <stdint.h>

/* Without an accepted media packet, or without keys after its 201, for so long; counters come each
 * second. */
#define TAKEOVER_STALE_US 2000000u

struct publication;
struct supervisor;

enum takeover {
    TAKEOVER_FREE,        /* nobody publishes the stream */
    TAKEOVER_STALE,       /* *out_old: the session that goes when the new one has its answer */
    TAKEOVER_ALLOWED,     /* *out_old: the session that goes when the new one has its keys */
    TAKEOVER_REFUSED,     /* another token's session, or an heir or one that is being set up */
    TAKEOVER_REFUSED_OWN, /* the same token's session, alive: it may be dead in a moment */
};

/* p has its grant. *out_old is set with TAKEOVER_STALE and TAKEOVER_ALLOWED only. */
enum takeover takeover_judge(const struct publication *p, uint64_t now_us, uint64_t *out_old);

/* An heir of p's stream and token that had no keys in time, and makes room before p is judged; or
 * NULL. */
struct publication *takeover_stale_heir(const struct publication *p, uint64_t now_us);

/* p is LIVE, but the session that it is to replace still has the playback. */
bool takeover_is_heir(const struct publication *p);

/* The one publication, heir or still being set up, that is to replace this session; or NULL. */
struct publication *takeover_successor(struct supervisor *sup, uint64_t session);

#endif
