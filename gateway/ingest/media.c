/* Decrypted RTP and RTCP of one session in, frames in the ring out. */
#include "gateway/ingest/media.h"

#include "gateway/rtc/rtcp.h"
#include "gateway/rtc/rtpext.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define VIDEO_SLOTS 1024u
#define AUDIO_SLOTS 256u

/* ---- frames out ---- */

static void on_unit(void *ctx, const struct depay_unit *unit)
{
    struct media_track *t = ctx;
    struct stats *stats = &t->media->stats;
    int rc = framer_write(&t->media->framer, t->track, unit);
    if (rc < 0) {
        stats->dropped++;
        keyframe_want(&t->keyframe);
        return;
    }
    stats->frames++;
    if (!unit->key)
        return;
    keyframe_seen(&t->keyframe, unit->last_us);
    stats->key_frames++;
    stats->width = unit->width;
    stats->height = unit->height;
}

/* ---- life ---- */

static int start_track(struct media *m, enum track track, const struct answer_track *agreed,
                       const struct media_limits *limits)
{
    struct media_track *t = &m->tracks[track];
    t->media = m;
    t->track = track;
    t->agreed = *agreed;
    if (agreed->codec == CODEC_NONE)
        return 0;
    int rc = depay_new(agreed->codec, limits->max_width, limits->max_height, on_unit, t, &t->depay);
    if (rc < 0)
        return rc;
    depay_announce(t->depay, slice_of(agreed->sprop));
    uint64_t deadline_us = limits->jitter_deadline_us;
    if (!(agreed->feedback & SDP_FB_NACK) && deadline_us > MEDIA_REORDER_US)
        deadline_us = MEDIA_REORDER_US;
    rc = jitter_new(track == TRACK_VIDEO ? VIDEO_SLOTS : AUDIO_SLOTS, deadline_us, &t->jitter);
    if (rc < 0)
        return rc;
    t->active = true;
    nack_init(&t->nack);
    return 0;
}

int media_new(const struct answer *answer, const struct media_limits *limits,
              struct ring_writer *ring, int64_t wall_offset_us, struct media **out)
{
    int rc = -ENOMEM;
    struct media *m = calloc(1, sizeof(*m));
    if (!m)
        goto out;
    framer_init(&m->framer, ring, wall_offset_us);
    for (unsigned track = 0; track < TRACK_COUNT; track++) {
        rc = start_track(m, track, &answer->tracks[track], limits);
        if (rc < 0)
            goto out;
    }
    m->stats.video_codec = (uint8_t)answer->tracks[TRACK_VIDEO].codec;
    m->stats.audio_codec = (uint8_t)answer->tracks[TRACK_AUDIO].codec;
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
    for (unsigned track = 0; track < TRACK_COUNT; track++) {
        jitter_free(m->tracks[track].jitter);
        depay_free(m->tracks[track].depay);
    }
    free(m);
}

/* ---- which track ---- */

static bool track_has_pt(const struct media_track *t, uint8_t payload_type)
{
    if (!t->active)
        return false;
    bool repair = t->agreed.rtx_pt != 0 && t->agreed.rtx_pt == payload_type;
    return repair || t->agreed.pt == payload_type;
}

bool media_expects(const struct media *m, uint8_t payload_type)
{
    for (unsigned track = 0; track < TRACK_COUNT; track++)
        if (track_has_pt(&m->tracks[track], payload_type))
            return true;
    return false;
}

static struct media_source *find_source(struct media *m, uint32_t ssrc)
{
    for (size_t i = 0; i < m->source_count; i++)
        if (m->sources[i].ssrc == ssrc)
            return &m->sources[i];
    return NULL;
}

/* The track whose mid stands in the packet's MID extension. 0, -ENOENT without one, -EBADMSG. */
static int track_by_mid(const struct media *m, const struct rtp_packet *packet,
                        enum track *out_track)
{
    for (unsigned track = 0; track < TRACK_COUNT; track++) {
        const struct answer_track *agreed = &m->tracks[track].agreed;
        struct slice mid;
        if (!m->tracks[track].active || agreed->mid_ext_id == 0)
            continue;
        int rc = rtpext_find(packet, agreed->mid_ext_id, &mid);
        if (rc == -EBADMSG)
            return rc;
        if (rc == 0 && slice_is(mid, agreed->mid)) {
            *out_track = track;
            return 0;
        }
    }
    return -ENOENT;
}

