/* The transcode role from outside: a ring that the test writes, consumers that check like web. */
#include "lib/base/clock.h"
#include "lib/base/escape.h"
#include "lib/base/fd.h"
#include "lib/base/ring.h"
#include "lib/proto/frame.h"
#include "tests/process/transcode_viewer.h"
#include "tests/support/peer.h"
#include "tests/support/rawmedia.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ROLE "sluice-transcode"
#define WAIT_MS 10000
#define MEDIA "tests/process/media/small"
#define SESSION 77u
#define FIRST_MSN TRANSCODE_VIEWER_FIRST_MSN

static const struct settings_transcode settings = {
    .common = {.namespaces = 1, .test_hooks = 1},
    .part_us = 200000,
    .segment_us = 2000000,
    .window = 6,
    .audio_bitrate_bps = 128000,
    .video_bitrate_bps = 500000,
    .max_width = 1920,
    .max_height = 1080,
};

/* ---- a publisher: the ring of ingest ---- */

struct publisher {
    int ring_fd;
    int wakeup;
    struct ring_writer *ring;
    struct rawmedia media;
    enum codec codec;
    int64_t start_us;    /* of the media, on the monotonic clock */
    size_t video, audio; /* frames written */
};

static void publisher_open(struct publisher *p, enum rawmedia_codec codec)
{
    *p = (struct publisher){.ring_fd = -1, .wakeup = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    assert_true(p->wakeup >= 0);
    assert_int_equal(rawmedia_load(&p->media, MEDIA, codec, NULL), 0);
    p->codec = codec == RAWMEDIA_VP8 ? CODEC_VP8 : CODEC_H264;
    assert_int_equal(ring_create(RING_SIZE_MIN * 4, &p->ring_fd), 0);
    assert_int_equal(ring_writer_new(p->ring_fd, &p->ring, NULL), 0);
    assert_int_equal(ring_seal(p->ring_fd), 0);
    assert_int_equal(ring_writer_add_wakeup(p->ring, fcntl(p->wakeup, F_DUPFD_CLOEXEC, 3)), 0);
}

static void publisher_close(struct publisher *p)
{
    ring_writer_free(p->ring);
    rawmedia_done(&p->media);
    fd_close(&p->ring_fd);
    fd_close(&p->wakeup);
}

static void write_frame(struct publisher *p, const struct rawmedia_track *track, size_t number,
                        enum track kind, int64_t pts_us)
{
    const struct rawmedia_frame *raw = &track->frames[number % track->count];
    struct frame frame = {
        .len = (uint32_t)raw->len,
        .track = (uint8_t)kind,
        .codec = (uint8_t)(kind == TRACK_VIDEO ? p->codec : CODEC_OPUS),
        .flags = kind == TRACK_VIDEO && raw->key ? FRAME_KEY : 0,
        .pts_us = p->start_us + pts_us,
        .arrival_us = p->start_us + pts_us,
        .wall_us = INT64_C(1700000000000000) + pts_us,
        .number = (uint32_t)number,
    };
    struct iovec parts[] = {{.iov_base = &frame, .iov_len = sizeof frame},
                            {.iov_base = track->data + raw->offset, .iov_len = raw->len}};
    assert_int_equal(ring_write(p->ring, parts, 2), 0);
}

/* Both tracks up to that many milliseconds of media, at once. */
static void publish(struct publisher *p, int64_t until_ms)
{
    if (p->start_us == 0)
        p->start_us = (int64_t)clock_now_us() - until_ms * 1000;
    for (;;) {
        int64_t video_us = (int64_t)p->video * 1000000 / 30;
        int64_t audio_us = (int64_t)p->audio * 20000;
        if ((video_us < audio_us ? video_us : audio_us) >= until_ms * 1000)
            return;
        if (video_us <= audio_us)
            write_frame(p, &p->media.video, p->video++, TRACK_VIDEO, video_us);
        else
            write_frame(p, &p->media.audio, p->audio++, TRACK_AUDIO, audio_us);
    }
}

/* ---- a consumer ---- */

static void viewer_open(struct viewer *v, struct peer *p)
{
    int fds[2];
    memset(v, 0, sizeof *v);
    assert_int_equal(loop_init(&v->loop), 0);
    assert_int_equal(chan_pair(fds), 0);
    assert_int_equal(chan_new(&v->loop, fds[0], viewer_rules, 6, on_closed, v, &v->chan), 0);
    const struct msg_number id = {.number = (uint64_t)fds[0]};
    assert_int_equal(peer_send(p, MSG_CONSUMER, &id, NULL, 0, &fds[1]), 0);
    fd_close(&fds[1]);
}

static void viewer_close(struct viewer *v)
{
    chan_free(v->chan);
    loop_done(&v->loop);
    segment_reader_close(&v->renditions[0].memory);
    segment_reader_close(&v->renditions[1].memory);
}

/* Until that many parts, or ends, have come. */
static void viewer_wait(struct viewer *v, uint32_t parts, unsigned ends)
{
    uint64_t deadline = clock_now_us() + WAIT_MS * UINT64_C(1000);
    while ((v->parts < parts || v->ends < ends) && !v->closed && clock_now_us() < deadline)
        assert_int_equal(loop_turn(&v->loop, 100), 0);
    assert_true(v->parts >= parts);
    assert_true(v->ends >= ends);
}

/* ---- the scripted supervisor ---- */

static void start(struct peer *p)
{
    assert_int_equal(peer_start(p, ROLE, &settings, sizeof settings, NULL, 0, NULL, 0), 0);
    assert_non_null(peer_wait(p, MSG_READY, WAIT_MS));
}

static int send_bind(struct peer *p, const struct publisher *from, bool continues, uint64_t msn)
{
    struct msg_transcode_bind bind = {
        .session = SESSION,
        .epoch = 123,
        .next_msn = msn,
        .next_discontinuity = 3,
        .max_bitrate_bps = 3000000,
        .continues = continues,
        .renditions = 3,
        .stream = "demo",
    };
    int fds[] = {from->ring_fd, from->wakeup};
    return peer_send(p, MSG_TRANSCODE_BIND, &bind, NULL, 0, fds);
}

static void end(struct peer *p, enum end_reason reason)
{
    const struct msg_end message = {.session = SESSION, .reason = (uint32_t)reason};
    assert_int_equal(peer_send(p, MSG_END, &message, NULL, 0, NULL), 0);
}

static void assert_exits(struct peer *p, int wanted)
{
    int status = -1;
    assert_int_equal(peer_wait_exit(p, WAIT_MS, &status), 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), wanted);
}

