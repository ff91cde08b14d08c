/* The round trip as a receiver learns it from RTCP. */
#include "gateway/ingest/roundtrip.h"

#include "lib/base/clock.h"

#define SMOOTHING 8u         /* RFC 6298 2.3 */
#define CLOCK_UNITS_OFF 3277 /* 50 ms: the peer's clock may be coarser than the way is long */

/* Never 0: that would mean "none yet" (RFC 3611 4.5). */
static uint64_t ntp_of(const struct roundtrip *r, uint64_t now_us)
{
    uint64_t us = now_us - r->first_us + CLOCK_SECOND_US;
    uint64_t fraction = ((us % CLOCK_SECOND_US) << 32) / CLOCK_SECOND_US;
    return us / CLOCK_SECOND_US << 32 | fraction;
}

uint64_t roundtrip_refer(struct roundtrip *r, uint32_t ssrc, uint64_t now_us)
{
    if (!r->started) {
        r->started = true;
        r->first_us = now_us;
    }
    uint64_t ntp = ntp_of(r, now_us);
    r->ssrc = ssrc;
    r->sent[r->next] = (uint32_t)(ntp >> 16);
    r->next = (r->next + 1) % ROUNDTRIP_SENT_MAX;
    return ntp;
}

static bool was_sent(const struct roundtrip *r, uint32_t reference)
{
    for (size_t i = 0; i < ROUNDTRIP_SENT_MAX; i++)
        if (reference != 0 && r->sent[i] == reference)
            return true;
    return false;
}

void roundtrip_answer(struct roundtrip *r, uint32_t ssrc, uint32_t reference, uint32_t delay,
                      uint64_t now_us)
{
    if (!r->started || ssrc != r->ssrc || !was_sent(r, reference))
        return;
    int64_t units = clock_diff32((uint32_t)(ntp_of(r, now_us) >> 16) - reference, delay);
    if (units < -CLOCK_UNITS_OFF)
        return;
    if (units < 0)
        units = 0;
    uint64_t sample_us = (uint64_t)units * CLOCK_SECOND_US / 65536;
    if (sample_us > ROUNDTRIP_LONGEST_US)
        return;
    if (sample_us == 0)
        sample_us = 1;
    r->mean_us =
        r->mean_us == 0 ? sample_us : (r->mean_us * (SMOOTHING - 1) + sample_us) / SMOOTHING;
}

uint64_t roundtrip_us(const struct roundtrip *r)
{
    return r->mean_us;
}
