/* Reorder window of one RTP source. */
#include "gateway/ingest/jitter.h"

#include "lib/base/clock.h"
#include "lib/base/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NO_BUFFER UINT16_MAX

/* A packet behind a hole; its bytes lie in pool buffer `buffer`, NO_BUFFER: the slot is empty. */
struct slot {
    uint16_t buffer;
    uint16_t len;
    bool marker;
    uint32_t rtp_time;
    uint64_t arrival_us;
};

/* Invariant: every waiting packet has a number in [next, next + slot_count); held counts them; the
 * free buffers are spare[0..spare_count), last freed on top, so that few pages are ever touched. */
struct jitter {
    size_t slot_count;
    uint64_t deadline_us;
    bool started;
    uint16_t next;
    uint16_t highest; /* newest number seen */
    size_t held;
    uint64_t since_us; /* arrival of the first packet that waits; valid while held > 0 */
    bool since_known;
    bool hurry; /* holes before hurry_to are given up at once */
    uint16_t hurry_to;
    bool has_direct; /* the packet of the last push, not yet popped */
    uint16_t direct_sequence;
    struct depay_packet direct;
    uint64_t opening_us; /* what is older than the first is waited for that long; 0: no more */
    uint16_t popped;     /* buffer lent out by the last pop */
    uint64_t lost;
    struct slot *slots;
    uint16_t *spare;
    size_t spare_count;
    size_t touched; /* buffers ever used: what must be wiped */
    uint8_t *pool;
};

static struct slot *slot_of(const struct jitter *j, uint16_t sequence)
{
    return &j->slots[sequence & (j->slot_count - 1)];
}

static uint8_t *buffer_of(const struct jitter *j, uint16_t buffer)
{
    return j->pool + (size_t)buffer * STREAM_DATAGRAM_MAX;
}

int jitter_new(size_t slots, uint64_t deadline_us, struct jitter **out)
{
    int rc = -ENOMEM;
    if (slots == 0 || slots > JITTER_SLOTS_MAX || (slots & (slots - 1)) != 0)
        return -EINVAL;
    struct jitter *j = calloc(1, sizeof(*j));
    if (!j)
        goto out;
    j->slot_count = slots;
    j->deadline_us = deadline_us;
    j->slots = calloc(slots, sizeof(*j->slots));
    j->spare = calloc(slots, sizeof(*j->spare));
    j->pool = malloc(slots * STREAM_DATAGRAM_MAX); /* pages are taken only when written */
    if (!j->slots || !j->spare || !j->pool)
        goto out;
    jitter_reset(j);
    *out = j;
    j = NULL;
    rc = 0;
out:
    jitter_free(j);
    return rc;
}

void jitter_free(struct jitter *j)
{
    if (!j)
        return;
    if (j->pool && j->touched > 0)
        secret_wipe(j->pool, j->touched * STREAM_DATAGRAM_MAX);
    free(j->pool);
    free(j->spare);
    free(j->slots);
    free(j);
}

void jitter_reset(struct jitter *j)
{
    j->started = false;
    j->held = 0;
    j->since_known = false;
    j->hurry = false;
    j->has_direct = false;
    j->opening_us = 0;
    j->popped = NO_BUFFER;
    j->spare_count = j->slot_count;
    for (size_t i = 0; i < j->slot_count; i++) {
        j->slots[i].buffer = NO_BUFFER;
        j->spare[i] = (uint16_t)(j->slot_count - 1 - i); /* buffer 0 on top */
    }
}

static void release_popped(struct jitter *j)
{
    if (j->popped == NO_BUFFER)
        return;
    j->spare[j->spare_count++] = j->popped;
    j->popped = NO_BUFFER;
}

/* Copies the packet into its slot. The slot is empty, hence a buffer is free. */
static void hold(struct jitter *j, uint16_t sequence, const struct depay_packet *packet)
{
    struct slot *slot = slot_of(j, sequence);
    slot->buffer = j->spare[--j->spare_count];
    if (slot->buffer >= j->touched)
        j->touched = slot->buffer + 1u;
    slot->len = (uint16_t)packet->len;
    slot->marker = packet->marker;
    slot->rtp_time = packet->rtp_time;
    slot->arrival_us = packet->arrival_us;
    if (packet->len > 0)
        memcpy(buffer_of(j, slot->buffer), packet->data, packet->len);
    if (j->held++ == 0) {
        j->since_us = packet->arrival_us;
        j->since_known = true;
    }
}

static void set_direct(struct jitter *j, uint16_t sequence, const struct depay_packet *packet)
{
    j->has_direct = true;
    j->direct_sequence = sequence;
    j->direct = *packet;
}

/* Notes the numbers between the newest one so far and this one. */
static void note_highest(struct jitter *j, uint16_t sequence, struct jitter_missing *out_missing)
{
    int32_t ahead = clock_diff16(sequence, j->highest);
    if (ahead <= 0)
        return;
    out_missing->first = (uint16_t)(j->highest + 1);
    out_missing->count = (uint16_t)(ahead - 1);
    out_missing->advance = (uint16_t)ahead;
    j->highest = sequence;
}

bool jitter_started(const struct jitter *j)
{
    return j->started;
}

void jitter_expect_older(struct jitter *j, uint64_t wait_us)
{
    if (!j->started)
        j->opening_us = wait_us;
}

/* Moves the begin back to a packet that was overtaken by the first one. */
static void begin_before(struct jitter *j, uint16_t sequence, struct jitter_missing *out_missing)
{
    out_missing->first = (uint16_t)(sequence + 1);
    out_missing->count = (uint16_t)(j->next - sequence - 1);
    j->next = sequence;
}

