/* A file that only takes up room: given back to a full disk, so that a revocation can be written.
 */
#include "auth/reserve.h"

#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int reserve_open(struct reserve *r, int directory_fd, uid_t owner)
{
    r->filled = false;
    r->fd = openat(directory_fd, RESERVE_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (r->fd < 0)
        return -errno;
    if (owner != 0 && geteuid() == 0 && fchown(r->fd, owner, owner) < 0) {
        int rc = -errno;
        reserve_close(r);
        return rc;
    }
    reserve_fill(r);
    return 0;
}

void reserve_close(struct reserve *r)
{
    fd_close(&r->fd);
    r->filled = false;
}

bool reserve_give(struct reserve *r)
{
    if (!r->filled)
        return false;
    r->filled = false;
    return ftruncate(r->fd, 0) == 0;
}

void reserve_fill(struct reserve *r)
{
    if (r->fd < 0 || r->filled)
        return;
    /* The system call itself: posix_fallocate would write zeros where it is not supported. */
    int rc = fallocate(r->fd, 0, 0, RESERVE_BYTES);
    r->filled = rc == 0;
    if (rc < 0)
        rc = ftruncate(r->fd, 0); /* a part of it may have been taken */
}
