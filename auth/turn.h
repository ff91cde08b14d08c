/* Short-lived credentials for TURN servers that share a secret with us (WHIP-50): coturn's REST
 * convention, its option use-auth-secret. */
#ifndef SLUICE_AUTH_TURN_H
#define SLUICE_AUTH_TURN_H

#include "lib/base/text.h"
#include "lib/proto/grant.h"

#include <stdint.h>

/* Username "<expiry_s>:<token_id>", expiry_s in seconds since 1970 by the wall clock, which the
 * TURN server compares with its own; password Base64(HMAC-SHA-1(secret, username)). 0, -EINVAL for
 * an empty secret or an id that does not fit, or -ENOMEM. */
int turn_make(struct slice secret, uint64_t expiry_s, const char *token_id,
              struct turn_credential *out);

#endif