/* ---- tests ---- */

static void I6_ready_with_sandbox_and_nothing_else_open(void **state)
{
    struct peer p;
    (void)state;
    assert_int_equal(peer_start(&p, ROLE, &settings, sizeof settings, NULL, 0, NULL, 0), 0);
    const struct chan_message *m = peer_wait(&p, MSG_READY, WAIT_MS);
    assert_non_null(m);
    const struct msg_ready *ready = m->body;
    assert_int_equal(ready->sandbox.seccomp, 1);
    assert_int_equal(ready->sandbox.no_new_privs, 1);
    assert_int_equal(ready->sandbox.not_dumpable, 1);
    assert_int_equal(ready->fd_count, 6); /* 0-2, channel, log, epoll */
    peer_stop(&p);
}

/* In real time, as a camera would. */
static void publish_live(struct publisher *p, struct viewer *v, int64_t until_ms)
{
    p->start_us = (int64_t)clock_now_us();
    for (;;) {
        int64_t now_ms = ((int64_t)clock_now_us() - p->start_us) / 1000;
        publish(p, now_ms < until_ms ? now_ms : until_ms);
        if (now_ms >= until_ms)
            return;
        assert_int_equal(loop_turn(&v->loop, 10), 0);
    }
}

static void publish_and_check(enum rawmedia_codec codec)
{
    struct peer p;
    struct publisher from;
    struct viewer v, late;
    start(&p);
    publisher_open(&from, codec);
    assert_int_equal(send_bind(&p, &from, false, FIRST_MSN), 0);
    viewer_open(&v, &p);
    publish_live(&from, &v, 3500);
    viewer_wait(&v, 2 * 15, 0);
    const struct chan_message *m = peer_wait(&p, MSG_SEGMENT_OPENED, WAIT_MS);
    assert_non_null(m);
    const struct msg_segment_opened *opened = m->body;
    assert_int_equal(opened->session, SESSION);
    assert_int_equal(opened->msn, FIRST_MSN);
    assert_int_equal(opened->discontinuity_sequence, 3);
    m = peer_wait(&p, MSG_PLAYABLE, WAIT_MS);
    assert_non_null(m);
    assert_int_equal(((const struct msg_number *)m->body)->number, SESSION);
    end(&p, END_DELETED);
    viewer_wait(&v, 2 * 15, 1);
    assert_int_equal(v.end.final, 1);
    assert_int_equal(v.end.reason, END_DELETED);
    assert_int_equal(v.hello.epoch, 123);
    assert_int_equal(v.hello.window, settings.window);
    assert_int_equal(v.renditions[0].init.width, 320);
    assert_int_equal(v.renditions[0].init.height, 180);
    assert_int_equal(v.renditions[0].segments, v.renditions[1].segments);
    assert_int_equal(v.renditions[0].breaks + v.renditions[1].breaks, 0);
    for (int r = 0; r < 2; r++) {
        assert_int_equal(v.renditions[r].first_msn, FIRST_MSN);
        assert_true(v.renditions[r].total_us > 3300000 && v.renditions[r].total_us < 4500000);
    }
    viewer_open(&late, &p); /* after the end, the window is still there */
    viewer_wait(&late, v.parts, 1);
    assert_int_equal(late.parts, v.parts);
    assert_int_equal(late.renditions[0].total_us, v.renditions[0].total_us);
    fd_close(&p.fd);
    assert_exits(&p, EXIT_SUCCESS);
    viewer_close(&v);
    viewer_close(&late);
    publisher_close(&from);
    peer_stop(&p);
}

