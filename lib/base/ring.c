/* One-writer, many-reader ring of records in a sealed memfd. */
#include "lib/base/ring.h"

#include "lib/base/fd.h"
#include "lib/base/memfd.h"
#include "lib/base/secret.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HEAD_PAGE 4096u
#define MAGIC 0x474e4952u
#define VERSION 1u
#define LEN_SKIP UINT32_MAX /* the rest up to the ring's end is unused */
#define SIZE_DEFAULT (4u << 20)
#define READ_TRIES 4

/* Positions count bytes since the start and never wrap (2^64); masked by size they are offsets.
 * Invariant: whole records lie between tail and head; head - tail <= size.
 * Protocol: the writer moves tail over what it is about to destroy, destroys it, writes, moves
 * head. A reader copies and then looks at tail again: if it has passed the copy's start, the copy
 * is void. */
struct ring_head {
    _Atomic uint32_t magic;
    _Atomic uint32_t version;
    _Atomic uint64_t size;
    _Alignas(64) _Atomic uint64_t tail;
    _Alignas(64) _Atomic uint64_t head;
};
_Static_assert(sizeof(struct ring_head) <= HEAD_PAGE, "fits its page");

/* In front of each payload. Atomics, so that each field is fetched exactly once (threats.md I1). */
struct ring_record {
    _Atomic uint32_t magic;
    _Atomic uint32_t len; /* payload bytes, or LEN_SKIP */
    _Atomic uint64_t number;
};
_Static_assert(sizeof(struct ring_record) == 16, "record layout");

struct ring_writer {
    struct ring_head *shared;
    uint8_t *data;
    uint64_t size;
    uint64_t tail; /* private copies: what is shared is only told, never asked */
    uint64_t head;
    uint64_t number;
    int wakeups[RING_READERS_MAX];
    size_t wakeup_count;
};

struct ring_reader {
    const struct ring_head *shared;
    const uint8_t *data;
    uint64_t size;
    uint64_t pos;
};

static uint64_t record_bytes(uint64_t len)
{
    return (sizeof(struct ring_record) + len + 15) & ~UINT64_C(15);
}

static bool size_is_valid(uint64_t size)
{
    return size >= RING_SIZE_MIN && size <= RING_SIZE_MAX && (size & (size - 1)) == 0;
}

size_t ring_size_for(uint64_t bitrate_bps)
{
    uint64_t size = SIZE_DEFAULT;
    while (size < RING_SIZE_MAX && size / 5 < bitrate_bps / 8)
        size *= 2;
    return (size_t)size;
}

int ring_create(size_t size, int *out_fd)
{
    if (!size_is_valid(size))
        return -EINVAL;
    return memfd_open("frames", HEAD_PAGE + size, out_fd);
}

int ring_seal(int fd)
{
    return memfd_seal(fd);
}

/* The ring's size by its memfd. 0 or -EBADMSG. */
static int ring_size(int fd, uint64_t *out_size)
{
    size_t bytes;
    int rc = memfd_size(fd, &bytes);
    if (rc)
        return rc;
    if (bytes < HEAD_PAGE || !size_is_valid(bytes - HEAD_PAGE))
        return -EBADMSG;
    *out_size = bytes - HEAD_PAGE;
    return 0;
}

/* ---- writer ---- */

int ring_writer_new(int fd, struct ring_writer **out, int *out_locked)
{
    uint64_t size;
    int rc = ring_size(fd, &size);
    if (rc)
        return rc;
    struct ring_writer *w = calloc(1, sizeof(*w));
    if (!w)
        return -ENOMEM;
    void *memory = mmap(NULL, HEAD_PAGE + size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        rc = -errno;
        free(w);
        return rc;
    }
    w->shared = memory;
    w->data = (uint8_t *)memory + HEAD_PAGE;
    w->size = size;
    atomic_store(&w->shared->tail, 0);
    atomic_store(&w->shared->head, 0);
    atomic_store(&w->shared->size, size);
    atomic_store(&w->shared->version, VERSION);
    atomic_store(&w->shared->magic, MAGIC);
    int locked = memfd_protect(memory, HEAD_PAGE + size);
    if (out_locked)
        *out_locked = locked;
    *out = w;
    return 0;
}

static void move_tail(struct ring_writer *w, uint64_t tail)
{
    w->tail = tail;
    atomic_store_explicit(&w->shared->tail, tail, memory_order_relaxed);
    atomic_thread_fence(memory_order_release); /* readers see it before what is destroyed */
}

