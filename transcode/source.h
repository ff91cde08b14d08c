/* Access units out of the frame ring, copied before anyone looks at them (threats.md I1). */
#ifndef SLUICE_TRANSCODE_SOURCE_H
#define SLUICE_TRANSCODE_SOURCE_H

#include "lib/base/ring.h"
#include "lib/proto/frame.h"

#include <stdbool.h>
#include <stdint.h>

#define SOURCE_CLOCK_MAX_US 10000000 /* a frame's time lies at most that far from now */

struct source {
    struct ring_reader *ring;
    uint8_t *buffer;
};

/* from_start: with the oldest record in the ring, else with the next one written. fd stays the
 * caller's. 0 or a negative errno as from ring_reader_new. */
int source_open(struct source *s, int fd, bool from_start);
void source_close(struct source *s);

enum source_result {
    SOURCE_EMPTY,  /* nothing new */
    SOURCE_FRAME,  /* *out_frame and *out_payload are set */
    SOURCE_LAYER,  /* a frame of a simulcast layer that is not shown: skipped, not copied */
    SOURCE_LOST,   /* frames were missed: we were too slow, or the ring is not sane */
    SOURCE_REFUSED /* a record that is no valid frame, or of another time; go on */
};

/* The next record. The payload is ours to change, until the next call. */
enum source_result source_next(struct source *s, uint64_t now_us, struct frame *out_frame,
                               uint8_t **out_payload);

/* The checks of source_next on bytes that were copied already: SOURCE_FRAME or SOURCE_REFUSED. */
enum source_result source_check(uint8_t *record, size_t len, uint64_t now_us,
                                struct frame *out_frame, uint8_t **out_payload);

#endif
