/* Reception statistics of one RTP source for its report blocks (RFC 3550 6.4.1, A.1, A.3, A.8). */
#ifndef SLUICE_INGEST_RECEPTION_H
#define SLUICE_INGEST_RECEPTION_H

#include "gateway/rtc/rtcp.h"

#include <stdbool.h>
#include <stdint.h>

/* All zero, with clock_rate set, before the first packet. */
struct reception {
    uint32_t clock_rate;
    bool started;
    int64_t first; /* extended sequence numbers */
    int64_t highest;
    uint64_t received;
    uint64_t expected_prior;
    uint64_t received_prior;
    bool has_transit;
    int64_t transit;    /* arrival minus timestamp, in timestamp units */
    uint64_t jitter_16; /* 16 times the interarrival jitter */
    bool has_sr;
    uint32_t last_sr; /* middle 32 bits of its NTP time */
    uint64_t sr_us;
};

/* Each packet of the source itself; repairs by RTX are not its packets. */
void reception_packet(struct reception *r, uint16_t sequence, uint32_t rtp_time, uint64_t now_us);
void reception_sender_report(struct reception *r, uint64_t ntp, uint64_t now_us);
/* Fills the report block and begins a new interval. */
void reception_report(struct reception *r, uint32_t ssrc, uint64_t now_us, struct rtcp_report *out);
/* Interarrival jitter. */
uint64_t reception_jitter_us(const struct reception *r);

#endif
