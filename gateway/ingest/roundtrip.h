/* The round trip as a receiver learns it from RTCP: our reference times, the sender's answers
 * (RFC 3611 4.4, 4.5).
 *
 * The reference counts from the session's first report: it tells nobody what time it is here. An
 * answer counts only when it names a reference that we sent lately. No I/O, no clock. */
#ifndef SLUICE_INGEST_ROUNDTRIP_H
#define SLUICE_INGEST_ROUNDTRIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROUNDTRIP_SENT_MAX 8u          /* references that may still be answered */
#define ROUNDTRIP_LONGEST_US 10000000u /* longer ones are no round trips */

/* All zero at the start: nothing is sent or taken. */
struct roundtrip {
    bool enabled; /* the peer answers reference times */
    bool started;
    uint64_t first_us;
    uint32_t ssrc; /* ours: whom answers must name */
    size_t next;
    uint32_t sent[ROUNDTRIP_SENT_MAX]; /* middle 32 bits; 0: none */
    uint64_t mean_us;                  /* smoothed; 0: none yet */
};

/* The reference time to send now under our SSRC, 32.32 seconds. */
uint64_t roundtrip_refer(struct roundtrip *r, uint32_t ssrc, uint64_t now_us);
/* The peer's answer: to whom, the middle of the reference, and its delay in 1/65536 s. */
void roundtrip_answer(struct roundtrip *r, uint32_t ssrc, uint32_t reference, uint32_t delay,
                      uint64_t now_us);
uint64_t roundtrip_us(const struct roundtrip *r); /* smoothed; 0: not known */

#endif
