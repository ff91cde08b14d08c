/* Decrypted RTP and RTCP of one session in, frames in the ring out. */
#include "gateway/ingest/media.h"

#include "gateway/rtc/rtcp.h"
#include "gateway/rtc/rtpext.h"

#include <errno.h>
#include <stdlib.h>

/* ---- frames out ---- */

static uint32_t area(const struct receiver *r)
{
    return (uint32_t)r->stats.width * r->stats.height;
}

static bool is_silent(const struct media *m, uint64_t now_us)
{
    return now_us > m->shown_us + MEDIA_LAYER_SILENCE_US;
}

static unsigned lane_of(const struct media *m, const struct receiver *r)
{
    return (unsigned)(r - m->receivers);
}

/* Beside the layer that is shown each has the place of the publisher's list. */
static uint8_t place_of(const struct receiver *r)
{
    bool simulcast = r->config.track == TRACK_VIDEO && r->config.agreed->layer_count > 0;
    return simulcast ? (uint8_t)(r->config.layer + 1u) : 0;
}

static void show(struct media *m, struct receiver *r)
{
    if (m->shown)
        framer_set_layer(&m->framer, lane_of(m, m->shown), place_of(m->shown));
    m->shown = r;
    framer_set_layer(&m->framer, lane_of(m, r), 0);
}

/* The source's sender report came before its first frame (RTP-16). */
static void pay_report(struct media *m, struct receiver *r)
{
    if (!r->report_owed)
        return;
    r->report_owed = false;
    sync_report(&m->framer.sync, lane_of(m, r), r->report_ntp, r->report_time);
}

/* Makes the layer of this unit the one that is shown, if it is larger or that fell silent. */
static void choose(struct media *m, struct receiver *r, const struct depay_unit *unit)
{
    if (r->config.track != TRACK_VIDEO || r == m->shown || !unit->key)
        return;
    uint32_t size = (uint32_t)unit->width * unit->height;
    if (!m->shown || size > area(m->shown) || is_silent(m, unit->last_us))
        show(m, r);
}

static int on_unit(void *ctx, struct receiver *r, const struct depay_unit *unit)
{
    struct media *m = ctx;
    choose(m, r, unit);
    if (r == m->shown)
        m->shown_us = unit->last_us;
    int rc = framer_write(&m->framer, lane_of(m, r), unit);
    if (rc == 0)
        pay_report(m, r);
    m->live = m->live || rc == 0;
    return rc;
}

/* ---- life ---- */

static struct receiver *receiver_at(struct media *m, enum track track, uint8_t layer)
{
    return &m->receivers[layer == 0 ? (size_t)track : TRACK_COUNT + layer - 1u];
}

static int start_track(struct media *m, enum track track, const struct media_limits *limits)
{
    const struct answer_track *agreed = &m->answer->tracks[track];
    size_t layers = agreed->layer_count > 0 && track == TRACK_VIDEO ? agreed->layer_count : 1;
    if (agreed->codec == CODEC_NONE)
        return 0;
    for (size_t layer = 0; layer < layers && layer < ANSWER_LAYERS_MAX; layer++) {
        const struct receiver_config config = {.agreed = agreed,
                                               .track = track,
                                               .layer = (uint8_t)layer,
                                               .max_width = limits->max_width,
                                               .max_height = limits->max_height,
                                               .jitter_deadline_us = limits->jitter_deadline_us,
                                               .emit = on_unit,
                                               .ctx = m};
        struct receiver *r = receiver_at(m, track, (uint8_t)layer);
        int rc = receiver_init(r, &config);
        if (rc < 0)
            return rc;
        framer_set_layer(&m->framer, lane_of(m, r), place_of(r));
    }
    if (agreed->transport_cc_ext_id != 0 && (agreed->feedback & SDP_FB_TRANSPORT_CC) != 0)
        m->transport_cc = true;
    return 0;
}

