/* One RTP source: its packets into order, what is missing asked for, access units out. */
#include "gateway/ingest/receiver.h"

#include "lib/base/clock.h"

#include <errno.h>
#include <string.h>

#define VIDEO_SLOTS 1024u
#define AUDIO_SLOTS 256u
#define RATE_UNIT 1000u
#define RATE_SECONDS 8u
#define EARLY_PART 2u /* of the normal deadline: the half */

/* ---- units out ---- */

static uint32_t saturated(uint64_t value)
{
    return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

/* Why frames are not passed on. */
static void note_refused(struct receiver *r, int error)
{
    if (error == -EMSGSIZE)
        r->stats.too_large++;
    else if (error == -EDQUOT)
        r->stats.too_many++;
    else
        r->stats.held++;
}

static void note_frame(struct receiver *r)
{
    uint64_t pause_us = r->frame_us != 0 ? r->now_us - r->frame_us : 0;
    if (pause_us > r->pause_us)
        r->pause_us = pause_us;
    r->frame_us = r->now_us;
    r->stats.frames++;
}

/* A unit that begins ends the one before: if that never came out it was damaged, or it waits for a
 * key frame as what depends on damage does. */
static void note_unit(struct receiver *r, uint32_t rtp_time)
{
    if (r->unit_open && r->unit_time == rtp_time)
        return;
    if (r->unit_open && r->unit_hurt)
        r->stats.damaged++;
    else if (r->unit_open && depay_needs_key(r->depay))
        r->stats.held++;
    r->unit_open = true;
    r->unit_hurt = false;
    r->unit_time = rtp_time;
}

static void on_unit(void *ctx, const struct depay_unit *unit)
{
    struct receiver *r = ctx;
    int rc = r->config.emit(r->config.ctx, r, unit);
    if (r->unit_time == unit->rtp_time)
        r->unit_open = false;
    if (rc < 0) {
        note_refused(r, rc);
        keyframe_want(&r->keyframe);
        return;
    }
    note_frame(r);
    if (!unit->key)
        return;
    keyframe_seen(&r->keyframe, unit->last_us);
    r->stats.key_frames++;
    r->stats.width = unit->width;
    r->stats.height = unit->height;
}

/* ---- life ---- */

static bool has_nack(const struct receiver *r)
{
    return (r->config.agreed->feedback & SDP_FB_NACK) != 0;
}

int receiver_init(struct receiver *r, const struct receiver_config *config)
{
    const struct answer_track *agreed = config->agreed;
    memset(r, 0, sizeof(*r));
    r->config = *config;
    int rc = depay_new(agreed->codec, config->max_width, config->max_height, on_unit, r, &r->depay);
    if (rc < 0)
        return rc;
    depay_announce(r->depay, slice_of(agreed->sprop));
    uint64_t deadline_us = config->jitter_deadline_us;
    if (!has_nack(r) && deadline_us > RECEIVER_REORDER_US)
        deadline_us = RECEIVER_REORDER_US;
    rc = jitter_new(config->track == TRACK_VIDEO ? VIDEO_SLOTS : AUDIO_SLOTS, deadline_us,
                    &r->jitter);
    if (rc < 0)
        return rc;
    r->active = true;
    r->stats.codec = (uint8_t)agreed->codec;
    nack_init(&r->nack);
    patience_init(&r->patience, deadline_us);
    return 0;
}

void receiver_done(struct receiver *r)
{
    jitter_free(r->jitter);
    depay_free(r->depay);
    memset(r, 0, sizeof(*r));
}

void receiver_begin(struct receiver *r, uint32_t ssrc)
{
    jitter_reset(r->jitter);
    if (r->reception.started)
        depay_gap(r->depay);
    nack_init(&r->nack);
    r->reception = (struct reception){.clock_rate = r->config.agreed->clock_rate};
    r->has_report = false;
    r->report_owed = false;
    r->has_ssrc = true;
    r->ssrc = ssrc;
}

bool receiver_may_ask(const struct receiver *r, uint32_t feedback)
{
    return r->active && r->has_ssrc && !r->muted && (r->config.agreed->feedback & feedback) != 0;
}

/* ---- packets in ---- */

static void note_hold(struct receiver *r, uint64_t hold_us)
{
    r->hold_sum_us += hold_us;
    r->hold_count++;
    if (hold_us > r->hold_max_us)
        r->hold_max_us = hold_us;
}

/* Under heavy loss the key frame is asked for before the hole in front is given up, so that one
 * stall follows a lost packet and not two. */
static bool will_be_given_up(const struct receiver *r, uint64_t now_us)
{
    uint64_t due_us = jitter_due_us(r->jitter);
    return patience_is_heavy(&r->patience) && due_us != UINT64_MAX &&
           now_us + patience_bound_us(&r->patience) / EARLY_PART >= due_us;
}

static void drain(struct receiver *r, uint64_t now_us)
{
    struct depay_packet packet;
    r->now_us = now_us;
    enum jitter_result result = jitter_pop(r->jitter, now_us, &packet);
    for (; result != JITTER_NONE; result = jitter_pop(r->jitter, now_us, &packet)) {
        if (result == JITTER_GAP) {
            depay_gap(r->depay);
            r->unit_hurt = true;
            nack_forget(&r->nack, jitter_next(r->jitter));
            continue;
        }
        note_hold(r, now_us - packet.arrival_us);
        if (packet.len == 0) /* padding only: consumed a number, is no media (RTP-05) */
            continue;
        note_unit(r, packet.rtp_time);
        int rc = depay_push(r->depay, &packet);
        if (rc < 0) {
            r->malformed++;
            r->unit_hurt = true;
        }
        if (rc == -ENOTSUP)
            r->unsupported = true;
    }
    if (depay_needs_key(r->depay) || will_be_given_up(r, now_us))
        keyframe_want(&r->keyframe);
}

/* The deadline follows the loss and the round trip. */
static void adapt(struct receiver *r)
{
    if (!has_nack(r))
        return;
    uint64_t repeat_us = nack_repeat_us(&r->nack);
    uint64_t deadline_us = patience_deadline_us(&r->patience, nack_wait_us(&r->nack), repeat_us);
    nack_set_twice(&r->nack, patience_is_heavy(&r->patience));
    jitter_set_deadline(r->jitter, deadline_us);
    keyframe_set_answer(&r->keyframe, 2 * nack_round_trip_us(&r->nack));
}

static void note_missing(struct receiver *r, const struct jitter_missing *missing, uint64_t now_us)
{
    if (missing->advance > 0) {
        patience_note(&r->patience, missing->advance, missing->count, now_us);
        adapt(r);
    }
    if (missing->count == 0 || nack_add(&r->nack, missing->first, missing->count, now_us) == 0)
        return;
    jitter_give_up(r->jitter); /* too much to repair: a key frame is cheaper (RTP-08) */
    keyframe_want(&r->keyframe);
}

static enum nack_arrival note_arrival(struct receiver *r, uint16_t sequence, bool rtx,
                                      uint64_t now_us)
{
    enum nack_arrival arrival = nack_remove(&r->nack, sequence, rtx, now_us);
    if (arrival == NACK_OVERTAKEN) {
        patience_overtaken(&r->patience);
        r->stats.overtaken++;
    } else if (arrival == NACK_REPAIRED) {
        r->stats.recovered_rtx += rtx;
        r->stats.recovered_same += !rtx;
    }
    return arrival;
}

/* True when the packet is neither a repeat nor too late. */
static bool push(struct receiver *r, const struct rtp_packet *packet, bool rtx, uint64_t now_us)
{
    struct depay_packet media = {.data = packet->payload,
                                 .len = packet->payload_len,
                                 .rtp_time = packet->timestamp,
                                 .marker = packet->marker,
                                 .arrival_us = now_us};
    struct jitter_missing missing;
    if (!jitter_started(r->jitter) && !depay_begins(r->depay, media.data, media.len))
        jitter_expect_older(r->jitter, RECEIVER_OPENING_US);
    enum nack_arrival arrival = note_arrival(r, packet->sequence, rtx, now_us);
    if (jitter_push(r->jitter, packet->sequence, &media, rtx, &missing) == JITTER_OLD)
        return !has_nack(r);
    note_missing(r, &missing, now_us);
    drain(r, now_us);
    return arrival != NACK_REPAIRED;
}

/* Repairs must not hide the loss from the sender's rate control: neither they nor packets that come
 * after they were given up count as received. */
void receiver_push(struct receiver *r, const struct rtp_packet *packet, uint64_t now_us)
{
    if (!push(r, packet, false, now_us))
        return;
    reception_packet(&r->reception, packet->sequence, packet->timestamp, now_us);
    r->stats.packets++;
    r->stats.bytes += packet->header_len + packet->payload_len + packet->padding_len;
}

int receiver_repair(struct receiver *r, const struct rtp_packet *packet, uint64_t now_us)
{
    struct rtp_packet original;
    if (!r->has_ssrc)
        return -EPROTO;
    int rc = rtp_unwrap_rtx(packet, r->config.agreed->pt, r->ssrc, &original);
    if (rc == -EAGAIN)
        return 0; /* a bandwidth probe */
    if (rc < 0)
        return rc;
    (void)push(r, &original, true, now_us);
    return 0;
}

void receiver_end(struct receiver *r, uint64_t now_us)
{
    if (!r->active || !r->has_ssrc)
        return;
    jitter_give_up(r->jitter);
    drain(r, now_us);
    nack_init(&r->nack);
    r->has_ssrc = false;
    r->has_report = false;
}

void receiver_report(struct receiver *r, uint64_t ntp, uint32_t rtp_time, uint64_t now_us)
{
    reception_sender_report(&r->reception, ntp, now_us);
    r->has_report = true;
    r->report_ntp = ntp;
    r->report_time = rtp_time;
}

/* ---- time ---- */

void receiver_on_timer(struct receiver *r, uint64_t now_us)
{
    if (r->active && jitter_due_us(r->jitter) <= now_us)
        drain(r, now_us);
}

uint64_t receiver_due_us(const struct receiver *r)
{
    return r->active ? jitter_due_us(r->jitter) : UINT64_MAX;
}

/* Over the last seconds, so that 29.97 frames per second do not look like 29 and 31. */
static void note_rate(struct receiver *r)
{
    uint64_t frames = r->stats.frames - r->frames_before;
    uint64_t last = frames * RATE_UNIT, mean = r->stats.frame_rate_milli;
    bool change = 2 * last < mean || last > 2 * mean;
    r->stats.frame_rate_milli =
        saturated(change ? last : (mean * (RATE_SECONDS - 1) + last) / RATE_SECONDS);
    r->frames_before = r->stats.frames;
}

/* A pause that still lasts counts too. */
static void note_pause(struct receiver *r, uint64_t now_us)
{
    uint64_t open_us = r->frame_us != 0 && r->has_ssrc ? now_us - r->frame_us : 0;
    r->stats.pause_us = saturated(open_us > r->pause_us ? open_us : r->pause_us);
    r->pause_us = 0;
}

void receiver_tick(struct receiver *r, uint64_t now_us)
{
    if (!r->active)
        return;
    note_rate(r);
    note_pause(r, now_us);
    r->stats.bitrate_bps = saturated((r->stats.bytes - r->bytes_before) * 8);
    r->bytes_before = r->stats.bytes;
    r->stats.lost = jitter_lost(r->jitter);
    r->stats.loss_permille = patience_measured_permille(&r->patience);
    r->stats.jitter_us = saturated(reception_jitter_us(&r->reception));
    r->stats.hold_us = r->hold_count > 0 ? saturated(r->hold_sum_us / r->hold_count) : 0;
    r->stats.hold_max_us = saturated(r->hold_max_us);
    r->stats.deadline_us = saturated(jitter_deadline_us(r->jitter));
    r->hold_max_us = 0;
    r->hold_sum_us = 0;
    r->hold_count = 0;
}
