/* A publisher and a bad network around the media of one session, simulated: seeded, without sleep.
 *
 * Video of 30 frames/s and audio of 50 packets/s go through a link with loss, delay and jitter each
 * way; what the gateway writes goes back to the publisher, which repairs and makes key frames. The
 * gateway reads every NET_BATCH_US, as ingest does. */
#ifndef SLUICE_TESTS_INGEST_NETWORK_H
#define SLUICE_TESTS_INGEST_NETWORK_H

#include "gateway/ingest/feedback.h"
#include "gateway/ingest/media.h"
#include "gateway/rtc/rtcp.h"
#include "lib/base/clock.h"
#include "tests/unit/ingest/ingest_rtp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NET_BATCH_US 5000u
#define NET_FLIGHT_MAX 4096u /* datagrams under way */
#define NET_HISTORY 2048u    /* packets that the publisher can repeat */
#define NET_FRAMES_MAX 8192u
#define NET_GOP 60u
#define NET_SLICE_LEN 40u
#define NET_START_US 1000000u
#define NET_KEY_PACKETS 40u /* slices of a key frame */
#define NET_PICTURE_PACKETS 16u
#define NET_DATAGRAM_MAX 1300u

struct net_link {
    uint32_t loss; /* per mille */
    uint32_t delay_us;
    uint32_t jitter_us;
    bool in_order; /* nothing overtakes */
    bool blocked;
};

struct net_config {
    struct net_link up;
    struct net_link down;
    bool rtx;            /* repairs have a source of their own, else they repeat the packet */
    uint32_t spacing_us; /* a packet is repeated at most this often: browsers wait a round trip */
    bool obeys_pli;      /* false: key frames come every NET_GOP only */
    bool nack;           /* agreed for video */
    uint32_t deadline_us;
    uint32_t seed;
};

struct net_datagram {
    uint64_t at_us;
    uint64_t order;
    uint16_t len;
    uint8_t bytes[NET_DATAGRAM_MAX];
};

/* One direction: datagrams under way, not sorted. */
struct net_queue {
    size_t count;
    uint64_t last_us; /* arrival of the newest, for in_order */
    struct net_datagram items[NET_FLIGHT_MAX];
};

struct net_sent {
    uint16_t sequence;
    uint16_t len;
    uint64_t repeated_us;
    uint8_t bytes[NET_SLICE_LEN + 60];
};

struct net_frame {
    uint64_t sent_us;
    uint64_t written_us; /* 0: did not arrive */
    uint32_t len;        /* of a picture that is no key frame, else 0 */
};

struct net_result {
    uint32_t video_sent;
    uint32_t video_intact;
    uint32_t audio_sent;
    uint32_t audio_intact;
    uint32_t key_frames;
    uint32_t asked;    /* numbers in NACKs that arrived at the publisher */
    uint32_t repeats;  /* packets sent again */
    uint32_t plis;     /* sent by the gateway */
    uint64_t stall_us; /* longest time between two video frames in the ring */
    uint64_t delay_mean_us;
    uint64_t delay_max_us;
};

struct network {
    struct net_config config;
    struct test_ring ring;
    struct answer answer;
    struct media *media;
    struct feedback feedback;
    uint64_t now_us;
    uint64_t random;
    uint64_t order;
    struct net_queue up;
    struct net_queue down;
    uint16_t sequence; /* of video */
    uint16_t rtx_sequence;
    uint16_t audio_sequence;
    bool want_key;
    uint32_t frames; /* made so far */
    uint32_t audio_frames;
    uint64_t last_frame_us; /* in the ring */
    struct net_sent history[NET_HISTORY];
    struct net_frame video[NET_FRAMES_MAX];
    uint8_t audio_came[NET_FRAMES_MAX * 2];
    uint8_t sps[64];
    size_t sps_len;
    uint8_t pps[16];
    size_t pps_len;
    struct net_result result;
};

/* ---- the network ---- */

static inline uint32_t net_random(struct network *n, uint32_t below)
{
    n->random ^= n->random << 13;
    n->random ^= n->random >> 7;
    n->random ^= n->random << 17;
    return below == 0 ? 0 : (uint32_t)((n->random >> 20) % below);
}

