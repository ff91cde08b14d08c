#include "tests/support/rawsender.h"

#include "lib/base/clock.h"
#include "lib/base/secret.h"
#include "lib/base/writer.h"
#include "tests/support/rawsdp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MILLION 1000000u
#define LINGER_GAP_US 50000u
#define CATCH_UP_FRAMES 50 /* after a stall, per tick */

/* ---- life ---- */

static int track_init(struct rawsender_track *track, const struct rawmedia_track *media)
{
    *track = (struct rawsender_track){.media = media, .ticks = media->frame_ticks};
    secret_random(&track->ssrc, sizeof(track->ssrc));
    secret_random(&track->seq, sizeof(track->seq));
    secret_random(&track->rtx_ssrc, sizeof(track->rtx_ssrc));
    secret_random(&track->rtx_seq, sizeof(track->rtx_seq));
    secret_random(&track->first_time, sizeof(track->first_time));
    track->history = calloc(RAWSENDER_HISTORY, sizeof(*track->history));
    return track->history == NULL ? -ENOMEM : 0;
}

int rawsender_init(struct rawsender *sender, const struct rawmedia *media, const char *cname,
                   uint32_t loss_millionths, uint64_t seed)
{
    *sender = (struct rawsender){.fd = -1,
                                 .copies = {-1, -1},
                                 .cname = cname,
                                 .loss_millionths = loss_millionths,
                                 .random = seed * 0x9e3779b97f4a7c15ull + 1};
    int rc = track_init(&sender->tracks[RAWSENDER_AUDIO], &media->audio);
    if (rc == 0)
        rc = track_init(&sender->tracks[RAWSENDER_VIDEO], &media->video);
    if (rc != 0)
        rawsender_done(sender);
    return rc;
}

void rawsender_done(struct rawsender *sender)
{
    rawhostile_done(&sender->hostile);
    for (size_t i = 0; i < RAWSENDER_TRACKS; i++) {
        struct rawsender_track *track = &sender->tracks[i];
        free(track->history);
        free(track->plain);
        free(track->repairs);
        track->history = NULL;
        track->plain = NULL;
        track->repairs = NULL;
    }
}

int rawsender_use_rtx(struct rawsender *sender, uint8_t type)
{
    struct rawsender_track *track = &sender->tracks[RAWSENDER_VIDEO];
    if (type == 0)
        return 0;
    track->plain = calloc(RAWSENDER_HISTORY, sizeof(*track->plain));
    track->repairs = calloc(RAWSENDER_BATCH, sizeof(*track->repairs));
    if (track->plain == NULL || track->repairs == NULL)
        return -ENOMEM; /* rawsender_done frees what there is */
    track->rtx_type = type;
    return 0;
}

void rawsender_start(struct rawsender *sender, int fd, struct rawsrtp *srtp, uint8_t audio_type,
                     uint8_t video_type, bool mid_extension, uint64_t now_us)
{
    sender->fd = fd;
    sender->srtp = srtp;
    sender->tracks[RAWSENDER_AUDIO].type = audio_type;
    sender->tracks[RAWSENDER_VIDEO].type = video_type;
    sender->mid_extension = mid_extension;
    sender->start_us = now_us;
    sender->report_us = now_us;
    sender->stats.first_us = now_us;
    rawhostile_start(sender);
}

/* ---- packets out ---- */

