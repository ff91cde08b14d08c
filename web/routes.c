/* From a request to its handler: Host allowlist, route table, and errors with their headers. */
#include "web/routes.h"

#include "web/pages.h"
#include "web/whip_reply.h"

#include <errno.h>

struct reply *routes_problem(const struct routes *routes, const struct request *request,
                             unsigned status, const char *detail)
{
    struct route route;
    (void)route_parse(request->path, &route);
    switch (route.area) {
    case AREA_LIVE:
        return hls_problem(status, detail);
    case AREA_WHIP:
        return whip_reply_problem(routes->cors_origins, request, status, detail);
    case AREA_PAGES:
        break;
    }
    return pages_problem(status, detail);
}

static void refuse(const struct routes *routes, struct request *request, unsigned status,
                   const char *detail)
{
    request_answer(request, routes_problem(routes, request, status, detail));
}

/* No Host at all is HTTP/1.0: a probe, never a browser. */
static bool is_host_served(const struct routes *routes, struct slice host)
{
    return host.len == 0 || route_host_allowed(host, routes->page_host);
}

size_t routes_body_limit(const struct routes *routes, const struct request *request)
{
    struct route route;
    if (route_parse(request->path, &route) || !is_host_served(routes, request->headers.host))
        return 0;
    return route.kind == ROUTE_WHIP || route.kind == ROUTE_SESSION
               ? whip_body_limit(request, &route)
               : 0;
}

void routes_handle(const struct routes *routes, struct request *request, uint64_t now_us)
{
    struct route route;
    int rc = route_parse(request->path, &route);
    struct slice host = request->headers.host;
    if (!is_host_served(routes, host)) {
        refuse(routes, request, 421, "This name is not served here; see page_host.");
        return;
    }
    if (rc) {
        refuse(routes, request, rc == -EBADMSG ? 400 : 404, NULL);
        return;
    }
    switch (route.kind) {
    case ROUTE_WHIP:
    case ROUTE_SESSION:
        whip_handle(routes->whip, request, &route, now_us);
        break;
    case ROUTE_MULTIVARIANT:
    case ROUTE_MEDIA:
    case ROUTE_SEGMENT:
    case ROUTE_PART:
    case ROUTE_INIT:
        hls_handle(routes->hls, routes->streams, request, &route, now_us);
        break;
    default:
        /* Only for configured names: an address literal or localhost is not ours to bind to HTTPS.
         */
        pages_handle(routes->assets, request, &route, routes->serving,
                     request->secure && route_host_named(host, routes->page_host));
        break;
    }
}
