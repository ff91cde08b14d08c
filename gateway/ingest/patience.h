/* How long a hole is worth waiting for, from the loss on the way (RTP-10).
 *
 * Repairs get lost too: the more, the more tries a packet needs. The bound is the configuration's;
 * above PATIENCE_HEAVY it becomes up to twice as long, enough tries at the measured interval to
 * leave PATIENCE_LEFT_PPM of the packets missing. No I/O, no clock. */
#ifndef SLUICE_INGEST_PATIENCE_H
#define SLUICE_INGEST_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#define PATIENCE_HEAVY 30u  /* per mille lost on the way */
#define PATIENCE_START 100u /* assumed before anything is known: the first key frame counts */
#define PATIENCE_LEFT_PPM 2u
#define PATIENCE_WINDOW_US 600000u
#define PATIENCE_WINDOW_MIN 100u /* packets that a window must have to say anything */

struct patience {
    uint64_t bound_us;
    uint32_t expected; /* in this window */
    uint32_t missing;
    uint64_t window_us;     /* when it began; 0: not yet */
    uint32_t loss_permille; /* what the deadline is made for */
    uint32_t measured_ppm;  /* 0 until the first window is over */
    bool measured;
};

void patience_init(struct patience *p, uint64_t bound_us);
/* A packet showed that `advance` numbers were sent since the newest before, `missing` of them
 * being absent. */
void patience_note(struct patience *p, uint32_t advance, uint32_t missing, uint64_t now_us);
/* One of the absent was merely overtaken. */
void patience_overtaken(struct patience *p);

/* The loss that the deadline allows for: high at first, quick to rise, slow to fall. */
uint32_t patience_loss_permille(const struct patience *p);
/* The loss that was seen lately, smoothed alike in both directions: for people. */
uint32_t patience_measured_permille(const struct patience *p);
uint64_t patience_bound_us(const struct patience *p);
bool patience_is_heavy(const struct patience *p);
/* wait_us: before the first request; repeat_us: between requests. */
uint64_t patience_deadline_us(const struct patience *p, uint64_t wait_us, uint64_t repeat_us);

#endif
