/* Reads H.264 parameter sets from a session description: sprop-parameter-sets (RFC 6184 8.1), NAL
 * units in base64, separated by commas. */
#ifndef SLUICE_DEPAY_SPROP_H
#define SLUICE_DEPAY_SPROP_H

#include "lib/base/text.h"

#include <stddef.h>
#include <stdint.h>

#define SPROP_NAL_MAX 512u

/* Cuts the next NAL unit off *rest and decodes it to out[SPROP_NAL_MAX]. 0; -ENOENT at the end;
 * -EBADMSG when it is no base64 (RFC 4648 4, padding may be left out) or empty; -EMSGSIZE when it
 * is too long. After an error *rest is behind the bad one. */
int sprop_next(struct slice *rest, uint8_t *out, size_t *out_len);

#endif
