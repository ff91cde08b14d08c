/* From a request to its handler: Host allowlist, route table, and errors with the headers of the
 * area they belong to. */
#ifndef SLUICE_WEB_ROUTES_H
#define SLUICE_WEB_ROUTES_H

#include "web/assets.h"
#include "web/hls.h"
#include "web/request.h"
#include "web/streams.h"
#include "web/whip.h"

#include <stddef.h>
#include <stdint.h>

/* All borrowed. */
struct routes {
    const struct assets *assets;
    const struct streams *streams;
    struct hls *hls;
    struct whip *whip;
    bool serving;             /* the supervisor says that a publisher would be served */
    const char *page_host;    /* further Host values, blank-separated */
    const char *cors_origins; /* of /whip */
};

/* How much of a body the request's head entitles it to; 0: routes_handle wants none. */
size_t routes_body_limit(const struct routes *routes, const struct request *request);

/* Answers the request now, or puts it aside to be answered later. */
void routes_handle(const struct routes *routes, struct request *request, uint64_t now_us);

/* The error that belongs to the request's path; status is one of problem.h. */
struct reply *routes_problem(const struct routes *routes, const struct request *request,
                             unsigned status, const char *detail);

#endif
