/* The pages and what they load, with the headers that keep them from running anything else
 * (threats.md H7): strict content policy, no sniffing, no framing, no referrer. */
#ifndef SLUICE_WEB_PAGES_H
#define SLUICE_WEB_PAGES_H

#include "web/assets.h"
#include "web/request.h"
#include "web/route.h"

/* A request of ROUTE_HOME, ROUTE_HEALTH, ROUTE_READY, ROUTE_PUBLISH, ROUTE_WATCH or ROUTE_ASSET:
 * answered at once. serving: what ROUTE_READY tells. strict_transport: the answer may tell the
 * browser to use HTTPS only (H11). */
void pages_handle(const struct assets *assets, struct request *request, const struct route *route,
                  bool serving, bool strict_transport);

/* An error outside /live and /whip. */
struct reply *pages_problem(unsigned status, const char *detail);

#endif
