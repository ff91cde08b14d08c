/* WHIP (RFC 9725; protocols.md 1): publishing over POST, trickle and restart over PATCH, ending
 * over DELETE.
 *
 * Nothing is parsed here but the request's shape; offer, fragment and token go to the supervisor,
 * whose answer carries the status. */
#ifndef SLUICE_WEB_WHIP_H
#define SLUICE_WEB_WHIP_H

#include "lib/base/loop.h"
#include "lib/proto/msg.h"
#include "web/peers.h"
#include "web/request.h"
#include "web/route.h"

#include <stddef.h>
#include <stdint.h>

#define WHIP_PENDING_MAX 64u /* publishers waiting for an answer (W2) */
#define WHIP_PENDING_PER_ADDRESS 8u
#define WHIP_SESSION_PENDING_MAX 256u /* session requests waiting */
#define WHIP_SESSION_PENDING_PER_ADDRESS 64u
#define WHIP_PATCHES_PER_SESSION 8u     /* waiting at once */
#define WHIP_ANSWER_TIMEOUT_US 5000000u /* then 503 */

struct whip;

/* Sends one message to the supervisor: 0 or a negative errno. */
typedef int (*whip_send_fn)(void *ctx, enum msg_type type, const void *body, const void *blob,
                            size_t blob_len);

/* The texts must outlive the object. */
struct whip_config {
    const char *origins;     /* blank-separated: whose pages may call (WHIP-10); "*" = any */
    const char *ice_servers; /* of Link headers (ice_links.h); checked */
    whip_send_fn send;
    void *ctx;
};

/* peers stays the caller's. 0 or -ENOMEM. */
int whip_new(struct loop *loop, struct peers *peers, const struct whip_config *config,
             struct whip **out);
void whip_free(struct whip *whip); /* NULL allowed; answers what is pending with 503 */

/* How much of a body the request's head entitles it to: STREAM_OFFER_MAX of a POST to the endpoint,
 * STREAM_FRAGMENT_MAX of a PATCH to a session, each with a well-formed token and the right type;
 * else 0 (W1: the token before anything else). Whatever is 0, whip_handle answers at once. */
size_t whip_body_limit(const struct request *request, const struct route *route);
/* A request of ROUTE_WHIP or ROUTE_SESSION: answered now or when the supervisor has. */
void whip_handle(struct whip *whip, struct request *request, const struct route *route,
                 uint64_t now_us);

/* MSG_PUBLISH_RESULT with the answer as blob, and MSG_SESSION_RESULT with our fragment. Results
 * that nobody waits for any more are dropped. 0, or -EBADMSG for a message that cannot be. */
int whip_on_publish_result(struct whip *whip, const struct msg_publish_result *m,
                           const void *answer, size_t len);
int whip_on_session_result(struct whip *whip, const struct msg_session_result *m,
                           const void *fragment, size_t len);

/* Answers 503 to what has waited too long; called by an own timer. */
void whip_sweep(struct whip *whip, uint64_t now_us);

#endif
