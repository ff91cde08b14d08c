/* Answers under /whip: each with the CORS headers for its request's origin (protocols.md WHIP-07 to
 * 10), whatever it says. */
#ifndef SLUICE_WEB_WHIP_REPLY_H
#define SLUICE_WEB_WHIP_REPLY_H

#include "lib/proto/msg.h"
#include "web/reply.h"
#include "web/request.h"

#include <stddef.h>

#define WHIP_REPLY_SDP_TYPE "application/sdp"
#define WHIP_REPLY_FRAGMENT_TYPE "application/trickle-ice-sdpfrag"
#define WHIP_REPLY_ENDPOINT_METHODS "POST, GET, HEAD, OPTIONS"
#define WHIP_REPLY_SESSION_METHODS "PATCH, DELETE, GET, HEAD, OPTIONS"

/* origins: blank-separated list of those whose pages may call, "*" = any. NULL without memory, as
 * all others here. */
struct reply *whip_reply_new(const char *origins, const struct request *request, unsigned status);

/* An error. 401 and 403 come with a challenge (RFC 6750 3): invalid_token when the request had one,
 * no error code when it had none, insufficient_scope for 403. 415 names the type to send. */
struct reply *whip_reply_problem(const char *origins, const struct request *request,
                                 unsigned status, const char *detail);
/* The same with Retry-After, when retry_after_s is not 0. */
struct reply *whip_reply_busy(const char *origins, const struct request *request, unsigned status,
                              const char *detail, unsigned retry_after_s);
/* 405 with the methods that there are. */
struct reply *whip_reply_no_method(const char *origins, const struct request *request,
                                   const char *methods);
/* 404 that says why the session ended. */
struct reply *whip_reply_ended(const char *origins, const struct request *request,
                               enum end_reason reason);

/* 200 without a body. */
struct reply *whip_reply_empty(const char *origins, const struct request *request);
/* OPTIONS, asked by a browser or by hand: without credentials, whatever is behind the URL. */
struct reply *whip_reply_options(const char *origins, const struct request *request,
                                 const char *methods);

/* 201 with answer and Link headers; every text of m and servers have been checked. */
struct reply *whip_reply_created(const char *origins, const struct request *request,
                                 const struct msg_publish_result *m, const char *servers,
                                 const void *answer, size_t len);
/* 200 with our fragment and the tag of the new ICE generation. */
struct reply *whip_reply_restarted(const char *origins, const struct request *request,
                                   const char *etag, const void *fragment, size_t len);

#endif
