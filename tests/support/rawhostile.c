/* What a hostile publisher does to its own media and sends besides it. */
#include "tests/support/rawhostile.h"

#include "lib/base/clock.h"
#include "lib/base/secret.h"
#include "tests/support/rawrtcp.h"
#include "tests/support/rawsender.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BATCH 32u
#define TICK_PACKETS 16384u /* of one kind: after a stall the media comes first */
#define FORGED_RTCP_EVERY 8u
#define FORGED_AHEAD 64u /* forged packets claim the numbers that come next */
#define FILLER_LEN 24u
#define GAP_STEP 16384u /* below half of the numbers, so that the rollover is counted */
#define HOUR_S 3600u
#define MILLION 1000000u
#define CUT_MIN 64u
#define NAL_SPS 7u

struct outgoing {
    struct rawsender *sender;
    unsigned count;
    struct mmsghdr headers[BATCH];
    struct iovec parts[BATCH];
    uint8_t bytes[BATCH][RAWSENDER_PACKET_MAX];
};

/* ---- life ---- */

void rawhostile_done(struct rawhostile *hostile)
{
    free(hostile->frame);
    hostile->frame = NULL;
}

void rawhostile_start(struct rawsender *sender)
{
    const struct rawhostile_config *config = sender->hostile.config;
    struct rawsender_track *video = &sender->tracks[RAWSENDER_VIDEO];
    if (config == NULL)
        return;
    if (config->fps > 0)
        video->ticks = video->media->clock_hz / config->fps;
    for (size_t i = 0; i < RAWSENDER_TRACKS && config->times == RAWHOSTILE_TIMES_WRAP; i++)
        sender->tracks[i].first_time = 0u - config->at_s * sender->tracks[i].media->clock_hz;
}

static bool has_begun(const struct rawsender *sender, uint64_t now_us)
{
    const struct rawhostile_config *config = sender->hostile.config;
    return config != NULL && now_us >= sender->start_us + config->at_s * (uint64_t)CLOCK_SECOND_US;
}

/* ---- its own media ---- */

uint32_t rawhostile_shift(const struct rawsender *sender, const struct rawsender_track *track,
                          uint64_t now_us)
{
    uint32_t hour = HOUR_S * track->media->clock_hz;
    if (!has_begun(sender, now_us))
        return 0;
    switch (sender->hostile.config->times) {
    case RAWHOSTILE_TIMES_BACK:
        return 0u - hour;
    case RAWHOSTILE_TIMES_FORWARD:
        return hour;
    case RAWHOSTILE_TIMES_ALTERNATING:
        return track->frames % 2 == 0 ? hour : 0u - hour;
    default:
        return 0;
    }
}

/* Both level_idc (H.264 7.4.2.1.1) decode the same. */
static void change_sps(uint8_t *data, size_t len, bool other)
{
    size_t at = 0;
    while (at + 8 <= len) {
        size_t size = (size_t)data[at] << 24 | (size_t)data[at + 1] << 16 |
                      (size_t)data[at + 2] << 8 | data[at + 3];
        if (size > len - at - 4) /* the one that was cut */
            return;
        if ((data[at + 4] & 0x1f) == NAL_SPS)
            data[at + 7] = other ? 32 : 40;
        at += 4 + size;
    }
}

const uint8_t *rawhostile_frame(struct rawsender *sender, const struct rawsender_track *track,
                                const uint8_t *data, size_t *len)
{
    struct rawhostile *hostile = &sender->hostile;
    if (hostile->config == NULL || track != &sender->tracks[RAWSENDER_VIDEO])
        return data;
    if (track->ticks < track->media->frame_ticks) {
        size_t cut = *len * track->ticks / track->media->frame_ticks;
        cut = cut < CUT_MIN ? CUT_MIN : cut;
        *len = cut < *len ? cut : *len;
    }
    if (!hostile->config->sps_change || track->media->codec != RAWMEDIA_H264)
        return data;
    size_t mean = track->media->len / track->media->count;
    *len = mean < *len ? mean : *len; /* key frames alone would be above every ceiling */
    if (hostile->frame_cap < *len) {
        uint8_t *more = realloc(hostile->frame, *len);
        if (more == NULL)
            return data;
        hostile->frame = more;
        hostile->frame_cap = *len;
    }
    memcpy(hostile->frame, data, *len);
    change_sps(hostile->frame, *len, track->frames % 2 != 0);
    return hostile->frame;
}

