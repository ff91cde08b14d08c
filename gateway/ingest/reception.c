/* Reception statistics of one RTP source for its report blocks. */
#include "gateway/ingest/reception.h"

#include "gateway/rtc/rtp.h"
#include "lib/base/clock.h"

#define LOST_MAX 0x7fffff /* 24 bits, signed */

/* RFC 3550 A.8; wraps of the timestamp cancel out in the 32-bit difference. */
static void note_jitter(struct reception *r, uint32_t rtp_time, uint64_t now_us)
{
    uint64_t units = now_us / CLOCK_SECOND_US * r->clock_rate +
                     now_us % CLOCK_SECOND_US * r->clock_rate / CLOCK_SECOND_US;
    uint32_t transit = (uint32_t)units - rtp_time;
    if (r->has_transit) {
        int64_t d = clock_diff32(transit, (uint32_t)r->transit);
        uint64_t size = (uint64_t)(d < 0 ? -d : d);
        r->jitter_16 = r->jitter_16 + size - ((r->jitter_16 + 8) >> 4);
    }
    r->transit = transit;
    r->has_transit = true;
}

void reception_packet(struct reception *r, uint16_t sequence, uint32_t rtp_time, uint64_t now_us)
{
    if (!r->started) {
        r->started = true;
        r->first = sequence;
        r->highest = sequence;
    }
    int64_t extended = rtp_extend_sequence(r->highest, sequence);
    if (extended > r->highest)
        r->highest = extended;
    r->received++;
    note_jitter(r, rtp_time, now_us);
}

void reception_sender_report(struct reception *r, uint64_t ntp, uint64_t now_us)
{
    r->has_sr = true;
    r->last_sr = (uint32_t)(ntp >> 16);
    r->sr_us = now_us;
}

static int32_t clamp_lost(int64_t lost)
{
    if (lost > LOST_MAX)
        return LOST_MAX;
    return lost < -LOST_MAX - 1 ? -LOST_MAX - 1 : (int32_t)lost;
}

/* In 256ths; all lost is more than the field can say. */
static uint8_t fraction_of(int64_t lost, int64_t expected)
{
    int64_t fraction = lost * 256 / expected;
    return fraction > UINT8_MAX ? UINT8_MAX : (uint8_t)fraction;
}

uint64_t reception_jitter_us(const struct reception *r)
{
    return r->clock_rate > 0 ? (r->jitter_16 >> 4) * CLOCK_SECOND_US / r->clock_rate : 0;
}

void reception_report(struct reception *r, uint32_t ssrc, uint64_t now_us, struct rtcp_report *out)
{
    *out = (struct rtcp_report){.ssrc = ssrc};
    if (!r->started)
        return;
    uint64_t expected = (uint64_t)(r->highest - r->first + 1);
    int64_t expected_now = (int64_t)(expected - r->expected_prior);
    int64_t lost_now = expected_now - (int64_t)(r->received - r->received_prior);
    r->expected_prior = expected;
    r->received_prior = r->received;
    if (expected_now > 0 && lost_now > 0) /* lost_now <= expected_now */
        out->fraction_lost = fraction_of(lost_now, expected_now);
    out->cumulative_lost = clamp_lost((int64_t)expected - (int64_t)r->received);
    out->highest_sequence = (uint32_t)r->highest;
    out->jitter = (uint32_t)(r->jitter_16 >> 4);
    if (!r->has_sr)
        return;
    out->last_sr = r->last_sr;
    uint64_t delay_us = now_us - r->sr_us;
    out->delay_since_sr = (uint32_t)(delay_us * 65536 / CLOCK_SECOND_US);
}
