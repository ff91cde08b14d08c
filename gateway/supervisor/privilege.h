/* What a supervisor started as root keeps: the few capabilities that starting isolated processes
 * needs. As an ordinary user nothing changes. */
#ifndef SLUICE_SUPERVISOR_PRIVILEGE_H
#define SLUICE_SUPERVISOR_PRIVILEGE_H

/* Raises the limits that roles inherit: descriptors and locked memory. Before privilege_reduce. */
void privilege_raise_limits(void);

/* Drops all but SETUID, SETGID, KILL, SYS_ADMIN, SYS_RESOURCE, NET_ADMIN, NET_BIND_SERVICE from
 * every set, sets no_new_privs and clears the dumpable flag. 0 or a negative errno. */
int privilege_reduce(void);

#endif
