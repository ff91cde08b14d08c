/* Playlists and media over HTTP: blocking reload, held part requests, ranges and cache rules. */
#include "web/hls.h"

#include "lib/base/clock.h"
#include "web/directives.h"
#include "web/playlist.h"
#include "web/problem.h"
#include "web/range.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define WAIT_TARGETS 3u         /* LL-14 */
#define WAIT_DEFAULT_S 9u       /* before a worker has told its target duration */
#define WHOLE_AFTER_US 3000000u /* a rendition that is this late is left out */
#define BLOCKING_MAX_AGE_S 6u   /* CDN-02 */
#define GZIP_LEVEL 4
#define ANY_PART UINT32_MAX /* wait for the whole segment */

/* What a request under /live wants; kept in its wait while it waits. */
enum want {
    WANT_MULTIVARIANT,
    WANT_PLAYLIST,       /* the current one */
    WANT_PLAYLIST_AFTER, /* one that has wait.number and wait.part */
    WANT_PART,           /* wait.epoch, number, part */
    WANT_SEGMENT,        /* wait.epoch, number */
    WANT_INIT,           /* wait.epoch, number is the hash */
};

struct hls {
    struct peers *peers;
    uint32_t per_address_waiters;
    z_stream gzip;
    char text[PLAYLIST_TEXT_MAX];
    uint8_t packed[PLAYLIST_TEXT_MAX + 1024];
};

int hls_new(struct peers *peers, uint32_t per_address_waiters, struct hls **out)
{
    struct hls *hls = calloc(1, sizeof(*hls));
    if (!hls)
        return -ENOMEM;
    /* 16 more: gzip instead of zlib framing */
    if (deflateInit2(&hls->gzip, GZIP_LEVEL, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY)) {
        free(hls);
        return -ENOMEM;
    }
    hls->peers = peers;
    hls->per_address_waiters = per_address_waiters;
    *out = hls;
    return 0;
}

void hls_free(struct hls *hls)
{
    if (!hls)
        return;
    (void)deflateEnd(&hls->gzip);
    free(hls);
}

/* ---- replies ---- */

/* HLS-25: anyone may read, and measure */
static void add_cors(struct reply *reply)
{
    reply_header(reply, "Access-Control-Allow-Origin", "*");
    reply_header(reply, "Access-Control-Expose-Headers", "Age, Date, Content-Length");
    reply_header(reply, "X-Content-Type-Options", "nosniff");
}

struct reply *hls_problem(unsigned status, const char *detail)
{
    struct reply *reply = problem_reply(status, detail, NULL);
    bool is_shared = status == 400 || status == 404 || status == 503; /* CDN-02 */
    reply_header(reply, "Cache-Control", is_shared ? "max-age=1" : "no-store");
    if (status == 503 || status == 429)
        reply_header(reply, "Retry-After", "1");
    add_cors(reply);
    return reply;
}

static struct reply *preflight(void)
{
    struct reply *reply = reply_new(204);
    add_cors(reply);
    reply_header(reply, "Access-Control-Allow-Methods", "GET, HEAD, OPTIONS");
    reply_header(reply, "Access-Control-Allow-Headers", "Range, If-Range, If-None-Match");
    reply_header(reply, "Access-Control-Max-Age", "86400");
    reply_header(reply, "Allow", "GET, HEAD, OPTIONS");
    return reply;
}

static struct reply *refuse_method(void)
{
    struct reply *reply = hls_problem(405, "Playlists and media are read with GET.");
    reply_header(reply, "Allow", "GET, HEAD, OPTIONS");
    return reply;
}

/* The gzip form of hls->text[0..len) in hls->packed; 0 when it failed. */
static size_t pack(struct hls *hls, size_t len)
{
    z_stream *z = &hls->gzip;
    if (deflateReset(z) != Z_OK)
        return 0;
    z->next_in = (Bytef *)hls->text;
    z->avail_in = (uInt)len;
    z->next_out = hls->packed;
    z->avail_out = sizeof(hls->packed);
    return deflate(z, Z_FINISH) == Z_STREAM_END ? sizeof(hls->packed) - z->avail_out : 0;
}

