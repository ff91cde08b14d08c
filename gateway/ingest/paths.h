/* The sockets of one session: receiving in batches, sending, and rest between wake-ups.
 *
 * Each path is a UDP socket that edge connected to the peer, or a TCP connection with frames of RFC
 * 4571 (ICE-TCP, RFC 6544). A UDP socket's kernel queue may hold strangers' datagrams from before
 * connect(2), so each source is compared (findings/ingest.md 1). Wake-ups
 * cost far more than packets (findings/ingest.md 4): when packets come so evenly that watching the
 * sockets wakes more often than every coalesce_us, they are not watched but read at that pace, as
 * long as most reads find something. */
#ifndef SLUICE_INGEST_PATHS_H
#define SLUICE_INGEST_PATHS_H

#include "lib/base/addr.h"
#include "lib/base/loop.h"
#include "lib/proto/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATHS_BATCH 32u
#define PATHS_WINDOW_US 250000u /* how long is counted before the manner of reading is changed */
#define PATHS_USEFUL_TENTHS 6u  /* of the reads must find something, else watching is better */

/* One datagram; data may be overwritten. */
typedef void (*paths_receive_fn)(void *ctx, size_t path, uint8_t *data, size_t len,
                                 uint64_t now_us);
/* The peer closed its TCP connection, or it broke; the path is still open, the callee closes it. */
typedef void (*paths_closed_fn)(void *ctx, size_t path);
/* After each batch, however many datagrams it had. */
typedef void (*paths_batch_fn)(void *ctx, uint64_t now_us);

struct paths;

/* 0 or -ENOMEM. */
int paths_new(struct loop *loop, uint32_t coalesce_us, paths_receive_fn receive,
              paths_batch_fn batch, paths_closed_fn closed, void *ctx, struct paths **out);
/* Closes the sockets. Call it after the loop's last turn; the loop itself may be gone. NULL
 * allowed. */
void paths_free(struct paths *p);

/* Takes over fd, which is connected to remote: a place of STREAM_PATHS_MAX, the one of an earlier
 * socket of the same tuple if there is one. -ENOSPC when all are taken, or a negative errno; then
 * fd stays the caller's. */
int paths_add(struct paths *p, int fd, enum transport transport, const struct addr *local,
              const struct addr *remote, size_t *out_path);
void paths_close(struct paths *p, size_t path);
/* The place of a tuple; -ENOENT. */
int paths_find(const struct paths *p, enum transport transport, const struct addr *local,
               const struct addr *remote, size_t *out_path);
enum transport paths_transport(const struct paths *p, size_t path);
const struct addr *paths_local(const struct paths *p, size_t path);
const struct addr *paths_remote(const struct paths *p, size_t path);

/* Losing a datagram is allowed: a full queue or an ICMP error is no error here. On TCP whole
 * packets are left out while the peer does not read: nothing is queued beside the rest of one
 * frame. */
void paths_send(struct paths *p, size_t path, const uint8_t *data, size_t len);

/* Reads what has come on all paths, whatever their pace: what was sent before something else is to
 * be dealt with before it. */
void paths_read(struct paths *p, uint64_t now_us);

/* Whether reading at a pace is allowed; off at the start, so that the handshake is quick. */
void paths_rest(struct paths *p, bool on);

/* Datagrams and frames that were dropped for their source or size. */
uint64_t paths_strays(const struct paths *p);

#endif
