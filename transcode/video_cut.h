/* Decides where the video rendition is cut into parts and segments.
 *
 * Parts: a part is published at the arrival of its last frame, whose duration is estimated from the
 * frame interval, so viewers need not wait for the frame after it. It ends where the next frame is
 * expected if that is 85 to 100 % of the part target behind its start (LL-01, LL-02), else at 100
 * %. The next part starts there, and its first frame is shown that little earlier or later: the
 * decode timeline has no holes (findings/transcode.md 1).
 *
 * Segments begin with a key frame that comes at 75 % of the segment target or later. If none comes
 * (OBS ignores requests), the segment ends before it would round above the target duration (HLS-02)
 * and the next one begins with a part that is not independent: a playlist that breaks HLS-02 is
 * refused by players, one that breaks HLS-13 only makes joining wait for the next key frame. */
#ifndef SLUICE_TRANSCODE_VIDEO_CUT_H
#define SLUICE_TRANSCODE_VIDEO_CUT_H

#include "transcode/chunker.h"
#include "transcode/numbering.h"
#include "transcode/timeline.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A segment that would grow above this many bytes ends early; the memfd holds OUTLET_VIDEO_BYTES of
 * outlet.h. */
#define VIDEO_CUT_SEGMENT_BYTES (11u << 20)
/* A frame this late behind its part's end is a stall. Where pictures can be repeated at once, soon.
 * Where that means two discontinuities, later: an outage of half a second and the key frame asked
 * for after it, or a page that is too busy to draw, do less harm as they are. The picture stands
 * still in any case; waiting longer would only add silence for viewers with short buffers. */
#define VIDEO_CUT_STALL_US 100000
#define VIDEO_CUT_STALL_LONG_US 700000

struct video_cut {
    struct chunker chunker;
    struct numbering *numbers;
    const struct timeline *timeline;
    int64_t segment;  /* target, ticks */
    int64_t longest;  /* no segment is longer; audio has half a second of rounding left (HLS-02) */
    int64_t shortest; /* 85 % of the part target */
    int64_t interval; /* expected distance of frames */
    int64_t patience; /* ticks after which a missing frame is a stall */
    int64_t ahead;    /* ticks that audio is ahead of what is complete here */
    int64_t last_dts;
    bool has_last;
};

/* One coded frame on the media timeline. breaks: the decoder must start anew here (new size, new
 * parameter sets, the source was replaced); only with key. */
struct video_cut_frame {
    const uint8_t *data;
    size_t len;
    int64_t dts; /* decode time, 90 kHz: decides where it is cut */
    int64_t pts; /* presentation time; counts if reorders */
    uint32_t init_id;
    bool key;
    bool breaks;
    bool reorders;
};

/* EXT-X-TARGETDURATION for a segment target: one and a half times, rounded up, for key frames that
 * come late. No segment of either rendition rounds above it. */
uint32_t video_cut_target_duration_s(uint32_t segment_us);

/* numbers and timeline are shared with the audio side and stay the caller's. 0 or -ENOMEM. */
int video_cut_init(struct video_cut *v, uint32_t part_us, uint32_t segment_us,
                   struct numbering *numbers, const struct timeline *timeline,
                   const struct chunker_sink *sink);
void video_cut_done(struct video_cut *v);

/* stall_us is one of the two above; VIDEO_CUT_STALL_LONG_US from the start. */
void video_cut_set_patience(struct video_cut *v, uint32_t stall_us);

/* Audio has arrived that many ticks further than video: it waits for our next segment, and its own
 * must not grow above the target duration meanwhile (HLS-02). 0 from the start. */
void video_cut_set_ahead(struct video_cut *v, int64_t ticks);

/* 0; -EAGAIN when this frame has no place and only a key frame will have one: at the start, or when
 * it comes so late that it would leave a hole; -EMSGSIZE for a frame above CHUNKER_BODY_VIDEO; or
 * what the sink returned. */
int video_cut_push(struct video_cut *v, const struct video_cut_frame *frame);

enum video_cut_state {
    VIDEO_CUT_FINE,
    VIDEO_CUT_STALLED, /* a part is overdue and there is no frame for it: fill it at chunker.end */
};

/* Publishes the waiting part when its end is over by the media clock `now` (90 kHz). Result in *out
 * when 0 is returned, else what the sink returned. */
int video_cut_tick(struct video_cut *v, int64_t now, enum video_cut_state *out);
/* Media time of the next tick that does something; INT64_MAX before the start. */
int64_t video_cut_due(const struct video_cut *v);

/* Where what was pushed so far ends at the latest; valid after the start. */
int64_t video_cut_end(const struct video_cut *v);
/* No frame before that time completes a part, as far as the frame rate stays what it is; valid
 * after the start. */
int64_t video_cut_quiet(const struct video_cut *v);
/* Should a frame at pts, which we encode ourselves, be a key frame? */
bool video_cut_wants_key(const struct video_cut *v, int64_t pts);
/* Media time where the next segment should begin; INT64_MAX before the start. */
int64_t video_cut_boundary(const struct video_cut *v);

/* Publishes what waits and ends the segment: the stream is over. */
int video_cut_finish(struct video_cut *v);

#endif
