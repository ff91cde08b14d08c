/* Transport-wide congestion control feedback: when each numbered packet arrived, told back to the
 * sender's bandwidth estimator (draft-holmer-rmcat-transport-wide-cc-extensions-01; RTP-14).
 *
 * Feedback control information behind the head of an RTPFB packet of format 15:
 *   base sequence 2 | status count 2 | reference time 3 (64 ms, signed) | feedback count 1
 *   chunks of 2 bytes: a run    0 | symbol 2 | length 13
 *                      a vector 1 0 | 14 symbols of 1 bit, or 1 1 | 7 symbols of 2 bits
 *   a delta per received packet (250 us): 1 byte (symbol 1) or 2 bytes signed (symbol 2) | zeros
 *
 * The recorder takes packets of all SSRCs of one transport, keeps TWCC_WINDOW arrivals and never
 * allocates. Numbers wrap. A packet that comes after its number was reported missing is reported
 * again with the ones behind it, as libwebrtc does. */
#ifndef SLUICE_RTC_TWCC_H
#define SLUICE_RTC_TWCC_H

#include "gateway/rtc/rtcp.h"
#include "lib/base/writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TWCC_WINDOW 2048u    /* newest sequence numbers that are remembered */
#define TWCC_REPORT_MAX 400u /* packets in one feedback packet */
#define TWCC_REPORT_LEN 960u /* bytes that one feedback packet takes at most */
#define TWCC_INTERVAL_US 100000u
#define TWCC_PENDING_MAX 200u /* reported at once, so that a packet holds them (RTP-14) */

/* Invariant: first <= newest + 1, newest - first < TWCC_WINDOW. Numbers are extended. */
struct twcc {
    bool started;
    int64_t newest;   /* highest number received */
    int64_t first;    /* lowest number not reported yet */
    unsigned pending; /* packets received since the last report */
    uint64_t reported_us;
    uint8_t feedback_count;
    uint64_t arrivals_us[TWCC_WINDOW]; /* by number modulo the window; 0: not received */
};

void twcc_init(struct twcc *twcc);

/* A packet with this transport-wide number arrived. */
void twcc_record(struct twcc *twcc, uint16_t sequence, uint64_t now_us);
/* The same for the header extension's bytes; wrong lengths are ignored. */
void twcc_record_extension(struct twcc *twcc, struct slice extension, uint64_t now_us);

/* When the next report wants to be written; UINT64_MAX while nothing came. */
uint64_t twcc_due_us(const struct twcc *twcc);

/* Appends one feedback packet if any packet is unreported; call it again while it returns true.
 * Needs TWCC_REPORT_LEN bytes of room; with less it writes nothing and returns false. */
bool twcc_write(struct twcc *twcc, uint32_t ssrc, uint32_t media_ssrc, uint64_t now_us,
                struct writer *w);

/* One packet of a feedback message. */
struct twcc_arrival {
    uint16_t sequence;
    bool received;
    int64_t time_us; /* on the reporter's clock, in steps of 250; wraps with the reference time */
};

struct twcc_report {
    uint8_t feedback_count;
    size_t count;
    struct twcc_arrival arrivals[TWCC_REPORT_MAX];
};

/* Reads the feedback of an RTPFB packet of format 15. 0; -EBADMSG malformed; -EMSGSIZE more than
 * TWCC_REPORT_MAX packets. On failure *out has undefined content. */
int twcc_parse(const struct rtcp_feedback *feedback, struct twcc_report *out);

#endif
