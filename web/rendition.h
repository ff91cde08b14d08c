/* One rendition of a stream: the segments in its playlist, the ones that have left it but may still
 * be fetched, and the rules by which announcements change them (hostile: every field is checked).
 */
#ifndef SLUICE_WEB_RENDITION_H
#define SLUICE_WEB_RENDITION_H

#include "web/media.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RENDITION_RETIRED_MAX 64u /* fetchable segments outside the playlist; the oldest goes */
#define RENDITION_INITS_MAX 4u    /* CMAF headers that a new segment may name */

/* Invariant: segments are listed in order with consecutive msn; each discontinuity_sequence is the
 * one before plus its own discontinuity; at most the last one is not complete. */
struct rendition {
    struct media_init *inits[RENDITION_INITS_MAX]; /* newest first */
    struct media_segment *listed[PART_WINDOW_MAX];
    size_t listed_count;
    struct media_segment *retired[RENDITION_RETIRED_MAX]; /* oldest first */
    size_t retired_count;
    bool seen;         /* a segment was ever listed: next_msn counts */
    uint64_t next_msn; /* one above the highest ever listed (HLS-04) */
};

/* What a playlist must know of the whole publication. */
struct rendition_rules {
    uint64_t epoch;
    uint32_t window; /* segments listed */
    uint32_t target_duration_s;
    uint32_t segment_target_us;
    uint64_t now_us;
};

void rendition_done(struct rendition *r);

/* The announcements; the message structs have passed their part_check_*. 0, -EPROTO for something
 * that does not follow from what came before, -EBADMSG, or -ENOMEM; state is as before on failure.
 *
 * A segment must have the next number. A number up to the window above it is taken after gaps
 * (EXT-X-GAP) fill the hole; anything further, or a discontinuity sequence that does not follow,
 * starts the list anew. A number that was used is refused. */
int rendition_on_init(struct rendition *r, uint64_t epoch, const struct part_init *info,
                      const void *data, size_t len);
/* Takes over map also on failure. */
int rendition_on_segment(struct rendition *r, const struct rendition_rules *rules,
                         const struct part_segment *info, struct segment_reader *map);
int rendition_on_part(struct rendition *r, const struct part_part *part);
int rendition_on_segment_end(struct rendition *r, const struct part_segment_end *end);

/* The worker is gone: the open segment ends with what it has. */
void rendition_finish(struct rendition *r);
/* A new publication: nothing stays listed. */
void rendition_restart(struct rendition *r, const struct rendition_rules *rules);
/* Forgets the CMAF headers of a former worker; segments keep theirs. */
void rendition_forget_inits(struct rendition *r);
/* Lets go of retired segments whose time is over. */
void rendition_expire(struct rendition *r, uint64_t now_us);

/* How many of the last listed segments count: the last one may be open without any part, then it is
 * not yet visible. */
size_t rendition_visible(const struct rendition *r);
struct media_segment *rendition_last(const struct rendition *r); /* NULL when nothing is visible */
/* The next part to come: what the preload hint names. False when nothing was ever listed. */
bool rendition_next_part(const struct rendition *r, uint64_t *out_msn, uint32_t *out_part);

enum rendition_have {
    RENDITION_HAVE,    /* answer now */
    RENDITION_WAIT,    /* will come */
    RENDITION_TOO_FAR, /* 400 at once (LL-13) */
};

/* Is media sequence number msn there, as a whole segment (part < 0) or as its part (LL-10 to
 * LL-13)? part_limit: how many parts ahead may be asked for. */
enum rendition_have rendition_have(const struct rendition *r, uint64_t msn, int64_t part,
                                   uint32_t part_limit);

/* Listed or retired; NULL when there is none. Borrowed. */
struct media_segment *rendition_find(const struct rendition *r, uint64_t epoch, uint64_t msn);
struct media_init *rendition_find_init(const struct rendition *r, uint64_t epoch, uint64_t hash);

/* Rates over the complete listed segments, 0 while there is none. */
void rendition_measure(const struct rendition *r, uint64_t *out_peak_bps,
                       uint64_t *out_average_bps);

#endif
