/* The deadlines of connections (threats.md H1). The HTTP library's own timeout starts anew at each
 * byte; ours do not, and a reaper shuts the socket of whoever is late, which the library then
 * closes.
 *
 *   first request line   5 s after the connection (10 s with TLS: 5 s for each)
 *   header              5 s after the request line
 *   body               10 s after the header
 *   answer             10 s for each CONNS_PROGRESS_MIN bytes that the client takes
 *   next request line  15 s after the answer
 * A request that waits for media has no deadline here: hls.c and whip.c answer it in time. */
#ifndef SLUICE_WEB_CONNS_H
#define SLUICE_WEB_CONNS_H

#include "lib/base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONNS_FIRST_US 5000000u
#define CONNS_TLS_US 5000000u
#define CONNS_HEADER_US 5000000u
#define CONNS_BODY_US 10000000u
#define CONNS_WRITE_US 10000000u
#define CONNS_IDLE_US 15000000u
#define CONNS_PROGRESS_MIN 16384u
#define CONNS_SWEEP_US 500000u

enum conn_phase {
    CONN_FIRST,
    CONN_HEADER,
    CONN_BODY,
    CONN_WAIT,
    CONN_WRITE,
    CONN_IDLE,
    CONN_SHUT, /* we have shut it */
};

struct conn {
    struct conn *prev;
    struct conn *next;
    int fd; /* the HTTP library's */
    struct addr peer;
    enum conn_phase phase;
    uint64_t deadline_us;
    uint64_t acked; /* CONN_WRITE: bytes the client had taken at the last stamp */
};

struct conns {
    struct conn *first;
    size_t count;
    bool tls;
    uint64_t reaped;
};

void conns_add(struct conns *conns, struct conn *conn, uint64_t now_us);
void conns_remove(struct conns *conns, struct conn *conn);
/* Sets the phase and its deadline. */
void conn_enter(struct conn *conn, enum conn_phase phase, uint64_t now_us);
/* Shuts the connection now; the HTTP library closes it when it notices. */
void conns_shut(struct conns *conns, struct conn *conn, uint64_t now_us);
/* Shuts every connection whose deadline has passed. */
void conns_sweep(struct conns *conns, uint64_t now_us);

#endif
