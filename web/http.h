/* HTTP/1.1 on given listening sockets, by libmicrohttpd inside our loop. Only http*.c know the
 * library.
 *
 * It accepts, limits and times connections (conns.h, peers.h), refuses ambiguous request heads
 * (gate.h), collects bodies, and hands complete requests to a handler, which answers at once or
 * later. Answers given in a turn of the loop leave in the same turn. What libmicrohttpd 0.9.75
 * makes necessary is noted at each place (findings/transcode.md 2). */
#ifndef SLUICE_WEB_HTTP_H
#define SLUICE_WEB_HTTP_H

#include "lib/base/loop.h"
#include "web/peers.h"
#include "web/request.h"

#include <stddef.h>
#include <stdint.h>

#define HTTP_POOL_BYTES 8192u /* the library's memory of one connection (H4) */
#define HTTP_LISTENERS_MAX 16u

/* Answers request (request_answer) now, or later. */
typedef void (*http_handler_fn)(void *ctx, struct request *request);
/* How much of a body the request's head entitles it to, and so may be kept; 0: none, the handler
 * says why. Only method, path, query, headers, secure and peer are set. */
typedef size_t (*http_body_limit_fn)(void *ctx, const struct request *request);
/* The reply for an error that the request never reaches its handler with; only method, path,
 * headers and peer are set. */
typedef struct reply *(*http_problem_fn)(void *ctx, const struct request *request, unsigned status,
                                         const char *detail);

struct http_config {
    uint32_t connections;             /* at once, in all */
    uint32_t per_address_connections; /* at once, of one address */
    const char *certificate;          /* PEM chain; NULL: plain HTTP */
    const char *key;                  /* PEM; may be wiped after http_new */
    http_handler_fn handle;
    http_body_limit_fn body_limit;
    http_problem_fn problem;
    void *ctx;
};

struct http;

/* listeners are listening TCP sockets; they stay the caller's and must outlive the object. 0,
 * -EINVAL when the library refuses (a bad certificate), or another negative errno. */
int http_new(struct loop *loop, struct peers *peers, const struct http_config *config,
             const int *listeners, size_t listener_count, struct http **out);
/* All waiting requests must have been answered before. NULL allowed. */
void http_free(struct http *http);

size_t http_connections(const struct http *http);

#endif