int media_new(const struct answer *answer, const struct media_limits *limits,
              struct ring_writer *ring, int64_t wall_offset_us, struct media **out)
{
    int rc = -ENOMEM;
    struct media *m = calloc(1, sizeof(*m));
    if (!m)
        goto out;
    m->answer = answer;
    framer_init(&m->framer, ring, wall_offset_us);
    twcc_init(&m->twcc);
    m->roundtrip.enabled = answer->receiver_rtt;
    for (unsigned track = 0; track < TRACK_COUNT; track++) {
        rc = start_track(m, track, limits);
        if (rc < 0)
            goto out;
    }
    m->stats.video_codec = (uint8_t)answer->tracks[TRACK_VIDEO].codec;
    m->stats.audio_codec = (uint8_t)answer->tracks[TRACK_AUDIO].codec;
    m->stats.feedback = FEEDBACK_NONE;
    for (unsigned track = 0; track < TRACK_COUNT; track++)
        if (answer->tracks[track].feedback & SDP_FB_REMB)
            m->stats.feedback = FEEDBACK_REMB;
    if (m->transport_cc)
        m->stats.feedback = FEEDBACK_TRANSPORT_CC;
    *out = m;
    m = NULL;
    rc = 0;
out:
    media_free(m);
    return rc;
}

void media_free(struct media *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < MEDIA_RECEIVERS_MAX; i++) {
        receiver_done(&m->receivers[i]);
        newcomer_forget(&m->newcomers[i]);
    }
    free(m);
}

/* Nothing is asked of layers below the one that is shown, until that falls silent: then each is
 * asked for a key frame. */
static void mute_layers(struct media *m, uint64_t now_us)
{
    bool silent = is_silent(m, now_us);
    for (size_t i = 0; i < MEDIA_RECEIVERS_MAX && m->shown; i++) {
        struct receiver *r = &m->receivers[i];
        if (!r->active || r->config.track != TRACK_VIDEO || r == m->shown)
            continue;
        bool below = area(r) != 0 && area(r) <= area(m->shown);
        r->muted = below && !silent;
        if (below && silent)
            keyframe_want(&r->keyframe);
    }
    if (m->shown)
        m->shown->muted = false;
}

/* ---- packets in ---- */

/* Any source's packets count, also those that are dropped: the sender numbers them all. */
static void note_arrival(struct media *m, const struct answer_track *agreed,
                         const struct rtp_packet *packet, uint64_t now_us)
{
    struct slice number;
    if (!m->transport_cc || agreed->transport_cc_ext_id == 0)
        return;
    if (rtpext_find(packet, agreed->transport_cc_ext_id, &number) == 0)
        twcc_record_extension(&m->twcc, number, now_us);
}

/* The newcomer replaces the source before. */
static void begin_source(struct media *m, struct receiver *r, uint32_t ssrc)
{
    const struct answer_track *agreed = r->config.agreed;
    receiver_begin(r, ssrc);
    framer_start_track(&m->framer, lane_of(m, r), agreed->codec, agreed->clock_rate);
    m->new_source = true;
}

/* A packet of another SSRC than the one that counts; true when it counts from now on. */
static bool take_over(struct media *m, struct receiver *r, const struct rtp_packet *packet,
                      bool is_new, uint64_t now_us)
{
    struct newcomer *n = &m->newcomers[lane_of(m, r)];
    enum newcomer_verdict verdict = newcomer_judge(n, packet, is_new, now_us);
    if (verdict == NEWCOMER_IGNORED)
        return false;
    begin_source(m, r, packet->ssrc);
    if (verdict == NEWCOMER_PROVED)
        receiver_push(r, &n->packet, now_us); /* never before what was passed on */
    newcomer_forget(n);
    return true;
}

static int take_packet(struct media *m, const struct rtpsource *source, bool is_new,
                       const struct rtp_packet *packet, uint64_t now_us)
{
    struct receiver *r = receiver_at(m, source->track, source->layer);
    if (source->repair)
        return receiver_repair(r, packet, now_us);
    bool counts = r->has_ssrc && packet->ssrc == r->ssrc;
    if (counts || take_over(m, r, packet, is_new, now_us)) {
        newcomer_note_source(&m->newcomers[lane_of(m, r)], now_us);
        receiver_push(r, packet, now_us);
    }
    m->unsupported = m->unsupported || r->unsupported;
    return 0;
}

