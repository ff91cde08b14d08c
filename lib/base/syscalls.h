/* The seccomp filter: the calls that every role makes plus a role's own table. */
#ifndef SLUICE_BASE_SYSCALLS_H
#define SLUICE_BASE_SYSCALLS_H

#include "lib/base/sandbox.h"

/* Loads the filter for ever; any other call ends the process (SECCOMP_RET_KILL_PROCESS).
 * no_new_privs must be set. 0; -EINVAL for a rule that touches mmap, mprotect or execve, for an
 * argument above 5 or a pair that does not fit; or another negative errno. */
int syscalls_restrict(const struct sandbox_rule *rules, size_t rule_count);

#endif
