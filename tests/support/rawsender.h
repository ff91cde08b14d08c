/* Sends prepared media as SRTP at the pace of the clock: packets, history for NACK, sender reports.
 */
#ifndef SLUICE_SUPPORT_RAWSENDER_H
#define SLUICE_SUPPORT_RAWSENDER_H

#include "tests/support/rawhostile.h"
#include "tests/support/rawmedia.h"
#include "tests/support/rawpack.h"
#include "tests/support/rawrtcp.h"
#include "tests/support/rawsrtp.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define RAWSENDER_HISTORY 512u /* packets of each track; a power of two */
#define RAWSENDER_BATCH 32u    /* packets per system call */
#define RAWSENDER_COPIES 2u
#define RAWSENDER_TICK_PACKETS 24u /* of video per tick: key frames are spread */
#define RAWSENDER_PACKET_MAX (20u + RAWPACK_PAYLOAD_MAX + RAWSRTP_TRAILER_MAX)

enum rawsender_kind { RAWSENDER_AUDIO, RAWSENDER_VIDEO, RAWSENDER_TRACKS };

struct rawsender_packet {
    uint16_t seq;
    uint16_t len; /* 0: none */
    uint8_t bytes[RAWSENDER_PACKET_MAX];
};

struct rawsender_track {
    const struct rawmedia_track *media;
    uint32_t ssrc;
    uint8_t type;
    uint16_t seq;
    uint32_t first_time; /* RTP time of the first frame */
    uint32_t ticks;      /* how long a frame lasts */
    uint64_t frames;     /* begun so far: the place on the timeline */
    size_t next;         /* frame of the media that comes next */
    uint32_t time;       /* RTP time of the frame being sent */
    bool want_key;
    bool packing;
    struct rawpack pack;
    uint32_t packets;
    uint32_t bytes;
    struct rawsender_packet *history;
    uint8_t rtx_type; /* 0: repairs are the same packets again */
    uint16_t rtx_seq;
    uint32_t rtx_ssrc;
    struct rawsender_packet *plain;   /* history before encryption, for RTX */
    struct rawsender_packet *repairs; /* those of the present batch */
};

struct rawsender_stats {
    uint64_t packets; /* made, without retransmissions */
    uint64_t dropped; /* of all, those that --loss left out */
    uint64_t retransmitted;
    uint64_t nacks; /* sequence numbers asked for */
    uint64_t plis;
    uint64_t reports; /* blocks of receiver reports */
    uint64_t lost;    /* cumulative, of the last video report */
    uint64_t remb_bps;
    uint64_t errors; /* send calls that failed, ICMP errors among them */
    uint64_t first_us;
    uint64_t last_us;
};

struct rawsender {
    int fd;                       /* connected; borrowed */
    int copies[RAWSENDER_COPIES]; /* connected; get every media packet too; -1: none; borrowed */
    struct rawsrtp *srtp;         /* borrowed */
    bool mid_extension;
    uint32_t loss_millionths;
    uint64_t random;
    uint64_t start_us;
    uint64_t report_us; /* when the next sender reports are due */
    bool has_reference; /* a receiver's reference time waits for its answer */
    struct rawrtcp_event reference;
    uint64_t reference_us; /* when it came */
    uint64_t linger_us;    /* when the last packets are due again */
    const char *cname;
    struct rawsender_track tracks[RAWSENDER_TRACKS];
    struct rawhostile hostile; /* set its config before rawsender_start */
    struct rawsender_stats stats;
    size_t batch_count;
    struct mmsghdr batch[RAWSENDER_BATCH];
    struct iovec parts[RAWSENDER_BATCH];
};

/* Random SSRCs, sequence numbers and times; seed decides what is lost. 0 or -ENOMEM. */
int rawsender_init(struct rawsender *sender, const struct rawmedia *media, const char *cname,
                   uint32_t loss_millionths, uint64_t seed);
void rawsender_done(struct rawsender *sender);

/* Before rawsender_start: repairs of video by RTX (RFC 4588) with this payload type; 0: none. 0 or
 * -ENOMEM. */
int rawsender_use_rtx(struct rawsender *sender, uint8_t type);

/* From now on, with the payload types and the extension of the answer. */
void rawsender_start(struct rawsender *sender, int fd, struct rawsrtp *srtp, uint8_t audio_type,
                     uint8_t video_type, bool mid_extension, uint64_t now_us);

/* Sends what is due. */
void rawsender_tick(struct rawsender *sender, uint64_t now_us);

/* Instead, at the end: the last packets now and again, which shows what is missing before them. */
void rawsender_linger(struct rawsender *sender, uint64_t now_us);

/* A received SRTCP packet, decrypted in place: retransmits, jumps to a key frame, counts. */
void rawsender_feedback(struct rawsender *sender, uint8_t *data, size_t len, uint64_t now_us);

/* ---- for rawhostile ---- */

uint64_t rawsender_random(struct rawsender *sender); /* the seed's, below 2^44 */
void rawsender_put_u32(uint8_t *to, uint32_t value); /* network order */
/* The header of the track's next packet into to[RAWSENDER_PACKET_MAX]; its length. */
size_t rawsender_write_head(const struct rawsender *sender, const struct rawsender_track *track,
                            bool marker, uint8_t *to);
/* Encrypts and sends (at the next flush) the track's next packet. */
void rawsender_send_payload(struct rawsender *sender, struct rawsender_track *track,
                            const uint8_t *payload, size_t len, bool marker, uint64_t now_us);
struct rawrtcp_sender rawsender_report_of(const struct rawsender *sender,
                                          const struct rawsender_track *track, uint64_t now_us);

#endif
