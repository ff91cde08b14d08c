/* One media segment of a rendition, and the CMAF headers that segments need: counted objects, so
 * that an answer on its way to a slow viewer keeps the bytes and nothing else. */
#ifndef SLUICE_WEB_MEDIA_H
#define SLUICE_WEB_MEDIA_H

#include "lib/base/segment.h"
#include "lib/proto/part.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A CMAF header (EXT-X-MAP). Its name is a hash of its bytes, so that a changed header has a new
 * URI, and so that all web processes give it the same one, whatever a worker's counting was. */
struct media_init {
    unsigned refs;
    uint64_t epoch;
    uint64_t hash;
    struct part_init info;
    size_t len;
    uint8_t data[];
};

/* 0 or -ENOMEM; *out has one reference. */
int media_init_new(uint64_t epoch, const struct part_init *info, const void *data, size_t len,
                   struct media_init **out);
struct media_init *media_init_ref(struct media_init *init);
void media_init_unref(void *init); /* void: it is a release function of replies */

struct media_part {
    uint32_t offset;
    uint32_t len;
    uint32_t duration_us;
    bool independent;
};

/* Invariant: parts lie back to back from 0 to len, len <= map.capacity, duration_us is their sum. A
 * gap has no parts and no map: nothing was published under this number (EXT-X-GAP). */
struct media_segment {
    unsigned refs;
    uint64_t epoch;
    uint64_t msn;
    uint64_t discontinuity_sequence; /* of this segment, its own discontinuity included */
    int64_t wall_us;                 /* EXT-X-PROGRAM-DATE-TIME */
    bool discontinuity;
    bool complete;
    bool gap;
    uint64_t duration_us;
    size_t len;
    uint64_t listed_us;  /* when it was first in a playlist, CLOCK_MONOTONIC */
    uint64_t expires_us; /* once it is in no playlist: until when it stays fetchable */
    struct media_init *init;
    struct segment_reader map;
    uint32_t part_count;
    uint32_t part_cap;
    struct media_part *parts;
};

/* Takes over map (closed with the segment, also on failure; NULL: a gap) and adds a reference to
 * init. 0 or -ENOMEM. */
int media_segment_new(uint64_t epoch, const struct part_segment *info, struct media_init *init,
                      struct segment_reader *map, struct media_segment **out);
struct media_segment *media_segment_ref(struct media_segment *segment);
void media_segment_unref(void *segment);

/* Appends one part that part_check_part has accepted. -EBADMSG when it is not the next one or does
 * not lie directly behind the previous one, -EPROTO when the segment is complete, -ENOMEM. */
int media_segment_append(struct media_segment *segment, const struct part_part *part);

#endif
