/* What the tests of web share: a stream whose worker the test plays, and requests without sockets.
 */
#ifndef SLUICE_TESTS_WEB_RIG_H
#define SLUICE_TESTS_WEB_RIG_H

#include "lib/base/clock.h"
#include "lib/base/segment.h"
#include "web/hls.h"
#include "web/peers.h"
#include "web/request.h"
#include "web/route.h"
#include "web/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define RIG_EPOCH UINT64_C(0x0123456789abcdef)
#define RIG_PART_US 200000u
#define RIG_SEGMENT_US 2000000u
#define RIG_TARGET_S 3u
#define RIG_WINDOW 6u
#define RIG_WALL_US INT64_C(1750000000123000) /* 2025-06-15T15:06:40.123Z */
#define RIG_WAITERS 4u
#define RIG_LINGER_S 5u

struct rig {
    struct loop loop;
    struct peers *peers;
    struct hls *hls;
    struct streams *streams;
    struct stream *stream;
    struct segment_writer memory; /* the bytes of all segments */
    uint64_t worker;              /* who says hello */
    uint64_t now_us;
};

static inline void rig_link(struct rig *rig, uint64_t session)
{
    struct msg_stream_link m = {.session = session, .stream = "demo"};
    assert_int_equal(streams_on_link(rig->streams, &m, -1), 0);
    rig->stream = streams_find(rig->streams, slice_of("demo"));
    assert_non_null(rig->stream);
}

/* The link of another worker. */
static inline void rig_successor(struct rig *rig, uint64_t session)
{
    rig->worker++;
    rig_link(rig, session);
}

static inline void rig_init(struct rig *rig)
{
    *rig = (struct rig){.now_us = clock_now_us()};
    assert_int_equal(loop_init(&rig->loop), 0);
    assert_int_equal(peers_new(64, &rig->peers), 0);
    assert_int_equal(hls_new(rig->peers, RIG_WAITERS, &rig->hls), 0);
    assert_int_equal(streams_new(&rig->loop, RIG_LINGER_S, hls_on_stream, rig->hls, &rig->streams),
                     0);
    assert_int_equal(segment_writer_open(&rig->memory, 1u << 20), 0);
    for (size_t i = 0; i < rig->memory.capacity; i++)
        rig->memory.data[i] = (uint8_t)(i * 7 + i / 251);
    rig_link(rig, 1);
}

static inline void rig_done(struct rig *rig)
{
    streams_free(rig->streams);
    hls_free(rig->hls);
    peers_free(rig->peers);
    segment_writer_close(&rig->memory);
    loop_done(&rig->loop);
}

static inline int rig_set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    rig_init(rig);
    *state = rig;
    return 0;
}

static inline int rig_tear_down(void **state)
{
    rig_done(*state);
    free(*state);
    return 0;
}

#define IN_RIG(f) cmocka_unit_test_setup_teardown(f, rig_set_up, rig_tear_down)

/* ---- the worker ---- */

static inline int rig_feed(struct rig *rig, unsigned type, const void *body, const void *blob,
                           size_t blob_len, int fd)
{
    int fds[1] = {fd};
    struct chan_message m = {.type = (uint16_t)type,
                             .body = body,
                             .blob = blob,
                             .blob_len = blob_len,
                             .fds = fds,
                             .fd_count = fd >= 0 ? 1 : 0};
    return stream_feed(rig->stream, &m, rig->now_us);
}

static inline struct part_hello rig_hello_body(unsigned renditions, bool continues)
{
    return (struct part_hello){.epoch = RIG_EPOCH,
                               .part_target_us = RIG_PART_US,
                               .segment_target_us = RIG_SEGMENT_US,
                               .target_duration_s = RIG_TARGET_S,
                               .window = RIG_WINDOW,
                               .continues = continues,
                               .renditions = (uint8_t)renditions};
}

static inline int rig_hello(struct rig *rig, unsigned renditions, bool continues)
{
    struct part_hello m = rig_hello_body(renditions, continues);
    m.worker = rig->worker;
    return rig_feed(rig, PART_HELLO, &m, NULL, 0, -1);
}

/* Rendition 0 is video, 1 audio. content makes the header's bytes differ. */
static inline int rig_send_init(struct rig *rig, uint32_t rendition, uint32_t id,
                                const char *content)
{
    struct part_init m = {.rendition = rendition,
                          .init_id = id,
                          .kind = rendition == 1 ? TRACK_AUDIO : TRACK_VIDEO,
                          .bandwidth_bps = rendition == 1 ? 128000 : 2500000};
    if (rendition == 1) {
        m.channels = 2;
        m.sample_rate = 48000;
        (void)text_copy(m.codecs, sizeof(m.codecs), slice_of("mp4a.40.2"));
    } else {
        m.width = 1280;
        m.height = 720;
        (void)text_copy(m.codecs, sizeof(m.codecs), slice_of("avc1.42c01f"));
    }
    return rig_feed(rig, PART_INIT, &m, content, strlen(content), -1);
}

static inline int rig_segment_full(struct rig *rig, const struct part_segment *m)
{
    int fd = fcntl(rig->memory.fd, F_DUPFD_CLOEXEC, 3);
    assert_true(fd >= 0);
    int rc = rig_feed(rig, PART_SEGMENT, m, NULL, 0, fd);
    (void)close(fd);
    return rc;
}

static inline int rig_segment(struct rig *rig, uint32_t rendition, uint64_t msn)
{
    struct part_segment m = {.msn = msn,
                             .wall_us = RIG_WALL_US + (int64_t)(msn % 1000) * RIG_SEGMENT_US,
                             .rendition = rendition,
                             .init_id = 1};
    return rig_segment_full(rig, &m);
}

