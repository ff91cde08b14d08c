/* How late the frames of one track arrive behind their time: an estimate of when nothing more is to
 * be expected.
 *
 * The most of the last seconds counts, so that on a clean network a missing frame is given up at
 * once, and on one with losses only when a repair would have come. A burst of frames that a stalled
 * network delivers at last counts no more than repairs do: at most LATENESS_REPAIR_US above what is
 * usual. No I/O, no clock. */
#ifndef SLUICE_TRANSCODE_LATENESS_H
#define SLUICE_TRANSCODE_LATENESS_H

#include <stdint.h>

#define LATENESS_WINDOWS 8u
#define LATENESS_WINDOW_US 1000000u
#define LATENESS_MAX_US 2000000
#define LATENESS_REPAIR_US 600000 /* as long as ingest waits for repairs at most */

/* Times in microseconds. */
struct lateness {
    int64_t most_us[LATENESS_WINDOWS];  /* -1: nothing came */
    int64_t least_us[LATENESS_WINDOWS]; /* as it came, also before its time */
    unsigned at;
    uint64_t window_us; /* start of the present window; 0 = nothing came yet */
    int64_t usual_us;
};

void lateness_init(struct lateness *l);
/* A frame came at now_us, late_us behind its time. */
void lateness_add(struct lateness *l, int64_t late_us, uint64_t now_us);
/* So long after its time a frame may still come. */
int64_t lateness_us(const struct lateness *l);

/* The least late of the last seconds' frames: no frame is expected earlier. 0 before the first. */
int64_t lateness_least_us(const struct lateness *l);

#endif
