/* Tells the protocols that share one UDP flow apart by their first bytes (RFC 7983 7, RFC 5761 4).
 */
#ifndef SLUICE_RTC_DEMUX_H
#define SLUICE_RTC_DEMUX_H

#include <stddef.h>
#include <stdint.h>

enum demux_class { DEMUX_DROP, DEMUX_STUN, DEMUX_DTLS, DEMUX_RTP, DEMUX_RTCP };

/* Also drops datagrams that are empty, too short for their class or over 1,500 bytes (U18). */
enum demux_class demux_classify(const uint8_t *data, size_t len);

#endif
