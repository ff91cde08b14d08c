/* What auth allows a publisher. */
#ifndef SLUICE_PROTO_GRANT_H
#define SLUICE_PROTO_GRANT_H

#include "lib/proto/stream.h"

#include <stdint.h>

enum grant_verdict {
    GRANT_OK,
    GRANT_UNKNOWN,      /* 401: no such token, expired or revoked (one answer for all, H9) */
    GRANT_WRONG_STREAM, /* 403 */
    GRANT_BUSY, /* 429: the token's max_sessions are in use, or, with an empty token_id, too many
                   wrong tokens came from this address */
    GRANT_UNAVAILABLE, /* 503: the store cannot answer */
    GRANT_VERDICT_COUNT,
};

struct grant {
    uint64_t lease_id;        /* names this admission in lease_end and release */
    uint64_t remaining_us;    /* until the session must end; UINT64_MAX = no limit */
    uint64_t max_bitrate_bps; /* 0 = the gateway's default */
    uint16_t max_width;       /* 0 = the gateway's default */
    uint16_t max_height;
    uint8_t verdict;
    uint8_t record; /* 1: recording is on for this stream */
    uint8_t pad[2];
    char token_id[STREAM_TOKEN_ID_MAX + 8];
};
_Static_assert(sizeof(struct grant) == 72, "message layout");

#endif
