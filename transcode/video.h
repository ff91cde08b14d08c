/* The video rendition: H.264 is passed through untouched, anything else is decoded and encoded.
 *
 * H.264 that stalls is encoded too for a while: when no frame came for longer than
 * VIDEO_CUT_STALL_LONG_US, the last picture is decoded and repeated, so that the rendition goes on
 * while the publisher's camera is off, the network is gone, or a shared screen stands still (LL-08,
 * findings/transcode.md 5 point 7). Passing through resumes at the first key frame once frames came
 * for VIDEO_STEADY_US without a hole of VIDEO_HOLE_US; a stall soon after that doubles the time the
 * next return waits, since each change is a discontinuity with a new header. */
#ifndef SLUICE_TRANSCODE_VIDEO_H
#define SLUICE_TRANSCODE_VIDEO_H

#include "lib/proto/frame.h"
#include "lib/proto/part.h"
#include "transcode/video_cut.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIDEO_STEADY_US 1000000
#define VIDEO_STEADY_MAX_US 8000000
#define VIDEO_RELAPSE_US 10000000 /* a stall that soon after a return is one too many */
#define VIDEO_HOLE_US 500000      /* repairs, which lateness.h knows about, make none */
/* When coding is too slow: frames that waited longer than the first are decoded, but encoded only
 * every VIDEO_SPARSE_US; those that waited longer than the second are dropped up to a key frame. */
#define VIDEO_SPARE_US 50000
#define VIDEO_DROP_US 300000
#define VIDEO_SPARSE_US 100000
#define VIDEO_CHANGE_US                                                                            \
    1000000 /* formats change at most that often (M8); frames between are dropped */

struct video_config {
    uint32_t part_us;
    uint32_t segment_us;
    uint32_t bitrate_bps;      /* of what we encode */
    uint32_t pass_bitrate_bps; /* expected of what is passed through */
    uint32_t max_width;        /* of what we decode */
    uint32_t max_height;
};

/* A new header; goes to the consumers before the next segment. */
typedef void (*video_init_fn)(void *ctx, const struct part_init *init, const uint8_t *data,
                              size_t len);

struct video;

/* numbers, timeline and sink as for video_cut_init; sink->ctx is also passed to init_fn. 0 or a
 * negative errno. */
int video_new(const struct video_config *config, struct numbering *numbers,
              const struct timeline *timeline, const struct chunker_sink *sink,
              video_init_fn init_fn, struct video **out);
void video_free(struct video *v); /* NULL allowed */
struct video_cut *video_cutter(struct video *v);

/* How long the frames pushed from now on have waited for this process. */
void video_set_backlog(struct video *v, uint64_t backlog_us);
/* One frame from the ring at pts (90 kHz); its payload may be changed. 0; -EAGAIN when it was
 * dropped and a key frame is needed; -ENOTSUP when it was dropped because we can not or may not
 * decode its size or format; -EBADMSG when it was broken; another negative errno is an error of
 * ours or the sink's and ends the process. */
int video_push(struct video *v, const struct frame *frame, uint8_t *payload, int64_t pts);

/* True while frames are dropped until a key frame comes. */
bool video_needs_key(const struct video *v);
/* True while frames are passed through and none is missing. */
bool video_passes(const struct video *v);
/* True while a key frame would end encoding. */
bool video_may_pass(const struct video *v);
/* True when key frames are asked for at segment ends: the source's own key frames matter. */
bool video_follows_keys(const struct video *v);
/* Frames were lost or the timeline starts anew: drop until the next key frame; with breaks, that is
 * a discontinuity. */
void video_lose(struct video *v, bool breaks);

/* Fills one part target with the last picture, or a black one when there was none yet; the first
 * time at pts, later where the timeline ended. Leaving H.264 takes as many calls as frames came
 * since its last key frame; only the last one fills. now: the media time that came completely. 0 or
 * a negative errno as for video_push. */
int video_fill(struct video *v, int64_t pts, int64_t now);

#endif