void rawhostile_payload(struct rawsender *sender, uint8_t *payload, size_t len, uint64_t now_us)
{
    const struct rawhostile_config *config = sender->hostile.config;
    if (len == 0 || config == NULL || config->flip_millionths == 0 || !has_begun(sender, now_us))
        return;
    if (rawsender_random(sender) % MILLION >= config->flip_millionths)
        return;
    uint64_t bit = rawsender_random(sender) % (len * 8);
    payload[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

/* ---- besides it ---- */

static void flush(struct outgoing *out)
{
    unsigned sent = 0;
    while (sent < out->count) {
        int n = sendmmsg(out->sender->fd, out->headers + sent, out->count - sent,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        out->sender->stats.errors += n < 0;
        sent += n > 0 ? (unsigned)n : 1;
    }
    out->count = 0;
}

/* Room for one packet; put says how long it became. */
static uint8_t *room(struct outgoing *out)
{
    return out->bytes[out->count];
}

static void put(struct outgoing *out, size_t len)
{
    unsigned i = out->count++;
    out->parts[i] = (struct iovec){out->bytes[i], len};
    out->headers[i].msg_hdr = (struct msghdr){.msg_iov = &out->parts[i], .msg_iovlen = 1};
    if (out->count == BATCH)
        flush(out);
}

static const struct rawsender_packet *random_packet(struct rawsender *sender)
{
    const struct rawsender_track *track =
        &sender->tracks[rawsender_random(sender) % RAWSENDER_TRACKS];
    uint32_t kept = track->packets < RAWSENDER_HISTORY ? track->packets : RAWSENDER_HISTORY;
    uint64_t back = kept > 0 ? rawsender_random(sender) % kept : 0;
    return &track->history[(uint16_t)(track->seq - 1 - back) % RAWSENDER_HISTORY];
}

static void send_forged(struct outgoing *out)
{
    struct rawsender *sender = out->sender;
    const struct rawsender_track *video = &sender->tracks[RAWSENDER_VIDEO];
    uint8_t *to = room(out);
    uint64_t random = rawsender_random(sender);
    const struct rawsender_packet *last =
        &video->history[(uint16_t)(video->seq - 1) % RAWSENDER_HISTORY];
    size_t len = last->len;
    if (random % FORGED_RTCP_EVERY == 0) {
        static const uint8_t head[] = {0x80, 200, 0, 6};
        len = 28 + 20;
        memcpy(to, head, sizeof(head));
        rawsender_put_u32(to + 4, video->ssrc);
        secret_random(to + 8, len - 8);
        to[len - 4] |= 0x80; /* "encrypted" (RFC 3711 3.4) */
    } else if (len > 64) {
        uint16_t seq = (uint16_t)(video->seq + (random >> 8) % FORGED_AHEAD);
        memcpy(to, last->bytes, len);
        to[2] = (uint8_t)(seq >> 8);
        to[3] = (uint8_t)seq;
        secret_random(to + len - 32, 32);
    } else {
        return;
    }
    put(out, len);
}

static void send_replayed(struct outgoing *out)
{
    const struct rawsender_packet *packet = random_packet(out->sender);
    if (packet->len == 0)
        return;
    memcpy(room(out), packet->bytes, packet->len);
    put(out, packet->len);
}

/* A filler NAL unit (H.264 7.3.2.7), through the sender: it takes the next number. */
static void send_filler(struct outgoing *out, uint64_t now_us)
{
    uint8_t payload[FILLER_LEN];
    memset(payload, 0xff, sizeof(payload));
    payload[0] = 12;
    payload[sizeof(payload) - 1] = 0x80;
    rawsender_send_payload(out->sender, &out->sender->tracks[RAWSENDER_VIDEO], payload,
                           sizeof(payload), false, now_us);
}

static void send_stranger(struct outgoing *out)
{
    struct rawsender *sender = out->sender;
    uint8_t *to = room(out);
    uint32_t ssrc = (uint32_t)rawsender_random(sender);
    size_t head = rawsender_write_head(sender, &sender->tracks[RAWSENDER_VIDEO], false, to);
    rawsender_put_u32(to + 8, ssrc);
    memset(to + head, 0xff, FILLER_LEN);
    int size = rawsrtp_protect(sender->srtp, to, head + FILLER_LEN);
    rawsrtp_forget(sender->srtp, ssrc);
    if (size > 0)
        put(out, (size_t)size);
}

static void send_rtcp(struct outgoing *out, uint64_t now_us)
{
    struct rawsender *sender = out->sender;
    struct rawrtcp_sender report =
        rawsender_report_of(sender, &sender->tracks[RAWSENDER_VIDEO], now_us);
    uint8_t *to = room(out);
    size_t cap = RAWSENDER_PACKET_MAX - RAWSRTP_TRAILER_MAX;
    size_t len = rawrtcp_write_report(&report, to, cap);
    len += rawrtcp_write_bomb((uint32_t)rawsender_random(sender), to + len, cap - len);
    int size = rawsrtp_protect_rtcp(sender->srtp, to, len);
    if (size > 0)
        put(out, (size_t)size);
}

static void send_one(struct outgoing *out, enum rawhostile_kind kind, uint64_t now_us)
{
    switch (kind) {
    case RAWHOSTILE_FORGE:
        send_forged(out);
        break;
    case RAWHOSTILE_REPLAY:
        send_replayed(out);
        break;
    case RAWHOSTILE_FLOOD:
        send_filler(out, now_us);
        break;
    case RAWHOSTILE_SSRC:
        send_stranger(out);
        break;
    case RAWHOSTILE_RTCP:
        send_rtcp(out, now_us);
        break;
    default:
        break;
    }
}

/* What an outage swallows: encrypted, with its rollovers, and never sent. */
static void skip_numbers(struct rawsender *sender)
{
    struct rawsender_track *video = &sender->tracks[RAWSENDER_VIDEO];
    uint32_t left = sender->hostile.config->gap;
    while (left > 0) {
        uint8_t packet[RAWSENDER_PACKET_MAX];
        uint32_t step = left < GAP_STEP ? left : GAP_STEP;
        video->seq = (uint16_t)(video->seq + step);
        size_t len = rawsender_write_head(sender, video, false, packet);
        (void)rawsrtp_protect(sender->srtp, packet, len);
        left -= step;
    }
    video->seq++; /* the last one that nobody saw */
    sender->hostile.gap_done = true;
}

void rawhostile_tick(struct rawsender *sender, uint64_t now_us)
{
    struct rawhostile *hostile = &sender->hostile;
    struct outgoing out;
    if (!has_begun(sender, now_us))
        return;
    if (hostile->config->gap > 0 && !hostile->gap_done)
        skip_numbers(sender);
    out.sender = sender;
    out.count = 0;
    uint64_t passed_us =
        now_us - sender->start_us - hostile->config->at_s * (uint64_t)CLOCK_SECOND_US;
    for (unsigned k = 0; k < RAWHOSTILE_KINDS; k++) {
        uint64_t due = passed_us * hostile->config->pps[k] / CLOCK_SECOND_US;
        for (unsigned i = 0; i < TICK_PACKETS && hostile->sent[k] < due; i++) {
            send_one(&out, (enum rawhostile_kind)k, now_us);
            hostile->sent[k]++;
        }
    }
    flush(&out);
}
