/* Counters that an ingest worker reports once a second. */
#ifndef SLUICE_PROTO_STATS_H
#define SLUICE_PROTO_STATS_H

#include <stdint.h>

struct stats {
    uint64_t packets;
    uint64_t bytes;
    uint64_t frames;
    uint64_t key_frames;
    uint64_t lost;      /* packets given up */
    uint64_t recovered; /* packets that came after a NACK */
    uint64_t nacks;
    uint64_t plis;
    uint64_t bad_srtp;       /* authentication failures and replays */
    uint64_t dropped;        /* everything else that was ignored */
    uint64_t last_packet_us; /* CLOCK_MONOTONIC of the last accepted media packet */
    uint32_t bitrate_bps;    /* over the last second */
    uint16_t width;
    uint16_t height;
    uint8_t video_codec;
    uint8_t audio_codec;
    uint8_t pad[6];
};
_Static_assert(sizeof(struct stats) == 104, "message layout");

#endif
