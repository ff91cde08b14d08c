/* When to ask the publisher for a key frame (RTP-11).
 *
 * Wishes are merged. At most two requests per second, none within 350 ms after the last key frame:
 * encoders do not answer those in time (findings/transcode.md 5). A wish lasts until a key frame
 * came after it; the request is repeated once the answer had its time to arrive. (Waiting
 * for its repair too made stalls at 30 % loss longer, in simulations: another key frame is another
 * chance.) When nothing came of it in KEYFRAME_IGNORED_US, the stronger kind of request is due
 * (FIR), where it was agreed, again after that time. */
#ifndef SLUICE_INGEST_KEYFRAME_H
#define SLUICE_INGEST_KEYFRAME_H

#include <stdbool.h>
#include <stdint.h>

#define KEYFRAME_SPACING_US 500000u
#define KEYFRAME_SPACING_MAX_US 1000000u
#define KEYFRAME_REST_US 350000u
#define KEYFRAME_IGNORED_US 2000000u

/* All zero at the start. */
struct keyframe {
    bool wanted;
    bool asked; /* last_asked_us is valid */
    bool came;  /* last_key_us is valid */
    uint64_t last_asked_us;
    bool waiting;       /* asked, and no key frame since: since_us is valid */
    uint64_t since_us;  /* first request, or last FIR */
    uint8_t fir_number; /* of the next FIR */
    uint64_t last_key_us;
    uint64_t answer_us;
};

/* How long an answer may take. Spaces requests, within KEYFRAME_SPACING_US
 * and KEYFRAME_SPACING_MAX_US. */
void keyframe_set_answer(struct keyframe *k, uint64_t answer_us);

void keyframe_want(struct keyframe *k);
void keyframe_seen(struct keyframe *k, uint64_t now_us);
enum keyframe_request {
    KEYFRAME_NOTHING,
    KEYFRAME_ASK,   /* PLI */
    KEYFRAME_ORDER, /* FIR, with the number that keyframe_number gives */
};
/* The request that is to be sent now; counts it as sent. may_order: the peer takes FIR. */
enum keyframe_request keyframe_take(struct keyframe *k, bool may_order, uint64_t now_us);
/* The number of the next FIR, one more for each (RFC 5104 4.3.1.2). */
uint8_t keyframe_number(struct keyframe *k);
/* When keyframe_take will say so; UINT64_MAX for never. */
uint64_t keyframe_due_us(const struct keyframe *k);

#endif