void ring_writer_free(struct ring_writer *w)
{
    if (!w)
        return;
    move_tail(w, w->head);
    secret_wipe(w->data, w->head < w->size ? w->head : w->size); /* the rest was never written */
    (void)munmap(w->shared, HEAD_PAGE + w->size);
    fd_close_all(w->wakeups, w->wakeup_count);
    free(w);
}

int ring_writer_add_wakeup(struct ring_writer *w, int eventfd)
{
    if (w->wakeup_count >= RING_READERS_MAX)
        return -ENOSPC;
    int rc = fd_nonblock(eventfd); /* a reader that fills the counter must not stop the writer */
    if (rc)
        return rc;
    w->wakeups[w->wakeup_count++] = eventfd;
    return 0;
}

/* The position behind the record at pos; head when the record's length is not possible. */
static uint64_t next_record(const struct ring_writer *w, uint64_t pos)
{
    uint64_t offset = pos & (w->size - 1);
    const struct ring_record *record = (const struct ring_record *)(const void *)(w->data + offset);
    uint32_t len = atomic_load_explicit(&record->len, memory_order_relaxed);
    uint64_t bytes = len == LEN_SKIP ? w->size - offset : record_bytes(len);
    return bytes > w->head - pos ? w->head : pos + bytes;
}

/* The start of the first record at or behind pos. */
static uint64_t first_record_from(const struct ring_writer *w, uint64_t pos)
{
    uint64_t at = w->tail;
    while (at < pos && at < w->head)
        at = next_record(w, at);
    return at;
}

static void put_record(struct ring_writer *w, uint64_t pos, uint32_t len, uint64_t number)
{
    uint64_t offset = pos & (w->size - 1);
    struct ring_record *record = (struct ring_record *)(void *)(w->data + offset);
    atomic_store_explicit(&record->magic, MAGIC, memory_order_relaxed);
    atomic_store_explicit(&record->len, len, memory_order_relaxed);
    atomic_store_explicit(&record->number, number, memory_order_relaxed);
}

static void wake_readers(const struct ring_writer *w)
{
    const uint64_t one = 1;
    for (size_t i = 0; i < w->wakeup_count; i++) {
        ssize_t written = write(w->wakeups[i], &one, sizeof(one));
        (void)written; /* a full counter wakes as well */
    }
}

/* Bytes of all parts, or -EMSGSIZE or -EINVAL. */
static int parts_len(const struct ring_writer *w, const struct iovec *parts, int count,
                     size_t *out_len)
{
    size_t len = 0;
    if (count < 0 || count > RING_PARTS_MAX)
        return -EINVAL;
    for (int i = 0; i < count; i++) {
        if (parts[i].iov_len > RING_RECORD_MAX - len)
            return -EMSGSIZE;
        len += parts[i].iov_len;
    }
    if (record_bytes(len) > w->size / 4)
        return -EMSGSIZE;
    *out_len = len;
    return 0;
}

int ring_write(struct ring_writer *w, const struct iovec *parts, int count)
{
    size_t len;
    int rc = parts_len(w, parts, count, &len);
    if (rc)
        return rc;
    uint64_t need = record_bytes(len);
    uint64_t room = w->size - (w->head & (w->size - 1));
    uint64_t skip = room < need ? room : 0;
    uint64_t head = w->head + skip + need;
    if (head > w->size && head - w->size > w->tail)
        move_tail(w, first_record_from(w, head - w->size));
    if (skip > 0)
        put_record(w, w->head, LEN_SKIP, 0);
    put_record(w, w->head + skip, (uint32_t)len, ++w->number);
    uint8_t *at = w->data + ((w->head + skip) & (w->size - 1)) + sizeof(struct ring_record);
    for (int i = 0; i < count; i++) {
        if (parts[i].iov_len > 0)
            memcpy(at, parts[i].iov_base, parts[i].iov_len);
        at += parts[i].iov_len;
    }
    w->head = head;
    atomic_store_explicit(&w->shared->head, head, memory_order_release);
    wake_readers(w);
    return 0;
}

void ring_expire(struct ring_writer *w, size_t keep)
{
    uint64_t from = w->tail;
    if (w->head - from <= keep)
        return;
    uint64_t to = first_record_from(w, w->head - keep);
    move_tail(w, to);
    /* At most one turn, in one or two pieces. */
    while (from < to) {
        uint64_t offset = from & (w->size - 1);
        uint64_t bytes = to - from < w->size - offset ? to - from : w->size - offset;
        secret_wipe(w->data + offset, bytes);
        from += bytes;
    }
}

/* ---- reader ---- */

