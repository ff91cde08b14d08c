/* The body of a request while it comes in: kept up to a limit, and within a budget that all
 * requests share; what is too much is counted and dropped (threats.md H4).
 *
 * Whoever sends half a body and waits keeps memory that others need. So one client (client.h) has
 * a share of the budget, and who needs more than is left ends an unfinished body: of his own share
 * his oldest, of the whole budget the one whose client has used the most memory for the longest
 * time. A newcomer is never refused because of others. */
#ifndef SLUICE_WEB_BODY_H
#define SLUICE_WEB_BODY_H

#include "web/peers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BODY_MAX 65536u               /* bytes kept of one request at most: an SDP offer */
#define BODY_DISCARD_MAX (1u << 20)   /* bytes dropped before its sender is cut off */
#define BODY_UNIT 4096u               /* memory is counted in these; the least that a body takes */
#define BODY_BUDGET (8u << 20)        /* bytes kept of all requests */
#define BODY_SHARE (BODY_BUDGET / 16) /* bytes kept of one client's requests */

/* Invariant: data has room for cap bytes, a multiple of BODY_UNIT; len <= cap. A body is in the
 * list of its struct bodies while it has data; nothing is kept when too_large, starved or ended. */
struct body {
    struct addr peer; /* set by the owner before the first body_take */
    void *ctx;        /* for bodies_end_fn */
    struct body *prev;
    struct body *next;
    uint64_t since_us; /* when its first bytes came */
    uint8_t *data;
    size_t len;
    size_t cap;
    size_t discarded;
    bool too_large; /* more than its limit came, or is announced */
    bool starved;   /* there is no memory */
    bool ended;     /* for another one's sake */
};

/* A body has been ended for another one's sake, and dropped; its sender is to be cut off. */
typedef void (*bodies_end_fn)(void *body_ctx);

/* All bodies that are kept, the oldest first. */
struct bodies {
    struct peers *peers; /* counts BODY_UNITs by client; outlives the bodies */
    bodies_end_fn end;
    struct body *first;
    struct body *last;
    size_t used; /* bytes; at most BODY_BUDGET */
};

/* Takes the next piece. At most limit bytes (up to BODY_MAX) are kept; limit 0: nobody asked for a
 * body, it is dropped at once. 0, -EMSGSIZE when so much was dropped that the sender is to be cut
 * off, or -ECANCELED when the body has been ended. */
int body_take(struct bodies *bodies, struct body *body, size_t limit, const void *data, size_t len,
              uint64_t now_us);
/* Wipes and frees what is kept. */
void body_drop(struct bodies *bodies, struct body *body);

#endif
