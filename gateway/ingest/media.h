/* Decrypted RTP and RTCP of one session in, frames in the ring out.
 *
 * Finds each packet's receiver (rtpsource.h), keeps the arrivals for transport-wide feedback and
 * passes access units on. Simulcast layers are received apart and all go into the ring: the one
 * with the largest picture as layer 0, the next one when it falls silent, each change at a key
 * frame; the others under numbers of their own (lib/proto/frame.h). Allocates only in media_new. No
 * I/O, no clock. */
#ifndef SLUICE_INGEST_MEDIA_H
#define SLUICE_INGEST_MEDIA_H

#include "gateway/ingest/framer.h"
#include "gateway/ingest/newcomer.h"
#include "gateway/ingest/receiver.h"
#include "gateway/ingest/roundtrip.h"
#include "gateway/rtc/answer.h"
#include "gateway/rtc/rtpsource.h"
#include "gateway/rtc/twcc.h"
#include "lib/proto/stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* receivers[TRACK_VIDEO] and [TRACK_AUDIO], then further layers of video. */
#define MEDIA_RECEIVERS_MAX (TRACK_COUNT + ANSWER_LAYERS_MAX - 1)
_Static_assert(MEDIA_RECEIVERS_MAX == FRAMER_LANES, "a lane for each receiver");
#define MEDIA_LAYER_SILENCE_US 1000000u /* then the next layer takes over */

struct media_limits {
    uint16_t max_width; /* 0: FRAME_DIMENSION_MAX */
    uint16_t max_height;
    uint64_t jitter_deadline_us;
};

/* Invariant: shown is the receiver whose video is layer 0; NULL before the first frame. */
struct media {
    const struct answer *answer;
    struct receiver receivers[MEDIA_RECEIVERS_MAX];
    struct newcomer newcomers[MEDIA_RECEIVERS_MAX]; /* of each receiver */
    struct receiver *shown;
    uint64_t shown_us; /* arrival of its last unit */
    struct rtpsources sources;
    struct framer framer;
    struct twcc twcc;
    struct roundtrip roundtrip;
    bool transport_cc;
    struct stats stats;
    uint64_t bytes_before; /* at the last tick */
    bool live;             /* a frame went into the ring */
    bool new_source;       /* since the owner looked: a report is worth sending now */
    bool unsupported;      /* the publisher sends what this gateway never takes */
};

/* Answer and ring stay the caller's and must outlive the media. 0, -ENOTSUP, -ENOMEM. */
int media_new(const struct answer *answer, const struct media_limits *limits,
              struct ring_writer *ring, int64_t wall_offset_us, struct media **out);
void media_free(struct media *m); /* NULL allowed */

/* Takes one decrypted packet. 0 when it was accepted (also duplicates); -EBADMSG when malformed,
 * -EPROTO when it belongs to no track, -EAGAIN to no layer yet, -EDQUOT above RTPSOURCE_MAX. */
int media_rtp(struct media *m, const uint8_t *data, size_t len, uint64_t now_us);
/* Takes one decrypted RTCP compound: sender reports teach the timeline, BYE ends its
 * source only (RTP-19). 0 or -EBADMSG; what stood before the malformed part counts. */
int media_rtcp(struct media *m, const uint8_t *data, size_t len, uint64_t now_us);

/* Gives up holes that are due. */
void media_on_timer(struct media *m, uint64_t now_us);
uint64_t media_due_us(const struct media *m);

/* Once a second: statistics, expiry, layers that fell silent. */
void media_tick(struct media *m, uint64_t now_us);

/* Brings the sums of stats up to date; media_tick does it too. */
void media_count(struct media *m);

void media_want_keyframe(struct media *m);

#endif