static inline void net_put(struct network *n, struct net_queue *q, const struct net_link *link,
                           const uint8_t *bytes, size_t len)
{
    if (link->blocked || net_random(n, 1000) < link->loss)
        return;
    assert_true(q->count < NET_FLIGHT_MAX && len <= NET_DATAGRAM_MAX);
    struct net_datagram *d = &q->items[q->count++];
    d->at_us = n->now_us + link->delay_us + net_random(n, link->jitter_us);
    if (link->in_order && d->at_us < q->last_us)
        d->at_us = q->last_us;
    if (d->at_us > q->last_us)
        q->last_us = d->at_us;
    d->order = n->order++;
    d->len = (uint16_t)len;
    memcpy(d->bytes, bytes, len);
}

/* The datagram that arrives next, if it has by now. */
static inline bool net_get(struct network *n, struct net_queue *q, struct net_datagram *out)
{
    size_t best = q->count;
    for (size_t i = 0; i < q->count; i++) {
        const struct net_datagram *d = &q->items[i];
        if (d->at_us > n->now_us)
            continue;
        if (best == q->count || d->at_us < q->items[best].at_us ||
            (d->at_us == q->items[best].at_us && d->order < q->items[best].order))
            best = i;
    }
    if (best == q->count)
        return false;
    *out = q->items[best];
    q->items[best] = q->items[--q->count];
    return true;
}

/* ---- the publisher ---- */

static inline void net_send_video(struct network *n, const uint8_t *payload, size_t len, bool last)
{
    struct net_sent *sent = &n->history[n->sequence % NET_HISTORY];
    const struct test_packet packet = {.ssrc = VIDEO_SSRC,
                                       .pt = VIDEO_PT,
                                       .marker = last,
                                       .sequence = n->sequence,
                                       .time = n->frames * 3000u,
                                       .payload = payload,
                                       .len = len};
    sent->len = (uint16_t)build_test_packet(&packet, sent->bytes, sizeof(sent->bytes));
    sent->sequence = n->sequence++;
    sent->repeated_us = 0;
    net_put(n, &n->up, &n->config.up, sent->bytes, sent->len);
}

static inline void net_send_picture(struct network *n)
{
    uint8_t slice[NET_SLICE_LEN] = {0};
    struct net_frame *frame = &n->video[n->frames];
    bool key = n->frames % NET_GOP == 0 || n->want_key;
    uint32_t slices = key ? NET_KEY_PACKETS : 1 + net_random(n, NET_PICTURE_PACKETS);
    assert_true(n->frames < NET_FRAMES_MAX);
    n->want_key = false;
    frame->sent_us = n->now_us;
    frame->len = key ? 0 : slices * (4 + NET_SLICE_LEN);
    if (key) {
        net_send_video(n, n->sps, n->sps_len, false);
        net_send_video(n, n->pps, n->pps_len, false);
        n->result.key_frames++;
    }
    for (uint32_t i = 0; i < slices; i++) {
        slice[0] = key ? 0x65 : 0x41;
        slice[1] = i == 0 ? 0xf0 : 0x58; /* first_mb_in_slice 0, 1 */
        slice[2] = 0xff;
        net_send_video(n, slice, sizeof(slice), i + 1 == slices);
    }
    n->frames++;
    n->result.video_sent++;
}

static inline void net_send_audio(struct network *n)
{
    uint8_t bytes[100];
    const struct test_packet packet = {.ssrc = AUDIO_SSRC,
                                       .pt = AUDIO_PT,
                                       .sequence = n->audio_sequence++,
                                       .time = n->audio_frames * 960u,
                                       .payload = test_opus,
                                       .len = sizeof(test_opus)};
    size_t len = build_test_packet(&packet, bytes, sizeof(bytes));
    assert_true(n->audio_frames < NET_FRAMES_MAX * 2);
    net_put(n, &n->up, &n->config.up, bytes, len);
    n->audio_frames++;
    n->result.audio_sent++;
}

