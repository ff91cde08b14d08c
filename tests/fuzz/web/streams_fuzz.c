/* A worker's announcements in any order, from any worker, with viewers' requests in between.
 *
 * The input is a series of steps: a kind, then its fields. Half of the fields are small numbers
 * near what is expected, so that sequences get far; the others are raw. */
#include "lib/base/clock.h"
#include "lib/base/reader.h"
#include "lib/base/segment.h"
#include "web/hls.h"
#include "web/playlist.h"
#include "web/streams.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUESTS 8u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct rig {
    struct loop loop;
    struct peers *peers;
    struct hls *hls;
    struct streams *streams;
    struct segment_writer memory;
    struct request requests[REQUESTS];
    char targets[REQUESTS][160];
    size_t next_request;
    uint64_t now_us;
    uint64_t msn;
};

static void feed(struct rig *rig, unsigned type, const void *body, const void *blob, size_t len)
{
    struct stream *stream = streams_find(rig->streams, slice_of("s"));
    int fds[1] = {rig->memory.fd};
    struct chan_message m = {.type = (uint16_t)type,
                             .body = body,
                             .blob = blob,
                             .blob_len = len,
                             .fds = fds,
                             .fd_count = 1};
    if (!stream || stream_feed(stream, &m, rig->now_us) == 0)
        return;
    /* as a channel that has ended: the next worker comes, or the same one over another link */
    struct msg_stream_link link = {.session = stream->session, .stream = "s"};
    stream->relink_us = rig->msn & 1;
    (void)streams_on_link(rig->streams, &link, -1);
}

static void step_hello(struct rig *rig, struct reader *r)
{
    struct part_hello m = {.epoch = reader_u8(r) & 1,
                           .part_target_us = 200000,
                           .segment_target_us = 2000000,
                           .target_duration_s = 3,
                           .window = reader_u8(r) % 40,
                           .continues = reader_u8(r) & 1,
                           .renditions = reader_u8(r)};
    uint8_t odd = reader_u8(r);
    if (odd & 1)
        m.part_target_us = reader_u32(r);
    if (odd & 2)
        m.target_duration_s = reader_u32(r);
    feed(rig, PART_HELLO, &m, NULL, 0);
}

static void step_init(struct rig *rig, struct reader *r)
{
    struct part_init m = {.rendition = reader_u8(r) % 9,
                          .init_id = reader_u8(r) % 8,
                          .kind = reader_u8(r) % 3,
                          .channels = 2,
                          .width = 16,
                          .height = reader_u16(r),
                          .sample_rate = 48000,
                          .bandwidth_bps = reader_u32(r)};
    char blob[2] = {(char)reader_u8(r), 'x'};
    (void)text_copy(m.codecs, sizeof(m.codecs), slice_of("avc1.42c01f"));
    if (reader_u8(r) == 7)
        memset(m.codecs, reader_u8(r), sizeof(m.codecs));
    feed(rig, PART_INIT, &m, blob, reader_u8(r) % 3);
}

static void step_segment(struct rig *rig, struct reader *r)
{
    rig->msn += reader_u8(r) % 4;
    struct part_segment m = {.msn = rig->msn,
                             .discontinuity_sequence = reader_u8(r) % 4,
                             .wall_us = (int64_t)reader_u32(r) * 1000000,
                             .rendition = reader_u8(r) % 9,
                             .init_id = reader_u8(r) % 8,
                             .discontinuity = reader_u8(r) % 3};
    if (reader_u8(r) == 9)
        m.msn = reader_u64(r);
    feed(rig, PART_SEGMENT, &m, NULL, 0);
}

static void step_part(struct rig *rig, struct reader *r)
{
    static const uint32_t len = 100;
    uint8_t index = reader_u8(r);
    struct part_part m = {.msn = rig->msn,
                          .rendition = reader_u8(r) % 9,
                          .part = index,
                          .offset = index * len,
                          .len = len,
                          .duration_us = 1 + reader_u32(r) % 300000,
                          .flags = reader_u8(r) % 5};
    if (reader_u8(r) == 9) {
        m.offset = reader_u32(r);
        m.len = reader_u32(r);
        m.msn = reader_u64(r);
    }
    feed(rig, PART_PART, &m, NULL, 0);
}

static void drop_request(struct request *request)
{
    if (request->answered && request->reply) {
        volatile uint8_t sum = 0;
        for (size_t i = 0; i < request->reply->body_len; i++)
            sum = (uint8_t)(sum + ((const uint8_t *)request->reply->body)[i]);
        reply_unref(request->reply);
        request->reply = NULL;
    }
}

