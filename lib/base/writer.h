/* Bounded writing of wire bytes with a sticky error: a write that does not fit writes nothing,
 * sets the error, and so do all later ones. All integers are big-endian. */
#ifndef SLUICE_BASE_WRITER_H
#define SLUICE_BASE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Invariant: len <= cap. data belongs to the caller. */
struct writer {
    uint8_t *data;
    size_t cap;
    size_t len;
    bool failed;
};

void writer_init(struct writer *w, void *data, size_t cap);
bool writer_ok(const struct writer *w);

void writer_u8(struct writer *w, uint8_t value);
void writer_u16(struct writer *w, uint16_t value);
void writer_u24(struct writer *w, uint32_t value);
void writer_u32(struct writer *w, uint32_t value);
void writer_u64(struct writer *w, uint64_t value);
void writer_bytes(struct writer *w, const void *data, size_t len);
void writer_zeros(struct writer *w, size_t len);

/* printf-formatted text without its final NUL. */
void writer_text(struct writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Overwrites bytes written before, for lengths known only afterwards; at + size <= len, else the
 * error is set. */
void writer_patch_u16(struct writer *w, size_t at, uint16_t value);
void writer_patch_u32(struct writer *w, size_t at, uint32_t value);

#endif