static inline void net_repeat(struct network *n, uint16_t sequence)
{
    struct net_sent *sent = &n->history[sequence % NET_HISTORY];
    uint8_t bytes[NET_SLICE_LEN + 64];
    n->result.asked++;
    if (sent->len == 0 || sent->sequence != sequence)
        return;
    if (sent->repeated_us != 0 && n->now_us - sent->repeated_us < n->config.spacing_us)
        return;
    sent->repeated_us = n->now_us;
    n->result.repeats++;
    if (!n->config.rtx) {
        net_put(n, &n->up, &n->config.up, sent->bytes, sent->len);
        return;
    }
    memcpy(bytes, sent->bytes, 12);
    bytes[1] = (uint8_t)((bytes[1] & 0x80) | VIDEO_RTX_PT);
    bytes[2] = (uint8_t)(n->rtx_sequence >> 8);
    bytes[3] = (uint8_t)n->rtx_sequence++;
    bytes[10] = (uint8_t)(VIDEO_RTX_SSRC >> 8);
    bytes[11] = (uint8_t)(VIDEO_RTX_SSRC & 0xff);
    bytes[12] = (uint8_t)(sequence >> 8);
    bytes[13] = (uint8_t)sequence;
    memcpy(bytes + 14, sent->bytes + 12, sent->len - 12u);
    net_put(n, &n->up, &n->config.up, bytes, sent->len + 2u);
}

static inline void net_take_feedback(struct network *n, const struct net_datagram *d)
{
    struct rtcp_walk walk;
    struct rtcp_packet packet;
    struct rtcp_feedback feedback;
    uint16_t numbers[RTCP_NACKS_MAX];
    rtcp_begin(&walk, d->bytes, d->len);
    while (rtcp_next(&walk, &packet)) {
        if (packet.type == RTCP_RTPFB && packet.count == RTCP_FB_NACK) {
            assert_int_equal(rtcp_parse_feedback(&packet, &feedback), 0);
            size_t count = rtcp_nack_sequences(&feedback, numbers, RTCP_NACKS_MAX);
            for (size_t i = 0; i < count; i++)
                net_repeat(n, numbers[i]);
        }
        if (packet.type == RTCP_PSFB && packet.count == RTCP_FB_PLI && n->config.obeys_pli)
            n->want_key = true;
    }
    assert_true(rtcp_ok(&walk));
}

static inline void net_publish(struct network *n)
{
    struct net_datagram d;
    while (net_get(n, &n->down, &d))
        net_take_feedback(n, &d);
    while (NET_START_US + n->frames * 1000000ull / 30 <= n->now_us)
        net_send_picture(n);
    while (NET_START_US + n->audio_frames * 20000ull <= n->now_us)
        net_send_audio(n);
}

/* ---- the gateway ---- */

static inline void net_note_frame(struct network *n, const struct frame *frame)
{
    if (frame->track == TRACK_AUDIO) {
        uint32_t at = frame->rtp_time / 960u;
        assert_true(at < n->audio_frames && !n->audio_came[at]);
        n->audio_came[at] = 1;
        n->result.audio_intact++;
        return;
    }
    uint32_t at = frame->rtp_time / 3000u;
    assert_true(at < n->frames);
    struct net_frame *sent = &n->video[at];
    assert_int_equal(sent->written_us, 0);
    if (sent->len != 0)
        assert_int_equal(frame->len, sent->len);
    sent->written_us = n->now_us;
    uint64_t delay_us = n->now_us - sent->sent_us;
    n->result.video_intact++;
    n->result.delay_mean_us += delay_us; /* divided at the end */
    if (delay_us > n->result.delay_max_us)
        n->result.delay_max_us = delay_us;
    if (n->last_frame_us != 0 && n->now_us - n->last_frame_us > n->result.stall_us)
        n->result.stall_us = n->now_us - n->last_frame_us;
    n->last_frame_us = n->now_us;
}