static void step_request(struct rig *rig, struct reader *r)
{
    struct route route;
    struct request *request = &rig->requests[rig->next_request];
    char *target = rig->targets[rig->next_request];
    if (request->wait.list) /* all are in use: give up waiting */
        return;
    drop_request(request);
    rig->next_request = (rig->next_request + 1) % REQUESTS;
    unsigned rendition = reader_u8(r) % 8, kind = reader_u8(r) % 5, epoch = reader_u8(r) & 1;
    unsigned long long msn = rig->msn + reader_u8(r) % 4;
    unsigned part = reader_u8(r);
    if (kind == 0)
        (void)snprintf(target, 160, "/live/s/index.m3u8");
    else if (kind == 1)
        (void)snprintf(target, 160, "/live/s/%u/media.m3u8", rendition);
    else if (kind == 2)
        (void)snprintf(target, 160, "/live/s/%u/media.m3u8?_HLS_msn=%llu&_HLS_part=%u", rendition,
                       msn, part);
    else if (kind == 3)
        (void)snprintf(target, 160, "/live/s/%u/%016x-%llu.m4s", rendition, epoch, msn);
    else
        (void)snprintf(target, 160, "/live/s/%u/%016x-%llu.%u.m4s", rendition, epoch, msn, part);
    struct slice rest = slice_of(target);
    *request = (struct request){.method = METHOD_GET};
    request->path = slice_cut(&rest, '?');
    request->query = rest;
    request->peer.family = 4;
    if (route_parse(request->path, &route) == 0)
        hls_handle(rig->hls, rig->streams, request, &route, rig->now_us);
}

static void step(struct rig *rig, struct reader *r)
{
    struct msg_stream_link link = {.session = 1, .stream = "s"};
    struct msg_stream_state state = {.session = 1, .stream = "s"};
    struct part_segment_end segment_end = {.msn = rig->msn};
    struct part_end end = {0};
    switch (reader_u8(r) % 12) {
    case 0:
        (void)streams_on_link(rig->streams, &link, -1);
        break;
    case 1:
        step_hello(rig, r);
        break;
    case 2:
        step_init(rig, r);
        break;
    case 3:
    case 4:
        step_segment(rig, r);
        break;
    case 5:
    case 6:
        step_part(rig, r);
        break;
    case 7:
        segment_end.rendition = reader_u8(r) % 9;
        feed(rig, PART_SEGMENT_END, &segment_end, NULL, 0);
        break;
    case 8:
        end.final = reader_u8(r) & 1;
        feed(rig, PART_END, &end, NULL, 0);
        break;
    case 9:
        state.state = reader_u8(r) % (STREAM_STATE_COUNT + 1);
        (void)streams_on_state(rig->streams, &state);
        break;
    case 10:
        rig->now_us += (uint64_t)reader_u8(r) * 100000;
        streams_sweep(rig->streams, rig->now_us);
        break;
    default:
        step_request(rig, r);
        break;
    }
}

/* What must hold of every list, whatever was announced. */
static void check(const struct rig *rig)
{
    const struct stream *stream = streams_find(rig->streams, slice_of("s"));
    for (size_t i = 0; stream && i < PART_RENDITIONS_MAX; i++) {
        const struct rendition *r = &stream->renditions[i];
        assert(r->listed_count <= PART_WINDOW_MAX && r->retired_count <= RENDITION_RETIRED_MAX);
        for (size_t n = 0; n < r->listed_count; n++) {
            const struct media_segment *s = r->listed[n];
            assert(s->len <= s->map.capacity && s->init);
            assert(n + 1 == r->listed_count || s->complete);
            if (n == 0)
                continue;
            assert(s->msn == r->listed[n - 1]->msn + 1);
            assert(s->discontinuity_sequence ==
                   r->listed[n - 1]->discontinuity_sequence + s->discontinuity);
        }
    }
}

static void rig_init(struct rig *rig)
{
    int rc = loop_init(&rig->loop);
    if (rc == 0)
        rc = peers_new(4, &rig->peers);
    if (rc == 0)
        rc = hls_new(rig->peers, REQUESTS, &rig->hls);
    if (rc == 0)
        rc = streams_new(&rig->loop, 5, hls_on_stream, rig->hls, &rig->streams);
    if (rc == 0)
        rc = segment_writer_open(&rig->memory, 4096);
    assert(rc == 0);
    rig->now_us = clock_now_us();
    rig->msn = 100;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    struct reader r;
    struct msg_stream_link link = {.session = 1, .stream = "s"};
    assert(rig);
    rig_init(rig);
    (void)streams_on_link(rig->streams, &link, -1);
    reader_init(&r, data, size);
    for (int i = 0; i < 200 && reader_left(&r) > 0; i++) {
        step(rig, &r);
        check(rig);
    }
    streams_free(rig->streams);
    for (size_t i = 0; i < REQUESTS; i++) {
        assert(!rig->requests[i].wait.list);
        drop_request(&rig->requests[i]);
    }
    hls_free(rig->hls);
    peers_free(rig->peers);
    segment_writer_close(&rig->memory);
    loop_done(&rig->loop);
    free(rig);
    return 0;
}
