/* What the ingest worker of a publication is given to begin with: ring, limits, candidates, offer.
 */
#ifndef SLUICE_SUPERVISOR_LAUNCH_H
#define SLUICE_SUPERVISOR_LAUNCH_H

#include <stdint.h>

struct publication;

/* What the publisher may send: the grant's, else the configuration's. */
uint64_t launch_bitrate_bps(const struct publication *p);

/* Sets p->ring_fd and p->wakeup_fd, also when it fails half-way. 0 or a negative errno. */
int launch_make_ring(struct publication *p);

/* MSG_INGEST_BIND and MSG_OFFER to p->ingest. 0, or what process_send says. */
int launch_send(struct publication *p);

#endif
