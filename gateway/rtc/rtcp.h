/* RTCP: bounds-checked walk over compound packets, their contents, and the packets we send
 * (RFC 3550 6, 3611 4.4 and 4.5, 4585 6, 5104 4.3, 5506; REMB: draft-alvestrand-rmcat-remb-03). */
#ifndef SLUICE_RTC_RTCP_H
#define SLUICE_RTC_RTCP_H

#include "lib/base/reader.h"
#include "lib/base/text.h"
#include "lib/base/writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RTCP_REPORTS_MAX 31u
#define RTCP_NACKS_MAX 250u /* sequence numbers in one NACK that we build (RTP-08) */
#define RTCP_CNAME_MAX 255u

enum rtcp_type {
    RTCP_SR = 200,
    RTCP_RR = 201,
    RTCP_SDES = 202,
    RTCP_BYE = 203,
    RTCP_APP = 204,
    RTCP_RTPFB = 205,
    RTCP_PSFB = 206,
    RTCP_XR = 207
};
enum rtcp_rtpfb { RTCP_FB_NACK = 1, RTCP_FB_TRANSPORT_CC = 15 };
enum rtcp_xr { RTCP_XR_RRTR = 4, RTCP_XR_DLRR = 5 };
enum rtcp_psfb { RTCP_FB_PLI = 1, RTCP_FB_FIR = 4, RTCP_FB_AFB = 15 };

/* One packet of a compound. count is the 5-bit field: report count, source count or feedback
 * format. body follows the 4-byte header, without padding, and is borrowed. */
struct rtcp_packet {
    uint8_t type;
    uint8_t count;
    const uint8_t *body;
    size_t len;
};

struct rtcp_walk {
    struct reader r;
};

/* Reduced-size packets (one feedback packet alone) are allowed. */
void rtcp_begin(struct rtcp_walk *walk, const uint8_t *data, size_t len);
/* The next packet, or false at the end; then rtcp_ok says whether the compound was well-formed. */
bool rtcp_next(struct rtcp_walk *walk, struct rtcp_packet *out);
bool rtcp_ok(const struct rtcp_walk *walk);

struct rtcp_report {
    uint32_t ssrc;
    uint8_t fraction_lost;     /* 1/256 */
    int32_t cumulative_lost;   /* 24 bits, signed */
    uint32_t highest_sequence; /* extended */
    uint32_t jitter;           /* timestamp units */
    uint32_t last_sr;          /* middle 32 bits of NTP */
    uint32_t delay_since_sr;   /* 1/65536 s */
};

struct rtcp_sender_info {
    uint32_t ssrc;
    uint64_t ntp; /* 32.32 fixed point seconds since 1900 */
    uint32_t rtp_timestamp;
    uint32_t packets;
    uint32_t octets;
};

/* Contents of a packet of the right type; 0 or -EBADMSG (also for another type). */
int rtcp_parse_sender_info(const struct rtcp_packet *packet, struct rtcp_sender_info *out);
/* Report block `index` (below packet->count) of an SR or RR. */
int rtcp_parse_report(const struct rtcp_packet *packet, size_t index, struct rtcp_report *out);
/* SSRC of the sender: SR, RR, RTPFB, PSFB. */
int rtcp_parse_sender(const struct rtcp_packet *packet, uint32_t *out_ssrc);
/* CNAME of the source `index` of an SDES; an empty slice when that chunk has none. */
int rtcp_parse_cname(const struct rtcp_packet *packet, size_t index, uint32_t *out_ssrc,
                     struct slice *out_cname);
/* SSRC `index` (below packet->count) of a BYE. */
int rtcp_parse_bye(const struct rtcp_packet *packet, size_t index, uint32_t *out_ssrc);

/* One answer to a receiver's reference time (RFC 3611 4.5). */
struct rtcp_dlrr {
    uint32_t ssrc;      /* of the receiver that it is for */
    uint32_t reference; /* middle 32 bits of the reference time */
    uint32_t delay;     /* 1/65536 s from its arrival to this answer */
};
/* Writes the DLRR entries of an XR to out[cap], those of all its blocks; returns how many. What is
 * malformed ends the list. */
size_t rtcp_parse_dlrr(const struct rtcp_packet *packet, struct rtcp_dlrr *out, size_t cap);
/* The reference time of an XR. 0, or -EBADMSG when it has none. */
int rtcp_parse_rrtr(const struct rtcp_packet *packet, uint64_t *out_ntp);

/* RTPFB and PSFB: who sends it, about which source, and the rest. */
struct rtcp_feedback {
    uint32_t sender_ssrc;
    uint32_t media_ssrc; /* 0 in FIR and REMB, which name sources in the fci */
    const uint8_t *fci;
    size_t fci_len;
};
int rtcp_parse_feedback(const struct rtcp_packet *packet, struct rtcp_feedback *out);
/* Writes the lost sequence numbers of a NACK to out[cap], at most cap; returns how many. */
size_t rtcp_nack_sequences(const struct rtcp_feedback *feedback, uint16_t *out, size_t cap);
/* FIR entry `index`. 0 or -ENOENT past the last. */
int rtcp_parse_fir(const struct rtcp_feedback *feedback, size_t index, uint32_t *out_ssrc,
                   uint8_t *out_sequence);
/* Bits per second of a REMB (saturated at UINT64_MAX). 0, or -EBADMSG when it is no REMB. */
int rtcp_parse_remb(const struct rtcp_feedback *feedback, uint64_t *out_bps);

/* Builders append one packet; what does not fit sets the writer's error. */
void rtcp_write_sr(struct writer *w, const struct rtcp_sender_info *info);
/* count at most RTCP_REPORTS_MAX. */
void rtcp_write_rr(struct writer *w, uint32_t ssrc, const struct rtcp_report *reports,
                   size_t count);
void rtcp_write_cname(struct writer *w, uint32_t ssrc, struct slice cname);
/* sequences ascending in the sense of wrap-around, count 1 to RTCP_NACKS_MAX. */
void rtcp_write_nack(struct writer *w, uint32_t ssrc, uint32_t media_ssrc,
                     const uint16_t *sequences, size_t count);
void rtcp_write_pli(struct writer *w, uint32_t ssrc, uint32_t media_ssrc);
/* sequence grows by one with each new request, not with repeats (RFC 5104 4.3.1.1). */
void rtcp_write_fir(struct writer *w, uint32_t ssrc, uint32_t media_ssrc, uint8_t sequence);
/* The reference time of a receiver (RFC 3611 4.4). */
void rtcp_write_rrtr(struct writer *w, uint32_t ssrc, uint64_t ntp);
/* An answer to one; the test publisher sends it. */
void rtcp_write_dlrr(struct writer *w, uint32_t ssrc, const struct rtcp_dlrr *dlrr);
/* count at most 255. The value is rounded down to 18 significant bits. */
void rtcp_write_remb(struct writer *w, uint32_t ssrc, uint64_t bps, const uint32_t *ssrcs,
                     size_t count);
void rtcp_write_bye(struct writer *w, uint32_t ssrc);

#endif
