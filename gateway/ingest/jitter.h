/* Reorder window of one RTP source: packets come out in sequence, or a gap is declared.
 *
 * A packet that is next passes at once, without copy or delay. Behind a hole packets wait, in fixed
 * slots, until the hole is filled or its deadline is over (RTP-10). Padding-only packets take part
 * with a length of 0 (RTP-05). Allocates only in jitter_new. No I/O, no clock. */
#ifndef SLUICE_INGEST_JITTER_H
#define SLUICE_INGEST_JITTER_H

#include "gateway/depay/depay.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JITTER_SLOTS_MAX 1024u
/* A packet this far behind is no late one (SRTP's replay window would have refused it): the source
 * went on after a long outage. */
#define JITTER_LATE_MAX 1024
#define JITTER_OLDER_MAX 64 /* so much older than the first one may others be */

struct jitter;

/* slots is a power of two up to JITTER_SLOTS_MAX. 0, -EINVAL or -ENOMEM. */
int jitter_new(size_t slots, uint64_t deadline_us, struct jitter **out);
void jitter_free(struct jitter *j);  /* wipes media; NULL allowed */
void jitter_reset(struct jitter *j); /* another source: forgets everything */

bool jitter_started(const struct jitter *j); /* a packet came since the last reset */
/* Before the first packet: others that are older may still come, wait that long for them. */
void jitter_expect_older(struct jitter *j, uint64_t wait_us);

enum jitter_verdict {
    JITTER_TAKEN, /* pop until JITTER_NONE before the packet's bytes go away */
    JITTER_OLD,   /* a duplicate, or too late: nothing to do */
};

/* Numbers that this packet showed to be missing: count from first on; count 0 for none; newer than
 * all before, or older when the packet is older than the first one. advance: by
 * how much it is newer than the newest before, 0 when it is not. */
struct jitter_missing {
    uint16_t first;
    uint16_t count;
    uint16_t advance;
};

/* Offers a packet. repair: it came by RTX, so that its number may be of any age. packet->data is
 * borrowed until the next JITTER_NONE. */
enum jitter_verdict jitter_push(struct jitter *j, uint16_t sequence,
                                const struct depay_packet *packet, bool repair,
                                struct jitter_missing *out_missing);

enum jitter_result {
    JITTER_NONE,   /* nothing to hand out now */
    JITTER_PACKET, /* *out is the next packet, valid until the next call on j */
    JITTER_GAP,    /* packets before the next one are given up */
};
enum jitter_result jitter_pop(struct jitter *j, uint64_t now_us, struct depay_packet *out);

uint64_t jitter_deadline_us(const struct jitter *j);
/* Changes how long holes are waited for, also those that are open now. */
void jitter_set_deadline(struct jitter *j, uint64_t deadline_us);

/* Gives up all holes that are known now: the next pops do not wait. */
void jitter_give_up(struct jitter *j);

/* When jitter_pop will declare a gap; UINT64_MAX: not before the next push. */
uint64_t jitter_due_us(const struct jitter *j);

/* The next number to be handed out: older ones are of no use any more. */
uint16_t jitter_next(const struct jitter *j);
uint64_t jitter_lost(const struct jitter *j); /* packets given up so far */

#endif
