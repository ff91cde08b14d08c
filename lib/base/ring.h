/* One-writer, many-reader ring of records in a sealed memfd (design.md 3).
 *
 * The supervisor makes the memfd, the writer maps it, then the supervisor seals it SHRINK, GROW,
 * FUTURE_WRITE and SEAL; readers map it read-only. The writer never waits for and never trusts a
 * reader. A reader treats every byte as hostile: it copies a record's head once, checks the copy,
 * and copies the payload out before anyone parses it. A reader that was overrun learns so by
 * sequence. */
#ifndef SLUICE_BASE_RING_H
#define SLUICE_BASE_RING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define RING_SIZE_MIN (1u << 20)
#define RING_SIZE_MAX (256u << 20)
#define RING_RECORD_MAX ((2u << 20) + 4096u) /* payload bytes of one record */
#define RING_READERS_MAX 4u
#define RING_PARTS_MAX 4

/* A new memfd with room for size payload bytes (a power of two in the range above) plus the head
 * page; close-on-exec. *out_fd is the caller's. 0 or a negative errno. */
int ring_create(size_t size, int *out_fd);
/* Adds the four seals. 0 or a negative errno. */
int ring_seal(int fd);
size_t ring_size_for(uint64_t bitrate_bps); /* max(4 MiB, 5 s of the rate), rounded up, capped */

struct ring_writer;

/* Maps fd (not yet sealed against writing), initialises it, locks and DONTDUMPs the memory; locking
 * is best effort, *out_locked (may be NULL) says whether it worked. fd stays the caller's and may
 * be closed. */
int ring_writer_new(int fd, struct ring_writer **out, int *out_locked);
/* Wipes all slots and unmaps. NULL allowed. */
void ring_writer_free(struct ring_writer *w);
/* Each reader is woken through its own eventfd, which the writer takes over. -ENOSPC if too many.
 */
int ring_writer_add_wakeup(struct ring_writer *w, int eventfd);
/* Appends one record made of count parts (at most RING_PARTS_MAX). 0, or -EMSGSIZE above
 * RING_RECORD_MAX or a quarter of the ring. Never blocks. */
int ring_write(struct ring_writer *w, const struct iovec *parts, int count);
/* Zeroes every slot older than the newest keep bytes. */
void ring_expire(struct ring_writer *w, size_t keep);

enum ring_result {
    RING_EMPTY,  /* nothing new */
    RING_RECORD, /* one record was copied */
    RING_LAPPED, /* records were lost; reading goes on at the newest: ask for a key frame */
};

struct ring_reader;

/* Checks the seals and the size and maps fd read-only; fd stays the caller's. from_start: begin
 * with the oldest record still there, else with the next one written. 0, -EACCES when a seal is
 * missing, -EBADMSG, or another negative errno. */
int ring_reader_new(int fd, int from_start, struct ring_reader **out);
void ring_reader_free(struct ring_reader *r);
/* Copies the next record into buffer. An enum ring_result, or -EBADMSG when the ring's contents are
 * not sane (reading goes on at the newest), -EMSGSIZE when the record is longer than cap (it is
 * skipped). *out_len is set with RING_RECORD only; buffer may be scribbled on in any case. */
int ring_read(struct ring_reader *r, void *buffer, size_t cap, size_t *out_len);
/* Copies the first cap bytes of the next record, or all if it has fewer, and leaves it there for
 * ring_read, which skips it when called with a cap of 0. The bytes may change until then. Results
 * as of ring_read, but never -EMSGSIZE; *out_len is how many were copied. */
int ring_peek(struct ring_reader *r, void *buffer, size_t cap, size_t *out_len);

#endif
