/* The common part of the depacketisers: borders, limits and losses of access units. */
#include "gateway/depay/depay.h"

#include "lib/base/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct depay_ops *ops_for(enum codec codec)
{
    static const struct depay_ops *const all[CODEC_COUNT] = {
        [CODEC_H264] = &depay_h264_ops, [CODEC_H265] = &depay_h265_ops,
        [CODEC_VP8] = &depay_vp8_ops,   [CODEC_VP9] = &depay_vp9_ops,
        [CODEC_AV1] = &depay_av1_ops,   [CODEC_OPUS] = &depay_opus_ops,
    };
    return (unsigned)codec < CODEC_COUNT ? all[codec] : NULL;
}

static uint16_t size_limit(uint16_t wanted)
{
    return wanted == 0 || wanted > FRAME_DIMENSION_MAX ? (uint16_t)FRAME_DIMENSION_MAX : wanted;
}

/* The pages of a large body are taken only when written. */
static size_t buffer_len(const struct depay_ops *ops)
{
    return ops->single ? DEPAY_HEADROOM + STREAM_DATAGRAM_MAX : FRAME_PAYLOAD_MAX;
}

int depay_new(enum codec codec, uint16_t max_width, uint16_t max_height, depay_unit_fn emit,
              void *ctx, struct depay **out)
{
    int rc = -ENOMEM;
    const struct depay_ops *ops = ops_for(codec);
    if (!ops)
        return -ENOTSUP;
    struct depay *d = calloc(1, sizeof(*d));
    if (!d)
        goto out;
    d->ops = ops;
    d->emit = emit;
    d->ctx = ctx;
    d->state = DEPAY_UNSURE;
    d->need_key = ops->has_keys;
    d->max_width = size_limit(max_width);
    d->max_height = size_limit(max_height);
    d->codec_state = calloc(1, ops->state_len);
    if (!d->codec_state)
        goto out;
    d->buffer = malloc(buffer_len(ops));
    if (!d->buffer)
        goto out;
    *out = d;
    d = NULL;
    rc = 0;
out:
    depay_free(d);
    return rc;
}

void depay_free(struct depay *d)
{
    if (!d)
        return;
    if (d->buffer && d->used > 0)
        secret_wipe(d->buffer, DEPAY_HEADROOM + d->used);
    free(d->buffer);
    free(d->codec_state);
    free(d);
}

uint8_t *depay_body(struct depay *d)
{
    return d->buffer + DEPAY_HEADROOM;
}

int depay_put(struct depay *d, const void *data, size_t len)
{
    size_t cap = buffer_len(d->ops) - DEPAY_HEADROOM;
    if (len > cap - d->len)
        return -EMSGSIZE;
    memcpy(depay_body(d) + d->len, data, len);
    d->len += len;
    if (d->len > d->used)
        d->used = d->len;
    return 0;
}

int depay_check_size(const struct depay *d, uint32_t width, uint32_t height)
{
    bool upright = width <= d->max_width && height <= d->max_height;
    bool turned = height <= d->max_width && width <= d->max_height;
    return width > 0 && height > 0 && (upright || turned) ? 0 : -ENOTSUP;
}

bool depay_begins(const struct depay *d, const uint8_t *payload, size_t len)
{
    return len > 0 && d->ops->begins(payload, len);
}

bool depay_needs_key(const struct depay *d)
{
    return d->need_key;
}

void depay_announce(struct depay *d, struct slice text)
{
    if (d->ops->announce)
        d->ops->announce(d, text);
}

static void mark_lost(struct depay *d)
{
    d->lost = true;
    d->need_key = d->ops->has_keys;
    d->len = 0;
}

void depay_gap(struct depay *d)
{
    mark_lost(d);
    d->state = DEPAY_UNSURE;
}

/* Completes the open unit and hands it over, unless it must be held back. */
static int close_unit(struct depay *d)
{
    struct depay_unit unit = {
        .rtp_time = d->unit_time, .first_us = d->first_us, .last_us = d->last_us};
    d->state = DEPAY_BORDER;
    int rc = d->ops->finish(d, &unit);
    if (rc == -EAGAIN)
        return 0;
    if (rc < 0) {
        mark_lost(d);
        return rc;
    }
    if (d->need_key && !unit.key)
        return 0;
    unit.gap = d->lost;
    d->lost = false;
    d->need_key = false;
    d->emit(d->ctx, &unit);
    return 0;
}

static void open_unit(struct depay *d, const struct depay_packet *packet)
{
    d->state = DEPAY_OPEN;
    d->seen_unit = true;
    d->unit_time = packet->rtp_time;
    d->first_us = packet->arrival_us;
    d->packets = 0;
    d->len = 0;
    d->ops->start(d);
}

/* Decides with the state what becomes of the packet: true when it belongs into a unit that is
 * wanted. May close the unit before it. */
static bool find_place(struct depay *d, const struct depay_packet *packet, int *rc)
{
    bool other = !d->seen_unit || packet->rtp_time != d->unit_time;
    if (d->state == DEPAY_OPEN && other)
        *rc = close_unit(d);
    if (d->state == DEPAY_SKIP && other)
        d->state = DEPAY_BORDER;
    if (d->state == DEPAY_UNSURE) {
        bool begins = d->ops->begins(packet->data, packet->len);
        d->state = begins && (other || d->ops->single) ? DEPAY_BORDER : DEPAY_SKIP;
        d->seen_unit = true;
        d->unit_time = packet->rtp_time;
    }
    if (d->state == DEPAY_BORDER)
        open_unit(d, packet);
    return d->state == DEPAY_OPEN;
}

int depay_push(struct depay *d, const struct depay_packet *packet)
{
    int rc = 0;
    bool last = packet->marker || d->ops->single;
    if (!find_place(d, packet, &rc)) {
        if (last)
            d->state = DEPAY_BORDER;
        return rc;
    }
    d->last_us = packet->arrival_us;
    d->packets++;
    int append_rc = -EMSGSIZE;
    if (d->packets <= DEPAY_PACKETS_MAX)
        append_rc = d->ops->append(d, packet->data, packet->len);
    if (append_rc < 0) {
        mark_lost(d);
        d->state = last ? DEPAY_BORDER : DEPAY_SKIP;
        return append_rc;
    }
    if (!last)
        return rc;
    int close_rc = close_unit(d);
    return rc < 0 ? rc : close_rc;
}
