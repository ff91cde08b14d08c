/* A ring whose every byte the peer chose: tail and head (16 bytes), where in the ring the rest of
 * the input lies (4 bytes, counted in 16s), then the bytes themselves. */
#include "lib/base/reader.h"
#include "lib/base/ring.h"

#include "lib/base/fd.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096u
#define SIZE RING_SIZE_MIN
#define TAIL_AT 64u
#define HEAD_AT 128u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Created by a real writer, so that its first page is right. */
static uint8_t *ring_memory(int *out_fd)
{
    struct ring_writer *writer;
    int fd = -1;
    if (ring_create(SIZE, &fd))
        abort();
    uint8_t *memory = mmap(NULL, PAGE + SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED || ring_writer_new(fd, &writer, NULL) || ring_seal(fd))
        abort();
    ring_writer_free(writer);
    *out_fd = fd;
    return memory;
}

static void read_all(struct ring_reader *r, uint8_t *buffer, size_t cap)
{
    for (int i = 0; i < 64; i++) {
        size_t len = 0;
        uint8_t head[64];
        (void)ring_peek(r, head, sizeof(head), &len);
        int rc = ring_read(r, buffer, cap, &len);
        assert(rc == RING_EMPTY || rc == RING_RECORD || rc == RING_LAPPED || rc == -EBADMSG ||
               rc == -EMSGSIZE);
        if (rc == RING_RECORD)
            assert(len <= cap);
        if (rc == RING_EMPTY)
            break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = -1;
    struct reader r;
    struct ring_reader *ring = NULL;
    reader_init(&r, data, size);
    uint64_t tail = reader_u64(&r);
    uint64_t head = reader_u64(&r);
    size_t at = reader_u32(&r) % (SIZE / 16) * 16;
    if (!reader_ok(&r))
        return 0;
    size_t len = reader_left(&r) < SIZE - at ? reader_left(&r) : SIZE - at;
    uint8_t *memory = ring_memory(&fd);
    uint8_t *buffer = malloc(65536);
    if (!buffer)
        abort();
    memcpy(memory + TAIL_AT, &tail, sizeof(tail));
    memcpy(memory + HEAD_AT, &head, sizeof(head));
    memcpy(memory + PAGE + at, reader_bytes(&r, len), len);
    if (ring_reader_new(fd, 1, &ring) == 0)
        read_all(ring, buffer, 65536);
    ring_reader_free(ring);
    free(buffer);
    munmap(memory, PAGE + SIZE);
    fd_close(&fd);
    return 0;
}