static struct playlist_input input_of(const struct stream *stream)
{
    return (struct playlist_input){
        .hello = &stream->hello, .renditions = stream->renditions, .ended = stream->ended};
}

/* A reply with the len characters in hls->text. */
static struct reply *text_reply(struct hls *hls, size_t len, bool gzip, uint32_t max_age_s)
{
    char cache[32];
    const void *body = hls->text;
    if (gzip) {
        body = hls->packed;
        len = pack(hls, len);
    }
    if (len == 0)
        return hls_problem(500, "The playlist could not be made.");
    struct reply *reply = reply_new(200);
    (void)snprintf(cache, sizeof(cache), "max-age=%u", (unsigned)max_age_s);
    reply_header(reply, "Content-Type", "application/vnd.apple.mpegurl");
    reply_header(reply, "Cache-Control", cache);
    reply_header(reply, "Vary", "Accept-Encoding");
    if (gzip)
        reply_header(reply, "Content-Encoding", "gzip");
    add_cors(reply);
    return reply_body_copy(reply, body, len);
}

/* The prepared reply in its slot, made if it is not there. The caller gets a reference. */
static struct reply *playlist_reply(struct hls *hls, struct stream *stream, uint32_t rendition,
                                    const struct request *request, bool blocking)
{
    struct playlist_input in = input_of(stream);
    struct writer w;
    bool gzip = request_takes_gzip(request);
    struct reply **slot = &stream->fronts[rendition].replies[(gzip ? 1 : 0) + (blocking ? 2 : 0)];
    if (!*slot) {
        writer_init(&w, hls->text, sizeof(hls->text));
        playlist_write_media(&w, &in, rendition);
        uint32_t max_age_s = blocking && !stream->ended ? BLOCKING_MAX_AGE_S : 1;
        *slot = text_reply(hls, writer_ok(&w) ? w.len : 0, gzip, max_age_s);
    }
    return reply_ref(*slot);
}

static struct reply *multivariant_reply(struct hls *hls, struct stream *stream,
                                        const struct request *request)
{
    struct playlist_input in = input_of(stream);
    struct writer w;
    bool gzip = request_takes_gzip(request);
    struct reply **slot = &stream->front.replies[gzip ? 1 : 0];
    if (!*slot) {
        writer_init(&w, hls->text, sizeof(hls->text));
        playlist_write_multivariant(&w, &in);
        uint32_t max_age_s = stream->ended ? 1 : stream->hello.target_duration_s;
        *slot = text_reply(hls, writer_ok(&w) ? w.len : 0, gzip, max_age_s);
    }
    return reply_ref(*slot);
}

static struct reply *not_modified(const char *tag, const char *cache)
{
    struct reply *reply = reply_new(304);
    reply_header(reply, "ETag", tag);
    reply_header(reply, "Cache-Control", cache);
    add_cors(reply);
    return reply;
}

