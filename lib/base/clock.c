/* Microsecond clocks, and comparison of counters that wrap. */
#include "lib/base/clock.h"

#include <time.h>

static uint64_t now_us(clockid_t id)
{
    struct timespec ts = {0};
    (void)clock_gettime(id, &ts); /* cannot fail for these clocks */
    return (uint64_t)ts.tv_sec * CLOCK_SECOND_US + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t clock_now_us(void)
{
    return now_us(CLOCK_MONOTONIC);
}

uint64_t clock_boottime_us(void)
{
    return now_us(CLOCK_BOOTTIME);
}

uint64_t clock_wall_us(void)
{
    return now_us(CLOCK_REALTIME);
}

int32_t clock_diff16(uint16_t a, uint16_t b)
{
    int32_t diff = (int32_t)((uint32_t)a - (uint32_t)b) & 0xffff;
    return diff < 0x8000 ? diff : diff - 0x10000;
}

int64_t clock_diff32(uint32_t a, uint32_t b)
{
    int64_t diff = (int64_t)(uint32_t)(a - b);
    return diff < 0x80000000LL ? diff : diff - 0x100000000LL;
}