int ring_reader_new(int fd, int from_start, struct ring_reader **out)
{
    uint64_t size;
    int rc = memfd_check_seals(fd); /* before the size: without seals it could still change */
    if (rc)
        return rc;
    rc = ring_size(fd, &size);
    if (rc)
        return rc;
    struct ring_reader *r = calloc(1, sizeof(*r));
    if (!r)
        return -ENOMEM;
    void *memory = mmap(NULL, HEAD_PAGE + size, PROT_READ, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        rc = -errno;
        free(r);
        return rc;
    }
    (void)madvise(memory, HEAD_PAGE + size, MADV_DONTDUMP);
    r->shared = memory;
    r->data = (const uint8_t *)memory + HEAD_PAGE;
    r->size = size;
    r->pos = from_start ? atomic_load(&r->shared->tail) : atomic_load(&r->shared->head);
    if (atomic_load(&r->shared->magic) != MAGIC || atomic_load(&r->shared->version) != VERSION ||
        atomic_load(&r->shared->size) != size || r->pos % 16 != 0) {
        ring_reader_free(r);
        return -EBADMSG;
    }
    *out = r;
    return 0;
}

void ring_reader_free(struct ring_reader *r)
{
    if (!r)
        return;
    void *memory;
    memcpy(&memory, &r->shared, sizeof(memory)); /* munmap takes it without const */
    (void)munmap(memory, HEAD_PAGE + r->size);
    free(r);
}

/* Leaves what could not be read and goes on with the next record written. */
static int resync(struct ring_reader *r, int result)
{
    uint64_t head = atomic_load_explicit(&r->shared->head, memory_order_acquire);
    r->pos = head & ~UINT64_C(15);
    return result;
}

/* Looks at the record at r->pos when the head is at head. Copies it if it is a sane record that
 * fits, or of a part its begin; *out_bytes is the way to the next one. RING_RECORD, RING_EMPTY for
 * a skip, -EMSGSIZE or -EBADMSG. */
static int copy_record(const struct ring_reader *r, uint64_t head, bool part, void *buffer,
                       size_t cap, uint64_t *out_bytes, size_t *out_len)
{
    uint64_t offset = r->pos & (r->size - 1);
    uint64_t room = r->size - offset;
    const struct ring_record *record = (const struct ring_record *)(const void *)(r->data + offset);
    uint32_t magic = atomic_load_explicit(&record->magic, memory_order_relaxed);
    uint32_t len = atomic_load_explicit(&record->len, memory_order_relaxed);
    if (magic != MAGIC)
        return -EBADMSG;
    uint64_t bytes = len == LEN_SKIP ? room : record_bytes(len);
    if (bytes > room || bytes > head - r->pos)
        return -EBADMSG;
    *out_bytes = bytes;
    if (len == LEN_SKIP)
        return RING_EMPTY;
    if (len > RING_RECORD_MAX)
        return -EBADMSG;
    if (len > cap && !part)
        return -EMSGSIZE;
    if (len > cap)
        len = (uint32_t)cap;
    if (len > 0)
        memcpy(buffer, r->data + offset + sizeof(struct ring_record), len);
    *out_len = len;
    return RING_RECORD;
}

static int take_next(struct ring_reader *r, bool peek, void *buffer, size_t cap, size_t *out_len)
{
    /* More than one turn only for the skip at the ring's end. */
    for (int i = 0; i < READ_TRIES; i++) {
        uint64_t bytes = 0;
        size_t len = 0;
        uint64_t head = atomic_load_explicit(&r->shared->head, memory_order_acquire);
        if (head == r->pos)
            return RING_EMPTY;
        if (head < r->pos || head % 16 != 0)
            return resync(r, -EBADMSG);
        if (head - r->pos > r->size)
            return resync(r, RING_LAPPED);
        int result = copy_record(r, head, peek, buffer, cap, &bytes, &len);
        atomic_thread_fence(memory_order_acquire);
        if (atomic_load_explicit(&r->shared->tail, memory_order_relaxed) > r->pos)
            return resync(r, RING_LAPPED);
        if (result == -EBADMSG)
            return resync(r, result);
        if (!peek || result == RING_EMPTY)
            r->pos += bytes;
        if (result == RING_EMPTY)
            continue;
        if (result == RING_RECORD)
            *out_len = len;
        return result;
    }
    return resync(r, -EBADMSG);
}

int ring_read(struct ring_reader *r, void *buffer, size_t cap, size_t *out_len)
{
    return take_next(r, false, buffer, cap, out_len);
}

int ring_peek(struct ring_reader *r, void *buffer, size_t cap, size_t *out_len)
{
    return take_next(r, true, buffer, cap, out_len);
}