/* Bytes that never change: data[0..len), owned by owner, who gets released. */
static struct reply *media_reply(const struct stream *stream, const struct request *request,
                                 const char *name, uint8_t kind, const uint8_t *data, size_t len,
                                 reply_release_fn release, void *owner)
{
    char tag[PLAYLIST_NAME_MAX + 2], cache[64], range[80];
    size_t first = 0, part_len = len;
    enum range_verdict verdict = RANGE_WHOLE;
    (void)snprintf(tag, sizeof(tag), "\"%s\"", name);
    (void)snprintf(cache, sizeof(cache), "public, max-age=%u, immutable",
                   (unsigned)(stream->hello.window * stream->hello.target_duration_s));
    if (request_has_tag(request, tag)) {
        release(owner);
        return not_modified(tag, cache);
    }
    struct slice condition = request->headers.if_range;
    if (request->method == METHOD_GET && (condition.len == 0 || slice_is(condition, tag)))
        verdict = range_parse(request->headers.range, len, &first, &part_len);
    if (verdict == RANGE_OUTSIDE) {
        release(owner);
        struct reply *refusal = hls_problem(416, NULL);
        (void)snprintf(range, sizeof(range), "bytes */%zu", len);
        reply_header(refusal, "Content-Range", range);
        return refusal;
    }
    struct reply *reply = reply_new(verdict == RANGE_PARTIAL ? 206 : 200);
    if (verdict == RANGE_PARTIAL) {
        (void)snprintf(range, sizeof(range), "bytes %zu-%zu/%zu", first, first + part_len - 1, len);
        reply_header(reply, "Content-Range", range);
    }
    reply_header(reply, "Content-Type", kind == TRACK_AUDIO ? "audio/mp4" : "video/mp4");
    reply_header(reply, "Cache-Control", cache);
    reply_header(reply, "ETag", tag);
    reply_header(reply, "Accept-Ranges", "bytes");
    add_cors(reply);
    reply_body(reply, data + first, part_len, release, owner);
    return reply;
}

/* ---- what a request gets, if anything yet ---- */

static struct reply *unknown(void)
{
    return hls_problem(404, "There is nothing here, or not yet, or no longer.");
}

/* NULL and *out_wait: not yet. NULL alone: no memory. */
static struct reply *try_multivariant(struct hls *hls, struct stream *stream,
                                      const struct request *request, bool *out_wait)
{
    struct playlist_input in = input_of(stream);
    if (stream->ended && stream->first_part_us == 0)
        return unknown();
    bool ready = stream->greeted && stream->first_part_us > 0 &&
                 (stream->ended || playlist_is_whole(&in) ||
                  clock_now_us() >= stream->first_part_us + WHOLE_AFTER_US);
    if (ready)
        return multivariant_reply(hls, stream, request);
    *out_wait = true;
    return NULL;
}

static struct reply *try_playlist(struct hls *hls, struct stream *stream, uint32_t rendition,
                                  const struct request *request, bool *out_wait)
{
    const struct rendition *r = &stream->renditions[rendition];
    const struct wait *wait = &request->wait;
    bool blocking = wait->kind == WANT_PLAYLIST_AFTER;
    if (!rendition_last(r)) {
        bool will_come = !stream->greeted || stream->hello.renditions >> rendition & 1;
        if (stream->ended || !will_come)
            return unknown();
        *out_wait = true;
        return NULL;
    }
    if (!blocking || stream->ended) /* LL-14: directives mean nothing after the end */
        return playlist_reply(hls, stream, rendition, request, blocking);
    int64_t part = wait->part == ANY_PART ? -1 : (int64_t)wait->part;
    switch (rendition_have(r, wait->number, part, playlist_part_limit(&stream->hello))) {
    case RENDITION_HAVE:
        return playlist_reply(hls, stream, rendition, request, true);
    case RENDITION_TOO_FAR:
        return hls_problem(400, "The playlist is not that far yet.");
    case RENDITION_WAIT:
        break;
    }
    *out_wait = true;
    return NULL;
}

/* LL-16: the part that the preload hint names is held back until it is there, then sent whole. */
static struct reply *try_part(struct stream *stream, uint32_t rendition,
                              const struct request *request, bool *out_wait)
{
    const struct rendition *r = &stream->renditions[rendition];
    const struct wait *wait = &request->wait;
    struct media_segment *s = rendition_find(r, wait->epoch, wait->number);
    char name[PLAYLIST_NAME_MAX];
    uint64_t next_msn;
    uint32_t next_part;
    if (s && wait->part < s->part_count) {
        const struct media_part *part = &s->parts[wait->part];
        playlist_part_name(name, s->epoch, s->msn, wait->part);
        return media_reply(stream, request, name, s->init->info.kind, s->map.data + part->offset,
                           part->len, media_segment_unref, media_segment_ref(s));
    }
    if (stream->ended || wait->epoch != stream->hello.epoch ||
        !rendition_next_part(r, &next_msn, &next_part) || next_msn != wait->number ||
        next_part != wait->part)
        return unknown();
    *out_wait = true;
    return NULL;
}

