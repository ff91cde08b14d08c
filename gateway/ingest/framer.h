/* Writes access units into the frame ring, on the stream's timeline (lib/proto/frame.h). */
#ifndef SLUICE_INGEST_FRAMER_H
#define SLUICE_INGEST_FRAMER_H

#include "gateway/ingest/depay.h"
#include "gateway/ingest/sync.h"
#include "lib/base/ring.h"

#include <stdint.h>

#define FRAMER_KEEP_S 6u /* seconds of media that stay in the ring; older ones are wiped */
#define FRAMER_VIDEO_RATE_MAX 120u /* frames per second (M8) */
#define FRAMER_AUDIO_RATE_MAX 480u /* 2.5 ms Opus and some */
#define FRAMER_FORMATS_MAX 1u      /* changes of the picture's size per second (M8) */

/* The ring is the caller's. Invariant: recent[] holds the bytes written in each of the last
 * seconds. */
struct framer {
    struct ring_writer *ring;
    int64_t wall_offset_us; /* wall clock minus CLOCK_MONOTONIC, fixed for the session (RTP-17) */
    struct sync sync;
    enum codec codecs[TRACK_COUNT];
    uint32_t numbers[TRACK_COUNT];
    uint32_t this_second[TRACK_COUNT];
    bool dropped[TRACK_COUNT]; /* the next frame follows one that could not be written */
    bool held;                 /* video: until a key frame, because a frame was dropped */
    uint16_t width;            /* of the last key frame written; 0: none yet */
    uint16_t height;
    uint32_t formats; /* changes this second */
    uint64_t recent[FRAMER_KEEP_S];
    unsigned recent_next;
};

void framer_init(struct framer *f, struct ring_writer *ring, int64_t wall_offset_us);
/* Another source on this track: its RTP clock begins anew. */
void framer_start_track(struct framer *f, enum track track, enum codec codec, uint32_t clock_rate);

/* 0; -EMSGSIZE when the unit is too large for the ring, -EDQUOT above the rates: the unit is lost,
 * and the next one is marked as following a gap. After a lost unit of video -EAGAIN for those that
 * depend on it, up to the next key frame. */
int framer_write(struct framer *f, enum track track, const struct depay_unit *unit);

/* Once a second: wipes what is older than FRAMER_KEEP_S. */
void framer_tick(struct framer *f);

#endif