int media_rtp(struct media *m, const uint8_t *data, size_t len, uint64_t now_us)
{
    struct rtp_packet packet;
    struct rtpsource source;
    bool is_new = false;
    int rc = rtp_parse(data, len, &packet);
    if (rc < 0)
        return rc;
    rc = rtpsource_find(&m->sources, m->answer, &packet, &source, &is_new);
    if (rc < 0)
        return rc;
    m->stats.packets++;
    m->stats.bytes += len;
    m->stats.last_packet_us = now_us;
    note_arrival(m, &m->answer->tracks[source.track], &packet, now_us);
    return take_packet(m, &source, is_new, &packet, now_us);
}

static void take_sender_report(struct media *m, const struct rtcp_packet *packet, uint64_t now_us)
{
    struct rtcp_sender_info info;
    if (rtcp_parse_sender_info(packet, &info) < 0)
        return;
    for (size_t i = 0; i < MEDIA_RECEIVERS_MAX; i++) {
        struct receiver *r = &m->receivers[i];
        if (!r->active || !r->has_ssrc || r->ssrc != info.ssrc)
            continue;
        receiver_report(r, info.ntp, info.rtp_timestamp, now_us);
        r->report_owed = true;
        if (m->framer.sync.tracks[lane_of(m, r)].mapped)
            pay_report(m, r);
    }
}

/* BYE of the layer that is shown: the others need not wait for its silence. */
static void end_source(struct media *m, uint32_t ssrc, uint64_t now_us)
{
    rtpsource_end(&m->sources, ssrc);
    for (size_t i = 0; i < MEDIA_RECEIVERS_MAX; i++) {
        struct receiver *r = &m->receivers[i];
        if (!r->active || !r->has_ssrc || r->ssrc != ssrc)
            continue;
        receiver_end(r, now_us);
        newcomer_note_end(&m->newcomers[i]);
        if (r == m->shown) {
            m->shown_us = 0;
            mute_layers(m, now_us);
        }
    }
}

static void take_bye(struct media *m, const struct rtcp_packet *packet, uint64_t now_us)
{
    uint32_t ssrc;
    for (size_t i = 0; i < packet->count && rtcp_parse_bye(packet, i, &ssrc) == 0; i++)
        end_source(m, ssrc, now_us);
}

static void take_answers(struct media *m, const struct rtcp_packet *packet, uint64_t now_us)
{
    struct rtcp_dlrr answers[RTCP_REPORTS_MAX];
    size_t count = rtcp_parse_dlrr(packet, answers, RTCP_REPORTS_MAX);
    for (size_t i = 0; i < count; i++)
        roundtrip_answer(&m->roundtrip, answers[i].ssrc, answers[i].reference, answers[i].delay,
                         now_us);
}

static void take_rtcp(struct media *m, const struct rtcp_packet *packet, uint64_t now_us)
{
    if (packet->type == RTCP_SR)
        take_sender_report(m, packet, now_us);
    else if (packet->type == RTCP_BYE)
        take_bye(m, packet, now_us);
    else if (packet->type == RTCP_XR)
        take_answers(m, packet, now_us);
}

int media_rtcp(struct media *m, const uint8_t *data, size_t len, uint64_t now_us)
{
    struct rtcp_walk walk;
    struct rtcp_packet packet;
    rtcp_begin(&walk, data, len);
    while (rtcp_next(&walk, &packet))
        take_rtcp(m, &packet, now_us);
    return rtcp_ok(&walk) ? 0 : -EBADMSG;
}

/* ---- time ---- */

void media_on_timer(struct media *m, uint64_t now_us)
{
    for (size_t i = 0; i < MEDIA_RECEIVERS_MAX; i++)
        receiver_on_timer(&m->receivers[i], now_us);
}

