/* How often one client (client.h) may ask for work: a token bucket for each kind of request
 * (protocols.md WHIP-28).
 *
 * The table is bounded and never full: a newcomer takes the place of who has used least lately.
 * Who is forgotten that way starts with a full bucket again, so no honest client is ever refused
 * because of others; and who has so many addresses gets as many buckets in any case. */
#ifndef SLUICE_WEB_RATES_H
#define SLUICE_WEB_RATES_H

#include "lib/base/addr.h"

#include <stddef.h>
#include <stdint.h>

/* The last one is for requests that cost nothing: they are never counted. */
enum rates_kind { RATES_POST, RATES_PATCH, RATES_DELETE, RATES_KIND_COUNT, RATES_FREE };

/* A full bucket, and how many come back in a second: far above what publishers behind one address
 * do (a browser that trickles sends some 20 PATCHes in its first second). */
struct rates_limit {
    uint32_t burst;
    uint32_t per_second;
};

#define RATES_CLIENTS 4096u /* remembered at once; 40 bytes each */

struct rates;

const struct rates_limit *rates_limit_of(enum rates_kind kind); /* NULL for RATES_FREE */

/* clients is rounded up to a power of two. 0 or -ENOMEM. */
int rates_new(size_t clients, struct rates **out);
void rates_free(struct rates *rates); /* NULL allowed */

/* Counts one request: 0, or, with nothing counted, in how many seconds (at least 1, rounded up)
 * there is room for the next one. */
uint32_t rates_take(struct rates *rates, const struct addr *addr, enum rates_kind kind,
                    uint64_t now_us);
/* Takes back one rates_take, which turned out to be somebody else's affair. */
void rates_give_back(struct rates *rates, const struct addr *addr, enum rates_kind kind);

#endif
