/* The public UDP port: its listeners, and a connected socket for each flow that the door lets in.
 *
 * A new socket joins the port with bind() and gets its own flow alone only with connect(); what it
 * caught in between is read out of it and treated as if the listener had read it, and only then the
 * socket is handed over (findings/ingest.md 1). Nothing is ever sent here. */
#ifndef SLUICE_EDGE_PORT_H
#define SLUICE_EDGE_PORT_H

#include "gateway/edge/door.h"
#include "gateway/edge/held.h"
#include "lib/base/addr.h"
#include "lib/base/loop.h"
#include "lib/proto/stream.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define PORT_LISTENERS_MAX 24u /* addresses and, on old kernels, several ports of each */
#define PORT_BATCH 32u         /* datagrams per system call */
#define PORT_TURN_BATCHES 4u   /* then the loop serves others */
#define PORT_DRAIN_MAX 4096u   /* datagrams read out of a new socket */
#define PORT_DRAIN_CHUNK (PORT_DRAIN_MAX / PORT_BATCH)
#define PORT_OWN_MAX 16u     /* of them, the flow's own that are kept until the hand-over */
#define PORT_WAITING_MAX 16u /* of them, other flows' first checks that wait for their turn */
#define PORT_BUFFER (STREAM_DATAGRAM_MAX + 4u) /* more than may be: longer ones show */

/* Where the port's results go; all pointers are borrowed for the time of the call. */
struct port_sink {
    /* A new flow with its first datagram (len 0: none) and its connected socket, which is closed
     * after the call. */
    void (*opened)(void *ctx, uint64_t session, const struct addr *local, const struct addr *remote,
                   const uint8_t *data, size_t len, int fd);
    /* A datagram of a known flow. */
    void (*bytes)(void *ctx, uint64_t session, const struct addr *local, const struct addr *remote,
                  const uint8_t *data, size_t len);
    /* A media packet of an unknown flow, which may be this session's (stray.h). */
    void (*stray)(void *ctx, uint64_t session, const struct addr *local, const struct addr *remote,
                  const uint8_t *data, size_t len);
    /* Datagrams came and were dealt with: a time to look at counters. */
    void (*turn)(void *ctx);
    void *ctx;
};

struct port_counters {
    uint64_t strays; /* datagrams of others that a new socket had caught */
    uint64_t lost;   /* of them and of its own, those for which there was no room */
    uint64_t failed; /* sockets that could not be opened */
};

struct port_batch {
    struct mmsghdr headers[PORT_BATCH];
    struct iovec parts[PORT_BATCH];
    struct sockaddr_storage from[PORT_BATCH];
    uint8_t bytes[PORT_BATCH][PORT_BUFFER];
};

struct port_datagram {
    size_t listener;
    struct addr remote;
    size_t len;
    uint8_t bytes[STREAM_DATAGRAM_MAX];
};

struct port_listener {
    struct port *port;
    struct addr local;
    struct loop_watch watch; /* owns its descriptor */
};

/* Large: part of the root struct. */
struct port {
    struct door *door;
    struct loop *loop;
    struct port_sink sink;
    struct port_counters counters;
    uint32_t receive_buffer_bytes;
    struct port_listener listeners[PORT_LISTENERS_MAX];
    size_t listener_count;
    struct port_batch batch; /* of listeners */
    struct port_batch drain; /* of the socket being opened */
    struct port_datagram own[PORT_OWN_MAX];
    size_t own_count;
    struct port_datagram waiting[PORT_WAITING_MAX];
    size_t waiting_count;
    struct held held;
};

void port_init(struct port *port, struct door *door, struct loop *loop,
               const struct port_sink *sink, uint32_t receive_buffer_bytes);
void port_done(struct port *port);

/* Takes over fd, an unconnected UDP socket bound to `local` with SO_REUSEPORT, and serves it. 0,
 * -ENOSPC, -EINVAL when fd is bound to something else, or another negative errno. */
int port_listen(struct port *port, int fd, const struct addr *local);

/* A worker knows the flow, one that was shown to it as a stray: opens it without a check, and hands
 * over what came of it meanwhile. 0, or -ENOENT, -EEXIST, -ENOSPC: nothing happened. */
int port_want(struct port *port, uint64_t session, const struct addr *local,
              const struct addr *remote);

/* The steps of an opening, visible for their tests. A socket beside the listener: non-blocking,
 * with the wanted receive buffer as far as the system allows (as root the supervisor, which carries
 * it, raises it to what was wanted; what is missing it has said at start), bound. 0 or a negative
 * errno. */
int port_bind(const struct addr *local, uint32_t receive_buffer_bytes, int *out_fd);
/* From its return on, the flow alone comes to fd. 0 or a negative errno. */
int port_connect(int fd, const struct addr *remote);
/* Reads out of fd what it caught before, hands it over with the flow's first datagram and then the
 * flow's own among the caught ones. The door knows the flow already; fd stays the caller's. */
void port_admit(struct port *port, uint64_t session, size_t listener, const struct addr *remote,
                const uint8_t *data, size_t len, int fd);

#endif
