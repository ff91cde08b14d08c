/* Which addresses an answer offers to a publisher: ours, or those that a 1:1 NAT shows instead. */
#ifndef SLUICE_SUPERVISOR_CANDIDATES_H
#define SLUICE_SUPERVISOR_CANDIDATES_H

#include "gateway/supervisor/conf.h"
#include "gateway/supervisor/listen.h"
#include "lib/proto/msg.h"

#include <stdint.h>

/* Fills candidates and tcp of *out, best first and without repetition (ICE-09). Each address of
 * public_address comes first and stands for one media address of its family, in order; what a STUN
 * server saw stands for the media address that asked. Loopback stands for itself. turn counts
 * publications: the ports of media_port_count take turns, a session's candidates name one only
 * (ICE-10). */
void candidates_fill(const struct listeners *l, const struct conf *conf, uint64_t turn,
                     struct msg_ingest_bind *out);

#endif
