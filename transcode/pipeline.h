/* The stage graph of one stream, the only file that knows all stages:
 *   frames -> video (pass or encode) -> video_cut -> chunker -> outlet
 *          -> audio (Opus to AAC)    -> audio_cut -> chunker -> outlet
 * Video leads: its segment boundaries are audio's. What is late or missing is filled by time, so
 * that neither rendition waits for the other (LL-08). */
#ifndef SLUICE_TRANSCODE_PIPELINE_H
#define SLUICE_TRANSCODE_PIPELINE_H

#include "lib/base/loop.h"
#include "lib/proto/frame.h"
#include "lib/proto/msg.h"
#include "lib/proto/settings.h"

#include <stdint.h>

/* Video that came for so long and was too large, of an unknown format or broken ends the stream. */
#define PIPELINE_REFUSED_US 5000000
#define PIPELINE_REFUSED_MIN 5 /* frames */

/* What the stream tells the supervisor. */
struct pipeline_hooks {
    void *ctx;
    void (*want_key)(void *ctx);
    void (*segment_opened)(void *ctx, uint64_t msn, uint64_t discontinuity_sequence);
    void (*playable)(void *ctx); /* once: each rendition has its first part */
    void (*refused)(void *ctx);  /* once: for PIPELINE_REFUSED_US no video was of any use */
};

struct pipeline;

/* bind->renditions: at least one. 0; -EINVAL for settings or a bind out of range; or a negative
 * errno. */
int pipeline_new(struct loop *loop, const struct settings_transcode *settings,
                 const struct msg_transcode_bind *bind, const struct pipeline_hooks *hooks,
                 struct pipeline **out);
void pipeline_free(struct pipeline *p); /* NULL allowed */

/* A consumer's end of a pair, taken over. 0 or a negative errno: it was dropped. */
int pipeline_add_consumer(struct pipeline *p, uint64_t number, int fd);

/* One frame that came at now_us, whose payload may be changed. 0, or a negative errno that ends the
 * process: whatever the publisher can cause gives 0. */
int pipeline_push(struct pipeline *p, const struct frame *frame, uint8_t *payload, uint64_t now_us);
/* How long the frames pushed from now on have waited for this process. */
void pipeline_set_backlog(struct pipeline *p, uint64_t backlog_us);
/* Frames were missed. */
void pipeline_lose(struct pipeline *p);
/* Does what is due; 0 or a negative errno that ends the process. */
int pipeline_tick(struct pipeline *p, uint64_t now_us);
/* When pipeline_tick has to be called next; UINT64_MAX = after the next frame. */
uint64_t pipeline_due_us(const struct pipeline *p, uint64_t now_us);

/* What arrives before that time can wait until then: on a clean network nothing is published sooner
 * for being read sooner. 0 when everything has to be read at once. */
uint64_t pipeline_quiet_us(const struct pipeline *p);

/* The publication is over: publishes what waits and tells the consumers. */
int pipeline_end(struct pipeline *p, enum end_reason reason);

#endif
