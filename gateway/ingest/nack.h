/* The list of missing packets of one source: when to ask for each again (RTP-08).
 *
 * A number is asked for after a short wait for reordered packets, then once per round trip, at most
 * NACK_TRIES_MAX times. The round trip is learned from repairs that came after the first request.
 */
#ifndef SLUICE_INGEST_NACK_H
#define SLUICE_INGEST_NACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NACK_LIST_MAX 250u
#define NACK_TRIES_MAX 10u
#define NACK_REORDER_US 15000u
#define NACK_ROUND_TRIP_US 100000u /* before any was measured */
#define NACK_ROUND_TRIP_MIN_US 20000u
#define NACK_ROUND_TRIP_MAX_US 500000u

struct nack_entry {
    uint16_t sequence;
    uint8_t tries;
    uint64_t sent_us;
    uint64_t due_us;
};

/* Invariant: entries[0..count) ascend in sequence. */
struct nack {
    size_t count;
    uint64_t round_trip_us;
    struct nack_entry entries[NACK_LIST_MAX];
};

void nack_init(struct nack *n);
/* count numbers from first on, newer than all others, are missing. 0, or -ENOSPC when they do not
 * fit: then the list is emptied, because asking for a key frame is cheaper. */
int nack_add(struct nack *n, uint16_t first, uint16_t count, uint64_t now_us);
/* The packet came; true when it had been asked for. */
bool nack_remove(struct nack *n, uint16_t sequence, uint64_t now_us);
/* Forgets all numbers before next. */
void nack_forget(struct nack *n, uint16_t next);
/* Writes the numbers to ask for now, ascending, to out[cap] and counts a try for each. */
size_t nack_take(struct nack *n, uint64_t now_us, uint16_t *out, size_t cap);
/* When nack_take will have something; UINT64_MAX for never. */
uint64_t nack_due_us(const struct nack *n);

#endif