static int track_by_ssrc(const struct media *m, uint32_t ssrc, enum track *out_track)
{
    for (unsigned track = 0; track < TRACK_COUNT; track++) {
        const struct answer_track *agreed = &m->tracks[track].agreed;
        for (size_t i = 0; i < agreed->ssrc_count; i++)
            if (agreed->ssrcs[i] == ssrc || agreed->rtx_ssrcs[i] == ssrc) {
                *out_track = track;
                return 0;
            }
    }
    return -ENOENT;
}

static int track_by_pt(const struct media *m, uint8_t payload_type, enum track *out_track)
{
    bool video = track_has_pt(&m->tracks[TRACK_VIDEO], payload_type);
    bool audio = track_has_pt(&m->tracks[TRACK_AUDIO], payload_type);
    if (video == audio)
        return -ENOENT;
    *out_track = video ? TRACK_VIDEO : TRACK_AUDIO;
    return 0;
}

/* A new SSRC: by MID, else by the offer's a=ssrc lines, else by a payload type that one track alone
 * has (RFC 9143 9.2). It is remembered, because later packets have no MID. */
static int learn_source(struct media *m, const struct rtp_packet *packet, struct media_source **out)
{
    enum track track = TRACK_VIDEO;
    if (m->source_count == MEDIA_SOURCES_MAX)
        return -EDQUOT;
    int rc = track_by_mid(m, packet, &track);
    if (rc == -ENOENT)
        rc = track_by_ssrc(m, packet->ssrc, &track);
    if (rc == -ENOENT)
        rc = track_by_pt(m, packet->payload_type, &track);
    if (rc < 0)
        return rc == -EBADMSG ? rc : -EPROTO;
    const struct media_track *t = &m->tracks[track];
    if (!track_has_pt(t, packet->payload_type))
        return -EPROTO;
    struct media_source *source = &m->sources[m->source_count++];
    source->ssrc = packet->ssrc;
    source->track = track;
    source->repair = packet->payload_type != t->agreed.pt;
    *out = source;
    return 0;
}

/* The newcomer is the track's source from now on. */
static void replace_source(struct media_track *t, uint32_t ssrc)
{
    struct media *m = t->media;
    jitter_reset(t->jitter);
    if (t->has_ssrc)
        depay_gap(t->depay);
    nack_init(&t->nack);
    t->reception = (struct reception){.clock_rate = t->agreed.clock_rate};
    framer_start_track(&m->framer, t->track, t->agreed.codec, t->agreed.clock_rate);
    t->has_ssrc = true;
    t->ssrc = ssrc;
    m->new_source = true;
}

/* ---- packets in ---- */

static void drain(struct media_track *t, uint64_t now_us)
{
    struct depay_packet packet;
    enum jitter_result result = jitter_pop(t->jitter, now_us, &packet);
    for (; result != JITTER_NONE; result = jitter_pop(t->jitter, now_us, &packet)) {
        if (result == JITTER_GAP) {
            depay_gap(t->depay);
            nack_forget(&t->nack, jitter_next(t->jitter));
            continue;
        }
        if (packet.len == 0) /* padding only: consumed a number, is no media (RTP-05) */
            continue;
        int rc = depay_push(t->depay, &packet);
        if (rc < 0)
            t->media->stats.dropped++;
        if (rc == -ENOTSUP)
            t->media->unsupported = true;
    }
    if (depay_needs_key(t->depay))
        keyframe_want(&t->keyframe);
}

static void note_missing(struct media_track *t, const struct jitter_missing *missing,
                         uint64_t now_us)
{
    if (missing->count == 0)
        return;
    if (nack_add(&t->nack, missing->first, missing->count, now_us) == 0)
        return;
    jitter_give_up(t->jitter); /* too much to repair: a key frame is cheaper (RTP-08) */
    keyframe_want(&t->keyframe);
}

static void push(struct media_track *t, const struct rtp_packet *packet, bool repair,
                 uint64_t now_us)
{
    struct depay_packet media = {.data = packet->payload,
                                 .len = packet->payload_len,
                                 .rtp_time = packet->timestamp,
                                 .marker = packet->marker,
                                 .arrival_us = now_us};
    struct jitter_missing missing;
    if (nack_remove(&t->nack, packet->sequence, repair, now_us) == NACK_REPAIRED)
        t->media->stats.recovered++;
    if (jitter_push(t->jitter, packet->sequence, &media, repair, &missing) == JITTER_OLD)
        return;
    note_missing(t, &missing, now_us);
    drain(t, now_us);
}

