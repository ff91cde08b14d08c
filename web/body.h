/* The body of a request while it comes in: kept up to a limit, and within a budget that all
 * requests share; what is too much is counted and dropped (threats.md H4). */
#ifndef SLUICE_WEB_BODY_H
#define SLUICE_WEB_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BODY_MAX 65536u             /* bytes kept of one request at most: an SDP offer */
#define BODY_DISCARD_MAX (1u << 20) /* bytes dropped before its sender is cut off */
#define BODY_BUDGET (8u << 20)      /* bytes kept of all requests */

/* Invariant: data has room for cap bytes, len <= cap; nothing is kept when too_large or starved. */
struct body {
    uint8_t *data;
    size_t len;
    size_t cap;
    size_t discarded;
    bool too_large; /* more than its limit came */
    bool starved;   /* the budget or the memory is used up */
};

/* Takes the next piece; *budget_used is what all bodies together keep. At most limit bytes (up to
 * BODY_MAX) are kept; limit 0: nobody asked for a body, it is dropped at once. 0, or -EMSGSIZE when
 * so much was dropped that the sender is to be cut off. */
int body_take(struct body *body, size_t *budget_used, size_t limit, const void *data, size_t len);
/* Wipes and frees what is kept. */
void body_drop(struct body *body, size_t *budget_used);

#endif
