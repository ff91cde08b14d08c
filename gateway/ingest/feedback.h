/* What we tell the publisher by RTCP, and when: receiver reports with SDES and REMB every second
 * (RTP-13, RTP-14: without REMB Chromium stays at 320 pixels), transport-wide feedback every 100 ms
 * where it was agreed (twcc.h), reference times for the round trip where the peer answers them
 * (roundtrip.h), NACK, PLI and FIR when they are due. Only about sources that were heard (RTP-21);
 * never BYE: the session's end is told by DTLS.
 *
 * The packets are plain; the caller encrypts them. No I/O, no clock. */
#ifndef SLUICE_INGEST_FEEDBACK_H
#define SLUICE_INGEST_FEEDBACK_H

#include "gateway/ingest/media.h"
#include "gateway/rtc/answer.h"
#include "lib/base/writer.h"

#include <stdbool.h>
#include <stdint.h>

#define FEEDBACK_INTERVAL_US 1000000u
#define FEEDBACK_PACKET_MAX 1212u /* with SRTCP in the least MTU of IPv6 */
#define FEEDBACK_BURST_MAX 4u     /* compounds at one time */
#define FEEDBACK_CNAME_LEN 16u
#define FEEDBACK_DEFAULT_BPS 8000000u /* REMB when the grant names no ceiling */

struct feedback {
    uint32_t ssrc; /* ours: random, as the CNAME, so that sessions cannot be linked (RTP-21) */
    char cname[FEEDBACK_CNAME_LEN + 1];
    uint64_t max_bitrate_bps;
    bool reduced_size; /* RFC 5506 agreed */
    bool remb;
    bool started;
    uint64_t report_due_us;
};

/* ssrc and cname (FEEDBACK_CNAME_LEN characters) are random. */
void feedback_init(struct feedback *f, const struct answer *answer, uint64_t max_bitrate_bps,
                   uint32_t ssrc, const char *cname);
/* There are keys: reports begin now. */
void feedback_start(struct feedback *f, uint64_t now_us);

/* Writes one compound of what is due to w, which has room for FEEDBACK_PACKET_MAX bytes; call it
 * again for the rest. False when nothing is due. */
bool feedback_write(struct feedback *f, struct media *m, uint64_t now_us, struct writer *w);
/* When feedback_write has something to say; UINT64_MAX before feedback_start. */
uint64_t feedback_due_us(const struct feedback *f, const struct media *m);

#endif
