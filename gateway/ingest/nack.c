/* The list of missing packets of one source: when to ask for each again. */
#include "gateway/ingest/nack.h"

#include "lib/base/clock.h"

#include <errno.h>
#include <string.h>

void nack_init(struct nack *n)
{
    n->count = 0;
    n->round_trip_us = NACK_ROUND_TRIP_US;
}

int nack_add(struct nack *n, uint16_t first, uint16_t count, uint64_t now_us)
{
    if (count > NACK_LIST_MAX - n->count) {
        n->count = 0;
        return -ENOSPC;
    }
    for (uint16_t i = 0; i < count; i++)
        n->entries[n->count++] = (struct nack_entry){.sequence = (uint16_t)(first + i),
                                                     .due_us = now_us + NACK_REORDER_US};
    return 0;
}

/* Smoothed like TCP's: an eighth of each sample. */
static void learn_round_trip(struct nack *n, uint64_t sample_us)
{
    if (sample_us < NACK_ROUND_TRIP_MIN_US)
        sample_us = NACK_ROUND_TRIP_MIN_US;
    if (sample_us > NACK_ROUND_TRIP_MAX_US)
        sample_us = NACK_ROUND_TRIP_MAX_US;
    n->round_trip_us = (n->round_trip_us * 7 + sample_us) / 8;
}

bool nack_remove(struct nack *n, uint16_t sequence, uint64_t now_us)
{
    for (size_t i = 0; i < n->count; i++) {
        struct nack_entry *entry = &n->entries[i];
        if (entry->sequence != sequence)
            continue;
        bool asked = entry->tries > 0;
        if (entry->tries == 1) /* after a repeat nobody knows which request was answered */
            learn_round_trip(n, now_us - entry->sent_us);
        n->count--;
        memmove(entry, entry + 1, (n->count - i) * sizeof(*entry));
        return asked;
    }
    return false;
}

void nack_forget(struct nack *n, uint16_t next)
{
    size_t old = 0;
    while (old < n->count && clock_diff16(n->entries[old].sequence, next) < 0)
        old++;
    if (old == 0)
        return;
    n->count -= old;
    memmove(n->entries, n->entries + old, n->count * sizeof(n->entries[0]));
}

size_t nack_take(struct nack *n, uint64_t now_us, uint16_t *out, size_t cap)
{
    size_t count = 0;
    for (size_t i = 0; i < n->count && count < cap; i++) {
        struct nack_entry *entry = &n->entries[i];
        if (entry->due_us > now_us)
            continue;
        entry->tries++;
        entry->sent_us = now_us;
        entry->due_us = entry->tries < NACK_TRIES_MAX ? now_us + n->round_trip_us : UINT64_MAX;
        out[count++] = entry->sequence;
    }
    return count;
}

uint64_t nack_due_us(const struct nack *n)
{
    uint64_t due_us = UINT64_MAX;
    for (size_t i = 0; i < n->count; i++)
        if (n->entries[i].due_us < due_us)
            due_us = n->entries[i].due_us;
    return due_us;
}
