/* Counters that an ingest worker reports once a second. */
#ifndef SLUICE_PROTO_STATS_H
#define SLUICE_PROTO_STATS_H

#include "lib/proto/stream.h"

#include <stdint.h>

/* The publisher's software, as far as its offer tells. */
enum stats_client {
    CLIENT_UNKNOWN,
    CLIENT_LIBWEBRTC, /* Chromium, Safari, apps: their offers are alike */
    CLIENT_FIREFOX,
    CLIENT_LIBDATACHANNEL, /* OBS */
    CLIENT_GSTREAMER,
    CLIENT_FFMPEG,
    CLIENT_AIORTC,
    CLIENT_PION,
    CLIENT_COUNT,
};
/* For people; "unknown" for a value that is none. */
const char *stats_client_name(uint8_t client);

/* One track; with simulcast all layers of it, but picture, frames and bitrate of the one that is
 * passed on. */
struct stats_track {
    uint64_t packets; /* of the source itself, without repairs */
    uint64_t bytes;   /* of these packets, decrypted */
    uint64_t frames;
    uint64_t key_frames;
    uint64_t lost;           /* packets given up */
    uint64_t recovered_rtx;  /* packets that came after a NACK, by RTX */
    uint64_t recovered_same; /* and as the same packet again */
    uint64_t overtaken;      /* packets that came late by themselves */
    uint64_t nacked;         /* sequence numbers asked for, repeats counted */
    uint64_t plis;
    uint64_t firs;
    uint64_t damaged;          /* frames dropped: packets of theirs were missing or malformed */
    uint64_t held;             /* frames dropped: they wait for a key frame */
    uint64_t too_large;        /* frames dropped: no room in the ring */
    uint64_t too_many;         /* frames dropped: above the rates of threats.md M8 */
    uint32_t bitrate_bps;      /* over the last second */
    uint32_t jitter_us;        /* of arrivals, RFC 3550 A.8 */
    uint32_t loss_permille;    /* on the way, before repair, lately */
    uint32_t hold_us;          /* last second's mean wait of a packet for those before it */
    uint32_t hold_max_us;      /* and the longest */
    uint32_t deadline_us;      /* how long a missing packet is waited for */
    uint32_t frame_rate_milli; /* frames per 1000 seconds, smoothed */
    uint32_t pause_us;         /* last second's longest time between two frames */
    uint16_t width;            /* of the last key frame */
    uint16_t height;
    uint8_t codec; /* enum codec */
    uint8_t layers;
    uint8_t pad[2];
};
_Static_assert(sizeof(struct stats_track) == 160, "message layout");

/* Where the round trip was learned. */
enum stats_round_trip {
    ROUND_TRIP_NONE,
    ROUND_TRIP_REPAIR, /* from NACK to repair */
    ROUND_TRIP_RTCP,   /* reference times and their answers (RFC 3611) */
    ROUND_TRIP_COUNT,
};
const char *stats_round_trip_name(uint8_t round_trip);

/* What the publisher's rate follows. */
enum stats_feedback {
    FEEDBACK_NONE, /* its own will */
    FEEDBACK_REMB,
    FEEDBACK_TRANSPORT_CC,
    FEEDBACK_COUNT,
};
const char *stats_feedback_name(uint8_t feedback);

/* frames to firs: sums over the tracks. */
struct stats {
    uint64_t packets; /* accepted, repairs too */
    uint64_t bytes;
    uint64_t frames;
    uint64_t key_frames;
    uint64_t lost;
    uint64_t recovered;
    uint64_t nacks; /* messages */
    uint64_t plis;
    uint64_t firs;
    uint64_t bad_srtp;       /* packets that were not authentic */
    uint64_t replayed;       /* authentic ones that came before, needless repairs among them */
    uint64_t over_limit;     /* packets above the grant's ceiling, dropped (threats.md U15) */
    uint64_t malformed;      /* RTP and RTCP packets that cannot be read */
    uint64_t unexpected;     /* payload types, sources and layers that were not agreed on */
    uint64_t dropped;        /* everything else that was ignored */
    uint64_t last_packet_us; /* CLOCK_MONOTONIC of the last accepted media packet */
    uint32_t round_trip_us;  /* smoothed; 0: not known */
    uint32_t bitrate_bps;    /* over the last second */
    uint16_t width;
    uint16_t height;
    uint8_t video_codec;
    uint8_t audio_codec;
    uint8_t feedback;   /* enum stats_feedback */
    uint8_t client;     /* enum stats_client */
    uint8_t transport;  /* enum transport of the path in use */
    uint8_t family;     /* of that path: 4, 6, or 0 without one */
    uint8_t round_trip; /* enum stats_round_trip */
    uint8_t pad[5];
    struct stats_track tracks[TRACK_COUNT];
};
_Static_assert(sizeof(struct stats) == 472, "message layout");

#endif
