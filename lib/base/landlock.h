/* Landlock: no file, no TCP port, no signal to others, as far as this kernel knows these. */
#ifndef SLUICE_BASE_LANDLOCK_H
#define SLUICE_BASE_LANDLOCK_H

/* Confines this process for ever; no_new_privs must be set. directory_fd: what lies below it stays
 * reachable; -1: nothing does. The kernel's ABI version, or 0 when it is not active. */
int landlock_enter(int directory_fd);

#endif
