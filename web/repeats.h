/* What of a worker's announcements a rendition has already. A worker tells every new link its whole
 * window; over a link that replaces a lost one, all but the end of that is known.
 *
 * Each function: true when the announcement says nothing new and is to be skipped. The messages
 * have not been checked yet beyond their rendition's number. */
#ifndef SLUICE_WEB_REPEATS_H
#define SLUICE_WEB_REPEATS_H

#include "web/rendition.h"

#include <stdbool.h>

bool repeats_init(const struct rendition *r, const struct part_init *m);
/* A new segment ends the open one with what it has: its last parts were not heard. */
bool repeats_segment(struct rendition *r, const struct part_segment *m);
bool repeats_part(const struct rendition *r, const struct part_part *m);
bool repeats_segment_end(const struct rendition *r, const struct part_segment_end *m);

#endif
