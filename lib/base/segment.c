/* A media segment: a memfd of fixed capacity that grows by appended parts. */
#include "lib/base/segment.h"

#include "lib/base/fd.h"
#include "lib/base/memfd.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

int segment_writer_open(struct segment_writer *s, size_t capacity)
{
    int fd = -1;
    void *data = MAP_FAILED;
    *s = (struct segment_writer){.fd = -1};
    if (capacity < 1 || capacity > SEGMENT_CAPACITY_MAX)
        return -EINVAL;
    int rc = memfd_open("segment", capacity, &fd);
    if (rc)
        goto out;
    data = mmap(NULL, capacity, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED) {
        rc = -errno;
        goto out;
    }
    (void)memfd_protect(data, capacity);
    rc = memfd_seal(fd);
    if (rc)
        goto out;
    *s = (struct segment_writer){.fd = fd, .data = data, .capacity = capacity};
    fd = -1;
    data = MAP_FAILED;
out:
    if (data != MAP_FAILED)
        (void)munmap(data, capacity);
    fd_close(&fd);
    return rc;
}

void segment_writer_close(struct segment_writer *s)
{
    if (s->data)
        (void)munmap(s->data, s->capacity);
    fd_close(&s->fd);
    *s = (struct segment_writer){.fd = -1};
}

int segment_append(struct segment_writer *s, const void *data, size_t len, size_t *out_offset)
{
    if (!s->data || len > s->capacity - s->len)
        return -ENOSPC;
    if (len > 0)
        memcpy(s->data + s->len, data, len);
    *out_offset = s->len;
    s->len += len;
    return 0;
}

int segment_reader_open(struct segment_reader *s, int fd)
{
    size_t capacity;
    *s = (struct segment_reader){.data = NULL};
    int rc = memfd_check_seals(fd); /* before the size: without seals it could still change */
    if (rc)
        return rc;
    rc = memfd_size(fd, &capacity);
    if (rc)
        return rc;
    if (capacity < 1 || capacity > SEGMENT_CAPACITY_MAX)
        return -EBADMSG;
    void *data = mmap(NULL, capacity, PROT_READ, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED)
        return -errno;
    (void)madvise(data, capacity, MADV_DONTDUMP);
    *s = (struct segment_reader){.data = data, .capacity = capacity};
    return 0;
}

void segment_reader_close(struct segment_reader *s)
{
    if (s->data) {
        void *data;
        memcpy(&data, &s->data, sizeof(data)); /* munmap takes it without const */
        (void)munmap(data, s->capacity);
    }
    *s = (struct segment_reader){.data = NULL};
}
