/* Reads the bit fields of codec headers (ITU-T H.264 7.2, 9.1) with a sticky error.
 *
 * Emulation prevention bytes of NAL units (7.4.1: 00 00 03) are skipped on the way. A read past the
 * end, or an Exp-Golomb number above 32 bits, sets the error and yields zero; ask rbsp_ok() once
 * before a value decides anything. */
#ifndef SLUICE_DEPAY_RBSP_H
#define SLUICE_DEPAY_RBSP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Invariant: pos <= len, left <= 8; once failed, it stays failed. */
struct rbsp {
    const uint8_t *data;
    size_t len;
    size_t pos;
    unsigned zeros; /* zero bytes directly before pos */
    unsigned left;  /* bits of current not yet read */
    uint8_t current;
    bool plain; /* no emulation prevention bytes */
    bool failed;
};

/* data is the NAL unit behind its header, borrowed. */
void rbsp_init(struct rbsp *r, const uint8_t *data, size_t len);
/* data has no emulation prevention bytes (VP9, AV1). */
void rbsp_init_plain(struct rbsp *r, const uint8_t *data, size_t len);
bool rbsp_ok(const struct rbsp *r);

uint32_t rbsp_bits(struct rbsp *r, unsigned count); /* 0..32 bits, most significant first */
void rbsp_skip(struct rbsp *r, unsigned count);     /* any number of bits */
bool rbsp_flag(struct rbsp *r);
uint32_t rbsp_ue(struct rbsp *r); /* unsigned Exp-Golomb, 9.1 */
int32_t rbsp_se(struct rbsp *r);  /* signed Exp-Golomb, 9.1.1 */

#endif