static struct reply *try_segment(struct stream *stream, uint32_t rendition,
                                 const struct request *request)
{
    const struct wait *wait = &request->wait;
    struct media_segment *s =
        rendition_find(&stream->renditions[rendition], wait->epoch, wait->number);
    char name[PLAYLIST_NAME_MAX];
    if (!s || !s->complete)
        return unknown();
    playlist_segment_name(name, s->epoch, s->msn);
    return media_reply(stream, request, name, s->init->info.kind, s->map.data, s->len,
                       media_segment_unref, media_segment_ref(s));
}

static struct reply *try_init(struct stream *stream, uint32_t rendition,
                              const struct request *request)
{
    const struct wait *wait = &request->wait;
    struct media_init *init =
        rendition_find_init(&stream->renditions[rendition], wait->epoch, wait->number);
    char name[PLAYLIST_NAME_MAX];
    if (!init)
        return unknown();
    playlist_init_name(name, init->epoch, init->hash);
    return media_reply(stream, request, name, init->info.kind, init->data, init->len,
                       media_init_unref, media_init_ref(init));
}

static struct reply *try_request(struct hls *hls, struct stream *stream, uint32_t rendition,
                                 const struct request *request, bool *out_wait)
{
    switch ((enum want)request->wait.kind) {
    case WANT_MULTIVARIANT:
        return try_multivariant(hls, stream, request, out_wait);
    case WANT_PLAYLIST:
    case WANT_PLAYLIST_AFTER:
        return try_playlist(hls, stream, rendition, request, out_wait);
    case WANT_PART:
        return try_part(stream, rendition, request, out_wait);
    case WANT_SEGMENT:
        return try_segment(stream, rendition, request);
    case WANT_INIT:
        return try_init(stream, rendition, request);
    }
    return unknown();
}

/* ---- waiting ---- */

static void finish(struct hls *hls, struct request *request, struct reply *reply)
{
    if (request->wait.list)
        peers_drop(hls->peers, &request->peer, PEERS_WAITER);
    request_answer(request, reply);
}

static void wake(struct hls *hls, struct stream *stream, struct stream_front *front,
                 uint32_t rendition)
{
    struct request *next;
    for (struct request *r = front->waiting.first; r; r = next) {
        bool waits = false;
        next = r->wait.next;
        struct reply *reply = try_request(hls, stream, rendition, r, &waits);
        if (!waits)
            finish(hls, r, reply);
    }
}

static void expire(struct hls *hls, struct stream_front *front, uint64_t now_us)
{
    struct request *next;
    for (struct request *r = front->waiting.first; r; r = next) {
        next = r->wait.next;
        if (r->wait.due_us <= now_us)
            finish(hls, r, hls_problem(503, "What was asked for has not come in time."));
    }
}

static void forget_replies(struct stream_front *front)
{
    for (size_t i = 0; i < STREAMS_REPLIES; i++) {
        reply_unref(front->replies[i]);
        front->replies[i] = NULL;
    }
}

/* Every playlist tells of the others (EXT-X-RENDITION-REPORT), so a change makes all of them old.
 */
static void forget_all_replies(struct stream *stream)
{
    for (uint32_t i = 0; i < PART_RENDITIONS_MAX; i++)
        forget_replies(&stream->fronts[i]);
    forget_replies(&stream->front);
}

static void drop_waiters(struct hls *hls, struct stream_front *front)
{
    while (front->waiting.first)
        finish(hls, front->waiting.first, unknown());
}

static void on_tick(struct hls *hls, struct stream *stream)
{
    uint64_t now_us = clock_now_us();
    wake(hls, stream, &stream->front, 0); /* may be ready by time alone */
    for (uint32_t i = 0; i < PART_RENDITIONS_MAX; i++)
        expire(hls, &stream->fronts[i], now_us);
    expire(hls, &stream->front, now_us);
}

