/* A file that only takes up room: given back to a full disk, so that a revocation can still be
 * written (threats.md D3). */
#ifndef SLUICE_AUTH_RESERVE_H
#define SLUICE_AUTH_RESERVE_H

#include <stdbool.h>
#include <sys/types.h>

#define RESERVE_FILE "sluice.reserve"
#define RESERVE_BYTES (4 << 20)

/* fd is -1 before reserve_open and after reserve_close. */
struct reserve {
    int fd;
    bool filled;
};

/* Opens or creates RESERVE_FILE in the directory and fills it. owner as for store_open. Without
 * room, or in a file system that cannot reserve, it stays empty: 0. A negative errno when it cannot
 * be opened. */
int reserve_open(struct reserve *r, int directory_fd, uid_t owner);
void reserve_close(struct reserve *r);

bool reserve_give(struct reserve *r); /* false when there was nothing to give */
void reserve_fill(struct reserve *r); /* tries to take the room again */

#endif
