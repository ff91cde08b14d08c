/* A media segment: a memfd of fixed capacity that grows by appended parts (design.md 3).
 *
 * The writer maps it, then seals it SHRINK, GROW, FUTURE_WRITE and SEAL and passes the descriptor;
 * a reader checks the seals and maps it read-only. Pages are taken only when written. */
#ifndef SLUICE_BASE_SEGMENT_H
#define SLUICE_BASE_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#define SEGMENT_CAPACITY_MAX (64u << 20)

/* Invariant: len <= capacity. fd is -1 and data NULL when closed. */
struct segment_writer {
    int fd;
    uint8_t *data;
    size_t capacity;
    size_t len;
};

int segment_writer_open(struct segment_writer *s, size_t capacity);
void segment_writer_close(struct segment_writer *s); /* readers keep the bytes */
/* Appends and tells where; -ENOSPC when it does not fit. */
int segment_append(struct segment_writer *s, const void *data, size_t len, size_t *out_offset);

/* Invariant: data is readable for capacity bytes and can not shrink. */
struct segment_reader {
    const uint8_t *data;
    size_t capacity;
};

/* Checks seals and capacity (1..SEGMENT_CAPACITY_MAX) and maps; fd stays the caller's. 0, -EACCES
 * for a missing seal, -EBADMSG for a wrong size, or another negative errno. */
int segment_reader_open(struct segment_reader *s, int fd);
void segment_reader_close(struct segment_reader *s);

#endif
