/* Memory files that processes share. */
#include "lib/base/memfd.h"

#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Since Linux 6.3; newer than Debian 12's headers and kernel. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL)

int memfd_open(const char *name, size_t size, int *out_fd)
{
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create(name, flags);
    if (fd < 0)
        return -errno;
    if (ftruncate(fd, (off_t)size) < 0) {
        int rc = -errno;
        fd_close(&fd);
        return rc;
    }
    *out_fd = fd;
    return 0;
}

int memfd_seal(int fd)
{
    return fcntl(fd, F_ADD_SEALS, SEALS) < 0 ? -errno : 0;
}

int memfd_check_seals(int fd)
{
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & SEALS) == SEALS ? 0 : -EACCES;
}

int memfd_size(int fd, size_t *out_size)
{
    off_t size = lseek(fd, 0, SEEK_END); /* not fstat, whose call in glibc also takes paths */
    if (size < 0)
        return -EBADMSG;
    *out_size = (size_t)size;
    return 0;
}

int memfd_protect(void *data, size_t len)
{
    (void)madvise(data, len, MADV_DONTDUMP);
    return mlock2(data, len, MLOCK_ONFAULT) == 0;
}
