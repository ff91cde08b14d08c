/* A wall clock that never goes back: expired tokens stay expired (threats.md T4). */
#include "auth/timekeep.h"

#define TIMEKEEP_US_PER_MS 1000u

/* Our time by the boot clock alone. */
static uint64_t carried_ms(const struct timekeep *t, uint64_t boot_us)
{
    uint64_t passed_us = boot_us > t->base_boot_us ? boot_us - t->base_boot_us : 0;
    return t->base_ms + passed_us / TIMEKEEP_US_PER_MS;
}

void timekeep_init(struct timekeep *t, uint64_t stored_ms, uint64_t wall_us, uint64_t boot_us)
{
    uint64_t wall_ms = wall_us / TIMEKEEP_US_PER_MS;
    t->base_ms = wall_ms > stored_ms ? wall_ms : stored_ms;
    t->base_boot_us = boot_us;
}

uint64_t timekeep_now_ms(struct timekeep *t, uint64_t wall_us, uint64_t boot_us)
{
    uint64_t wall_ms = wall_us / TIMEKEEP_US_PER_MS;
    uint64_t ours_ms = carried_ms(t, boot_us);
    if (wall_ms <= ours_ms)
        return ours_ms;
    t->base_ms = wall_ms;
    t->base_boot_us = boot_us;
    return wall_ms;
}

uint64_t timekeep_behind_ms(const struct timekeep *t, uint64_t wall_us, uint64_t boot_us)
{
    uint64_t wall_ms = wall_us / TIMEKEEP_US_PER_MS;
    uint64_t ours_ms = carried_ms(t, boot_us);
    return ours_ms > wall_ms ? ours_ms - wall_ms : 0;
}