/* Parts are 1000 bytes each. */
static inline int rig_part(struct rig *rig, uint32_t rendition, uint64_t msn, uint32_t part,
                           uint32_t flags)
{
    struct part_part m = {.msn = msn,
                          .rendition = rendition,
                          .part = part,
                          .offset = part * 1000,
                          .len = 1000,
                          .duration_us = RIG_PART_US,
                          .flags = flags};
    return rig_feed(rig, PART_PART, &m, NULL, 0, -1);
}

static inline int rig_segment_end(struct rig *rig, uint32_t rendition, uint64_t msn)
{
    struct part_segment_end m = {.msn = msn, .rendition = rendition, .duration_us = RIG_SEGMENT_US};
    return rig_feed(rig, PART_SEGMENT_END, &m, NULL, 0, -1);
}

static inline int rig_end(struct rig *rig, bool final)
{
    struct part_end m = {.final = final};
    return rig_feed(rig, PART_END, &m, NULL, 0, -1);
}

/* A whole segment of ten parts. */
static inline void rig_whole(struct rig *rig, uint32_t rendition, uint64_t msn)
{
    assert_int_equal(rig_segment(rig, rendition, msn), 0);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(rig_part(rig, rendition, msn, i,
                                  (i == 0 ? PART_INDEPENDENT : 0) | (i == 9 ? PART_LAST : 0)),
                         0);
    assert_int_equal(rig_segment_end(rig, rendition, msn), 0);
    rig->now_us += RIG_SEGMENT_US;
}

/* hello, headers and whole segments first..last of video and audio */
static inline void rig_publish(struct rig *rig, uint64_t first, uint64_t last)
{
    assert_int_equal(rig_hello(rig, 3, false), 0);
    assert_int_equal(rig_send_init(rig, 0, 1, "video header"), 0);
    assert_int_equal(rig_send_init(rig, 1, 1, "audio header"), 0);
    for (uint64_t msn = first; msn <= last; msn++) {
        rig_whole(rig, 0, msn);
        rig_whole(rig, 1, msn);
    }
}

/* A worker with that rendition alone, whose first segment is msn, open. */
static inline void rig_open_alone(struct rig *rig, uint32_t rendition, uint64_t msn)
{
    assert_int_equal(rig_hello(rig, 1u << rendition, false), 0);
    assert_int_equal(rig_send_init(rig, rendition, 1, "h"), 0);
    assert_int_equal(rig_segment(rig, rendition, msn), 0);
}

/* A worker that goes on with the list of the one before; its video header is number 1. */
static inline void rig_take_over(struct rig *rig, uint64_t session, const char *header)
{
    rig_successor(rig, session);
    assert_int_equal(rig_hello(rig, 3, true), 0);
    assert_int_equal(rig_send_init(rig, 0, 1, header), 0);
}

/* A video segment behind the first discontinuity. */
static inline void rig_break(struct rig *rig, uint64_t msn, uint32_t init_id)
{
    struct part_segment m = {.msn = msn,
                             .discontinuity_sequence = 1,
                             .discontinuity = 1,
                             .wall_us = RIG_WALL_US + (int64_t)msn * RIG_SEGMENT_US,
                             .init_id = init_id};
    assert_int_equal(rig_segment_full(rig, &m), 0);
}

/* ---- requests ---- */

static inline void rig_request(struct request *request, enum request_method method,
                               const char *target)
{
    struct slice rest = slice_of(target);
    *request = (struct request){.method = method};
    request->path = slice_cut(&rest, '?');
    request->query = rest;
    request->peer = (struct addr){.family = 4, .ip = {127, 0, 0, 1}};
    request->headers.host = slice_of("localhost:8080");
}

static inline void rig_handle(struct rig *rig, struct request *request)
{
    struct route route;
    assert_int_equal(route_parse(request->path, &route), 0);
    hls_handle(rig->hls, rig->streams, request, &route, rig->now_us);
}

static inline void rig_get(struct rig *rig, struct request *request, const char *target)
{
    rig_request(request, METHOD_GET, target);
    rig_handle(rig, request);
}

/* The status of the answer; 0 while the request waits. */
static inline unsigned rig_status(const struct request *request)
{
    return request->answered && request->reply ? request->reply->status : 0;
}

static inline void rig_drop(struct request *request)
{
    reply_unref(request->reply);
    request->reply = NULL;
}

/* The answer's body as text, to be freed. */
static inline char *rig_text(const struct request *request)
{
    assert_true(request->answered);
    assert_non_null(request->reply);
    char *text = malloc(request->reply->body_len + 1);
    assert_non_null(text);
    memcpy(text, request->reply->body, request->reply->body_len);
    text[request->reply->body_len] = '\0';
    return text;
}

/* The text of a playlist that is there now, to be freed. */
static inline char *rig_playlist(struct rig *rig, const char *target)
{
    struct request request;
    rig_get(rig, &request, target);
    assert_int_equal(rig_status(&request), 200);
    char *text = rig_text(&request);
    rig_drop(&request);
    return text;
}

/* The number behind the first occurrence of tag. */
static inline double rig_number(const char *text, const char *tag)
{
    const char *at = strstr(text, tag);
    assert_non_null(at);
    return strtod(at + strlen(tag), NULL);
}

static inline size_t rig_count(const char *text, const char *what)
{
    size_t count = 0;
    for (const char *at = strstr(text, what); at; at = strstr(at + 1, what))
        count++;
    return count;
}

#endif
