/* One RTP source: its packets into order, what is missing asked for, access units out.
 *
 * The video of a track, its audio, or one simulcast layer. Owns the reorder window and the
 * depacketiser; counts. Another SSRC begins anew (RTP-06). Allocates only in receiver_init. No I/O,
 * no clock. */
#ifndef SLUICE_INGEST_RECEIVER_H
#define SLUICE_INGEST_RECEIVER_H

#include "gateway/depay/depay.h"
#include "gateway/ingest/jitter.h"
#include "gateway/ingest/keyframe.h"
#include "gateway/ingest/nack.h"
#include "gateway/ingest/patience.h"
#include "gateway/ingest/reception.h"
#include "gateway/rtc/answer.h"
#include "gateway/rtc/rtp.h"
#include "lib/proto/stats.h"

#include <stdbool.h>
#include <stdint.h>

#define RECEIVER_REORDER_US                                                                        \
    100000u /* how long a hole is waited for when the peer repairs nothing */

/* When a source begins inside an access unit, earlier packets of it may have been overtaken: they
 * are waited for so long. */
#define RECEIVER_OPENING_US 30000u

struct receiver;
/* 0, or why the unit could not be passed on: -EMSGSIZE, -EDQUOT, -EAGAIN (framer.h). */
typedef int (*receiver_unit_fn)(void *ctx, struct receiver *r, const struct depay_unit *unit);

struct receiver_config {
    const struct answer_track *agreed; /* must outlive the receiver */
    enum track track;
    uint8_t layer; /* of simulcast, else 0 */
    uint16_t max_width;
    uint16_t max_height;
    uint64_t jitter_deadline_us;
    receiver_unit_fn emit;
    void *ctx;
};

/* Invariant: active means that jitter and depay exist. All zero: not active. */
struct receiver {
    struct receiver_config config;
    bool active;
    bool has_ssrc;    /* ssrc is the source that counts */
    bool muted;       /* nobody wants its units: nothing is asked for */
    bool unsupported; /* the publisher sends what this gateway never takes */
    uint32_t ssrc;
    struct jitter *jitter;
    struct depay *depay;
    struct reception reception;
    struct nack nack;
    struct patience patience;
    struct keyframe keyframe;
    bool has_report;  /* the newest sender report */
    bool report_owed; /* it came before the timeline knew the source */
    uint64_t report_ntp;
    uint32_t report_time;
    struct stats_track stats;
    uint64_t malformed; /* packets that the depacketiser refused */
    uint64_t now_us;    /* of the packet or timer at hand */
    bool unit_open;     /* a unit has begun whose end is not known yet */
    bool unit_hurt;     /* something was lost in it or before it */
    uint32_t unit_time; /* its RTP timestamp */
    uint64_t frame_us;  /* when the last frame was passed on; 0: none yet */
    uint64_t pause_us;  /* longest time between two, since the last tick */
    uint64_t frames_before;
    uint64_t bytes_before; /* at the last tick */
    uint64_t hold_sum_us;  /* of the packets since the last tick */
    uint64_t hold_max_us;
    uint32_t hold_count;
};

/* 0, -ENOTSUP for a codec without depacketiser, -ENOMEM. */
int receiver_init(struct receiver *r, const struct receiver_config *config);
void receiver_done(struct receiver *r);

/* The newcomer is the source from now on. */
void receiver_begin(struct receiver *r, uint32_t ssrc);

/* The source said goodbye (RTP-19): what waits is passed on or given up. A packet of it, or of
 * another one, begins anew. */
void receiver_end(struct receiver *r, uint64_t now_us);

/* Takes the source's packet. */
void receiver_push(struct receiver *r, const struct rtp_packet *packet, uint64_t now_us);
/* Takes a packet of its RTX source. 0 (also for probes); -EBADMSG when malformed, -EPROTO when
 * there is no source yet. */
int receiver_repair(struct receiver *r, const struct rtp_packet *packet, uint64_t now_us);
void receiver_report(struct receiver *r, uint64_t ntp, uint32_t rtp_time, uint64_t now_us);

/* True when this feedback (enum sdp_feedback) was agreed and somebody can be asked. */
bool receiver_may_ask(const struct receiver *r, uint32_t feedback);

/* Gives up holes that are due. */
void receiver_on_timer(struct receiver *r, uint64_t now_us);
uint64_t receiver_due_us(const struct receiver *r);
/* Once a second. */
void receiver_tick(struct receiver *r, uint64_t now_us);

#endif
