/* From the publisher's microseconds to the decode time of our files.
 *
 * One base serves both renditions, so that audio and video line up (FMP-04). Every time is
 * converted from its absolute value, never by adding up rounded differences: nothing accumulates
 * (FMP-05). Media time 0 is the first frame; wall-clock times follow from the first frame's pair of
 * clocks and are taken anew only at discontinuities (RTP-17). */
#ifndef SLUICE_TRANSCODE_TIMELINE_H
#define SLUICE_TRANSCODE_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

#define TIMELINE_VIDEO_SCALE 90000u
#define TIMELINE_AUDIO_SCALE 48000u

struct timeline {
    bool started;
    int64_t base_us; /* gateway's clock at media time 0 */
    int64_t wall_us; /* wall clock at media time 0 */
};

/* Media time 0 is pts_us; wall_us is the same moment. */
void timeline_start(struct timeline *t, int64_t pts_us, int64_t wall_us);
/* Takes the relation of the clocks anew; the media time goes on. */
void timeline_anchor(struct timeline *t, int64_t pts_us, int64_t wall_us);

/* Media time of a moment, rounded down; |pts_us| is below 2^60. */
int64_t timeline_video(const struct timeline *t, int64_t pts_us);
int64_t timeline_audio(const struct timeline *t, int64_t pts_us);
/* Wall clock of a media time. */
int64_t timeline_wall(const struct timeline *t, int64_t ticks, uint32_t scale);

/* ticks / scale in microseconds, rounded down; scale is one of the two above. */
int64_t timeline_ticks_us(int64_t ticks, uint32_t scale);
/* The other way round, rounded down. */
int64_t timeline_us_ticks(int64_t us, uint32_t scale);
/* The audio tick nearest to a video tick, and back. */
int64_t timeline_video_to_audio(int64_t ticks);
int64_t timeline_audio_to_video(int64_t ticks);

#endif
