/* Answers under /whip: each with the CORS headers for its request's origin. */
#include "web/whip_reply.h"

#include "web/bearer.h"
#include "web/ice_links.h"
#include "web/problem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ORIGIN_MAX 255u
#define CHALLENGE "Bearer realm=\"whip\"" /* RFC 6750 3: at least one parameter */

/* ---- what all of them have ---- */

static bool origin_is_listed(const char *origins, struct slice origin)
{
    struct slice rest = slice_of(origins);
    while (rest.len > 0) {
        struct slice one = slice_cut(&rest, ' ');
        if (one.len > 0 && slice_equal(one, origin))
            return true;
    }
    return false;
}

/* WHIP-08, WHIP-10: for pages of the allowed origins, never with credentials. */
static void add_cors(const char *origins, const struct request *request, struct reply *reply)
{
    char origin[ORIGIN_MAX + 1];
    bool any = slice_is(slice_of(origins), "*");
    reply_header(reply, "Cache-Control", "no-store");
    reply_header(reply, "X-Content-Type-Options", "nosniff");
    if (!any)
        reply_header(reply, "Vary", "Origin");
    if (any) {
        reply_header(reply, "Access-Control-Allow-Origin", "*");
    } else {
        if (!origin_is_listed(origins, request->headers.origin) ||
            text_copy(origin, sizeof(origin), request->headers.origin))
            return;
        reply_header(reply, "Access-Control-Allow-Origin", origin);
    }
    reply_header(reply, "Access-Control-Expose-Headers",
                 "Location, ETag, Link, Retry-After, WWW-Authenticate");
}

struct reply *whip_reply_new(const char *origins, const struct request *request, unsigned status)
{
    struct reply *reply = reply_new(status);
    add_cors(origins, request, reply);
    return reply;
}

/* ---- errors ---- */

static void add_challenge(const struct request *request, unsigned status, struct reply *reply)
{
    char token[STREAM_TOKEN_MAX + 1];
    bool had_token = bearer_parse(request->headers.authorization, token) != -ENOENT;
    if (status == 401)
        reply_header(reply, "WWW-Authenticate",
                     had_token ? CHALLENGE ", error=\"invalid_token\"" : CHALLENGE);
    else if (had_token)
        reply_header(reply, "WWW-Authenticate", CHALLENGE ", error=\"insufficient_scope\"");
}

struct reply *whip_reply_problem(const char *origins, const struct request *request,
                                 unsigned status, const char *detail)
{
    struct reply *reply = problem_reply(status, detail, NULL);
    add_cors(origins, request, reply);
    if (status == 401 || status == 403)
        add_challenge(request, status, reply);
    if (status == 415 && request->method == METHOD_PATCH)
        reply_header(reply, "Accept-Patch", WHIP_REPLY_FRAGMENT_TYPE);
    else if (status == 415)
        reply_header(reply, "Accept-Post", WHIP_REPLY_SDP_TYPE);
    return reply;
}

struct reply *whip_reply_busy(const char *origins, const struct request *request, unsigned status,
                              const char *detail, unsigned retry_after_s)
{
    char seconds[12];
    struct reply *reply = whip_reply_problem(origins, request, status, detail);
    (void)snprintf(seconds, sizeof(seconds), "%u", retry_after_s);
    if (retry_after_s > 0)
        reply_header(reply, "Retry-After", seconds);
    return reply;
}

/* RFC 5789 3.1: who takes PATCH says of which type. */
static void add_methods(struct reply *reply, const char *methods)
{
    reply_header(reply, "Allow", methods);
    if (strcmp(methods, WHIP_REPLY_SESSION_METHODS) == 0)
        reply_header(reply, "Accept-Patch", WHIP_REPLY_FRAGMENT_TYPE);
}

struct reply *whip_reply_no_method(const char *origins, const struct request *request,
                                   const char *methods)
{
    struct reply *reply = whip_reply_problem(origins, request, 405, NULL);
    add_methods(reply, methods);
    return reply;
}

struct reply *whip_reply_ended(const char *origins, const struct request *request,
                               enum end_reason reason)
{
    struct reply *reply = problem_reply(404, end_reason_text(reason), end_reason_name(reason));
    add_cors(origins, request, reply);
    return reply;
}

/* ---- success ---- */

struct reply *whip_reply_empty(const char *origins, const struct request *request)
{
    struct reply *reply = whip_reply_new(origins, request, 200);
    reply_header(reply, "Accept-Post", WHIP_REPLY_SDP_TYPE);
    return reply;
}

struct reply *whip_reply_options(const char *origins, const struct request *request,
                                 const char *methods)
{
    struct reply *reply = whip_reply_empty(origins, request);
    add_methods(reply, methods);
    reply_header(reply, "Access-Control-Allow-Methods", "POST, GET, HEAD, PATCH, DELETE, OPTIONS");
    reply_header(reply, "Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match");
    reply_header(reply, "Access-Control-Max-Age", "600");
    return reply;
}

static void add_etag(struct reply *reply, const char *etag)
{
    char tag[STREAM_ETAG_LEN + 3];
    (void)snprintf(tag, sizeof(tag), "\"%.*s\"", (int)STREAM_ETAG_LEN, etag);
    reply_header(reply, "ETag", tag);
}

struct reply *whip_reply_created(const char *origins, const struct request *request,
                                 const struct msg_publish_result *m, const char *servers,
                                 const void *answer, size_t len)
{
    char location[sizeof("/whip/session/") + STREAM_URL_ID_LEN + 8];
    struct reply *reply = reply_new_roomy(201, REPLY_TEXT_MAX + ICE_LINKS_TEXT_MAX);
    (void)snprintf(location, sizeof(location), "/whip/session/%s", m->url_id);
    reply_header(reply, "Content-Type", WHIP_REPLY_SDP_TYPE);
    reply_header(reply, "Location", location); /* WHIP-46: absolute path, no query */
    reply_header(reply, "Accept-Patch", WHIP_REPLY_FRAGMENT_TYPE);
    add_etag(reply, m->etag);
    add_cors(origins, request, reply);
    ice_links_add(reply, servers, &m->turn);
    return reply_body_copy(reply, answer, len);
}

struct reply *whip_reply_restarted(const char *origins, const struct request *request,
                                   const char *etag, const void *fragment, size_t len)
{
    struct reply *reply = whip_reply_new(origins, request, 200);
    reply_header(reply, "Content-Type", WHIP_REPLY_FRAGMENT_TYPE);
    add_etag(reply, etag);
    return reply_body_copy(reply, fragment, len);
}