static void passes_H264_through(void **state)
{
    (void)state;
    publish_and_check(RAWMEDIA_H264);
}

static void transcodes_VP8(void **state)
{
    (void)state;
    publish_and_check(RAWMEDIA_VP8);
}

/* Key frames of a codec that needs libraries of its own, inside the sandbox. */
static void transcodes_key_frames(enum codec codec, const char *path)
{
    struct peer p;
    struct publisher from;
    uint8_t data[8192];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t len = fread(data, 1, sizeof data, file);
    fclose(file);
    start(&p);
    publisher_open(&from, RAWMEDIA_H264);
    assert_int_equal(send_bind(&p, &from, false, FIRST_MSN), 0);
    for (int i = 0; i < 30; i++) {
        struct frame head = {.len = (uint32_t)len,
                             .codec = (uint8_t)codec,
                             .flags = FRAME_KEY,
                             .pts_us = (int64_t)clock_now_us() + i * INT64_C(33333)};
        struct iovec parts[] = {{.iov_base = &head, .iov_len = sizeof head},
                                {.iov_base = data, .iov_len = len}};
        assert_int_equal(ring_write(from.ring, parts, 2), 0);
    }
    assert_true(peer_wait_log(&p, "width=64", WAIT_MS));
    assert_non_null(peer_wait(&p, MSG_PLAYABLE, WAIT_MS));
    publisher_close(&from);
    peer_stop(&p);
}

static void transcodes_VP9_AV1_and_H265(void **state)
{
    (void)state;
    transcodes_key_frames(CODEC_VP9, "tests/process/media/key.vp9");
    transcodes_key_frames(CODEC_AV1, "tests/process/media/key.av1");
    transcodes_key_frames(CODEC_H265, "tests/process/media/key.h265");
}

static void an_unclean_end_leaves_the_playlist_open(void **state)
{
    struct peer p;
    struct publisher from;
    struct viewer v;
    (void)state;
    start(&p);
    publisher_open(&from, RAWMEDIA_H264);
    assert_int_equal(send_bind(&p, &from, false, FIRST_MSN), 0);
    viewer_open(&v, &p);
    end(&p, END_SILENT); /* nothing came at all */
    viewer_wait(&v, 0, 1);
    assert_int_equal(v.end.final, 0);
    viewer_close(&v);
    publisher_close(&from);
    peer_stop(&p);
}

static void a_late_consumer_gets_window_and_live_parts(void **state)
{
    struct peer p;
    struct publisher from;
    struct viewer v, late;
    (void)state;
    start(&p);
    publisher_open(&from, RAWMEDIA_H264);
    assert_int_equal(send_bind(&p, &from, false, FIRST_MSN), 0);
    viewer_open(&v, &p);
    publish(&from, 6000);
    viewer_wait(&v, 2 * 25, 0);
    viewer_close(&v); /* a consumer that dies is dropped */
    viewer_open(&late, &p);
    viewer_wait(&late, 2 * 25, 0);
    uint32_t before = late.parts;
    publish(&from, 8000);
    viewer_wait(&late, before + 2 * 8, 0);
    assert_int_equal(late.renditions[0].first_msn, FIRST_MSN);
    viewer_close(&late);
    publisher_close(&from);
    peer_stop(&p);
}

