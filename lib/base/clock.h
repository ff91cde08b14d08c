/* Microsecond clocks, and comparison of counters that wrap. */
#ifndef SLUICE_BASE_CLOCK_H
#define SLUICE_BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_SECOND_US 1000000
#define CLOCK_MS_US 1000

uint64_t clock_now_us(void);      /* CLOCK_MONOTONIC: loop, media, protocol timers */
uint64_t clock_boottime_us(void); /* CLOCK_BOOTTIME: deadlines, which run on during suspend */
uint64_t clock_wall_us(void);     /* CLOCK_REALTIME since 1970: shown to people, never a duration */

/* a - b for counters that wrap: positive when a is later, if they are less than half a turn apart.
 */
int32_t clock_diff16(uint16_t a, uint16_t b);
int64_t clock_diff32(uint32_t a, uint32_t b);

#endif
