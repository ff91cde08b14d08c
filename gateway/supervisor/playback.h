/* A stream as viewers see it: its transcode worker, the numbering that survives workers and
 * sessions, and the time after the publisher is gone (rejoin window, ended, forgotten). */
#ifndef SLUICE_SUPERVISOR_PLAYBACK_H
#define SLUICE_SUPERVISOR_PLAYBACK_H

#include "lib/base/loop.h"
#include "lib/proto/msg.h"

#include <stdbool.h>
#include <stdint.h>

#define PLAYBACK_MAX (2 * STREAM_MAX)
#define PLAYBACK_CRASHES_MAX 10u /* in PLAYBACK_CRASHES_US: the stream ends (A3) */
#define PLAYBACK_CRASHES_US 60000000u
#define PLAYBACK_DRAIN_US 500000u /* for the last words of the last session's worker */
#define PLAYBACK_RELINK_US 500000u
#define PLAYBACK_WEBS_MAX 8u /* more than there are at once */
#define PLAYBACK_STEP_MAX                                                                          \
    4096u /* a worker's numbers jump so far at most: successors inherit them */

struct supervisor;
struct process;

/* When this web process last got a new link on its own wish. */
struct playback_relink {
    uint64_t web; /* number of the process; 0: free */
    uint64_t at_us;
};

/* Invariant: session is 0 when no publisher is live; then state is not STREAM_LIVE. */
struct playback {
    struct supervisor *sup;
    char stream[STREAM_NAME_MAX + 8];
    enum stream_state state;
    enum end_reason reason;
    uint64_t session;
    uint64_t last_session;     /* the one before, which the rejoin window is for */
    struct process *transcode; /* bound worker, or NULL while one is awaited */
    uint64_t drain_ping;      /* its answer is the end of the old worker's words; 0 = not awaited */
    struct process *previous; /* the last session's worker, until the new one is playable */
    bool wanted;              /* a worker is to be bound as soon as one is warm */
    bool numbered;            /* msn below is in use */
    bool continues;           /* the next worker goes on in the same playlist */
    uint64_t msn;             /* last opened */
    uint64_t discontinuity;   /* of that segment */
    uint64_t next_msn;        /* what the worker opens next at the earliest */
    uint64_t next_discontinuity;
    uint64_t max_bitrate_bps;
    uint32_t renditions;
    uint32_t crashes;
    uint64_t crashes_since_us;
    struct playback_relink relinked[PLAYBACK_WEBS_MAX];
    struct loop_timer timer; /* rejoin window, then linger */
    struct loop_timer drain;
};

/* A session starts: binds a worker as soon as there is one. 0 or -ENOSPC. */
int playback_begin(struct supervisor *sup, const char *stream, uint64_t session,
                   uint32_t renditions, uint64_t max_bitrate_bps);
/* The session's publisher is gone. */
void playback_finish(struct supervisor *sup, const char *stream, uint64_t session,
                     enum end_reason reason);

/* The publisher of a session that ended without a word will not come back: its rejoin window is
 * over. False when there is none. */
bool playback_leave(struct supervisor *sup, uint64_t session);

void playback_on_worker(struct supervisor *sup); /* a warm transcode worker is ready */
/* 0, or -EPROTO for numbers that no worker would come to. */
int playback_on_segment(struct playback *pb, struct process *from,
                        const struct msg_segment_opened *m);
void playback_on_pong(struct playback *pb, struct process *from);
void playback_on_playable(struct playback *pb, struct process *from);
/* Nothing can be made of what the session publishes: that ends it. */
void playback_on_refused(struct playback *pb, const struct process *from, uint64_t session);
void playback_on_transcode_exit(struct playback *pb, struct process *p, bool expected);

/* Links a (restarted) web process with every worker. */
void playback_tell_web(struct supervisor *sup, struct process *web);

/* This web process has lost its link: gives it another one to the session's worker, if there is
 * one, instead of the lost one; at most one in PLAYBACK_RELINK_US, what comes sooner is ignored. */
void playback_relink(struct supervisor *sup, struct process *web,
                     const struct msg_stream_link *wanted);

struct playback *playback_by_stream(struct supervisor *sup, const char *stream);
void playback_free_all(struct supervisor *sup);

#endif
