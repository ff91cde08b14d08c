/* A publisher's session in the supervisor: admission, worker, answer, deadline, end.
 *
 *   POST -> ASKED (auth is asked) -> WAITING (for a warm worker) -> OFFERED (worker has the offer)
 *        -> LIVE (201 was given) -> ENDING (worker told to end, killed after 300 ms) -> gone
 * A stream has at most one LIVE publication with the playback and one more, which is to replace it:
 * being set up, or LIVE as its heir (takeover.h).
 * Nothing of a refused request remains: every way out of a state before LIVE answers web, gives the
 * lease back and frees the publication (WHIP-03). Only enter() in publication.c changes a state. */
#ifndef SLUICE_SUPERVISOR_PUBLICATION_H
#define SLUICE_SUPERVISOR_PUBLICATION_H

#include "gateway/supervisor/flows.h"
#include "lib/base/loop.h"
#include "lib/proto/msg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PUBLICATION_WAIT_US 2000000u      /* from the POST to the worker's answer (WHIP-13) */
#define PUBLICATION_HEIR_US 12000000u     /* from its 201 to its keys; its worker says 10 s */
#define PUBLICATION_OLD_PAIR_US 30000000u /* checks with the pair before an ICE restart */

struct supervisor;
struct process;

enum publication_state {
    PUBLICATION_ASKED,
    PUBLICATION_WAITING,
    PUBLICATION_OFFERED,
    PUBLICATION_LIVE,
    PUBLICATION_ENDING,
};

/* ring_fd and wakeup_fd stay open for a restarted transcode worker. */
struct publication {
    struct supervisor *sup;
    enum publication_state state;
    bool keyed;  /* SRTP keys exist: no longer half-open */
    bool mapped; /* the ring is sealed */
    uint64_t keyed_us;
    uint64_t replaces;          /* a LIVE session, whose place this one is to take; 0 = none */
    bool replaces_stale;        /* at its 201, not when it has keys */
    uint32_t renditions;        /* of its playback; from the answer */
    uint32_t next_ingest_state; /* the worker's states come in order, each once */
    struct flows flows;
    uint64_t paths_given;  /* MSG_PATH and MSG_PATH_BYTES that it has not given back */
    unsigned strays_given; /* MSG_STRAY, up to a limit: as many MSG_PATH_WANT it may send */
    uint64_t session;
    uint64_t web_request;
    struct process *web; /* who waits for the answer; NULL when answered or gone */
    struct process *ingest;
    struct addr peer;
    char stream[STREAM_NAME_MAX + 8];
    char url_id[STREAM_URL_ID_LEN + 8];
    char etag[STREAM_ETAG_LEN + 8];
    struct grant grant;
    uint8_t *offer;
    size_t offer_len;
    int ring_fd;
    int wakeup_fd;
    uint64_t started_us;
    uint64_t accepted_us;        /* when it had its 201 */
    uint64_t end_at_boottime_us; /* UINT64_MAX: no limit */
    struct loop_watch deadline;  /* timerfd on CLOCK_BOOTTIME */
    struct loop_timer wait_timer;
    enum end_reason reason;
    struct turn_credential turn;      /* until the 201 */
    char ufrag[STREAM_UFRAG_LEN + 8]; /* what edge lets in */
    char pwd[STREAM_PWD_LEN + 8];
    char old_ufrag[STREAM_UFRAG_LEN + 8]; /* and until the first check with the new ones */
    char old_pwd[STREAM_PWD_LEN + 8];
    uint64_t restarted_us;     /* last ICE restart; 0 = none */
    uint64_t fragment_request; /* that ingest owes an answer to; 0 = none (fragment.h) */
    uint64_t fragment_paid_us; /* the rate of PATCHes: up to here they are used up */
    struct stats stats;
};

/* web's POST; takes nothing over. */
void publication_request(struct supervisor *sup, struct process *web, const struct msg_publish *m,
                         const uint8_t *offer, size_t offer_len);
void publication_on_grant(struct supervisor *sup, const struct msg_lease_grant *m);
void publication_on_worker(struct supervisor *sup); /* a warm ingest worker is ready */
void publication_on_mapped(struct publication *p);
void publication_on_answer(struct publication *p, const struct msg_answer *m, const uint8_t *answer,
                           size_t answer_len);
/* An ICE restart: the new pair goes to edge at once, the ETag changes (WHIP-61). */
void publication_restart(struct publication *p, const char *ufrag, const char *pwd);
void publication_on_state(struct publication *p, const struct msg_ingest_state *m);
void publication_on_ingest_exit(struct publication *p);
void publication_on_web_exit(struct supervisor *sup, const struct process *web);
void publication_on_auth_exit(struct supervisor *sup); /* what waits for auth gets 503 */

/* Ends a session in any state; the only way out. */
void publication_end(struct publication *p, enum end_reason reason);
void publication_end_all(struct supervisor *sup, enum end_reason reason);
/* All of that stream, in any state: what is being set up must not come up after a kick. Returns how
 * many there were. */
size_t publication_end_stream(struct supervisor *sup, const char *stream, enum end_reason reason);

struct publication *publication_by_session(struct supervisor *sup, uint64_t session);
/* The one that has the playback, else the one that is being set up; never an heir. */
struct publication *publication_by_stream(struct supervisor *sup, const char *stream);
struct publication *publication_by_url(struct supervisor *sup, const char *url_id); /* LIVE */
struct publication *publication_by_lease(struct supervisor *sup, uint64_t lease_id);

/* Tells a restarted edge or auth about all live sessions. */
void publication_tell_edge(struct supervisor *sup);
void publication_tell_auth(struct supervisor *sup);

#endif
