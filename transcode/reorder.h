/* Decode times of frames whose presentation times do not grow in decode order (COD-07).
 *
 * RTP carries presentation times only. With B-frames of depth d, a frame is decoded at the d-th
 * largest presentation time before the largest one seen: these grow, one frame interval at a time,
 * and none lies behind its frame's own time. The depth is learnt; it is 0 for all browsers, and
 * then both times are the same. No I/O, no clock. */
#ifndef SLUICE_TRANSCODE_REORDER_H
#define SLUICE_TRANSCODE_REORDER_H

#include <stddef.h>
#include <stdint.h>

#define REORDER_DEPTH_MAX 4u

/* Invariant: times holds the largest presentation times, ascending. */
struct reorder {
    int64_t times[REORDER_DEPTH_MAX + 1];
    size_t count;
    size_t depth;
};

/* Before the first frame, and where the timeline or the publisher's format begins anew. */
void reorder_init(struct reorder *r);
/* The decode time of the next frame. It may lie behind pts, or before the previous one, for some
 * frames after the depth has grown. */
int64_t reorder_push(struct reorder *r, int64_t pts);

#endif
