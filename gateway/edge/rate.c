/* Token buckets: how much of something may pass at once, and per second. */
#include "gateway/edge/rate.h"

#include "lib/base/clock.h"

#define RATE_UNIT 1000u

struct rate rate_full(uint32_t burst, uint64_t now_us)
{
    return (struct rate){now_us, burst * RATE_UNIT};
}

bool rate_take(struct rate *rate, uint32_t per_second, uint32_t burst, uint64_t now_us)
{
    uint64_t full = (uint64_t)burst * RATE_UNIT;
    uint64_t passed_us = now_us > rate->since_us ? now_us - rate->since_us : 0;
    if (passed_us > CLOCK_SECOND_US * (uint64_t)burst)
        passed_us = CLOCK_SECOND_US * (uint64_t)burst;
    uint64_t gained = passed_us * per_second * RATE_UNIT / CLOCK_SECOND_US;
    if (gained > 0) { /* else the time waits until it makes a thousandth */
        rate->milli = (uint32_t)(rate->milli + gained < full ? rate->milli + gained : full);
        rate->since_us = now_us;
    }
    if (rate->milli < RATE_UNIT)
        return false;
    rate->milli -= RATE_UNIT;
    return true;
}
