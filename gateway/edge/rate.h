/* Token buckets: how much of something may pass at once, and per second. */
#ifndef SLUICE_EDGE_RATE_H
#define SLUICE_EDGE_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* Tokens in thousandths, so that a rate per second needs no fractions. */
struct rate {
    uint64_t since_us;
    uint32_t milli;
};

/* A full bucket; burst at most 1,000,000. */
struct rate rate_full(uint32_t burst, uint64_t now_us);

/* Takes one token if there is one. The bucket gains per_second tokens each second up to burst. */
bool rate_take(struct rate *rate, uint32_t per_second, uint32_t burst, uint64_t now_us);

#endif
