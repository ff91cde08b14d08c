/* WHIP requests over libcurl inside our loop (RFC 9725): POST the offer, DELETE the session. */
#ifndef SLUICE_SUPPORT_RAWWHIP_H
#define SLUICE_SUPPORT_RAWWHIP_H

#include "lib/base/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAWWHIP_BODY_MAX 65536
#define RAWWHIP_URL_MAX 2048
#define RAWWHIP_TIMEOUT_MS 10000L

struct rawwhip; /* the client; one per process */

/* Does not verify certificates when insecure. 0 or a negative errno. */
int rawwhip_new(struct loop *loop, bool insecure, struct rawwhip **out);
void rawwhip_free(struct rawwhip *whip);

/* A finished request; status 0 when no answer came (error says why). Borrowed by the callee. */
struct rawwhip_result {
    long status;
    uint64_t took_us;
    const char *body; /* with a final NUL */
    size_t body_len;
    const char *location; /* absolute; empty when there was none */
    const char *error;
};
typedef void (*rawwhip_fn)(void *ctx, const struct rawwhip_result *result);

/* Begins a request; fn is called exactly once, from the loop, unless rawwhip_free comes first.
 * token may be NULL. POST with body (copied), DELETE without. 0 or a negative errno (then fn is not
 * called). */
int rawwhip_post(struct rawwhip *whip, const char *url, const char *token, const char *body,
                 rawwhip_fn fn, void *ctx);
int rawwhip_delete(struct rawwhip *whip, const char *url, const char *token, rawwhip_fn fn,
                   void *ctx);

#endif
