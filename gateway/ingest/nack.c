/* The list of missing packets of one source: when to ask for each, and when again. */
#include "gateway/ingest/nack.h"

#include "lib/base/clock.h"

#include <errno.h>
#include <string.h>

#define OVERTAKES 100u /* per mille of the holes: this network does not keep the order */
#define LATE_FADE 64u  /* each true loss takes this part off the wait for overtaken packets */

void nack_init(struct nack *n)
{
    n->count = 0;
    n->twice = false;
    n->uses_rtx = false;
    n->overtaken_permille = 0;
    n->round_trip = (struct nack_mean){.known = false};
    n->least_us = 0;
    n->since_next = 0;
    memset(n->since_us, 0, sizeof(n->since_us));
    n->late = (struct nack_mean){.known = false};
}

/* ---- what is learned ---- */

/* RFC 6298 2.2 and 2.3. */
static void learn(struct nack_mean *m, uint64_t sample_us)
{
    if (sample_us > NACK_SAMPLE_MAX_US)
        sample_us = NACK_SAMPLE_MAX_US;
    if (!m->known) {
        *m = (struct nack_mean){.known = true, .mean_us = sample_us, .deviation_us = sample_us / 2};
        return;
    }
    uint64_t off = sample_us > m->mean_us ? sample_us - m->mean_us : m->mean_us - sample_us;
    m->deviation_us = (m->deviation_us * 3 + off) / 4;
    m->mean_us = (m->mean_us * 7 + sample_us) / 8;
}

static uint64_t within(uint64_t value, uint64_t least, uint64_t most)
{
    if (value < least)
        return least;
    return value > most ? most : value;
}

uint64_t nack_wait_us(const struct nack *n)
{
    uint64_t wait_us = n->late.mean_us + 3 * n->late.deviation_us;
    return n->late.known ? within(wait_us, NACK_WAIT_MIN_US, NACK_WAIT_MAX_US) : NACK_WAIT_US;
}

uint64_t nack_repeat_us(const struct nack *n)
{
    /* under heavy loss most requests are lost: waiting for the slowest answer costs more */
    uint64_t deviations = n->twice ? 1 : 4;
    uint64_t repeat_us = n->round_trip.mean_us + deviations * n->round_trip.deviation_us;
    return n->round_trip.known ? within(repeat_us, NACK_REPEAT_MIN_US, NACK_REPEAT_MAX_US)
                               : NACK_REPEAT_US;
}

uint64_t nack_round_trip_us(const struct nack *n)
{
    return n->round_trip.mean_us;
}

/* No answer can have come in that time. */
static bool too_soon(const struct nack *n, uint64_t passed_us)
{
    return n->round_trip.known && passed_us < n->least_us - n->least_us / 4;
}

/* Where packets overtake each other, some come only after they were asked for: within one more wait
 * nobody can tell. */
static bool maybe_overtaken(const struct nack *n, uint64_t passed_us)
{
    return n->overtaken_permille >= OVERTAKES && passed_us < nack_wait_us(n);
}

/* The share of holes that close by themselves, among those of which that is certain. */
static void note_share(struct nack *n, bool overtaken)
{
    uint32_t target = overtaken ? 1000u : 0u;
    n->overtaken_permille = (n->overtaken_permille * 15 + target) / 16;
}

/* The time since the first request is never less than the round trip, however often it was
 * repeated. The least of the last ones counts, but for one: some packets come by chance soon
 * after they were asked for, merely late or as a browser's probe (RTP-07). */