static int take_repair(struct media_track *t, const struct rtp_packet *packet, uint64_t now_us)
{
    struct rtp_packet original;
    if (!t->has_ssrc)
        return -EPROTO;
    int rc = rtp_unwrap_rtx(packet, t->agreed.pt, t->ssrc, &original);
    if (rc == -EAGAIN)
        return 0; /* a bandwidth probe */
    if (rc < 0)
        return rc;
    push(t, &original, true, now_us);
    return 0;
}

int media_rtp(struct media *m, const uint8_t *data, size_t len, uint64_t now_us)
{
    struct rtp_packet packet;
    int rc = rtp_parse(data, len, &packet);
    if (rc < 0)
        return rc;
    struct media_source *source = find_source(m, packet.ssrc);
    bool is_new = !source;
    if (is_new) {
        rc = learn_source(m, &packet, &source);
        if (rc < 0)
            return rc;
    }
    struct media_track *t = &m->tracks[source->track];
    if (!track_has_pt(t, packet.payload_type))
        return -EPROTO;
    m->stats.packets++;
    m->stats.bytes += len;
    m->stats.last_packet_us = now_us;
    if (packet.payload_type != t->agreed.pt)
        return take_repair(t, &packet, now_us);
    if (is_new)
        replace_source(t, packet.ssrc);
    if (packet.ssrc != t->ssrc || !t->has_ssrc)
        return 0; /* a source that was replaced */
    reception_packet(&t->reception, packet.sequence, packet.timestamp, now_us);
    push(t, &packet, false, now_us);
    return 0;
}

static void take_sender_report(struct media *m, const struct rtcp_packet *packet, uint64_t now_us)
{
    struct rtcp_sender_info info;
    if (rtcp_parse_sender_info(packet, &info) < 0)
        return;
    for (unsigned track = 0; track < TRACK_COUNT; track++) {
        struct media_track *t = &m->tracks[track];
        if (!t->has_ssrc || t->ssrc != info.ssrc)
            continue;
        reception_sender_report(&t->reception, info.ntp, now_us);
        sync_report(&m->framer.sync, track, info.ntp, info.rtp_timestamp);
    }
}

int media_rtcp(struct media *m, const uint8_t *data, size_t len, uint64_t now_us)
{
    struct rtcp_walk walk;
    struct rtcp_packet packet;
    rtcp_begin(&walk, data, len);
    while (rtcp_next(&walk, &packet))
        if (packet.type == RTCP_SR)
            take_sender_report(m, &packet, now_us);
    return rtcp_ok(&walk) ? 0 : -EBADMSG;
}

/* ---- time ---- */

void media_on_timer(struct media *m, uint64_t now_us)
{
    for (unsigned track = 0; track < TRACK_COUNT; track++) {
        struct media_track *t = &m->tracks[track];
        if (t->active && jitter_due_us(t->jitter) <= now_us)
            drain(t, now_us);
    }
}

uint64_t media_due_us(const struct media *m)
{
    uint64_t due_us = UINT64_MAX;
    for (unsigned track = 0; track < TRACK_COUNT; track++) {
        const struct media_track *t = &m->tracks[track];
        if (t->active && jitter_due_us(t->jitter) < due_us)
            due_us = jitter_due_us(t->jitter);
    }
    return due_us;
}

void media_tick(struct media *m)
{
    uint64_t bits = (m->stats.bytes - m->bytes_before) * 8;
    m->bytes_before = m->stats.bytes;
    m->stats.bitrate_bps = bits > UINT32_MAX ? UINT32_MAX : (uint32_t)bits;
    m->stats.lost = 0;
    for (unsigned track = 0; track < TRACK_COUNT; track++)
        if (m->tracks[track].active)
            m->stats.lost += jitter_lost(m->tracks[track].jitter);
    framer_tick(&m->framer);
}

void media_want_keyframe(struct media *m)
{
    keyframe_want(&m->tracks[TRACK_VIDEO].keyframe);
}
