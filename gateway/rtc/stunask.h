/* Asks a STUN server how the world sees us: a plain Binding request and its response (RFC 8489 3,
 * 14.2). The answer is not authenticated: it is a hint from a server that the operator named. */
#ifndef SLUICE_RTC_STUNASK_H
#define SLUICE_RTC_STUNASK_H

#include "lib/base/addr.h"

#include <stddef.h>
#include <stdint.h>

#define STUNASK_ID_LEN 12
#define STUNASK_REQUEST_LEN 20

/* Writes the request; id is random and the only thing that tells an answer from a forgery. */
void stunask_request(const uint8_t id[STUNASK_ID_LEN], uint8_t out[STUNASK_REQUEST_LEN]);

/* Reads XOR-MAPPED-ADDRESS out of a success response to this request. 0, or -EBADMSG for anything
 * else. */
int stunask_parse(const uint8_t *data, size_t len, const uint8_t id[STUNASK_ID_LEN],
                  struct addr *out);

#endif
