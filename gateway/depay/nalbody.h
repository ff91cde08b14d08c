/* The NAL units that a depacketiser puts together in its body, each behind its length of
 * NALSET_PREFIX_LEN bytes (lib/proto/frame.h): what H.264 and H.265 have in common. */
#ifndef SLUICE_DEPAY_NALBODY_H
#define SLUICE_DEPAY_NALBODY_H

#include "gateway/depay/depay.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Invariant: while open, at is the offset in the body of the open unit's length field. All zero at
 * the start. */
struct nalbody {
    size_t at;
    bool open;
};

/* Begins a unit at the end of the body; its bytes follow by depay_put. 0, or -EMSGSIZE as of
 * depay_put. */
int nalbody_open(struct nalbody *n, struct depay *d);
/* The bytes of the open unit so far; valid until the body changes. */
const uint8_t *nalbody_get(const struct nalbody *n, struct depay *d, size_t *out_len);
/* Ends the open unit: it stays, behind its length, or is taken out of the body again. */
void nalbody_close(struct nalbody *n, struct depay *d, bool keep);

#endif
