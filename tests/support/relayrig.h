/* A running relay with a client and its target, both of them sockets of the test. Everything here
 * fails the running cmocka test on errors. */
#ifndef SLUICE_SUPPORT_RELAYRIG_H
#define SLUICE_SUPPORT_RELAYRIG_H

#include "lib/base/addr.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RELAYRIG_WAIT_MS 10000
#define RELAYRIG_WORDS_MAX 24

/* Invariant: descriptors are -1 and pid is 0 after relayrig_stop. */
struct relayrig {
    pid_t pid;
    int to_fd;   /* its commands */
    int from_fd; /* its lines */
    int target;  /* bound UDP sockets */
    int client;
    struct addr relay;
    char rest[8192]; /* read, not yet a line */
    size_t rest_len;
};

/* Starts $BUILD/tests/relay on loopback of this family towards a new target, with --control, --json
 * and words (up to a NULL). */
void relayrig_start(struct relayrig *rig, int family, const char *const *words);
/* Its exit status when run with words alone; nothing of it is shown. */
int relayrig_status_of(const char *const *words);

int relayrig_socket(int family); /* bound to a free port of loopback */
struct addr relayrig_address(int fd);

/* The next line of output, to be released by the caller. */
json_t *relayrig_line(struct relayrig *rig);
/* A command; the line that answers it, whose event must be `event`. */
json_t *relayrig_command(struct relayrig *rig, const char *command, const char *event);
/* One count of the present statistics, "up" or "down". */
uint64_t relayrig_count(struct relayrig *rig, const char *direction, const char *name);
/* Waits until the relay has received that many and has none left to send. */
void relayrig_settle(struct relayrig *rig, const char *direction, uint64_t received);

void relayrig_send(const struct relayrig *rig, int client, const void *data, size_t len);
/* One datagram of fd, from *out_from unless NULL; -1 when none comes in time. */
ssize_t relayrig_receive(int fd, void *data, size_t cap, struct addr *out_from, int timeout_ms);

/* Ends its input; the last line it printed, its statistics. Exit status must be 0. */
json_t *relayrig_finish(struct relayrig *rig);
void relayrig_stop(struct relayrig *rig); /* closes everything, also after relayrig_finish */

#endif
