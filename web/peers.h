/* Counters per client address, so that one source cannot use up what all share (threats.md H2, P2).
 *
 * What an address is, client.h says. It has an entry only while one of its counters is above 0. */
#ifndef SLUICE_WEB_PEERS_H
#define SLUICE_WEB_PEERS_H

#include "lib/base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum peers_what {
    PEERS_CONNECTION,
    PEERS_WAITER,  /* for parts */
    PEERS_PUBLISH, /* POST of an offer, waiting for its answer */
    PEERS_SESSION, /* request on a session URL, waiting for its answer */
    PEERS_BODY,    /* BODY_UNITs of memory */
    PEERS_WHAT_COUNT,
};

struct peers;

/* Room for so many addresses at once. 0 or -ENOMEM. */
int peers_new(size_t addresses, struct peers **out);
void peers_free(struct peers *peers); /* NULL allowed */

/* Counts one more; false, and nothing counted, when the address has limit already or the table is
 * full. */
bool peers_take(struct peers *peers, const struct addr *addr, enum peers_what what, uint32_t limit);
/* Takes back one peers_take. */
void peers_drop(struct peers *peers, const struct addr *addr, enum peers_what what);
/* The same for n at once, all or nothing; n > 0. */
bool peers_take_many(struct peers *peers, const struct addr *addr, enum peers_what what, uint32_t n,
                     uint32_t limit);
void peers_drop_many(struct peers *peers, const struct addr *addr, enum peers_what what,
                     uint32_t n);
uint32_t peers_count(const struct peers *peers, const struct addr *addr, enum peers_what what);

#endif
