/* When to ask the publisher for a key frame, so that one comes when a segment is due.
 *
 * Browsers answer a request after 15 to 75 ms, but not one closer than 300 ms to the last key frame
 * (findings/transcode.md 5). The time from request to frame is learnt. */
#ifndef SLUICE_TRANSCODE_KEYASK_H
#define SLUICE_TRANSCODE_KEYASK_H

#include <stdbool.h>
#include <stdint.h>

#define KEYASK_REACTION_US 80000 /* assumed before the first answer */
#define KEYASK_REPEAT_US 500000  /* between requests: at most 2 per second (RTP-11) */
#define KEYASK_AFTER_KEY_US 350000

/* Times on clock_now_us; 0 = never. */
struct keyask {
    int64_t reaction_us;
    uint64_t asked_us;
    uint64_t key_us;
    bool waiting; /* asked and not answered yet */
};

void keyask_init(struct keyask *k);
/* A key frame arrived. */
void keyask_on_key(struct keyask *k, uint64_t now_us);
/* When to send the next request for a key frame that should arrive at wanted_us. */
uint64_t keyask_due(const struct keyask *k, uint64_t wanted_us);
/* A request was sent. */
void keyask_on_sent(struct keyask *k, uint64_t now_us);

#endif
