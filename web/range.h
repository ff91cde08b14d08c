/* The Range header of a media request (RFC 9110 14.2): one range of bytes, or all of it. */
#ifndef SLUICE_WEB_RANGE_H
#define SLUICE_WEB_RANGE_H

#include "lib/base/text.h"

#include <stddef.h>

enum range_verdict {
    RANGE_WHOLE,   /* none, of another unit, malformed or several: send everything */
    RANGE_PARTIAL, /* 206 with *out_first and *out_len */
    RANGE_OUTSIDE, /* 416 */
};

/* *out_first and *out_len are set for RANGE_PARTIAL only; first + len <= total, len >= 1. */
enum range_verdict range_parse(struct slice header, size_t total, size_t *out_first,
                               size_t *out_len);

#endif