static inline void net_gateway(struct network *n)
{
    struct net_datagram d;
    struct frame frame;
    uint8_t bytes[FEEDBACK_PACKET_MAX];
    while (net_get(n, &n->up, &d))
        (void)media_rtp(n->media, d.bytes, d.len, n->now_us);
    if (media_due_us(n->media) <= n->now_us)
        media_on_timer(n->media, n->now_us);
    while (test_ring_next(&n->ring, &frame))
        net_note_frame(n, &frame);
    struct writer w;
    writer_init(&w, bytes, sizeof(bytes));
    if (feedback_write(&n->feedback, n->media, n->now_us, &w))
        net_put(n, &n->down, &n->config.down, bytes, w.len);
}

static inline void net_run(struct network *n, uint64_t seconds)
{
    uint64_t end_us = n->now_us + seconds * CLOCK_SECOND_US;
    while (n->now_us < end_us) {
        n->now_us += 1000;
        net_publish(n);
        if (n->now_us % NET_BATCH_US == 0)
            net_gateway(n);
        if (n->now_us % CLOCK_SECOND_US == 0)
            media_tick(n->media, n->now_us);
    }
    n->result.plis = (uint32_t)n->media->receivers[TRACK_VIDEO].stats.plis;
}

/* Lets arrive what can still arrive; then the result is complete. */
static inline struct net_result net_end(struct network *n)
{
    uint32_t audio = n->audio_frames, frames = n->frames;
    uint64_t end_us = n->now_us + 2 * CLOCK_SECOND_US;
    for (; n->now_us < end_us; n->now_us += 1000) {
        struct net_datagram d;
        while (net_get(n, &n->down, &d))
            net_take_feedback(n, &d);
        n->want_key = false;
        if (n->now_us % NET_BATCH_US == 0)
            net_gateway(n);
    }
    assert_int_equal(audio, n->audio_frames);
    assert_int_equal(frames, n->frames);
    struct net_result r = n->result;
    r.plis = (uint32_t)n->media->receivers[TRACK_VIDEO].stats.plis;
    if (r.video_intact > 0)
        r.delay_mean_us /= r.video_intact;
    return r;
}

static inline struct network *net_new(const struct net_config *config)
{
    struct network *n = calloc(1, sizeof(*n));
    assert_non_null(n);
    n->config = *config;
    n->random = config->seed * 0x9e3779b97f4a7c15ull + 1;
    n->now_us = NET_START_US;
    n->sequence = 65000;
    n->sps_len = vector_bytes(SPS_1280X720, n->sps);
    n->pps_len = vector_bytes(PPS_BASELINE, n->pps);
    assert_int_equal(test_ring_open(&n->ring), 0);
    make_test_answer(&n->answer);
    if (!config->nack)
        n->answer.tracks[TRACK_VIDEO].feedback &= ~(uint32_t)SDP_FB_NACK;
    const struct media_limits limits = {.jitter_deadline_us = config->deadline_us};
    assert_int_equal(media_new(&n->answer, &limits, n->ring.writer, 0, &n->media), 0);
    feedback_init(&n->feedback, &n->answer, 5000000, 77, "0123456789abcdef");
    feedback_start(&n->feedback, n->now_us);
    return n;
}

static inline void net_free(struct network *n)
{
    media_free(n->media);
    test_ring_close(&n->ring);
    free(n);
}

/* The same link both ways: loss per mille, 25 ms each way, jitter 20 ms. */
static inline struct net_config net_lossy(uint32_t loss, bool in_order, bool rtx)
{
    const struct net_link link = {
        .loss = loss, .delay_us = 25000, .jitter_us = 20000, .in_order = in_order};
    return (struct net_config){.up = link,
                               .down = link,
                               .rtx = rtx,
                               .obeys_pli = true,
                               .nack = true,
                               .deadline_us = 300000,
                               .seed = 1};
}

static inline void net_print(const char *what, const struct net_result *r)
{
    print_message("%-28s video %u/%u (%.2f %%) audio %.2f %% asked %u repeats %u PLI %u "
                  "delay mean %u max %u ms, stall %u ms\n",
                  what, r->video_intact, r->video_sent, 100.0 * r->video_intact / r->video_sent,
                  100.0 * r->audio_intact / r->audio_sent, r->asked, r->repeats, r->plis,
                  (unsigned)(r->delay_mean_us / 1000), (unsigned)(r->delay_max_us / 1000),
                  (unsigned)(r->stall_us / 1000));
}

#endif
