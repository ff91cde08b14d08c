/* Bounds-checked reading of wire bytes with a sticky error.
 *
 * A reader is a range of borrowed bytes plus a position. A read past the end sets the error, yields
 * zero or NULL and moves nothing more; ask reader_ok() once, before a value decides anything.
 * All integers are big-endian. */
#ifndef SLUICE_BASE_READER_H
#define SLUICE_BASE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Invariant: pos <= len; once failed, it stays failed. */
struct reader {
    const uint8_t *data;
    size_t len;
    size_t pos;
    bool failed;
};

void reader_init(struct reader *r, const void *data, size_t len);
bool reader_ok(const struct reader *r);

/* Bytes not yet read; 0 after a failure. */
size_t reader_left(const struct reader *r);

uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);
uint32_t reader_u24(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);

/* The next len bytes, borrowed from the range and skipped; NULL when fewer are left. */
const uint8_t *reader_bytes(struct reader *r, size_t len);

/* A reader over the next len bytes, which are skipped here; a failed one when fewer are left. */
struct reader reader_sub(struct reader *r, size_t len);

#endif
