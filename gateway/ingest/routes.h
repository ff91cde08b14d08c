/* The tuples of one session: which of them count, and which one we send on.
 *
 * DTLS and SRTP count only after an authentic check on the tuple (threats.md U3). Before a
 * nomination we send where the last check or DTLS came from (ICE-06); a check with USE-CANDIDATE
 * decides (ICE-07). No I/O, no clock. */
#ifndef SLUICE_INGEST_ROUTES_H
#define SLUICE_INGEST_ROUTES_H

#include "lib/base/addr.h"
#include "lib/proto/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROUTES_NONE SIZE_MAX
#define ROUTES_SILENCE_US (30u * 1000000u) /* a route in no use goes */
#define ROUTES_SPARE_US 1000000u           /* a route silent so long makes room for new ones */

struct route {
    bool open;
    bool validated;
    struct addr remote;
    uint64_t alive_us; /* last authentic packet, or when it was opened */
};

/* Invariant: selected is ROUTES_NONE or an open route. */
struct routes {
    struct route list[STREAM_PATHS_MAX];
    size_t selected;
    bool nominated;
};

void routes_init(struct routes *r);
/* at is below STREAM_PATHS_MAX. */
void routes_open(struct routes *r, size_t at, const struct addr *remote, uint64_t now_us);
/* What was nominated is gone with it: the next authentic check on any route selects that one. */
void routes_close(struct routes *r, size_t at);

/* nominate: a check with USE-CANDIDATE. True when it moved the selection for good. */
bool routes_select(struct routes *r, size_t at, bool nominate);

/* A route that is not in use and was silent for ROUTES_SILENCE_US; ROUTES_NONE: there is none. */
size_t routes_silent(const struct routes *r, uint64_t now_us);
/* With all places taken: the route that should go before its time, because a publisher whose
 * address changes again and again must always find a free place (U17). ROUTES_NONE: none. */
size_t routes_spare(const struct routes *r, uint64_t now_us);

#endif
