/* A wall clock that never goes back: expired tokens stay expired (threats.md T4).
 *
 * The highest time ever seen is stored. From there time also advances with CLOCK_BOOTTIME, so that
 * a clock that was set back does not freeze it. A clock that was set forward by mistake makes
 * tokens expire early, never late. */
#ifndef SLUICE_AUTH_TIMEKEEP_H
#define SLUICE_AUTH_TIMEKEEP_H

#include <stdint.h>

/* Invariant: base_ms is never below a time that timekeep_now_ms has returned at base_boot_us. */
struct timekeep {
    uint64_t base_ms;
    uint64_t base_boot_us;
};

/* stored_ms: the mark of the last run, 0 for none. */
void timekeep_init(struct timekeep *t, uint64_t stored_ms, uint64_t wall_us, uint64_t boot_us);

/* Milliseconds since 1970, never less than an earlier answer or the stored mark. */
uint64_t timekeep_now_ms(struct timekeep *t, uint64_t wall_us, uint64_t boot_us);

/* How far the system's clock is behind ours, 0 when it is not. For a warning. */
uint64_t timekeep_behind_ms(const struct timekeep *t, uint64_t wall_us, uint64_t boot_us);

#endif
