/* Reads the bit fields of codec headers: a copy of their first bytes, and a sticky error like
 * struct reader. */
#ifndef SLUICE_TRANSCODE_BITS_H
#define SLUICE_TRANSCODE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BITS_BYTES_MAX 254u /* what lies behind is not read: headers of interest are shorter */

struct bits {
    uint8_t data[BITS_BYTES_MAX];
    size_t count; /* bits */
    size_t pos;
    bool failed;
};

void bits_init(struct bits *b, const uint8_t *data, size_t len);
/* Of a NAL unit of H.264 or H.265, without emulation prevention bytes (H.264 7.4.1). */
void bits_init_nal(struct bits *b, const uint8_t *data, size_t len);

/* Up to 32 bits; 0 once anything failed. */
uint32_t bits_read(struct bits *b, unsigned count);
void bits_skip(struct bits *b, size_t count);
/* Exp-Golomb codes ue(v) and se(v) (H.264 9.1), below 2^31 - 1. */
uint32_t bits_ue(struct bits *b);
int32_t bits_se(struct bits *b);

#endif
