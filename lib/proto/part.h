/* What transcode tells each web process about its segments, over a direct chan pair (design.md 3).
 *
 * Order on the wire: PART_HELLO, then per rendition PART_INIT before the first segment that names
 * it, PART_SEGMENT (with the memfd), PART_PART..., PART_SEGMENT_END, and PART_END at last. A
 * consumer that joins late gets the same sequence for all that is still in the window. Parts lie
 * back to back: offset of a part is the end of the previous one. The receiver checks every field
 * against what it already knows (part_check_*), hostile as it may be. */
#ifndef SLUICE_PROTO_PART_H
#define SLUICE_PROTO_PART_H

#include "lib/proto/stream.h"

#include <stdbool.h>
#include <stdint.h>

#define PART_RENDITIONS_MAX 8u
#define PART_INIT_MAX 4096u
#define PART_CODECS_MAX 64u
#define PART_PER_SEGMENT_MAX 256u
#define PART_WINDOW_MAX 32u /* segments kept */

enum part_message {
    PART_HELLO = 100,
    PART_INIT,
    PART_SEGMENT,
    PART_PART,
    PART_SEGMENT_END,
    PART_END,
};

/* Constants of this publication (LL-03): they never change for the life of a playlist. */
struct part_hello {
    uint64_t epoch;  /* random: makes URIs unique for ever (HLS-16) */
    uint64_t worker; /* random: tells one worker of a playlist from its successors */
    uint32_t part_target_us;
    uint32_t segment_target_us;
    uint32_t target_duration_s; /* EXT-X-TARGETDURATION */
    uint32_t window;            /* segments in the playlist */
    uint8_t continues;  /* 1: goes on after an earlier worker or session of the same playlist */
    uint8_t renditions; /* mask of 1 << rendition that will exist: 1 video, 2 audio */
    uint8_t pad[6];
};
_Static_assert(sizeof(struct part_hello) == 40, "message layout");

/* The blob is the CMAF header (ftyp + moov). */
struct part_init {
    uint32_t rendition;
    uint32_t init_id; /* counts up per rendition */
    uint8_t kind;     /* enum track */
    uint8_t channels;
    uint16_t width;
    uint16_t height;
    uint16_t pad;
    uint32_t sample_rate;
    uint32_t bandwidth_bps;       /* expected peak, from the grant or the encoder */
    char codecs[PART_CODECS_MAX]; /* RFC 6381: "avc1.42c01f", "mp4a.40.2" */
};
_Static_assert(sizeof(struct part_init) == 88, "message layout");

/* One descriptor: the sealed memfd. */
struct part_segment {
    uint64_t msn;                    /* media sequence number */
    uint64_t discontinuity_sequence; /* of this segment, absolute */
    int64_t wall_us;                 /* PROGRAM-DATE-TIME of its first sample */
    uint32_t rendition;
    uint32_t init_id;
    uint8_t discontinuity; /* 1: EXT-X-DISCONTINUITY before this segment */
    uint8_t pad[7];
};
_Static_assert(sizeof(struct part_segment) == 40, "message layout");

enum part_flags {
    PART_INDEPENDENT = 1, /* begins with a key frame (audio: always) */
    PART_LAST = 2,        /* last part of its segment; PART_SEGMENT_END follows */
};

struct part_part {
    uint64_t msn;
    uint32_t rendition;
    uint32_t part;   /* index in the segment, from 0 */
    uint32_t offset; /* into the memfd */
    uint32_t len;
    uint32_t duration_us;
    uint32_t flags;
};
_Static_assert(sizeof(struct part_part) == 32, "message layout");

struct part_segment_end {
    uint64_t msn;
    uint32_t rendition;
    uint32_t duration_us; /* sum of the sample durations */
};
_Static_assert(sizeof(struct part_segment_end) == 16, "message layout");

struct part_end {
    uint32_t final; /* 1: ENDLIST now; 0: the playlist stays open for a successor */
    uint32_t reason;
};
_Static_assert(sizeof(struct part_end) == 8, "message layout");

#define PART_DURATION_MAX_US 60000000u   /* of one part */
#define PART_MSN_MAX (UINT64_C(1) << 53) /* media sequence numbers stay exact in a browser */

/* Field checks that need no history: ranges, flags, text that may go into a playlist as it is, a
 * part inside its memfd of capacity bytes. 0 or -EBADMSG. */
int part_check_hello(const struct part_hello *m);
int part_check_init(const struct part_init *m, size_t blob_len);
int part_check_segment(const struct part_segment *m);
int part_check_part(const struct part_part *m, size_t capacity);

#endif
