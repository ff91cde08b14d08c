/* From the publisher's microseconds to the decode time of our files. */
#include "transcode/timeline.h"

#include <assert.h>

/* Both scales are reduced against a million, so that no product leaves 64 bits in 100,000 years. */
#define VIDEO_NUM 9
#define VIDEO_DEN 100
#define AUDIO_NUM 6
#define AUDIO_DEN 125

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return a % b < 0 ? q - 1 : q;
}

void timeline_start(struct timeline *t, int64_t pts_us, int64_t wall_us)
{
    t->started = true;
    t->base_us = pts_us;
    t->wall_us = wall_us;
}

void timeline_anchor(struct timeline *t, int64_t pts_us, int64_t wall_us)
{
    t->wall_us = wall_us - (pts_us - t->base_us);
}

int64_t timeline_video(const struct timeline *t, int64_t pts_us)
{
    return timeline_us_ticks(pts_us - t->base_us, TIMELINE_VIDEO_SCALE);
}

int64_t timeline_audio(const struct timeline *t, int64_t pts_us)
{
    return timeline_us_ticks(pts_us - t->base_us, TIMELINE_AUDIO_SCALE);
}

int64_t timeline_wall(const struct timeline *t, int64_t ticks, uint32_t scale)
{
    return t->wall_us + timeline_ticks_us(ticks, scale);
}

int64_t timeline_ticks_us(int64_t ticks, uint32_t scale)
{
    assert(scale == TIMELINE_VIDEO_SCALE || scale == TIMELINE_AUDIO_SCALE);
    if (scale == TIMELINE_VIDEO_SCALE)
        return floor_div(ticks * VIDEO_DEN, VIDEO_NUM);
    return floor_div(ticks * AUDIO_DEN, AUDIO_NUM);
}

int64_t timeline_us_ticks(int64_t us, uint32_t scale)
{
    assert(scale == TIMELINE_VIDEO_SCALE || scale == TIMELINE_AUDIO_SCALE);
    if (scale == TIMELINE_VIDEO_SCALE)
        return floor_div(us * VIDEO_NUM, VIDEO_DEN);
    return floor_div(us * AUDIO_NUM, AUDIO_DEN);
}

int64_t timeline_video_to_audio(int64_t ticks)
{
    return floor_div(ticks * 8 + 7, 15); /* 48000 / 90000 = 8 / 15 */
}

int64_t timeline_audio_to_video(int64_t ticks)
{
    return floor_div(ticks * 15 + 4, 8);
}
