/* The state folder: lock, token pepper, database folder, control socket. */
#ifndef SLUICE_SUPERVISOR_STATEDIR_H
#define SLUICE_SUPERVISOR_STATEDIR_H

#include <stdint.h>
#include <sys/types.h>

#define STATEDIR_PEPPER_LEN 32

/* Descriptors are -1 when closed. lock_fd holds the exclusive lock as long as it is open. */
struct statedir {
    int dir_fd;
    int lock_fd;
    int database_fd; /* the folder that belongs to auth */
    int control_fd;  /* listening control.sock */
    uint8_t pepper[STATEDIR_PEPPER_LEN];
};

/* Makes the folder (0700) and what is missing in it, locks it, reads the pepper (S7: refused unless
 * its mode is 0400), binds control.sock (0600). auth_uid 0: everything stays the caller's. Prints a
 * sentence to standard error on failure. 0 or a negative errno; -EBUSY: another gateway uses it. */
int statedir_open(struct statedir *state, const char *path, uid_t auth_uid);

/* Removes control.sock, closes everything, wipes the pepper. */
void statedir_close(struct statedir *state);

#endif
