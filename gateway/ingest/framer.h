/* Writes access units into the frame ring, on the stream's timeline (lib/proto/frame.h).
 *
 * Units come in lanes, one for each RTP source of the answer: TRACK_VIDEO, TRACK_AUDIO, then
 * further simulcast layers of video. Each lane has an RTP clock of its own. */
#ifndef SLUICE_INGEST_FRAMER_H
#define SLUICE_INGEST_FRAMER_H

#include "gateway/depay/depay.h"
#include "gateway/ingest/sync.h"
#include "lib/base/ring.h"

#include <stdint.h>

#define FRAMER_KEEP_S 6u /* seconds of media that stay in the ring; older ones are wiped */
#define FRAMER_VIDEO_RATE_MAX 120u /* frames per second (M8) */
#define FRAMER_AUDIO_RATE_MAX 480u /* 2.5 ms Opus and some */
#define FRAMER_FORMATS_MAX 1u      /* changes of the picture's size per second (M8) */
#define FRAMER_LANES SYNC_CLOCKS
#define FRAMER_OUTPUTS (TRACK_COUNT + FRAME_LAYERS_MAX - 1u)

struct framer_lane {
    enum codec codec;
    uint8_t layer; /* of its frames, lib/proto/frame.h */
    uint32_t this_second;
    bool dropped; /* the next frame follows one that could not be written */
    bool held;    /* video: until a key frame, because a frame was dropped or the layer changed */
    bool moved;   /* the layer changed: the next frame is another source's for those who read */
};

/* What readers see as one sequence of frames: a track, or one layer beside it. */
struct framer_output {
    uint32_t number;
    uint16_t width; /* of the last key frame written; 0: none yet */
    uint16_t height;
    uint32_t formats; /* changes this second */
    int64_t newest_us;
};

/* The ring is the caller's. Invariant: recent[] holds the bytes written in each of the last
 * seconds. */
struct framer {
    struct ring_writer *ring;
    int64_t wall_offset_us; /* wall clock minus CLOCK_MONOTONIC, fixed for the session (RTP-17) */
    struct sync sync;
    struct framer_lane lanes[FRAMER_LANES];
    struct framer_output outputs[FRAMER_OUTPUTS];
    uint64_t recent[FRAMER_KEEP_S];
    unsigned recent_next;
};

void framer_init(struct framer *f, struct ring_writer *ring, int64_t wall_offset_us);
/* Another source on this lane: its RTP clock begins anew. */
void framer_start_track(struct framer *f, unsigned lane, enum codec codec, uint32_t clock_rate);
/* Frames of this lane are of that layer from its next key frame on. */
void framer_set_layer(struct framer *f, unsigned lane, uint8_t layer);

/* 0; -EMSGSIZE when the unit is too large for the ring, -EDQUOT above the rates: the unit is lost,
 * and the next one is marked as following a gap. After a lost unit of video, and after
 * framer_set_layer, -EAGAIN for those that depend on what went before, up to the next key frame. */
int framer_write(struct framer *f, unsigned lane, const struct depay_unit *unit);

/* Once a second: wipes what is older than FRAMER_KEEP_S. */
void framer_tick(struct framer *f);

#endif
