/* The list of missing packets of one source: when to ask for each, and when again (RTP-08).
 *
 * A number is asked for after a short wait for packets that were merely overtaken, then once per
 * repeat interval, at most NACK_TRIES_MAX times. Wait and interval are learned: the wait from
 * packets that came late by themselves, the interval from answers, as TCP's retransmission timer
 * (RFC 6298: smoothed round trip and four deviations). No I/O, no clock. */
#ifndef SLUICE_INGEST_NACK_H
#define SLUICE_INGEST_NACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NACK_LIST_MAX 250u
#define NACK_TRIES_MAX 10u
#define NACK_WAIT_US 15000u /* before any packet was seen to be overtaken */
#define NACK_WAIT_MIN_US 10000u
#define NACK_WAIT_MAX_US 60000u
#define NACK_REPEAT_US 100000u /* before any answer came */
#define NACK_REPEAT_MIN_US 30000u
#define NACK_REPEAT_MAX_US 500000u
#define NACK_SAMPLE_MAX_US 1000000u
#define NACK_SINCE_COUNT 16u

#define NACK_ECHO_US 10000u /* between the two messages of one request */

/* A duration that is learned: mean and mean deviation. */
struct nack_mean {
    bool known;
    uint64_t mean_us;
    uint64_t deviation_us;
};

struct nack_entry {
    uint16_t sequence;
    uint8_t tries;
    bool echo;            /* the request is to be said once more */
    uint64_t found_us;    /* when it was seen to be missing */
    uint64_t first_us;    /* first request */
    uint64_t previous_us; /* last request but one */
    uint64_t sent_us;     /* last request */
    uint64_t due_us;
};

/* Invariant: entries[0..count) ascend in sequence. */
struct nack {
    size_t count;
    bool twice;
    bool uses_rtx; /* the source answers by RTX: what comes otherwise is no answer */
    struct nack_mean round_trip;
    uint64_t least_us; /* no answer comes sooner; valid when round_trip is known */
    size_t since_next;
    uint32_t
        since_us[NACK_SINCE_COUNT]; /* from first requests to answers, the last ones; 0: none */
    struct nack_mean late;
    uint32_t overtaken_permille;
    struct nack_entry entries[NACK_LIST_MAX];
};

/* What a packet was to the list. */
enum nack_arrival {
    NACK_NOT_LISTED,
    NACK_OVERTAKEN, /* late, but not because it was asked for */
    NACK_REPAIRED,  /* the answer to a request */
};

void nack_init(struct nack *n);
/* count numbers from first on, newer than all others or older than all, are missing. 0, or -ENOSPC
 * when they do not fit: then the list is emptied, because asking for a key frame is cheaper. */
int nack_add(struct nack *n, uint16_t first, uint16_t count, uint64_t now_us);
/* The packet came. rtx: on the source for repairs, hence certainly an answer; on the source itself
 * a packet that comes sooner than any answer could was merely overtaken. */
enum nack_arrival nack_remove(struct nack *n, uint16_t sequence, bool rtx, uint64_t now_us);
/* Forgets all numbers before next. */
void nack_forget(struct nack *n, uint16_t next);
/* Writes the numbers to ask for now, ascending, to out[cap] and counts a try for each. */
size_t nack_take(struct nack *n, uint64_t now_us, uint16_t *out, size_t cap);
/* Requests get lost too: each is said twice from now on, which is one try. */
void nack_set_twice(struct nack *n, bool twice);
/* When nack_take will have something; UINT64_MAX for never. */
uint64_t nack_due_us(const struct nack *n);

/* From the discovery of a hole to the first request. */
uint64_t nack_wait_us(const struct nack *n);
/* From one request to the next. */
uint64_t nack_repeat_us(const struct nack *n);
/* Smoothed round trip; 0 before any answer. */
uint64_t nack_round_trip_us(const struct nack *n);

#endif
