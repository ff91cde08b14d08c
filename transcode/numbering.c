/* Media sequence numbers and discontinuity sequence, one count for both renditions (HLS-04,
 * HLS-10). */
#include "transcode/numbering.h"

void numbering_init(struct numbering *n, uint64_t next_msn, uint64_t next_discontinuity,
                    bool continues)
{
    *n = (struct numbering){
        .next_msn = next_msn,
        .discontinuity = next_discontinuity,
        .breaks = continues,
    };
}

void numbering_break(struct numbering *n)
{
    if (!n->used || n->breaks)
        return;
    n->breaks = true;
    n->discontinuity++;
}

void numbering_take(struct numbering *n, struct part_segment *out)
{
    out->msn = n->next_msn++;
    out->discontinuity_sequence = n->discontinuity;
    out->discontinuity = n->breaks;
    n->used = true;
    n->breaks = false;
}
