/* The role processes: start, settings, heartbeat, end, restart with growing pauses, warm workers.
 */
#ifndef SLUICE_SUPERVISOR_PROCESS_H
#define SLUICE_SUPERVISOR_PROCESS_H

#include "gateway/supervisor/logrelay.h"
#include "lib/base/chan.h"
#include "lib/base/loop.h"
#include "lib/proto/msg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCESS_MAX (2 * STREAM_MAX + 128)
#define PROCESS_RULES_MAX 16 /* rows of one kind's permission table */
#define PROCESS_RESERVED 16u /* slots that workers may not take: edge, auth and web come back */
#define PROCESS_HEARTBEAT_US 1000000u
#define PROCESS_HEARTBEAT_MISSES 3u
#define PROCESS_START_US 10000000u /* to the ready message */
#define PROCESS_KILL_US 300000u    /* from asking to SIGKILL */

enum process_kind {
    PROCESS_EDGE,
    PROCESS_AUTH,
    PROCESS_WEB,
    PROCESS_INGEST,
    PROCESS_TRANSCODE,
    PROCESS_KIND_COUNT,
};

/* Phases of the channels, for the rule tables. */
enum process_phase { PHASE_STARTING, PHASE_WARM, PHASE_BOUND, PHASE_ENDING };

struct supervisor;

/* One role process. owner is what a bound worker works for (a publication or a playback). */
struct process {
    struct supervisor *sup;
    enum process_kind kind;
    uint64_t number; /* of no other one, ever */
    bool ready;
    bool killed;        /* by us: its signal is no news */
    uint32_t uid;       /* given to it; 0: ours */
    uint32_t seen_mask; /* edge: addresses it has reported, by index */
    bool ending;        /* told to go: its exit is no crash */
    pid_t pid;
    struct loop_watch exit_watch;
    struct chan *chan;
    struct logrelay log;
    struct loop_timer kill_timer;
    uint64_t started_us;
    uint64_t ping_sent;
    uint64_t ping_seen;
    uint32_t misses;
    void *owner;
    struct sandbox_report sandbox;
    struct chan_rule rules[PROCESS_RULES_MAX];
};

/* Restart pauses of a kind (threats.md A3). */
struct process_backoff {
    uint64_t pause_us;
    struct loop_timer timer;
    struct supervisor *sup;
    enum process_kind kind;
};

const char *process_name(enum process_kind kind); /* "edge", "ingest", ... */

/* Starts whatever is missing: one edge, one auth, the web processes, the warm workers. Kinds that
 * pause after a crash are left to their timer. */
void process_fill(struct supervisor *sup);

/* A warm, ready worker of this kind, now bound to owner; NULL when there is none. The pool is
 * filled again. */
struct process *process_take(struct supervisor *sup, enum process_kind kind, void *owner);

/* The one ready process of a kind that exists once (edge, auth); NULL while it restarts. */
struct process *process_find(struct supervisor *sup, enum process_kind kind);

/* Calls fn for each ready web process. */
void process_each_web(struct supervisor *sup, void (*fn)(struct process *web, void *arg),
                      void *arg);

/* Sends with the shape of the type. A full queue kills the process: it is stuck. NULL: -ENOTCONN.
 */
int process_send(struct process *p, enum msg_type type, const void *body, const void *blob,
                 size_t blob_len, const int *fds);

/* The same, but a full queue only loses the message (-ENOSPC): for datagrams. */
int process_try_send(struct process *p, enum msg_type type, const void *body, const void *blob,
                     size_t blob_len, const int *fds);

/* Marks it as ending and kills it unless it has gone after PROCESS_KILL_US. */
void process_end(struct process *p);
void process_kill(struct process *p);

/* At least one process of each kind is ready, and all web processes are. */
bool process_all_ready(const struct supervisor *sup);

/* Tells every web process which of both it is. */
void process_tell_serving(struct supervisor *sup);

/* One more ping: when ping_seen has reached the number, everything the process said before is
 * known. */
uint64_t process_ping(struct process *p);

/* Called on MSG_READY and MSG_PONG. */
int process_on_ready(struct process *p, const struct msg_ready *ready);
void process_on_pong(struct process *p, uint64_t number);

/* Pings all, once a second; kills who misses three. */
void process_heartbeat(struct supervisor *sup);

/* Ends all processes and waits for them, at most a second, then kills. */
void process_stop_all(struct supervisor *sup);

#endif
