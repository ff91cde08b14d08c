/* Decides where the audio rendition is cut: parts of as many AAC frames as fit the part target,
 * segments at the frame nearest to the video's boundaries, with the video's numbers.
 *
 * Audio may run behind or ahead of video. A boundary behind what is published already cuts as soon
 * as possible; boundaries ahead wait in a short queue. Without video, audio cuts by itself. */
#ifndef SLUICE_TRANSCODE_AUDIO_CUT_H
#define SLUICE_TRANSCODE_AUDIO_CUT_H

#include "transcode/chunker.h"
#include "transcode/numbering.h"
#include "transcode/timeline.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUDIO_CUT_FRAME 1024 /* samples of an AAC frame */
#define AUDIO_CUT_BOUNDARIES 16u

struct audio_cut_boundary {
    int64_t start; /* 48 kHz */
    struct part_segment segment;
};

/* leads: no video, segments are numbered here. */
struct audio_cut {
    struct chunker chunker;
    struct numbering *numbers;
    const struct timeline *timeline;
    bool leads;
    uint32_t init_id;
    int64_t segment; /* target, ticks */
    unsigned frames_per_part;
    struct audio_cut_boundary boundaries[AUDIO_CUT_BOUNDARIES];
    size_t boundary_count;
};

/* As video_cut_init. */
int audio_cut_init(struct audio_cut *a, uint32_t part_us, uint32_t segment_us, bool leads,
                   struct numbering *numbers, const struct timeline *timeline,
                   const struct chunker_sink *sink);
void audio_cut_done(struct audio_cut *a);

/* The video rendition began segment `segment` at start (48 kHz). -ENOSPC when audio is
 * AUDIO_CUT_BOUNDARIES segments behind. */
int audio_cut_add_boundary(struct audio_cut *a, const struct part_segment *segment, int64_t start);

/* One AAC frame that starts at dts (48 kHz), AUDIO_CUT_FRAME behind the previous one. Frames before
 * the first boundary are dropped. 0 or what the sink returned. */
int audio_cut_push(struct audio_cut *a, const uint8_t *data, size_t len, int64_t dts);

/* When frames up to there have been pushed, something can be published: where the part being filled
 * ends. INT64_MIN before the start. */
int64_t audio_cut_next_end(const struct audio_cut *a);

/* Publishes what waits and ends the segment: the stream is over. */
int audio_cut_finish(struct audio_cut *a);

#endif
