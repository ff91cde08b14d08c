/* The public TCP port: connections that wait for their first connectivity check (ICE-TCP passive,
 * RFC 6544; frames of RFC 4571: two bytes of length, then what a UDP datagram would hold).
 *
 * The first frame is only looked at, with MSG_PEEK: the worker that gets the connection reads all
 * of it. Nothing is ever sent here. Places are few, and time is short: when there is none left, the
 * connection that has waited longest goes, so that idle ones cannot keep others out. */
#ifndef SLUICE_EDGE_LOBBY_H
#define SLUICE_EDGE_LOBBY_H

#include "gateway/edge/door.h"
#include "lib/base/addr.h"
#include "lib/base/loop.h"
#include "lib/proto/stream.h"

#include <stddef.h>
#include <stdint.h>

#define LOBBY_MAX 128u
#define LOBBY_HOST_MAX 16u /* of one IPv4 address or one IPv6 /64 */
#define LOBBY_WAIT_US (5u * 1000000u)
#define LOBBY_TURN_MAX 32u /* accepted in a row, then the loop serves others */
#define LOBBY_PREFIX 2u    /* bytes of length before each frame (RFC 4571 2) */

/* Where the results go; pointers are borrowed for the time of the call. */
struct lobby_sink {
    /* A connection whose first frame is authentic and unread; fd is closed after the call. */
    void (*opened)(void *ctx, uint64_t session, const struct addr *local, const struct addr *remote,
                   int fd);
    void (*turn)(void *ctx); /* something happened: a time to look at counters */
    void *ctx;
};

struct lobby_counters {
    uint64_t accepted;
    uint64_t refused; /* first frame of a wrong length or not authentic, or closed before it */
    uint64_t expired; /* no whole frame in time */
    uint64_t evicted; /* gave its place to a newer one */
};

struct lobby_listener {
    struct lobby *lobby;
    struct addr local;
    struct loop_watch watch; /* owns its descriptor */
};

/* Free when watch.fd is -1. */
struct lobby_place {
    struct lobby *lobby;
    struct addr local;
    struct addr remote;
    uint64_t since_us;
    struct loop_watch watch; /* owns its descriptor */
};

/* Large: part of the root struct. */
struct lobby {
    struct door *door;
    struct loop *loop;
    struct lobby_sink sink;
    struct lobby_counters counters;
    struct loop_timer timer;
    size_t listener_count;
    struct lobby_listener listeners[STREAM_ADDRESSES_MAX];
    struct lobby_place places[LOBBY_MAX];
};

void lobby_init(struct lobby *lobby, struct door *door, struct loop *loop,
                const struct lobby_sink *sink);
void lobby_done(struct lobby *lobby);

/* Takes over fd, a listening TCP socket bound to `local`. 0, -ENOSPC or another negative errno. */
int lobby_listen(struct lobby *lobby, int fd, const struct addr *local);

#endif
