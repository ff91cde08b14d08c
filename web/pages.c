/* The pages and what they load, with the headers that keep them from running anything else. */
#include "web/pages.h"

#include "web/problem.h"

#include <string.h>

static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "media-src 'self' blob:; worker-src 'self' blob:; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static const char home[] =
    "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Sluice</title>\n"
    "<h1>Sluice</h1>\n"
    "<p>Publish from a browser at <code>/publish/NAME</code> with the link you were given; "
    "watch at <code>/watch/NAME</code>.</p></html>\n";

static void add_guards(struct reply *reply)
{
    reply_header(reply, "X-Content-Type-Options", "nosniff");
    reply_header(reply, "Referrer-Policy", "no-referrer");
    reply_header(reply, "Cross-Origin-Resource-Policy", "same-origin");
}

static void add_page_guards(struct reply *reply)
{
    add_guards(reply);
    reply_header(reply, "Content-Security-Policy", policy);
    reply_header(reply, "X-Frame-Options", "DENY");
}

struct reply *pages_problem(unsigned status, const char *detail)
{
    struct reply *reply = problem_reply(status, detail, NULL);
    reply_header(reply, "Cache-Control", "no-store");
    add_page_guards(reply);
    return reply;
}

static struct reply *text_reply(const char *type, const char *text)
{
    struct reply *reply = reply_new(200);
    reply_header(reply, "Content-Type", type);
    reply_header(reply, "Cache-Control", "no-store");
    add_page_guards(reply);
    reply_body(reply, text, strlen(text), NULL, NULL);
    return reply;
}

static bool is_html(const struct asset *asset)
{
    return slice_starts(slice_of(asset->type), "text/html");
}

static struct reply *asset_reply(const struct asset *asset, const struct request *request)
{
    bool packed = asset->packed && request_takes_gzip(request);
    bool known = request_has_tag(request, asset->tag);
    struct reply *reply = reply_new(known ? 304 : 200);
    reply_header(reply, "ETag", asset->tag);
    reply_header(reply, "Cache-Control", "no-cache"); /* the name stays, the content may change */
    reply_header(reply, "Vary", "Accept-Encoding");
    if (is_html(asset))
        add_page_guards(reply);
    else
        add_guards(reply);
    if (known)
        return reply;
    reply_header(reply, "Content-Type", asset->type);
    if (packed)
        reply_header(reply, "Content-Encoding", "gzip");
    reply_body(reply, packed ? asset->packed : asset->data, packed ? asset->packed_len : asset->len,
               NULL, NULL);
    return reply;
}

static struct reply *named_asset(const struct assets *assets, const struct request *request,
                                 struct slice name, bool html)
{
    const struct asset *asset = assets_find(assets, name);
    if (!asset || is_html(asset) != html)
        return pages_problem(404, html ? "This build has no pages." : NULL);
    return asset_reply(asset, request);
}

static struct reply *readiness(bool serving)
{
    if (serving)
        return text_reply("text/plain; charset=utf-8", "ready\n");
    struct reply *reply = pages_problem(503, "The gateway is starting, or a process is missing.");
    reply_header(reply, "Retry-After", "1");
    return reply;
}

static struct reply *get(const struct assets *assets, const struct request *request,
                         const struct route *route, bool serving)
{
    switch (route->kind) {
    case ROUTE_HOME:
        return text_reply("text/html; charset=utf-8", home);
    case ROUTE_HEALTH:
        return text_reply("text/plain; charset=utf-8", "ok\n");
    case ROUTE_READY:
        return readiness(serving);
    case ROUTE_PUBLISH:
        return named_asset(assets, request, slice_of("publish.html"), true);
    case ROUTE_WATCH:
        return named_asset(assets, request, slice_of("watch.html"), true);
    case ROUTE_ASSET:
        return named_asset(assets, request, route->name, false);
    default:
        return pages_problem(404, NULL);
    }
}

void pages_handle(const struct assets *assets, struct request *request, const struct route *route,
                  bool serving, bool strict_transport)
{
    struct reply *reply = NULL;
    if (request->method == METHOD_GET || request->method == METHOD_HEAD) {
        reply = get(assets, request, route, serving);
    } else {
        reply = pages_problem(405, NULL);
        reply_header(reply, "Allow", "GET, HEAD");
    }
    if (strict_transport)
        reply_header(reply, "Strict-Transport-Security", "max-age=31536000");
    request_answer(request, reply);
}
