/* What a hostile publisher does to its own media and sends besides it (threats.md U10-U15, M7-M9).
 */
#ifndef SLUICE_SUPPORT_RAWHOSTILE_H
#define SLUICE_SUPPORT_RAWHOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAWHOSTILE_PPS_MAX 1000000u
#define RAWHOSTILE_FPS_MAX 10000u

/* Packets on top of the media. */
enum rawhostile_kind {
    RAWHOSTILE_FORGE,  /* our headers, wrong tags; every eighth is RTCP */
    RAWHOSTILE_REPLAY, /* what was sent before */
    RAWHOSTILE_FLOOD,  /* authentic filler in the video's numbering */
    RAWHOSTILE_SSRC,   /* authentic, each of a new SSRC */
    RAWHOSTILE_RTCP,   /* authentic compound packets */
    RAWHOSTILE_KINDS,
};

enum rawhostile_times {
    RAWHOSTILE_TIMES_TRUE,
    RAWHOSTILE_TIMES_BACK,        /* an hour */
    RAWHOSTILE_TIMES_FORWARD,     /* an hour */
    RAWHOSTILE_TIMES_ALTERNATING, /* between both, frame by frame */
    RAWHOSTILE_TIMES_WRAP,        /* true, but 2^32 is passed */
    RAWHOSTILE_TIMES_COUNT,
};

/* All zero: an honest publisher. */
struct rawhostile_config {
    uint32_t at_s; /* when it begins, after the first packet */
    uint32_t pps[RAWHOSTILE_KINDS];
    uint32_t gap; /* sequence numbers of the video that are skipped once */
    uint32_t flip_millionths;
    uint32_t fps; /* 0: as the media is; from the first picture on */
    enum rawhostile_times times;
    bool sps_change;
};

struct rawsender;
struct rawsender_track;

struct rawhostile {
    const struct rawhostile_config *config; /* NULL: honest; borrowed */
    bool gap_done;
    uint8_t *frame; /* of sps_change */
    size_t frame_cap;
    uint64_t sent[RAWHOSTILE_KINDS];
};

void rawhostile_done(struct rawhostile *hostile);

/* Before the first packet: the pace of the pictures and where RTP times begin. */
void rawhostile_start(struct rawsender *sender);

/* What is added to the frame's RTP time now. */
uint32_t rawhostile_shift(const struct rawsender *sender, const struct rawsender_track *track,
                          uint64_t now_us);

/* The bytes to send instead of the frame's: cut, or with another SPS. *len is updated. */
const uint8_t *rawhostile_frame(struct rawsender *sender, const struct rawsender_track *track,
                                const uint8_t *data, size_t *len);

/* May change a bit of a payload that is not encrypted yet. */
void rawhostile_payload(struct rawsender *sender, uint8_t *payload, size_t len, uint64_t now_us);

/* Sends what is due besides the media. */
void rawhostile_tick(struct rawsender *sender, uint64_t now_us);

#endif
