/* Moves frames from the ring to the pipeline, for a bounded time per turn of the loop.
 *
 * Measures how long frames wait for us: the time since the ring was last found empty. It is not
 * taken from the frames' own times, which a slow network makes old too. */
#ifndef SLUICE_TRANSCODE_FEED_H
#define SLUICE_TRANSCODE_FEED_H

#include "transcode/pipeline.h"
#include "transcode/source.h"

#include <stdbool.h>
#include <stdint.h>

#define FEED_TURN_US 5000 /* a turn takes no further frame after that */

/* Source and pipeline are the caller's. */
struct feed {
    struct source *source;
    struct pipeline *pipeline;
    uint64_t (*clock)(void); /* microseconds */
    uint64_t empty_us;       /* the ring was last found empty then */
    bool behind;             /* the last turn left frames in the ring */
    uint64_t behind_us;      /* since when */
    uint64_t refused;        /* ring records that were no frames */
    uint64_t layers;         /* frames of simulcast layers beside the one that is shown */
    uint64_t lost;           /* times that the ring overtook us */
};

/* One turn: at least one frame if there is any. *out_more: frames are left. 0 or what
 * pipeline_push returned. */
int feed_turn(struct feed *f, bool *out_more);

#endif
