/* What an imperfect network does to one direction of one client's datagrams: decisions only, no
 * I/O.
 *
 * Every datagram takes the same number of random numbers whatever the configuration says, so the
 * nth datagram of a link meets the same chances for the same seed, also after a change of
 * configuration. Only rate and block depend on the clock. */
#ifndef SLUICE_SUPPORT_RELAYLINK_H
#define SLUICE_SUPPORT_RELAYLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RELAYLINK_COPIES_MAX 2u
#define RELAYLINK_HOLD_MIN_US 10000u /* a reordered datagram waits this long in addition, */
#define RELAYLINK_HOLD_MAX_US 20000u /* or up to this long */
#define RELAYLINK_BURST_US 10000u    /* depth of the token bucket, as time at the full rate */

/* Chances are in millionths. */
struct relaylink_config {
    uint32_t loss;        /* outside bursts */
    uint32_t burst_enter; /* Gilbert-Elliott: of entering a burst, in which everything is lost, */
    uint32_t burst_leave; /* and of leaving it; both per datagram */
    uint32_t duplicate;
    uint32_t reorder; /* of waiting for the additional time above */
    uint32_t flip;    /* of one bit being inverted */
    uint32_t delay_us;
    uint32_t jitter_us;      /* 0 to this much more, drawn for each copy */
    uint32_t rate_kbps;      /* token bucket; 0: no limit */
    uint32_t queue_us;       /* a datagram that would wait longer for the bucket is dropped */
    bool in_order;           /* jitter does not make datagrams overtake each other */
    uint64_t block_until_us; /* everything is dropped before */
};

/* Start with relaylink_init. */
struct relaylink {
    uint64_t random;
    bool in_burst;
    uint64_t bucket_us;   /* when the bucket will be full again */
    uint64_t last_due_us; /* of datagrams that were not reordered */
};

enum relaylink_fate { RELAYLINK_PASS, RELAYLINK_LOST, RELAYLINK_BLOCKED, RELAYLINK_QUEUE_DROP };

/* due_us[0..copies-1] are times to send at; copies is 0 unless fate is PASS. */
struct relaylink_verdict {
    enum relaylink_fate fate;
    unsigned copies;
    uint64_t due_us[RELAYLINK_COPIES_MAX];
    bool flip;
    size_t flip_bit; /* below 8 * len */
};

void relaylink_init(struct relaylink *link, uint64_t seed);

/* Decides about the link's next datagram, of len bytes (with no bit to flip when 0). */
struct relaylink_verdict relaylink_decide(struct relaylink *link,
                                          const struct relaylink_config *config, size_t len,
                                          uint64_t now_us);

#endif
