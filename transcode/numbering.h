/* Media sequence numbers and discontinuity sequence, one count for both renditions (HLS-04,
 * HLS-10). */
#ifndef SLUICE_TRANSCODE_NUMBERING_H
#define SLUICE_TRANSCODE_NUMBERING_H

#include "lib/proto/part.h"

#include <stdbool.h>
#include <stdint.h>

struct numbering {
    uint64_t next_msn;
    uint64_t discontinuity; /* sequence number of the next segment without a break */
    bool used;              /* a segment was numbered */
    bool breaks;            /* the next segment begins with a discontinuity */
};

/* continues: the first segment goes on after those of an earlier worker and therefore begins with a
 * discontinuity, whose sequence number is next_discontinuity already. */
void numbering_init(struct numbering *n, uint64_t next_msn, uint64_t next_discontinuity,
                    bool continues);
/* The next segment begins with a discontinuity; nothing before the first one. */
void numbering_break(struct numbering *n);
/* Numbers one segment: msn, discontinuity_sequence and discontinuity of *out. */
void numbering_take(struct numbering *n, struct part_segment *out);

#endif
