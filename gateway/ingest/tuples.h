/* The tuples of one session: which of them count, and which one we send on.
 *
 * DTLS counts only after an authentic check on the tuple (threats.md U3), and so does sending.
 * Before a nomination we send where the last check or DTLS came from (ICE-06); a check with
 * USE-CANDIDATE decides (ICE-07). No I/O, no clock. */
#ifndef SLUICE_INGEST_TUPLES_H
#define SLUICE_INGEST_TUPLES_H

#include "lib/base/addr.h"
#include "lib/proto/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TUPLES_NONE SIZE_MAX
#define TUPLES_SILENCE_US (30u * 1000000u) /* a tuple in no use goes */
#define TUPLES_SPARE_US 1000000u           /* a tuple silent so long makes room for new ones */
#define TUPLES_UNCHECKED_MAX 2u            /* tuples from which media came but no check yet */
#define TUPLES_UNCHECKED_US 5000000u       /* such a one goes when silent for so long */

struct tuple {
    bool open;
    bool validated; /* an authentic check came from there: we may send, and DTLS counts */
    struct addr remote;
    uint64_t alive_us; /* last authentic packet, or when it was opened */
};

/* Invariant: selected is TUPLES_NONE or an open tuple. */
struct tuples {
    struct tuple list[STREAM_PATHS_MAX];
    size_t selected;
    bool nominated;
};

void tuples_init(struct tuples *r);
/* at is below STREAM_PATHS_MAX. */
void tuples_open(struct tuples *r, size_t at, const struct addr *remote, uint64_t now_us);
/* What was nominated is gone with it: the next authentic check on any tuple selects that one. */
void tuples_close(struct tuples *r, size_t at);

/* nominate: a check with USE-CANDIDATE. True when it moved the selection for good. */
bool tuples_select(struct tuples *r, size_t at, bool nominate);

/* A tuple that is not in use and was silent for TUPLES_SILENCE_US; TUPLES_NONE: there is none. */
size_t tuples_silent(const struct tuples *r, uint64_t now_us);
/* With all places taken: the tuple that should go before its time, because a publisher whose
 * address changes again and again must always find a free place (U17). TUPLES_NONE: none. */
size_t tuples_spare(const struct tuples *r, uint64_t now_us);

/* A tuple without a check that was silent for TUPLES_UNCHECKED_US; TUPLES_NONE: none. */
size_t tuples_overdue(const struct tuples *r, uint64_t now_us);
/* With TUPLES_UNCHECKED_MAX of them: the one that makes room for another. TUPLES_NONE: none. */
size_t tuples_unchecked_spare(const struct tuples *r, uint64_t now_us);
/* Whether one more without a check may be opened. */
bool tuples_has_room(const struct tuples *r);

#endif
