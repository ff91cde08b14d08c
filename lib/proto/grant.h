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

/* What happens when a token with the right to publish finds the stream being published. A session
 * of the same token that has fallen silent is taken over under either policy. */
enum grant_clash { CLASH_REFUSE, CLASH_TAKE_OVER, CLASH_COUNT };

struct grant {
    uint64_t lease_id;        /* names this admission in lease_end and release */
    uint64_t remaining_us;    /* until the session must end; UINT64_MAX = no limit */
    uint64_t max_bitrate_bps; /* 0 = the gateway's default */
    uint16_t max_width;       /* 0 = the gateway's default */
    uint16_t max_height;
    uint8_t verdict;
    uint8_t record; /* 1: recording is on for this stream */
    uint8_t clash;  /* enum grant_clash */
    uint8_t pad;
    char token_id[STREAM_TOKEN_ID_MAX + 8];
};
_Static_assert(sizeof(struct grant) == 72, "message layout");

/* Short-lived credentials for the configured TURN servers, by coturn's REST convention: username is
 * "<unix seconds of expiry>:<token id>", password the Base64 of its HMAC-SHA-1 under the shared
 * secret. Empty: none. */
#define TURN_USERNAME_MAX 64
#define TURN_PASSWORD_MAX 32
struct turn_credential {
    char username[TURN_USERNAME_MAX + 8];
    char password[TURN_PASSWORD_MAX + 8];
};

#endif
