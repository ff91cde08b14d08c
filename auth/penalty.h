/* Penalties for addresses that send wrong tokens (threats.md H8).
 *
 * Each failure costs the address PENALTY_PER_FAILURE_US. Nothing happens until the sum reaches
 * PENALTY_FLOOR_US; from then until it has run out, failures are answered with 429 instead of 401.
 * A valid token is never asked about, so nobody is locked out by a neighbour. IPv6 counts by /64.
 * The table is fixed: when a bucket is full, the entry that runs out first makes room. */
#ifndef SLUICE_AUTH_PENALTY_H
#define SLUICE_AUTH_PENALTY_H

#include "lib/base/addr.h"

#include <stdbool.h>
#include <stdint.h>

#define PENALTY_ENTRIES 65536u
#define PENALTY_WAYS 8u
#define PENALTY_PER_FAILURE_US 5000000u
#define PENALTY_TOLERATED 10u /* failures without a pause: mistakes of a person, or of a test */
#define PENALTY_CAP_US 600000000u

/* One address. Unused or run out when until_us is not in the future. */
struct penalty_entry {
    uint64_t prefix;
    uint64_t until_us;
    bool active; /* no longer tolerated */
};

/* All zero: not initialised; then nobody is ever penalised. */
struct penalty {
    uint64_t seed[2]; /* keeps bucket numbers unguessable */
    struct penalty_entry *entries;
};

int penalty_init(struct penalty *p); /* 0 or -ENOMEM */
void penalty_done(struct penalty *p);

/* Counts a failure of this address at now_us (CLOCK_MONOTONIC). True: answer 429. */
bool penalty_fail(struct penalty *p, const struct addr *peer, uint64_t now_us);

#endif
