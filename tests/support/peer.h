/* A scripted supervisor: starts one real role as sluiced would and talks to it message by message.
 *
 * The role gets /dev/null as 0-2, its channel as 3, its log pipe as 4 and nothing else. Nothing
 * here checks what the role sends beyond the shapes of msg.h: that is the test's work. Its log
 * lines are kept, and copied to standard error when the environment has PEER_LOG. */
#ifndef SLUICE_TESTS_PEER_H
#define SLUICE_TESTS_PEER_H

#include "lib/proto/msg.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PEER_ANY 0u /* for peer_wait: a message of any type */
#define PEER_LOG_MAX 65536u

/* Invariant: fds are -1 and pid is 0 when there is no process. */
struct peer {
    pid_t pid;
    int pid_fd;
    int fd;                       /* our end of the channel; -1 after the role closed its end */
    int log_fd;                   /* our end of the log pipe; -1 after its end */
    struct peer_message *kept;    /* received, not asked for yet, in order */
    struct peer_message *current; /* what peer_wait returned last */
    bool reaped;
    int status;
    size_t log_len;
    char log[PEER_LOG_MAX]; /* NUL-terminated; what does not fit is lost */
};

/* Starts $BUILD/program ("sluice-edge"; BUILD defaults to "build") and sends MSG_SETTINGS, unless
 * settings is NULL. fds stay the caller's. 0 or a negative errno; after a failure peer_stop is
 * allowed, not needed. */
int peer_start(struct peer *p, const char *program, const void *settings, size_t settings_len,
               const void *blob, size_t blob_len, const int *fds, size_t fd_count);

/* Sends a message with the shape of msg_shape(); waits up to 5 s for room. 0 or a negative errno.
 */
int peer_send(struct peer *p, enum msg_type type, const void *body, const void *blob,
              size_t blob_len, const int *fds);

/* Any bytes as one packet, with any descriptors: for hostile messages. 0 or a negative errno. */
int peer_send_raw(struct peer *p, const void *packet, size_t len, const int *fds, size_t fd_count);

/* The next message of that type, in order; messages of other types are kept for later calls. NULL
 * when none comes in time or the channel ends before. Valid, with its descriptors, until the next
 * peer_wait or peer_stop. */
const struct chan_message *peer_wait(struct peer *p, unsigned type, int timeout_ms);

/* Descriptor index of the message that peer_wait returned last; it is the caller's now. -1 if none.
 */
int peer_take_fd(struct peer *p, size_t index);

/* True when a log line contains text, or comes to do so in time. */
bool peer_wait_log(struct peer *p, const char *text, int timeout_ms);

/* Waits for the role's end. 0 and its waitpid status, or -ETIMEDOUT. Messages sent before stay. */
int peer_wait_exit(struct peer *p, int timeout_ms, int *out_status);

/* Kills and reaps the role if it still runs, and frees everything. */
void peer_stop(struct peer *p);

#endif
