/* STUN Binding requests and responses of an ICE agent (RFC 8489, RFC 8445), written apart from
 * gateway/rtc so that each checks the other. */
#ifndef SLUICE_SUPPORT_RAWSTUN_H
#define SLUICE_SUPPORT_RAWSTUN_H

#include "lib/base/addr.h"
#include "lib/base/writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAWSTUN_TXID_LEN 12
#define RAWSTUN_MAX 512 /* room for any message made here */

/* What a request carries; the last four exist to make wrong ones. */
struct rawstun_request {
    uint8_t txid[RAWSTUN_TXID_LEN];
    const char *username; /* "theirs:ours"; NULL = none */
    const char *password; /* of the side that is asked; NULL = no MESSAGE-INTEGRITY */
    uint64_t tie_breaker;
    uint32_t priority;
    bool nominate;   /* USE-CANDIDATE */
    bool controlled; /* ICE-CONTROLLED instead of ICE-CONTROLLING */
    bool no_fingerprint;
    bool wrong_fingerprint;
};

/* Writes the request to to[RAWSTUN_MAX] and returns its length. */
size_t rawstun_request(const struct rawstun_request *request, uint8_t *to);

struct rawstun_response {
    bool success;     /* else an error response */
    unsigned code;    /* of the error */
    struct addr seen; /* XOR-MAPPED-ADDRESS; family 0 when there is none */
};

/* 0, -EBADMSG for anything but a response to txid, -EACCES when MESSAGE-INTEGRITY (with password)
 * or FINGERPRINT is missing or wrong. */
int rawstun_parse_response(const uint8_t *data, size_t len, const uint8_t *txid,
                           const char *password, struct rawstun_response *out);

#endif
