/* Puts the RTP clocks of one publisher's tracks on one timeline (findings/transcode.md 5).
 *
 * Times are microseconds on the gateway's CLOCK_MONOTONIC. Before a track's first sender report its
 * line is anchored at the first arrival; with it the track moves to the sender's clock, without a
 * jump: the difference is slewed away at 20 ms/s (RTP-16). The way from the sender's clock to ours
 * is the least delay seen, shared by all tracks. No I/O, no clock. */
#ifndef SLUICE_INGEST_SYNC_H
#define SLUICE_INGEST_SYNC_H

#include "lib/proto/frame.h"

#include <stdbool.h>
#include <stdint.h>

/* RTP clocks: TRACK_VIDEO, TRACK_AUDIO, then further simulcast layers of video. */
#define SYNC_CLOCKS (TRACK_COUNT + FRAME_LAYERS_MAX - 2u)
#define SYNC_WINDOWS 8u
#define SYNC_WINDOW_US 2000000.0
#define SYNC_JUMP_US 1500000.0         /* RTP time against the previous frame's */
#define SYNC_AWAY_US 5000000.0         /* mapped time against arrival (M7) */
#define SYNC_FLAG_SPACING_US 1000000.0 /* discontinuities are told at most this often */

/* Doubles hold microseconds since the first sender report or of CLOCK_MONOTONIC: exact below 2^53,
 * which is 285 years. */
struct sync_track {
    uint32_t clock_rate;
    bool replaced; /* the next frame is the first of another source */
    bool started;
    uint32_t last_time; /* newest RTP timestamp and its unwrapped value */
    int64_t last_extended;
    bool mapped; /* previous frame: unwrapped timestamp, arrival, result */
    int64_t previous;
    double previous_arrival;
    int64_t newest;
    double newest_pts;
    double anchor_arrival; /* provisional line */
    int64_t anchor_extended;
    uint32_t reports; /* sender reports on the present line; 0: provisional */
    double line_time;
    int64_t line_extended;
    double slope; /* microseconds per timestamp unit */
    double report_time;
    double shift;      /* absorbed steps of the sender's wall clock */
    double correction; /* still to be slewed away */
    bool slewing;
    double slewed_at;
    bool flagged;
    double flagged_at;
};

struct sync {
    bool has_ntp;
    uint64_t first_ntp; /* sender times count from here */
    bool has_offset;
    double offset; /* sender's clock to ours */
    double window_least[SYNC_WINDOWS];
    unsigned window_count;
    unsigned window_next;
    double window_start;
    double least;
    double adjusted_at;
    struct sync_track tracks[SYNC_CLOCKS];
};

void sync_init(struct sync *s);
/* Before the track's first frame, and when its source was replaced (another SSRC): then its next
 * frame starts the timeline anew. */
void sync_start_track(struct sync *s, unsigned track, uint32_t clock_rate);

/* A sender report: its RTP timestamp and its NTP time (32.32 seconds, RFC 3550 6.4.1). */
void sync_report(struct sync *s, unsigned track, uint64_t ntp, uint32_t rtp_time);

/* Maps a frame's RTP timestamp; arrival_us is that of its first packet. Frames of one track whose
 * timestamps grow get times that grow by 1 ms at least. Returns true when the timeline starts anew
 * with this frame (FRAME_JUMP). */
bool sync_map(struct sync *s, unsigned track, uint32_t rtp_time, uint64_t arrival_us,
              int64_t *out_pts_us);

#endif
