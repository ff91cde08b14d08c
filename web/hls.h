/* Playlists and media over HTTP: blocking reload, held part requests, ranges and cache rules
 * (draft-pantos-hls-rfc8216bis 6.2.5; protocols.md LL-10 to LL-18, CDN-01 to CDN-09).
 *
 * A playlist's text is made at most once per change and encoding, and shared by all who wait for
 * it. A request that must wait is put into its stream's list, answered in the turn in which its
 * part arrives, and with 503 after three target durations (LL-14). */
#ifndef SLUICE_WEB_HLS_H
#define SLUICE_WEB_HLS_H

#include "web/peers.h"
#include "web/request.h"
#include "web/route.h"
#include "web/streams.h"

#include <stdint.h>

struct hls;

/* per_address_waiters: requests that one address may have waiting (P2). 0 or -ENOMEM. */
int hls_new(struct peers *peers, uint32_t per_address_waiters, struct hls **out);
void hls_free(struct hls *hls); /* NULL allowed; no stream may be left */

/* A request of ROUTE_MULTIVARIANT to ROUTE_INIT: answered now or put aside. */
void hls_handle(struct hls *hls, const struct streams *streams, struct request *request,
                const struct route *route, uint64_t now_us);

/* The streams_event_fn; ctx is the struct hls. */
void hls_on_stream(void *ctx, struct stream *stream, enum streams_event event, uint32_t rendition);

/* An error under /live, with its CORS and cache headers. */
struct reply *hls_problem(unsigned status, const char *detail);

#endif
