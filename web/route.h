/* The fixed table of paths (threats.md H5): what a request is for, from its path alone.
 *
 *   /                                     landing page
 *   /healthz /readyz                      probes
 *   /publish/<stream> /watch/<stream>     pages
 *   /assets/<file>                        scripts and styles of the pages
 *   /whip/<stream>                        WHIP endpoint
 *   /whip/session/<id>                    WHIP session
 *   /live/<stream>/index.m3u8             multivariant playlist
 *   /live/<stream>/<n>/media.m3u8         media playlist of rendition n
 *   /live/<stream>/<n>/<epoch>-<msn>.m4s          segment
 *   /live/<stream>/<n>/<epoch>-<msn>.<part>.m4s   part
 *   /live/<stream>/<n>/<epoch>-<hash>.mp4         CMAF header
 *
 * No path names a file of this machine. epoch and hash are 16 lower-case hexadecimal digits. */
#ifndef SLUICE_WEB_ROUTE_H
#define SLUICE_WEB_ROUTE_H

#include "lib/base/text.h"
#include "lib/proto/stream.h"

#include <stdbool.h>
#include <stdint.h>

#define ROUTE_HASH_LEN 16u /* hexadecimal digits of an epoch or a hash */

enum route_kind {
    ROUTE_NONE,
    ROUTE_HOME,
    ROUTE_HEALTH,
    ROUTE_READY,
    ROUTE_PUBLISH,
    ROUTE_WATCH,
    ROUTE_ASSET,
    ROUTE_WHIP,
    ROUTE_SESSION,
    ROUTE_MULTIVARIANT,
    ROUTE_MEDIA,
    ROUTE_SEGMENT,
    ROUTE_PART,
    ROUTE_INIT,
};

/* Which CORS rules and which limits a path has, also when there is nothing behind it. */
enum route_area { AREA_PAGES, AREA_WHIP, AREA_LIVE };

/* Slices are borrowed from the path. */
struct route {
    enum route_kind kind;
    enum route_area area;
    struct slice name; /* stream, session id or asset */
    uint32_t rendition;
    uint64_t epoch;
    uint64_t msn; /* ROUTE_INIT: the hash */
    uint32_t part;
};

/* 0, -ENOENT for a path that is not in the table, -EBADMSG when it holds a percent sign, a
 * backslash, a control byte or bytes that are not ASCII. out->area is set in every case, kind is
 * ROUTE_NONE on failure. */
int route_parse(struct slice path, struct route *out);

/* May this Host be answered (421 otherwise, against DNS rebinding, H6): an address literal,
 * localhost, or one of the blank-separated names in allowed, each with or without port; not
 * case-sensitive. */
bool route_host_allowed(struct slice host, const char *allowed);
/* True when host, without its port, is one of the names in allowed. */
bool route_host_named(struct slice host, const char *allowed);

#endif