static void learn_least(struct nack *n, uint64_t since_first_us)
{
    uint32_t sorted[NACK_SINCE_COUNT] = {0}; /* count is at least 1, which cppcheck cannot see */
    size_t count = 0;
    n->since_us[n->since_next] = (uint32_t)within(since_first_us, 1, NACK_SAMPLE_MAX_US);
    n->since_next = (n->since_next + 1) % NACK_SINCE_COUNT;
    for (size_t i = 0; i < NACK_SINCE_COUNT && n->since_us[i] != 0; i++) {
        size_t at = count++;
        for (; at > 0 && sorted[at - 1] > n->since_us[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = n->since_us[i];
    }
    n->least_us = sorted[(count - 1) / 8];
}

/* After a repeat the packet answers the last request that is old enough: Karn's rule would learn
 * only from the quick answers, and repeats would come too early for ever. Without any knowledge
 * the first request is the likely one. */
static void learn_round_trip(struct nack *n, const struct nack_entry *entry, uint64_t now_us)
{
    uint64_t sample_us = now_us - entry->sent_us;
    if (!n->round_trip.known)
        sample_us = now_us - entry->first_us;
    else if (entry->tries > 1 && too_soon(n, sample_us))
        sample_us = now_us - entry->previous_us;
    learn(&n->round_trip, sample_us);
}

static void learn_late(struct nack *n, uint64_t late_us)
{
    learn(&n->late, late_us < NACK_WAIT_MAX_US ? late_us : NACK_WAIT_MAX_US);
}

/* A hole was a loss: on a network where nothing is overtaken the wait becomes the least. */
static void fade_late(struct nack *n)
{
    n->late.mean_us -= n->late.mean_us / LATE_FADE;
    n->late.deviation_us -= n->late.deviation_us / LATE_FADE;
}

/* ---- the list ---- */

int nack_add(struct nack *n, uint16_t first, uint16_t count, uint64_t now_us)
{
    if (count > NACK_LIST_MAX - n->count) {
        n->count = 0;
        return -ENOSPC;
    }
    uint64_t due_us = now_us + nack_wait_us(n);
    bool older = n->count > 0 && clock_diff16(first, n->entries[0].sequence) < 0;
    struct nack_entry *to = older ? n->entries : n->entries + n->count;
    memmove(n->entries + (older ? count : 0), n->entries, n->count * sizeof(n->entries[0]));
    for (uint16_t i = 0; i < count; i++)
        to[i] = (struct nack_entry){
            .sequence = (uint16_t)(first + i), .found_us = now_us, .due_us = due_us};
    n->count += count;
    return 0;
}

/* Not on the source for repairs: true when the packet was probably no answer. */
static bool was_late(struct nack *n, const struct nack_entry *entry, bool early, uint64_t now_us)
{
    bool maybe = entry->tries == 1 && maybe_overtaken(n, now_us - entry->sent_us);
    if (!early && !maybe && !n->uses_rtx)
        return false;
    learn_late(n, now_us - entry->found_us);
    if (!maybe && !n->uses_rtx) /* or else the way became shorter */
        learn_least(n, now_us - entry->first_us);
    return true;
}

static enum nack_arrival judge(struct nack *n, const struct nack_entry *entry, bool rtx,
                               uint64_t now_us)
{
    bool early = entry->tries == 1 && too_soon(n, now_us - entry->sent_us);
    if (entry->tries == 0 && rtx) /* a probe came in time */
        return NACK_REPAIRED;
    if (entry->tries == 0) {
        learn_late(n, now_us - entry->found_us);
        note_share(n, true);
        return NACK_OVERTAKEN;
    }
    if (!rtx && was_late(n, entry, early, now_us))
        return NACK_OVERTAKEN;
    n->uses_rtx = rtx;
    note_share(n, false);
    fade_late(n);
    learn_least(n, now_us - entry->first_us);
    if (!early)
        learn_round_trip(n, entry, now_us);
    return NACK_REPAIRED;
}

enum nack_arrival nack_remove(struct nack *n, uint16_t sequence, bool rtx, uint64_t now_us)
{
    for (size_t i = 0; i < n->count; i++) {
        struct nack_entry *entry = &n->entries[i];
        if (entry->sequence != sequence)
            continue;
        enum nack_arrival arrival = judge(n, entry, rtx, now_us);
        n->count--;
        memmove(entry, entry + 1, (n->count - i) * sizeof(*entry));
        return arrival;
    }
    return NACK_NOT_LISTED;
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

void nack_set_twice(struct nack *n, bool twice)
{
    n->twice = twice;
}

static void ask(const struct nack *n, struct nack_entry *entry, uint64_t now_us)
{
    if (entry->echo) {
        entry->echo = false;
    } else {
        if (entry->tries++ == 0)
            entry->first_us = now_us;
        entry->previous_us = entry->sent_us;
        entry->sent_us = now_us;
        entry->echo = n->twice;
    }
    if (entry->echo)
        entry->due_us = now_us + NACK_ECHO_US;
    else if (entry->tries < NACK_TRIES_MAX)
        entry->due_us = entry->sent_us + nack_repeat_us(n);
    else
        entry->due_us = UINT64_MAX;
}

size_t nack_take(struct nack *n, uint64_t now_us, uint16_t *out, size_t cap)
{
    size_t count = 0;
    for (size_t i = 0; i < n->count && count < cap; i++) {
        struct nack_entry *entry = &n->entries[i];
        if (entry->due_us > now_us)
            continue;
        ask(n, entry, now_us);
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
