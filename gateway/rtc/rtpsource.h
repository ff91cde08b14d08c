/* Tells which track and layer a packet belongs to, and whether it repairs (RTP-01; RFC 9143 9.2,
 * RFC 8852, RFC 4588).
 *
 * A new SSRC is placed by the MID extension, else by the offer's a=ssrc lines, else by a payload
 * type that one track alone has; with simulcast its layer comes from the RID or repaired RID
 * extension. The place is kept, because senders leave the extensions out later. RTX is told by its
 * payload type. Give only authentic packets: a forged one must not take a place (threats.md U12).
 */
#ifndef SLUICE_RTC_RTPSOURCE_H
#define SLUICE_RTC_RTPSOURCE_H

#include "gateway/rtc/answer.h"
#include "gateway/rtc/rtp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RTPSOURCE_MAX 8u /* SSRCs of one session (RTP-20) */

struct rtpsource {
    uint32_t ssrc;
    enum track track;
    uint8_t layer; /* below layer_count of the answer's track; 0 without simulcast */
    bool repair;   /* this packet is RTX: use rtp_unwrap_rtx */
    bool ended;    /* by BYE: another one may take its place */
};

/* All zero at the start. */
struct rtpsources {
    size_t count;
    struct rtpsource list[RTPSOURCE_MAX];
};

/* The source of a packet, which is remembered when new (*out_new); new is also one that comes back
 * after its end. 0; -EBADMSG when its header
 * extensions are malformed; -EPROTO when it belongs to no track, or has a payload type that its
 * source may not have; -EAGAIN when it is of a simulcast track but its layer is not known yet: drop
 * it; -EDQUOT above RTPSOURCE_MAX. */
int rtpsource_find(struct rtpsources *sources, const struct answer *answer,
                   const struct rtp_packet *packet, struct rtpsource *out, bool *out_new);

/* An SSRC ended (BYE, RTP-19). Its place is kept until another one needs it, because senders that
 * come back leave the extensions out. */
void rtpsource_end(struct rtpsources *sources, uint32_t ssrc);

/* True when the answer has this payload type: others need no decryption. */
bool rtpsource_expects(const struct answer *answer, uint8_t payload_type);

#endif