void hls_on_stream(void *ctx, struct stream *stream, enum streams_event event, uint32_t rendition)
{
    struct hls *hls = ctx;
    switch (event) {
    case STREAMS_CHANGED:
        forget_all_replies(stream);
        wake(hls, stream, &stream->fronts[rendition], rendition);
        wake(hls, stream, &stream->front, 0);
        break;
    case STREAMS_ENDED:
        forget_all_replies(stream);
        for (uint32_t i = 0; i < PART_RENDITIONS_MAX; i++)
            wake(hls, stream, &stream->fronts[i], i);
        wake(hls, stream, &stream->front, 0);
        break;
    case STREAMS_TICK:
        on_tick(hls, stream);
        break;
    case STREAMS_REMOVED:
        forget_all_replies(stream);
        for (uint32_t i = 0; i < PART_RENDITIONS_MAX; i++)
            drop_waiters(hls, &stream->fronts[i]);
        drop_waiters(hls, &stream->front);
        break;
    }
}

/* ---- requests ---- */

/* Fills request->wait from the route and the query. 0 or -EBADMSG. */
static int read_wish(struct request *request, const struct route *route)
{
    struct wait *wait = &request->wait;
    struct directives directives;
    wait->epoch = route->epoch;
    wait->number = route->msn;
    wait->part = route->part;
    switch (route->kind) {
    case ROUTE_MULTIVARIANT:
        wait->kind = WANT_MULTIVARIANT;
        return 0;
    case ROUTE_PART:
        wait->kind = WANT_PART;
        return 0;
    case ROUTE_SEGMENT:
        wait->kind = WANT_SEGMENT;
        return 0;
    case ROUTE_INIT:
        wait->kind = WANT_INIT;
        return 0;
    default:
        break;
    }
    int rc = directives_parse(request->query, &directives);
    if (rc)
        return rc;
    wait->kind = directives.has_msn ? WANT_PLAYLIST_AFTER : WANT_PLAYLIST;
    wait->number = directives.msn;
    wait->part = directives.has_part ? directives.part : ANY_PART;
    if (directives.has_part && directives.part == ANY_PART)
        wait->part = ANY_PART - 1; /* just as far away */
    return 0;
}

static void put_aside(struct hls *hls, struct stream *stream, struct request *request,
                      uint32_t rendition, uint64_t now_us)
{
    struct stream_front *front = &stream->fronts[rendition];
    if (request->wait.kind == WANT_MULTIVARIANT)
        front = &stream->front;
    if (!peers_take(hls->peers, &request->peer, PEERS_WAITER, hls->per_address_waiters)) {
        request_answer(request, hls_problem(429, "Too many requests of this address wait."));
        return;
    }
    uint64_t wait_s =
        stream->greeted ? (uint64_t)stream->hello.target_duration_s * WAIT_TARGETS : WAIT_DEFAULT_S;
    wait_add(&front->waiting, request, now_us + wait_s * CLOCK_SECOND_US);
}

void hls_handle(struct hls *hls, const struct streams *streams, struct request *request,
                const struct route *route, uint64_t now_us)
{
    bool waits = false;
    if (request->method == METHOD_OPTIONS) {
        request_answer(request, preflight());
        return;
    }
    if (request->method != METHOD_GET && request->method != METHOD_HEAD) {
        request_answer(request, refuse_method());
        return;
    }
    if (read_wish(request, route)) {
        request_answer(request, hls_problem(400, "The delivery directives are not valid."));
        return;
    }
    struct stream *stream = streams_find(streams, route->name);
    if (!stream) {
        request_answer(request, hls_problem(404, "No such stream is live."));
        return;
    }
    struct reply *reply = try_request(hls, stream, route->rendition, request, &waits);
    if (waits)
        put_aside(hls, stream, request, route->rendition, now_us);
    else
        request_answer(request, reply);
}