static void a_successor_continues_on_the_same_ring(void **state)
{
    struct peer p;
    struct publisher from;
    struct viewer v;
    (void)state;
    start(&p);
    publisher_open(&from, RAWMEDIA_H264);
    assert_int_equal(send_bind(&p, &from, false, FIRST_MSN), 0);
    publish(&from, 3000);
    assert_non_null(peer_wait(&p, MSG_PLAYABLE, WAIT_MS));
    kill(p.pid, SIGKILL);
    peer_stop(&p);
    start(&p);
    assert_int_equal(send_bind(&p, &from, true, FIRST_MSN + 2), 0);
    assert_non_null(peer_wait(&p, MSG_WANT_KEYFRAME, WAIT_MS)); /* at once */
    viewer_open(&v, &p);
    publish(&from, 8000);
    viewer_wait(&v, 2 * 10, 0);
    assert_int_equal(v.hello.continues, 1);
    assert_int_equal(v.renditions[0].first_msn, FIRST_MSN + 2);
    assert_int_equal(v.renditions[0].breaks, 1);
    assert_int_equal(v.renditions[1].breaks, 1);
    assert_int_equal(v.renditions[0].segment.discontinuity_sequence, 3);
    viewer_close(&v);
    publisher_close(&from);
    peer_stop(&p);
}

static void I1_garbage_in_the_ring_is_skipped(void **state)
{
    struct peer p;
    struct publisher from;
    struct viewer v;
    uint8_t junk[3000];
    (void)state;
    start(&p);
    publisher_open(&from, RAWMEDIA_H264);
    assert_int_equal(send_bind(&p, &from, false, FIRST_MSN), 0);
    viewer_open(&v, &p);
    srand(1);
    for (int i = 0; i < 300; i++) {
        for (size_t k = 0; k < sizeof junk; k++)
            junk[k] = (uint8_t)(rand() >> 5);
        struct frame head = {
            .len = (uint32_t)(sizeof junk - sizeof head),
            .track = (uint8_t)(i % 2),
            .codec = (uint8_t)(i % 2   ? CODEC_OPUS
                               : i % 4 ? CODEC_H264
                                       : CODEC_VP8),
            .flags = (uint8_t)(i % 8),
            .pts_us = (int64_t)clock_now_us(),
        };
        if (i % 3 != 0)
            memcpy(junk, &head, sizeof head);
        struct iovec part = {.iov_base = junk, .iov_len = sizeof junk};
        assert_int_equal(ring_write(from.ring, &part, 1), 0);
    }
    publish(&from, 3000);
    viewer_wait(&v, 2 * 10, 0);
    viewer_close(&v);
    publisher_close(&from);
    peer_stop(&p);
}

static void M3_a_dimension_bomb_costs_nothing(void **state)
{
    struct peer p;
    struct publisher from;
    (void)state;
    start(&p);
    publisher_open(&from, RAWMEDIA_VP8);
    assert_int_equal(send_bind(&p, &from, false, FIRST_MSN), 0);
    /* a key frame that claims 16383 x 16383 */
    static uint8_t bomb[760] = {0x10, 0, 0, 0x9d, 0x01, 0x2a, 0xff, 0x3f, 0xff, 0x3f};
    struct frame head = {.len = sizeof bomb,
                         .codec = CODEC_VP8,
                         .flags = FRAME_KEY,
                         .pts_us = (int64_t)clock_now_us()};
    struct iovec parts[] = {{.iov_base = &head, .iov_len = sizeof head},
                            {.iov_base = bomb, .iov_len = sizeof bomb}};
    assert_int_equal(ring_write(from.ring, parts, 2), 0);
    assert_true(peer_wait_log(&p, "video_refused", WAIT_MS));
    publish(&from, 3000); /* an honest picture is still taken */
    assert_non_null(peer_wait(&p, MSG_PLAYABLE, WAIT_MS));
    publisher_close(&from);
    peer_stop(&p);
}

static void M3_a_stream_of_bombs_is_refused(void **state)
{
    struct peer p;
    struct publisher from;
    const struct chan_message *m = NULL;
    static uint8_t bomb[760] = {0x10, 0, 0, 0x9d, 0x01, 0x2a, 0xff, 0x3f, 0xff, 0x3f};
    (void)state;
    start(&p);
    publisher_open(&from, RAWMEDIA_VP8);
    assert_int_equal(send_bind(&p, &from, false, FIRST_MSN), 0);
    for (int i = 0; i < 100 && m == NULL; i++) {
        struct frame head = {.len = sizeof bomb,
                             .codec = CODEC_VP8,
                             .flags = FRAME_KEY,
                             .pts_us = (int64_t)clock_now_us()};
        struct iovec parts[] = {{.iov_base = &head, .iov_len = sizeof head},
                                {.iov_base = bomb, .iov_len = sizeof bomb}};
        assert_int_equal(ring_write(from.ring, parts, 2), 0);
        m = peer_wait(&p, MSG_REFUSED, 200);
    }
    assert_non_null(m);
    assert_int_equal(((const struct msg_number *)m->body)->number, SESSION);
    publisher_close(&from);
    peer_stop(&p);
}

