/* Slots for parameter sets of H.264 and H.265: whole NAL units, found by their number.
 *
 * A set that comes again with other bytes counts as not yet passed on; full slots replace the set
 * that came longest ago. */
#ifndef SLUICE_DEPAY_NALSET_H
#define SLUICE_DEPAY_NALSET_H

#include "lib/base/writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NALSET_LEN_MAX 512u
#define NALSET_PREFIX_LEN 4u /* bytes of a NAL unit's length in our output */

/* One set: the whole NAL unit. Empty when len is 0. */
struct nalset {
    uint16_t len;
    uint16_t id;
    uint16_t parent_id; /* of the set that this one names */
    uint16_t width;     /* of an SPS */
    uint16_t height;
    bool passed;       /* these bytes were put before a picture since the last key frame */
    uint32_t received; /* grows with each set that comes */
    uint8_t data[NALSET_LEN_MAX];
};

/* The set of this number, or NULL. */
struct nalset *nalset_find(struct nalset *slots, size_t count, uint32_t id);
/* Keeps a NAL unit of 1 to NALSET_LEN_MAX bytes and returns its slot. order: counts all sets. */
struct nalset *nalset_store(struct nalset *slots, size_t count, uint32_t id, const uint8_t *nal,
                            size_t len, uint32_t *order);
/* A key frame begins: these sets must be passed on anew. */
void nalset_forget_passed(struct nalset *slots, size_t count);
/* Writes length and NAL unit, unless they are passed already; they are then. */
void nalset_write(struct nalset *set, struct writer *w);

#endif