uint64_t media_due_us(const struct media *m)
{
    uint64_t due_us = UINT64_MAX;
    for (size_t i = 0; i < MEDIA_RECEIVERS_MAX; i++)
        if (receiver_due_us(&m->receivers[i]) < due_us)
            due_us = receiver_due_us(&m->receivers[i]);
    return due_us;
}

static void add_track(struct stats_track *sum, const struct receiver *r, bool shown)
{
    const struct stats_track *one = &r->stats;
    sum->packets += one->packets;
    sum->bytes += one->bytes;
    sum->lost += one->lost;
    sum->recovered_rtx += one->recovered_rtx;
    sum->recovered_same += one->recovered_same;
    sum->overtaken += one->overtaken;
    sum->nacked += one->nacked;
    sum->plis += one->plis;
    sum->firs += one->firs;
    sum->layers++;
    if (!shown)
        return;
    sum->frames = one->frames;
    sum->damaged = one->damaged;
    sum->held = one->held;
    sum->too_large = one->too_large;
    sum->too_many = one->too_many;
    sum->key_frames = one->key_frames;
    sum->bitrate_bps = one->bitrate_bps;
    sum->jitter_us = one->jitter_us;
    sum->loss_permille = one->loss_permille;
    sum->hold_us = one->hold_us;
    sum->hold_max_us = one->hold_max_us;
    sum->deadline_us = one->deadline_us;
    sum->frame_rate_milli = one->frame_rate_milli;
    sum->pause_us = one->pause_us;
    sum->width = one->width;
    sum->height = one->height;
    sum->codec = one->codec;
}

void media_count(struct media *m)
{
    struct stats *s = &m->stats;
    for (unsigned track = 0; track < TRACK_COUNT; track++)
        s->tracks[track] = (struct stats_track){0};
    for (size_t i = 0; i < MEDIA_RECEIVERS_MAX; i++) {
        const struct receiver *r = &m->receivers[i];
        bool shown = r == m->shown || (!m->shown && i == TRACK_VIDEO) || i == TRACK_AUDIO;
        if (r->active)
            add_track(&s->tracks[r->config.track], r, shown);
    }
    const struct stats_track *video = &s->tracks[TRACK_VIDEO];
    const struct stats_track *audio = &s->tracks[TRACK_AUDIO];
    s->frames = video->frames + audio->frames;
    s->key_frames = video->key_frames;
    s->lost = video->lost + audio->lost;
    s->recovered =
        video->recovered_rtx + video->recovered_same + audio->recovered_rtx + audio->recovered_same;
    s->plis = video->plis;
    s->firs = video->firs;
    s->width = video->width;
    s->height = video->height;
}

/* Reference times tell more than repairs, which wait for the sender and the next feedback. */
static void note_round_trip(struct media *m, const struct nack *nack)
{
    struct stats *s = &m->stats;
    uint64_t reported_us = roundtrip_us(&m->roundtrip), repair_us = nack_round_trip_us(nack);
    s->round_trip_us = (uint32_t)(reported_us != 0 ? reported_us : repair_us);
    if (reported_us != 0)
        s->round_trip = ROUND_TRIP_RTCP;
    else
        s->round_trip = repair_us != 0 ? ROUND_TRIP_REPAIR : ROUND_TRIP_NONE;
}

void media_tick(struct media *m, uint64_t now_us)
{
    uint64_t bits = (m->stats.bytes - m->bytes_before) * 8;
    m->bytes_before = m->stats.bytes;
    m->stats.bitrate_bps = bits > UINT32_MAX ? UINT32_MAX : (uint32_t)bits;
    for (size_t i = 0; i < MEDIA_RECEIVERS_MAX; i++)
        receiver_tick(&m->receivers[i], now_us);
    mute_layers(m, now_us);
    media_count(m);
    const struct receiver *shown = m->shown ? m->shown : &m->receivers[TRACK_VIDEO];
    note_round_trip(m, &shown->nack);
    framer_tick(&m->framer);
}

void media_want_keyframe(struct media *m)
{
    struct receiver *r = m->shown ? m->shown : &m->receivers[TRACK_VIDEO];
    keyframe_want(&r->keyframe);
}