/* The number of packets that failed; they are left out. */
static unsigned send_batch(struct rawsender *sender, int fd)
{
    size_t sent = 0;
    unsigned errors = 0;
    while (sent < sender->batch_count) {
        int n = sendmmsg(fd, sender->batch + sent, (unsigned)(sender->batch_count - sent),
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        errors += n < 0;
        sent += n > 0 ? (size_t)n : 1;
    }
    return errors;
}

static void flush(struct rawsender *sender, uint64_t now_us)
{
    sender->stats.errors += send_batch(sender, sender->fd);
    for (size_t i = 0; i < RAWSENDER_COPIES && sender->copies[i] >= 0; i++)
        (void)send_batch(sender, sender->copies[i]);
    if (sender->batch_count > 0)
        sender->stats.last_us = now_us;
    sender->batch_count = 0;
}

uint64_t rawsender_random(struct rawsender *sender)
{
    sender->random ^= sender->random << 13; /* xorshift64 */
    sender->random ^= sender->random >> 7;
    sender->random ^= sender->random << 17;
    return sender->random >> 20;
}

/* The wanted share of packets is lost, the same ones for the same seed. */
static bool is_lost(struct rawsender *sender)
{
    if (sender->loss_millionths == 0)
        return false;
    return rawsender_random(sender) % MILLION < sender->loss_millionths;
}

/* The packet stays in place until the batch is flushed. */
static void put(struct rawsender *sender, struct rawsender_packet *packet, uint64_t now_us)
{
    if (is_lost(sender)) {
        sender->stats.dropped++;
        return;
    }
    size_t i = sender->batch_count++;
    sender->parts[i] = (struct iovec){packet->bytes, packet->len};
    sender->batch[i].msg_hdr = (struct msghdr){.msg_iov = &sender->parts[i], .msg_iovlen = 1};
    if (sender->batch_count == RAWSENDER_BATCH)
        flush(sender, now_us);
}

/* RTP header with the MID extension (RFC 3550 5.1, RFC 8285 4.2, RFC 9143 15). */
size_t rawsender_write_head(const struct rawsender *sender, const struct rawsender_track *track,
                            bool marker, uint8_t *to)
{
    struct writer w;
    bool video = track == &sender->tracks[RAWSENDER_VIDEO];
    writer_init(&w, to, RAWSENDER_PACKET_MAX);
    writer_u8(&w, sender->mid_extension ? 0x90 : 0x80);
    writer_u8(&w, (uint8_t)((marker ? 0x80 : 0) | track->type));
    writer_u16(&w, track->seq);
    writer_u32(&w, track->time);
    writer_u32(&w, track->ssrc);
    if (sender->mid_extension) {
        writer_u16(&w, 0xbede);
        writer_u16(&w, 1);
        writer_u8(&w, RAWSDP_MID_ID << 4);
        writer_u8(&w, video ? '1' : '0');
        writer_zeros(&w, 2);
    }
    return w.len;
}

void rawsender_put_u32(uint8_t *to, uint32_t value)
{
    struct writer w;
    writer_init(&w, to, sizeof(value));
    writer_u32(&w, value);
}

void rawsender_send_payload(struct rawsender *sender, struct rawsender_track *track,
                            const uint8_t *payload, size_t len, bool marker, uint64_t now_us)
{
    struct rawsender_packet *packet = &track->history[track->seq % RAWSENDER_HISTORY];
    size_t head = rawsender_write_head(sender, track, marker, packet->bytes);
    memcpy(packet->bytes + head, payload, len);
    packet->seq = track->seq++;
    if (track->rtx_type != 0) {
        packet->len = (uint16_t)(head + len);
        track->plain[packet->seq % RAWSENDER_HISTORY] = *packet;
    }
    int size = rawsrtp_protect(sender->srtp, packet->bytes, head + len);
    packet->len = size > 0 ? (uint16_t)size : 0;
    track->packets++;
    track->bytes += (uint32_t)len;
    sender->stats.packets++;
    if (packet->len > 0)
        put(sender, packet, now_us);
}

/* Makes and sends the next packet of the frame. False when the frame is used up. */
static bool send_packet(struct rawsender *sender, struct rawsender_track *track, uint64_t now_us)
{
    uint8_t payload[RAWPACK_PAYLOAD_MAX];
    bool last = false;
    size_t len = rawpack_next(&track->pack, payload, &last);
    track->packing = len > 0 && !last;
    if (len == 0)
        return false;
    bool marker = last && track == &sender->tracks[RAWSENDER_VIDEO];
    rawhostile_payload(sender, payload, len, now_us);
    rawsender_send_payload(sender, track, payload, len, marker, now_us);
    return track->packing;
}

/* When the track's next frame is due. */
static uint64_t due_us(const struct rawsender *sender, const struct rawsender_track *track)
{
    return sender->start_us + track->frames * track->ticks * 1000000ull / track->media->clock_hz;
}

static void begin_frame(struct rawsender *sender, struct rawsender_track *track, uint64_t now_us)
{
    const struct rawmedia_track *media = track->media;
    const struct rawhostile_config *hostile = sender->hostile.config;
    if (hostile != NULL && hostile->sps_change)
        track->want_key = true;
    for (size_t i = 0; i < media->count && track->want_key; i++) {
        track->want_key = !media->frames[track->next].key;
        if (track->want_key)
            track->next = (track->next + 1) % media->count;
    }
    const struct rawmedia_frame *frame = &media->frames[track->next];
    size_t len = frame->len;
    const uint8_t *data = rawhostile_frame(sender, track, media->data + frame->offset, &len);
    rawpack_begin(&track->pack, media->codec, data, len, (uint16_t)track->frames);
    track->time = track->first_time + (uint32_t)(track->frames * track->ticks) +
                  rawhostile_shift(sender, track, now_us);
    track->next = (track->next + 1) % media->count;
    track->frames++;
    track->packing = true;
}

static void send_video(struct rawsender *sender, uint64_t now_us)
{
    struct rawsender_track *track = &sender->tracks[RAWSENDER_VIDEO];
    for (unsigned i = 0; i < RAWSENDER_TICK_PACKETS; i++) {
        if (!track->packing) {
            if (due_us(sender, track) > now_us)
                return;
            begin_frame(sender, track, now_us);
        }
        (void)send_packet(sender, track, now_us);
    }
}

static void send_audio(struct rawsender *sender, uint64_t now_us)
{
    struct rawsender_track *track = &sender->tracks[RAWSENDER_AUDIO];
    for (int i = 0; i < CATCH_UP_FRAMES && due_us(sender, track) <= now_us; i++) {
        begin_frame(sender, track, now_us);
        (void)send_packet(sender, track, now_us);
    }
}

struct rawrtcp_sender rawsender_report_of(const struct rawsender *sender,
                                          const struct rawsender_track *track, uint64_t now_us)
{
    uint64_t passed = (now_us - sender->start_us) * track->media->clock_hz / 1000000u;
    return (struct rawrtcp_sender){
        .ssrc = track->ssrc,
        .wall_us = clock_wall_us(),
        .rtp_time = track->first_time + (uint32_t)passed + rawhostile_shift(sender, track, now_us),
        .packets = track->packets,
        .bytes = track->bytes,
        .cname = sender->cname,
    };
}

static void send_report(struct rawsender *sender, const struct rawsender_track *track,
                        uint64_t now_us)
{
    uint8_t packet[256];
    const struct rawrtcp_sender report = rawsender_report_of(sender, track, now_us);
    size_t len = rawrtcp_write_report(&report, packet, sizeof(packet) - RAWSRTP_TRAILER_MAX);
    if (sender->has_reference)
        len += rawrtcp_write_answer(track->ssrc, &sender->reference, now_us - sender->reference_us,
                                    packet + len, sizeof(packet) - RAWSRTP_TRAILER_MAX - len);
    sender->has_reference = false;
    int size = rawsrtp_protect_rtcp(sender->srtp, packet, len);
    if (size > 0 && send(sender->fd, packet, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        sender->stats.errors++;
}

void rawsender_tick(struct rawsender *sender, uint64_t now_us)
{
    send_audio(sender, now_us);
    send_video(sender, now_us);
    rawhostile_tick(sender, now_us);
    flush(sender, now_us);
    if (now_us < sender->report_us)
        return;
    sender->report_us = now_us + CLOCK_SECOND_US;
    for (size_t i = 0; i < RAWSENDER_TRACKS; i++)
        send_report(sender, &sender->tracks[i], now_us);
}

/* ---- feedback ---- */

struct feedback {
    struct rawsender *sender;
    uint64_t now_us;
};

static struct rawsender_track *track_of(struct rawsender *sender, uint32_t ssrc)
{
    for (size_t i = 0; i < RAWSENDER_TRACKS; i++) {
        if (sender->tracks[i].ssrc == ssrc)
            return &sender->tracks[i];
    }
    return NULL;
}

/* The packet behind its number, on the source for repairs (RFC 4588 4). */
static void repair(struct rawsender *sender, struct rawsender_track *track, uint16_t seq,
                   uint64_t now_us)
{
    const struct rawsender_packet *plain = &track->plain[seq % RAWSENDER_HISTORY];
    struct rawsender_packet *packet = &track->repairs[sender->batch_count];
    size_t head = sender->mid_extension ? 20 : 12;
    struct writer w;
    if (plain->len < head || plain->seq != seq)
        return;
    writer_init(&w, packet->bytes, sizeof(packet->bytes));
    writer_u8(&w, plain->bytes[0]);
    writer_u8(&w, (uint8_t)((plain->bytes[1] & 0x80) | track->rtx_type));
    writer_u16(&w, track->rtx_seq++);
    writer_bytes(&w, plain->bytes + 4, 4); /* time */
    writer_u32(&w, track->rtx_ssrc);
    writer_bytes(&w, plain->bytes + 12, head - 12);
    writer_u16(&w, seq);
    writer_bytes(&w, plain->bytes + head, plain->len - head);
    int size = writer_ok(&w) ? rawsrtp_protect(sender->srtp, packet->bytes, w.len) : -1;
    packet->len = size > 0 ? (uint16_t)size : 0;
    sender->stats.retransmitted++;
    if (packet->len > 0)
        put(sender, packet, now_us);
}

/* The same packet again, under the same sequence number. */
static void retransmit(struct rawsender *sender, struct rawsender_track *track, uint16_t seq,
                       uint64_t now_us)
{
    struct rawsender_packet *packet = &track->history[seq % RAWSENDER_HISTORY];
    if (packet->len == 0 || packet->seq != seq)
        return;
    sender->stats.retransmitted++;
    put(sender, packet, now_us);
}

static void on_feedback(void *ctx, const struct rawrtcp_event *event)
{
    struct feedback *feedback = ctx;
    struct rawsender *sender = feedback->sender;
    struct rawsender_track *track = track_of(sender, event->ssrc);
    switch (event->kind) {
    case RAWRTCP_NACK:
        sender->stats.nacks++;
        if (track != NULL && track->rtx_type != 0)
            repair(sender, track, (uint16_t)event->value, feedback->now_us);
        else if (track != NULL)
            retransmit(sender, track, (uint16_t)event->value, feedback->now_us);
        break;
    case RAWRTCP_KEYFRAME:
        sender->stats.plis++;
        if (track != NULL)
            track->want_key = true;
        break;
    case RAWRTCP_REMB:
        sender->stats.remb_bps = event->value;
        break;
    case RAWRTCP_REFERENCE:
        sender->has_reference = true;
        sender->reference = *event;
        sender->reference_us = feedback->now_us;
        break;
    case RAWRTCP_REPORT:
        sender->stats.reports++;
        if (track == &sender->tracks[RAWSENDER_VIDEO])
            sender->stats.lost = event->value;
        break;
    }
}

void rawsender_linger(struct rawsender *sender, uint64_t now_us)
{
    if (now_us < sender->linger_us)
        return;
    sender->linger_us = now_us + LINGER_GAP_US;
    for (size_t i = 0; i < RAWSENDER_TRACKS; i++) {
        struct rawsender_track *track = &sender->tracks[i];
        retransmit(sender, track, (uint16_t)(track->seq - 1), now_us);
    }
    flush(sender, now_us);
}

void rawsender_feedback(struct rawsender *sender, uint8_t *data, size_t len, uint64_t now_us)
{
    struct feedback feedback = {sender, now_us};
    int size = rawsrtp_unprotect_rtcp(sender->srtp, data, len);
    if (size > 0)
        (void)rawrtcp_parse(data, (size_t)size, on_feedback, &feedback);
    flush(sender, now_us);
}
