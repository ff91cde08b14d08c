/* Starting a role: fork, descriptor plan, exec. */
#ifndef SLUICE_SUPERVISOR_SPAWN_H
#define SLUICE_SUPERVISOR_SPAWN_H

#include <sys/types.h>

/* Starts the program (a path) with argv[0] = path, a clean environment, and exactly these
 * descriptors: 0-2 /dev/null, 3 chan_fd, 4 log_fd (threats.md I6). It stays in the caller's process
 * group. *out_pid and *out_pidfd (the caller's, readable when the child has ended) on success.
 * 0 or a negative errno; an exec that fails shows as exit status 127. */
int spawn_role(const char *program, int chan_fd, int log_fd, pid_t *out_pid, int *out_pidfd);

#endif