static void I2_a_ring_without_seals_is_refused(void **state)
{
    struct peer p;
    struct publisher from;
    int bare = -1;
    (void)state;
    start(&p);
    publisher_open(&from, RAWMEDIA_H264);
    assert_int_equal(ring_create(RING_SIZE_MIN, &bare), 0);
    int sealed = from.ring_fd;
    from.ring_fd = bare;
    assert_int_equal(send_bind(&p, &from, false, FIRST_MSN), 0);
    assert_exits(&p, EXIT_FAILURE);
    from.ring_fd = sealed;
    fd_close(&bare);
    publisher_close(&from);
    peer_stop(&p);
}

static void I5_messages_in_the_wrong_phase_end_the_role(void **state)
{
    struct peer p;
    struct publisher from;
    const struct msg_end message = {.session = SESSION, .reason = END_DELETED};
    (void)state;
    publisher_open(&from, RAWMEDIA_H264);
    for (int i = 0; i < 4; i++) {
        start(&p);
        if (i >= 2)
            assert_int_equal(send_bind(&p, &from, false, FIRST_MSN), 0);
        if (i == 0)
            assert_int_equal(peer_send(&p, MSG_END, &message, NULL, 0, NULL), 0);
        else if (i == 1)
            assert_int_equal(
                peer_send(&p, MSG_CONSUMER, &(struct msg_number){0}, NULL, 0, &from.wakeup), 0);
        else if (i == 2)
            assert_int_equal(send_bind(&p, &from, false, FIRST_MSN), 0); /* a second one */
        else
            assert_int_equal(peer_send(&p, MSG_FORGET, &(struct msg_number){0}, NULL, 0, NULL), 0);
        assert_exits(&p, EXIT_FAILURE);
        peer_stop(&p);
    }
    publisher_close(&from);
}

/* While it works on a stream: ring, segments and a consumer's pair are open. */
static void M6_escapes_are_refused(void **state)
{
    struct publisher from;
    (void)state;
    for (uint64_t attempt = 0; attempt < ESCAPE_COUNT; attempt++) {
        struct peer p;
        struct viewer v;
        if (attempt == ESCAPE_MEMFD || attempt == ESCAPE_SENDMSG)
            continue; /* how segments are made and passed on; there is no socket but the pairs */
        start(&p);
        publisher_open(&from, RAWMEDIA_H264);
        assert_int_equal(send_bind(&p, &from, false, FIRST_MSN), 0);
        viewer_open(&v, &p);
        publish(&from, 1000);
        viewer_wait(&v, 4, 0);
        const struct msg_number number = {.number = attempt};
        assert_int_equal(peer_send(&p, MSG_TEST, &number, NULL, 0, NULL), 0);
        const struct chan_message *m = peer_wait(&p, MSG_PONG, WAIT_MS);
        if (m != NULL) {
            uint32_t error = (uint32_t)((const struct msg_number *)m->body)->number;
            if (error == 0 || error == ENOENT)
                fail_msg("%s gave %u", escape_name(attempt), error);
        } else {
            int status = 0;
            assert_int_equal(peer_wait_exit(&p, WAIT_MS, &status), 0);
            if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
                fail_msg("%s ended with %x", escape_name(attempt), (unsigned)status);
        }
        viewer_close(&v);
        publisher_close(&from);
        peer_stop(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(I6_ready_with_sandbox_and_nothing_else_open),
        cmocka_unit_test(passes_H264_through),
        cmocka_unit_test(transcodes_VP8),
        cmocka_unit_test(transcodes_VP9_AV1_and_H265),
        cmocka_unit_test(an_unclean_end_leaves_the_playlist_open),
        cmocka_unit_test(a_late_consumer_gets_window_and_live_parts),
        cmocka_unit_test(a_successor_continues_on_the_same_ring),
        cmocka_unit_test(I1_garbage_in_the_ring_is_skipped),
        cmocka_unit_test(M3_a_dimension_bomb_costs_nothing),
        cmocka_unit_test(M3_a_stream_of_bombs_is_refused),
        cmocka_unit_test(I2_a_ring_without_seals_is_refused),
        cmocka_unit_test(I5_messages_in_the_wrong_phase_end_the_role),
        cmocka_unit_test(M6_escapes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
