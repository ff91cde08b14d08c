/* The table behind the public media port: which sessions are expected, which flows are theirs, and
 * what is to be done with a datagram.
 *
 * No I/O. A datagram counts only after an authenticated Binding request for a live session came
 * from its address (threats.md U1 to U3); whatever is not authentic changes nothing here but a
 * counter. Everything is bounded and lies in the struct: nothing allocates. */
#ifndef SLUICE_EDGE_DOOR_H
#define SLUICE_EDGE_DOOR_H

#include "gateway/edge/rate.h"
#include "gateway/edge/stray.h"
#include "lib/base/addr.h"
#include "lib/proto/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DOOR_PAIRS_MAX 4 /* ufrag and password now, and those before while ICE restarts */
#define DOOR_PATHS_MAX (STREAM_MAX * STREAM_PATHS_MAX)
#define DOOR_UFRAG_MIN 4 /* RFC 8445 5.3 */
#define DOOR_PWD_MIN 22
#define DOOR_BUCKETS 4096u /* a power of two */

/* Datagrams of known flows that still come here: at most this many at once, and per second. */
#define DOOR_SESSION_BURST 64u
#define DOOR_SESSION_RATE 100u
#define DOOR_TOTAL_BURST 256u
#define DOOR_TOTAL_RATE 500u

enum door_verdict {
    DOOR_DROP,  /* silently */
    DOOR_OPEN,  /* first authenticated check of a new flow: open a socket, then door_add_path */
    DOOR_PASS,  /* a datagram of a known flow: its bytes go to the session's worker */
    DOOR_STRAY, /* media of another port of a known host: ask door_judge_stray */
};

struct door_counters {
    uint64_t received;
    uint64_t odd;       /* length or first bytes fit no protocol (U18) */
    uint64_t strange;   /* not STUN, from an unknown flow */
    uint64_t shown;     /* media from another port of a known host, for each worker it went to */
    uint64_t malformed; /* STUN that the strict pre-parser refuses */
    uint64_t unknown;   /* no live session has this ufrag */
    uint64_t forged;    /* wrong password or fingerprint */
    uint64_t full;      /* authentic, but the session has STREAM_PATHS_MAX flows and connections */
    uint64_t limited;   /* of a known flow or host, over the rate */
    uint64_t passed;
    uint64_t opened;
    uint64_t streams; /* TCP connections among them */
};

struct door_pair {
    char ufrag[STREAM_UFRAG_LEN + 1];
    char pwd[STREAM_PWD_LEN + 1];
    uint16_t next; /* in its ufrag bucket; 0 = last */
};

/* Invariant: free when pair_count is 0. pairs[pair_count - 1] is the newest. */
struct door_session {
    uint64_t id;
    unsigned pair_count;
    unsigned path_count;   /* of UDP */
    unsigned stream_count; /* TCP connections */
    struct rate rate;
    struct door_pair pairs[DOOR_PAIRS_MAX];
};

struct door_path {
    struct addr local;
    struct addr remote;
    uint16_t session; /* index */
    uint16_t next;    /* in its bucket, or in the free list; 0 = last */
};

/* Indices in buckets and lists are 1 + the position, 0 means none. Large: part of the root struct.
 */
struct door {
    uint64_t seed;
    uint64_t first_us; /* when the door began; rates start full */
    struct door_counters counters;
    struct rate rate;
    uint16_t free_path;
    uint16_t ufrag_buckets[DOOR_BUCKETS];
    uint16_t path_buckets[DOOR_BUCKETS];
    struct stray stray;
    struct door_session sessions[STREAM_MAX];
    struct door_path paths[DOOR_PATHS_MAX];
};

/* seed: random, places flows in buckets. */
void door_init(struct door *door, uint64_t seed, uint64_t now_us);

/* Expects checks with this pair (NUL-terminated) for the session. A second pair for a live session
 * is an ICE restart: all count until an authenticated check with the newest, which may be seen by
 * the worker alone; a fifth replaces the oldest. Told again, a pair stays as it is. 0, or -EBADMSG
 * when a length is outside RFC 8445 and stream.h, -EEXIST when another session has this ufrag,
 * -ENOSPC with STREAM_MAX sessions. */
int door_expect(struct door *door, uint64_t session, const char *ufrag, const char *pwd);

/* Forgets the session, its pairs and its flows; an unknown one is no error. */
void door_forget(struct door *door, uint64_t session);

/* After DOOR_STRAY: fills out_sessions[STRAY_SESSIONS_MAX] with the sessions whose workers are to
 * look at the datagram and returns their number (stray.h). */
size_t door_judge_stray(struct door *door, const struct addr *local, const struct addr *remote,
                        uint64_t now_us, uint64_t *out_sessions);

/* The session's worker found such a datagram to be its publisher's: door_add_path. -ENOENT when no
 * packet of that tuple was shown to it a moment ago. */
int door_want_path(struct door *door, uint64_t session, const struct addr *local,
                   const struct addr *remote, uint64_t now_us);

/* Decides about a datagram that came to `local` from `remote`. For DOOR_OPEN and DOOR_PASS
 * *out_session is the session. Bytes are borrowed. */
enum door_verdict door_judge(struct door *door, const struct addr *local, const struct addr *remote,
                             const uint8_t *data, size_t len, uint64_t now_us,
                             uint64_t *out_session);

/* Remembers a flow. 0, -ENOENT no such session, -EEXIST known already, -ENOSPC too many. */
int door_add_path(struct door *door, uint64_t session, const struct addr *local,
                  const struct addr *remote);

/* Decides about a TCP connection by its first frame (RFC 4571), which must be an authentic check:
 * DOOR_OPEN or DOOR_DROP. The kernel brings all else to its socket: connections are only counted,
 * and door_add_stream counts this one. 0, -ENOENT, -ENOSPC. */
enum door_verdict door_judge_stream(struct door *door, const uint8_t *data, size_t len,
                                    uint64_t *out_session);
int door_add_stream(struct door *door, uint64_t session);
void door_remove_stream(struct door *door, uint64_t session); /* the worker closed it */

/* The worker closed its socket, or none could be opened: the next check opens one again. Ignored
 * unless the flow is this session's. */
void door_remove_path(struct door *door, uint64_t session, const struct addr *local,
                      const struct addr *remote);

#endif
