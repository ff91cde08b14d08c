/* Tells the protocols that share one UDP flow apart by their first bytes (RFC 7983 7, RFC 5761 4).
 */
#include "gateway/rtc/demux.h"

#define DATAGRAM_MAX 1500u
#define STUN_MIN 20u
#define DTLS_MIN 13u
#define RTP_MIN 12u
#define RTCP_MIN 8u

enum demux_class demux_classify(const uint8_t *data, size_t len)
{
    if (len == 0 || len > DATAGRAM_MAX)
        return DEMUX_DROP;
    uint8_t first = data[0];
    if (first <= 3)
        return len >= STUN_MIN ? DEMUX_STUN : DEMUX_DROP;
    if (first >= 20 && first <= 63)
        return len >= DTLS_MIN ? DEMUX_DTLS : DEMUX_DROP;
    if (first < 128 || first > 191 || len < RTCP_MIN)
        return DEMUX_DROP;
    if (data[1] >= 192 && data[1] <= 223)
        return DEMUX_RTCP;
    return len >= RTP_MIN ? DEMUX_RTP : DEMUX_DROP;
}
