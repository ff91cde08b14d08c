/* Penalties for addresses that send wrong tokens (threats.md H8). */
#include "auth/penalty.h"

#include "lib/base/reader.h"
#include "lib/base/secret.h"

#include <errno.h>
#include <stdlib.h>

#define PENALTY_BUCKETS (PENALTY_ENTRIES / PENALTY_WAYS)
_Static_assert((PENALTY_BUCKETS & (PENALTY_BUCKETS - 1)) == 0, "bucket numbers are masked");

int penalty_init(struct penalty *p)
{
    p->entries = calloc(PENALTY_ENTRIES, sizeof(*p->entries));
    if (!p->entries)
        return -ENOMEM;
    secret_random(p->seed, sizeof(p->seed));
    return 0;
}

void penalty_done(struct penalty *p)
{
    free(p->entries);
    p->entries = NULL;
}

/* What is penalised: the whole IPv4 address, the /64 of an IPv6 one. The two never meet, because no
 * IPv6 prefix in use begins with 32 zero bits. */
static uint64_t prefix_of(const struct addr *peer)
{
    struct reader r;
    reader_init(&r, peer->ip, sizeof(peer->ip));
    return peer->family == 4 ? reader_u32(&r) : reader_u64(&r);
}

/* A keyed mix (multiply and fold, twice): strangers cannot aim at a bucket. */
static uint64_t mix(uint64_t value, const uint64_t seed[2])
{
    value = (value ^ seed[0]) * 0x9e3779b97f4a7c15u;
    value = ((value ^ (value >> 32)) + seed[1]) * 0xd6e8feb86659fd93u;
    return value ^ (value >> 32);
}

static struct penalty_entry *find(struct penalty *p, uint64_t prefix, uint64_t now_us)
{
    struct penalty_entry *bucket =
        &p->entries[(mix(prefix, p->seed) & (PENALTY_BUCKETS - 1)) * PENALTY_WAYS];
    struct penalty_entry *oldest = &bucket[0];
    for (size_t i = 0; i < PENALTY_WAYS; i++) {
        if (bucket[i].prefix == prefix && bucket[i].until_us > now_us)
            return &bucket[i];
        if (bucket[i].until_us < oldest->until_us)
            oldest = &bucket[i];
    }
    *oldest = (struct penalty_entry){.prefix = prefix};
    return oldest;
}

bool penalty_fail(struct penalty *p, const struct addr *peer, uint64_t now_us)
{
    if (!p->entries || peer->family == 0)
        return false;
    struct penalty_entry *entry = find(p, prefix_of(peer), now_us);
    bool refused = entry->active;
    uint64_t sum_us = entry->until_us > now_us ? entry->until_us - now_us : 0;
    sum_us += PENALTY_PER_FAILURE_US;
    if (sum_us > PENALTY_CAP_US)
        sum_us = PENALTY_CAP_US;
    /* a little less than the full sum: time has passed since the first of them */
    if (sum_us > (PENALTY_TOLERATED - 1) * (uint64_t)PENALTY_PER_FAILURE_US)
        entry->active = true;
    entry->until_us = now_us + sum_us;
    return refused;
}