/* Whether a packet that is older than the first one may still come in front of it. */
static bool may_begin_before(const struct jitter *j, uint16_t sequence, int32_t ahead)
{
    return j->opening_us > 0 && ahead < 0 && ahead >= -JITTER_OLDER_MAX &&
           clock_diff16(j->highest, sequence) < (int32_t)j->slot_count;
}

enum jitter_verdict jitter_push(struct jitter *j, uint16_t sequence,
                                const struct depay_packet *packet, bool repair,
                                struct jitter_missing *out_missing)
{
    *out_missing = (struct jitter_missing){0};
    release_popped(j);
    if (packet->len > STREAM_DATAGRAM_MAX || (repair && !j->started))
        return JITTER_OLD;
    if (!j->started) {
        j->started = true;
        j->next = sequence;
        j->highest = sequence;
    }
    int32_t ahead = clock_diff16(sequence, j->next);
    if (may_begin_before(j, sequence, ahead)) {
        begin_before(j, sequence, out_missing);
        ahead = 0;
    }
    bool far = ahead >= (int32_t)j->slot_count || ahead < -JITTER_LATE_MAX;
    if (repair ? far || ahead < 0 : !far && ahead < 0)
        return JITTER_OLD;
    if (far) { /* everything before it is flushed by the pops that follow */
        j->opening_us = 0;
        set_direct(j, sequence, packet);
        j->highest = sequence;
        return JITTER_TAKEN;
    }
    if (slot_of(j, sequence)->buffer != NO_BUFFER)
        return JITTER_OLD;
    note_highest(j, sequence, out_missing);
    if (ahead == 0 && j->opening_us == 0)
        set_direct(j, sequence, packet);
    else
        hold(j, sequence, packet);
    return JITTER_TAKEN;
}

static void pop_direct(struct jitter *j, struct depay_packet *out)
{
    *out = j->direct;
    j->has_direct = false;
    j->next = (uint16_t)(j->direct_sequence + 1);
    if (j->held == 0)
        j->hurry = false;
}

static void pop_slot(struct jitter *j, struct slot *slot, struct depay_packet *out)
{
    *out = (struct depay_packet){.data = buffer_of(j, slot->buffer),
                                 .len = slot->len,
                                 .rtp_time = slot->rtp_time,
                                 .marker = slot->marker,
                                 .arrival_us = slot->arrival_us};
    j->popped = slot->buffer;
    slot->buffer = NO_BUFFER;
    j->held--;
    j->since_known = false;
    if (j->held == 0)
        j->hurry = false;
    j->next++;
}

/* The wait for the hole in front counts from the earliest packet that waits behind it. */
static void find_since(struct jitter *j)
{
    if (j->since_known)
        return;
    j->since_us = UINT64_MAX;
    for (size_t i = 0; i < j->slot_count; i++)
        if (j->slots[i].buffer != NO_BUFFER && j->slots[i].arrival_us < j->since_us)
            j->since_us = j->slots[i].arrival_us;
    j->since_known = true;
}

/* Moves next to the first packet that is there, or to the direct one. */
static void skip_hole(struct jitter *j)
{
    uint16_t first = j->next;
    while (j->held > 0 && slot_of(j, j->next)->buffer == NO_BUFFER)
        j->next++;
    if (j->held == 0)
        j->next = j->direct_sequence;
    j->lost += (uint16_t)(j->next - first);
}

/* Whether older packets than the first are still waited for. */
static bool is_opening(struct jitter *j, uint64_t now_us)
{
    if (j->opening_us == 0 || j->held == 0 || j->has_direct)
        return false;
    find_since(j);
    if (now_us < j->since_us + j->opening_us)
        return true;
    j->opening_us = 0;
    return false;
}

static bool must_wait(struct jitter *j, uint64_t now_us)
{
    if (j->has_direct)
        return false;
    if (j->held == 0)
        return true;
    if (j->hurry && clock_diff16(j->hurry_to, j->next) > 0)
        return false;
    find_since(j);
    return now_us < j->since_us + j->deadline_us;
}

enum jitter_result jitter_pop(struct jitter *j, uint64_t now_us, struct depay_packet *out)
{
    release_popped(j);
    if (!j->started || is_opening(j, now_us))
        return JITTER_NONE;
    struct slot *slot = slot_of(j, j->next);
    if (j->has_direct && j->direct_sequence == j->next && slot->buffer == NO_BUFFER) {
        pop_direct(j, out);
        return JITTER_PACKET;
    }
    if (slot->buffer != NO_BUFFER) {
        pop_slot(j, slot, out);
        return JITTER_PACKET;
    }
    if (must_wait(j, now_us))
        return JITTER_NONE;
    skip_hole(j);
    return JITTER_GAP;
}

uint64_t jitter_deadline_us(const struct jitter *j)
{
    return j->deadline_us;
}

void jitter_set_deadline(struct jitter *j, uint64_t deadline_us)
{
    j->deadline_us = deadline_us;
}

void jitter_give_up(struct jitter *j)
{
    j->hurry = true;
    j->hurry_to = j->highest;
}

uint64_t jitter_due_us(const struct jitter *j)
{
    if (j->held == 0)
        return UINT64_MAX;
    if (!j->since_known)
        return 0; /* a pop finds out */
    return j->since_us + (j->opening_us != 0 ? j->opening_us : j->deadline_us);
}

uint16_t jitter_next(const struct jitter *j)
{
    return j->next;
}

uint64_t jitter_lost(const struct jitter *j)
{
    return j->lost;
}
