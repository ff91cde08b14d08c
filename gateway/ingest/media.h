/* Decrypted RTP and RTCP of one session in, frames in the ring out.
 *
 * Finds each packet's track (RTP-01), keeps one source per track in order, asks for what is missing
 * and passes access units on. A new SSRC on a track replaces the one before (RTP-06); older ones
 * stay out. Allocates only in media_new. No I/O, no clock. */
#ifndef SLUICE_INGEST_MEDIA_H
#define SLUICE_INGEST_MEDIA_H

#include "gateway/ingest/depay.h"
#include "gateway/ingest/framer.h"
#include "gateway/ingest/jitter.h"
#include "gateway/ingest/keyframe.h"
#include "gateway/ingest/nack.h"
#include "gateway/ingest/reception.h"
#include "gateway/rtc/answer.h"
#include "gateway/rtc/rtp.h"
#include "lib/proto/stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEDIA_SOURCES_MAX 8u
#define MEDIA_REORDER_US 100000u /* how long a hole is waited for when the peer repairs nothing */

/* One track of the answer. Invariant: active means that jitter and depay exist. */
struct media_track {
    struct media *media;
    enum track track;
    struct answer_track agreed;
    bool active;
    bool has_ssrc; /* ssrc is the source that counts */
    uint32_t ssrc;
    struct jitter *jitter;
    struct depay *depay;
    struct reception reception;
    struct nack nack;
    struct keyframe keyframe;
};

struct media_source {
    uint32_t ssrc;
    enum track track;
    bool repair; /* an RTX source */
};

struct media_limits {
    uint16_t max_width; /* 0: FRAME_DIMENSION_MAX */
    uint16_t max_height;
    uint64_t jitter_deadline_us;
};

struct media {
    struct media_track tracks[TRACK_COUNT];
    size_t source_count;
    struct media_source sources[MEDIA_SOURCES_MAX];
    struct framer framer;
    struct stats stats;
    uint64_t bytes_before; /* at the last tick */
    bool new_source;       /* since the owner looked: a report is worth sending now */
    bool unsupported;      /* the publisher sends what this gateway never takes */
};

/* The ring stays the caller's and must outlive the media. 0, -ENOTSUP, -ENOMEM. */
int media_new(const struct answer *answer, const struct media_limits *limits,
              struct ring_writer *ring, int64_t wall_offset_us, struct media **out);
void media_free(struct media *m); /* NULL allowed */

/* True when the answer has this payload type: others need no decryption. */
bool media_expects(const struct media *m, uint8_t payload_type);

/* Takes one decrypted packet. 0 when it was accepted (also duplicates); -EBADMSG when malformed,
 * -EPROTO when it belongs to no track, -EDQUOT above MEDIA_SOURCES_MAX. */
int media_rtp(struct media *m, const uint8_t *data, size_t len, uint64_t now_us);
/* Takes one decrypted RTCP compound: sender reports teach the timeline. 0 or -EBADMSG. */
int media_rtcp(struct media *m, const uint8_t *data, size_t len, uint64_t now_us);

/* Gives up holes that are due. */
void media_on_timer(struct media *m, uint64_t now_us);
uint64_t media_due_us(const struct media *m);

/* Once a second: bitrate and expiry. */
void media_tick(struct media *m);

void media_want_keyframe(struct media *m);

#endif
