/* The delivery directives in a playlist request's query (draft-pantos-hls-rfc8216bis 6.2.5).
 *
 * _HLS_msn and _HLS_part are read; _HLS_skip is accepted and ignored, because no playlist offers
 * CAN-SKIP-UNTIL (LL-15); every other parameter is ignored (CDN-09). */
#ifndef SLUICE_WEB_DIRECTIVES_H
#define SLUICE_WEB_DIRECTIVES_H

#include "lib/base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct directives {
    bool has_msn;
    bool has_part;
    uint64_t msn;
    uint32_t part;
};

/* 0; -EBADMSG for a value that is not a decimal number, for a directive given twice, and for
 * _HLS_part without _HLS_msn (LL-13). Numbers too big for their type become the biggest one, which
 * is too far in the future for any playlist. */
int directives_parse(struct slice query, struct directives *out);

#endif
