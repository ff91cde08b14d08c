/* Tells which track and layer a packet belongs to, and whether it repairs. */
#include "gateway/rtc/rtpsource.h"

#include "gateway/rtc/rtpext.h"

#include <errno.h>

static bool track_has(const struct answer_track *t, uint8_t payload_type)
{
    return t->codec != CODEC_NONE &&
           (t->pt == payload_type || (t->rtx_pt != 0 && t->rtx_pt == payload_type));
}

bool rtpsource_expects(const struct answer *answer, uint8_t payload_type)
{
    for (unsigned i = 0; i < TRACK_COUNT; i++) {
        if (track_has(&answer->tracks[i], payload_type))
            return true;
    }
    return false;
}

/* ---- track ---- */

static int track_by_mid(const struct answer *answer, const struct rtp_packet *packet,
                        enum track *out)
{
    for (unsigned i = 0; i < TRACK_COUNT; i++) {
        const struct answer_track *t = &answer->tracks[i];
        struct slice mid;
        if (t->codec == CODEC_NONE || t->mid_ext_id == 0)
            continue;
        int err = rtpext_find(packet, t->mid_ext_id, &mid);
        if (err == -EBADMSG)
            return err;
        if (err == 0 && slice_is(mid, t->mid)) {
            *out = i;
            return 0;
        }
    }
    return -ENOENT;
}

static int track_by_ssrc(const struct answer *answer, uint32_t ssrc, enum track *out)
{
    for (unsigned i = 0; i < TRACK_COUNT; i++) {
        const struct answer_track *t = &answer->tracks[i];
        for (size_t k = 0; k < t->ssrc_count; k++) {
            if (t->ssrcs[k] == ssrc || (t->rtx_ssrcs[k] != 0 && t->rtx_ssrcs[k] == ssrc)) {
                *out = i;
                return 0;
            }
        }
    }
    return -ENOENT;
}

static int track_by_pt(const struct answer *answer, uint8_t payload_type, enum track *out)
{
    bool video = track_has(&answer->tracks[TRACK_VIDEO], payload_type);
    bool audio = track_has(&answer->tracks[TRACK_AUDIO], payload_type);
    if (video == audio)
        return -ENOENT;
    *out = video ? TRACK_VIDEO : TRACK_AUDIO;
    return 0;
}

/* ---- layer ---- */

static int layer_by_rid(const struct answer_track *t, const struct rtp_packet *packet, uint8_t id,
                        uint8_t *out)
{
    struct slice rid;
    int err = rtpext_find(packet, id, &rid); /* id 0 is never found */
    for (size_t i = 0; err == 0 && i < t->layer_count; i++) {
        if (slice_is(rid, t->layers[i].rid)) {
            *out = (uint8_t)i;
            return 0;
        }
    }
    return err == 0 ? -EPROTO : err;
}

/* The place of an announced SSRC among the media SSRCs: publishers list them layer by layer. */
static int layer_by_ssrc(const struct answer_track *t, uint32_t ssrc, uint8_t *out)
{
    for (size_t i = 0; i < t->ssrc_count && t->ssrc_count == t->layer_count; i++) {
        if (t->ssrcs[i] == ssrc || (t->rtx_ssrcs[i] != 0 && t->rtx_ssrcs[i] == ssrc)) {
            *out = (uint8_t)i;
            return 0;
        }
    }
    return -EAGAIN;
}

static int find_layer(const struct answer_track *t, const struct rtp_packet *packet, bool repair,
                      uint8_t *out)
{
    if (t->layer_count == 0)
        return 0;
    uint8_t id = repair ? t->repaired_rid_ext_id : t->rid_ext_id;
    int err = layer_by_rid(t, packet, id, out);
    return err == -ENOENT ? layer_by_ssrc(t, packet->ssrc, out) : err;
}

/* ---- sources ---- */

/* Where a new source goes: behind the others, or in the place of one that ended. */
static struct rtpsource *free_place(struct rtpsources *sources)
{
    if (sources->count < RTPSOURCE_MAX)
        return &sources->list[sources->count];
    for (size_t i = 0; i < sources->count; i++) {
        if (sources->list[i].ended)
            return &sources->list[i];
    }
    return NULL;
}

static int learn(struct rtpsources *sources, const struct answer *answer,
                 const struct rtp_packet *packet, struct rtpsource **out)
{
    struct rtpsource source = {.ssrc = packet->ssrc};
    struct rtpsource *place = free_place(sources);
    if (!place)
        return -EDQUOT;
    int err = track_by_mid(answer, packet, &source.track);
    if (err == -ENOENT)
        err = track_by_ssrc(answer, packet->ssrc, &source.track);
    if (err == -ENOENT)
        err = track_by_pt(answer, packet->payload_type, &source.track);
    if (err < 0)
        return err == -EBADMSG ? err : -EPROTO;
    const struct answer_track *t = &answer->tracks[source.track];
    if (!track_has(t, packet->payload_type))
        return -EPROTO;
    source.repair = packet->payload_type != t->pt;
    err = find_layer(t, packet, source.repair, &source.layer);
    if (err < 0)
        return err;
    if (place == &sources->list[sources->count])
        sources->count++;
    *place = source;
    *out = place;
    return 0;
}

static struct rtpsource *known(struct rtpsources *sources, uint32_t ssrc)
{
    for (size_t i = 0; i < sources->count; i++) {
        if (sources->list[i].ssrc == ssrc)
            return &sources->list[i];
    }
    return NULL;
}

int rtpsource_find(struct rtpsources *sources, const struct answer *answer,
                   const struct rtp_packet *packet, struct rtpsource *out, bool *out_new)
{
    struct rtpsource *source = known(sources, packet->ssrc);
    bool is_new = !source || source->ended;
    if (!source) {
        int err = learn(sources, answer, packet, &source);
        if (err < 0)
            return err;
    }
    const struct answer_track *t = &answer->tracks[source->track];
    if (!track_has(t, packet->payload_type))
        return -EPROTO;
    source->ended = false;
    *out = *source;
    out->repair = packet->payload_type != t->pt;
    *out_new = is_new;
    return 0;
}

void rtpsource_end(struct rtpsources *sources, uint32_t ssrc)
{
    struct rtpsource *source = known(sources, ssrc);
    if (source)
        source->ended = true;
}
