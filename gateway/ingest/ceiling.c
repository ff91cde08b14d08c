/* How much a publisher may send. */
#include "gateway/ingest/ceiling.h"

#include "lib/base/clock.h"

#define DEPTH_US ((int64_t)CLOCK_SECOND_US)

void ceiling_init(struct ceiling *c, uint64_t max_bitrate_bps, uint64_t now_us)
{
    uint64_t bytes_per_s = max_bitrate_bps / 8 * CEILING_ROOM_PERCENT / 100;
    *c = (struct ceiling){.bytes_per_s = bytes_per_s > 0 ? bytes_per_s : 1,
                          .packets_per_s = CEILING_PACKETS_MIN + bytes_per_s / CEILING_PACKET_BYTES,
                          .filled_us = now_us,
                          .byte_us = DEPTH_US,
                          .packet_us = DEPTH_US};
}

static void fill(int64_t *level_us, uint64_t passed_us)
{
    if (passed_us < (uint64_t)(DEPTH_US - *level_us))
        *level_us += (int64_t)passed_us;
    else
        *level_us = DEPTH_US;
}

bool ceiling_allows(struct ceiling *c, uint64_t now_us)
{
    uint64_t passed_us = now_us - c->filled_us;
    c->filled_us = now_us;
    fill(&c->byte_us, passed_us);
    fill(&c->packet_us, passed_us);
    if (c->byte_us > 0 && c->packet_us > 0)
        return true;
    c->dropped = true;
    return false;
}

/* Rounded up, so that small packets are not free. */
void ceiling_charge(struct ceiling *c, size_t len)
{
    c->byte_us -= (int64_t)(len * CLOCK_SECOND_US / c->bytes_per_s + 1);
    c->packet_us -= (int64_t)(CLOCK_SECOND_US / c->packets_per_s + 1);
}

bool ceiling_tick(struct ceiling *c)
{
    c->over_s = c->dropped ? c->over_s + 1 : 0;
    c->dropped = false;
    return c->over_s >= CEILING_OVER_S;
}
