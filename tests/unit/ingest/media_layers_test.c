/* Simulcast: each layer is received and passed on, the largest that is there as layer 0. */
#include "gateway/ingest/feedback.h"
#include "gateway/ingest/media.h"
#include "gateway/rtc/rtcp.h"
#include "tests/unit/ingest/ingest_rtp.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LAYERS 2u
#define SMALL 0u
#define LARGE 1u
#define SECOND 1000000u

static const char *const rids[LAYERS] = {"q", "f"};
static const char *const sets[LAYERS] = {SPS_322X182, SPS_1280X720};

struct fixture {
    struct test_ring ring;
    struct answer answer;
    struct media *media;
    struct feedback feedback;
    uint64_t now_us;
    uint16_t sequences[LAYERS];
    bool known[LAYERS]; /* the rid stands in the first packets only */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const struct media_limits limits = {.jitter_deadline_us = 300000};
    assert_non_null(f);
    assert_int_equal(test_ring_open(&f->ring), 0);
    make_test_answer(&f->answer);
    struct answer_track *video = &f->answer.tracks[TRACK_VIDEO];
    video->rid_ext_id = RID_ID;
    video->layer_count = LAYERS;
    for (unsigned i = 0; i < LAYERS; i++)
        (void)text_copy(video->layers[i].rid, sizeof(video->layers[i].rid), slice_of(rids[i]));
    assert_int_equal(media_new(&f->answer, &limits, f->ring.writer, 0, &f->media), 0);
    feedback_init(&f->feedback, &f->answer, 5000000, 77, "0123456789abcdef");
    f->now_us = 5 * SECOND;
    feedback_start(&f->feedback, f->now_us);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    media_free(f->media);
    test_ring_close(&f->ring);
    free(f);
    return 0;
}

static void push(struct fixture *f, unsigned layer, const void *payload, size_t len, bool marker)
{
    uint8_t bytes[200];
    const struct test_packet packet = {.ssrc = VIDEO_SSRC + 0x10 * layer,
                                       .pt = VIDEO_PT,
                                       .marker = marker,
                                       .sequence = f->sequences[layer]++,
                                       .time = (uint32_t)(f->now_us * 9 / 100) + layer * 77777,
                                       .mid = f->known[layer] ? NULL : "v",
                                       .rid = f->known[layer] ? NULL : rids[layer],
                                       .payload = payload,
                                       .len = len};
    size_t built = build_test_packet(&packet, bytes, sizeof(bytes));
    f->known[layer] = true;
    assert_int_equal(media_rtp(f->media, bytes, built, f->now_us), 0);
}

static void push_key(struct fixture *f, unsigned layer)
{
    uint8_t set[64];
    size_t len = vector_bytes(sets[layer], set);
    push(f, layer, set, len, false);
    len = vector_bytes(PPS_BASELINE, set);
    push(f, layer, set, len, false);
    push(f, layer, test_idr, sizeof(test_idr), true);
}

static void push_picture(struct fixture *f, unsigned layer)
{
    push(f, layer, test_slice, sizeof(test_slice), true);
}

/* Time passes, with the second's tick. */
static void pass(struct fixture *f, uint64_t us)
{
    uint64_t before_us = f->now_us;
    f->now_us += us;
    if (f->now_us / SECOND != before_us / SECOND)
        media_tick(f->media, f->now_us);
}

/* The next frame for viewers. */
static bool next(struct fixture *f, struct frame *out)
{
    while (test_ring_next(&f->ring, out))
        if (out->layer == 0)
            return true;
    return false;
}

/* The next frame of any layer. */
static bool next_any(struct fixture *f, struct frame *out)
{
    return test_ring_next(&f->ring, out);
}

/* How many requests for key frames go to each layer now. */
static void count_requests(struct fixture *f, unsigned requests[LAYERS])
{
    uint8_t bytes[FEEDBACK_PACKET_MAX];
    struct writer w;
    struct rtcp_walk walk;
    struct rtcp_packet packet;
    struct rtcp_feedback feedback;
    writer_init(&w, bytes, sizeof(bytes));
    if (!feedback_write(&f->feedback, f->media, f->now_us, &w))
        return;
    rtcp_begin(&walk, bytes, w.len);
    while (rtcp_next(&walk, &packet)) {
        if (packet.type != RTCP_PSFB || packet.count != RTCP_FB_PLI)
            continue;
        assert_int_equal(rtcp_parse_feedback(&packet, &feedback), 0);
        requests[(feedback.media_ssrc - VIDEO_SSRC) / 0x10]++;
    }
}

static void the_largest_layer_takes_over(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    push_key(f, SMALL);
    assert_true(next(f, &frame));
    assert_int_equal(frame.width, 322);
    pass(f, 33333);
    push_picture(f, SMALL);
    assert_true(next(f, &frame));
    push_key(f, LARGE);
    assert_true(next(f, &frame));
    assert_int_equal(frame.width, 1280);
    assert_true(frame.flags & FRAME_KEY);
    pass(f, 33333);
    push_picture(f, LARGE);
    assert_true(next(f, &frame));
    assert_int_equal(frame.flags, 0);
    push_key(f, SMALL); /* not for viewers */
    push_picture(f, SMALL);
    assert_false(next(f, &frame));
    media_tick(f->media, f->now_us);
    const struct stats_track *video = &f->media->stats.tracks[TRACK_VIDEO];
    assert_int_equal(video->layers, LAYERS);
    assert_int_equal(video->packets, 3 + 1 + 3 + 1 + 3 + 1);
    assert_int_equal(video->width, 1280);
    assert_int_equal(video->frames, 2);
}

static void a_smaller_layer_never_takes_over_while_the_large_one_lives(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    push_key(f, LARGE);
    assert_true(next(f, &frame));
    for (unsigned i = 0; i < 100; i++) {
        pass(f, 33333);
        push_picture(f, LARGE);
        assert_true(next(f, &frame));
        push_key(f, SMALL);
        assert_false(next(f, &frame));
    }
}

/* Browsers stop the top layer when bandwidth is scarce. */
static void the_next_layer_is_asked_when_the_top_falls_silent(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    unsigned asked = 0;
    push_key(f, LARGE);
    push_key(f, SMALL);
    assert_true(next(f, &frame));
    for (unsigned i = 0; i < 90 && asked == 0; i++) {
        unsigned requests[LAYERS] = {0};
        pass(f, 33333);
        push_picture(f, SMALL);
        assert_false(next(f, &frame));
        count_requests(f, requests);
        asked += requests[SMALL];
    }
    assert_int_equal(asked, 1);
    push_key(f, SMALL);
    assert_true(next(f, &frame));
    assert_int_equal(frame.width, 322);
    push_picture(f, SMALL);
    assert_true(next(f, &frame));
    pass(f, 2 * SECOND);
    push_picture(f, LARGE); /* it is back, but without a key frame it is no use */
    assert_false(next(f, &frame));
    push_key(f, LARGE);
    assert_true(next(f, &frame));
    assert_int_equal(frame.width, 1280);
}

static void BUG_08_nothing_is_asked_of_layers_that_are_left_out(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    push_key(f, SMALL);
    push_key(f, LARGE);
    while (next(f, &frame))
        ;
    unsigned before[LAYERS] = {0};
    pass(f, SECOND);
    push_picture(f, LARGE);
    media_tick(f->media, f->now_us);
    count_requests(f, before);
    unsigned requests[LAYERS] = {0};
    f->sequences[SMALL]++; /* a loss below */
    for (unsigned i = 0; i < 60; i++) {
        pass(f, 33333);
        push_picture(f, LARGE);
        push_picture(f, SMALL);
        media_on_timer(f->media, f->now_us);
        count_requests(f, requests);
    }
    assert_int_equal(requests[SMALL], 0);
    assert_int_equal(f->media->receivers[TRACK_COUNT].stats.nacked, 0);
}

static void unknown_layers_are_dropped(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[200];
    struct test_packet packet = {
        .ssrc = 999, .pt = VIDEO_PT, .mid = "v", .payload = test_slice, .len = sizeof(test_slice)};
    size_t len = build_test_packet(&packet, bytes, sizeof(bytes));
    assert_int_equal(media_rtp(f->media, bytes, len, f->now_us), -EAGAIN);
    packet.rid = "x";
    len = build_test_packet(&packet, bytes, sizeof(bytes));
    assert_int_equal(media_rtp(f->media, bytes, len, f->now_us), -EPROTO);
    assert_int_equal(f->media->sources.count, 0);
}

/* Each layer has an RTP clock of its own: its sender report comes with it. */
static void RTP_16_the_timeline_follows_the_layer(void **state)
{
    struct fixture *f = *state;
    struct frame small, large;
    uint8_t bytes[64];
    push_key(f, SMALL);
    assert_true(next(f, &small));
    push_picture(f, LARGE); /* learned */
    for (unsigned layer = 0; layer < LAYERS; layer++) {
        const struct rtcp_sender_info info = {.ssrc = VIDEO_SSRC + 0x10 * layer,
                                              .ntp = UINT64_C(3900000000) << 32,
                                              .rtp_timestamp =
                                                  (uint32_t)(f->now_us * 9 / 100) + layer * 77777};
        struct writer w;
        writer_init(&w, bytes, sizeof(bytes));
        rtcp_write_sr(&w, &info);
        assert_int_equal(media_rtcp(f->media, bytes, w.len, f->now_us), 0);
    }
    pass(f, 100000);
    push_key(f, SMALL);
    assert_true(next(f, &small));
    push_key(f, LARGE);
    assert_true(next(f, &large));
    assert_int_equal(f->media->framer.sync.tracks[TRACK_VIDEO].reports, 1);
    assert_int_equal(f->media->framer.sync.tracks[TRACK_COUNT + LARGE - 1].reports, 1);
    assert_in_range(large.pts_us, small.pts_us - 2000, small.pts_us + 2000);
}

/* Both layers go into the ring, each under one number, beginning with a key frame. */
static void RTP_01_layers_are_passed_on_apart(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    push_key(f, LARGE);
    assert_true(next_any(f, &frame));
    assert_int_equal(frame.layer, 0);
    assert_int_equal(frame.number, 0);
    push_picture(f, SMALL); /* no key frame yet */
    pass(f, RECEIVER_OPENING_US);
    media_on_timer(f->media, f->now_us);
    assert_false(next_any(f, &frame));
    push_key(f, SMALL);
    for (uint32_t i = 0; i < 5; i++) {
        assert_true(next_any(f, &frame));
        assert_int_equal(frame.layer, SMALL + 1);
        assert_int_equal(frame.track, TRACK_VIDEO);
        assert_int_equal(frame.number, i);
        assert_int_equal(frame.width, i == 0 ? 322 : 0);
        assert_int_equal(!!(frame.flags & FRAME_KEY), i == 0);
        pass(f, 33333);
        push_picture(f, LARGE);
        assert_true(next_any(f, &frame));
        assert_int_equal(frame.layer, 0);
        assert_int_equal(frame.number, i + 1);
        push_picture(f, SMALL);
    }
}

/* A layer that is no longer shown goes on under its own number from its next key frame. */
static void layers_change_places_at_key_frames_only(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    push_key(f, SMALL);
    assert_true(next_any(f, &frame));
    assert_int_equal(frame.layer, 0);
    push_key(f, LARGE);
    assert_true(next_any(f, &frame));
    assert_int_equal(frame.layer, 0);
    assert_int_equal(frame.number, 1); /* one sequence for those who read layer 0 */
    assert_true(frame.flags & FRAME_JUMP);
    push_picture(f, SMALL); /* it depends on frames of layer 0 */
    assert_false(next_any(f, &frame));
    push_key(f, SMALL);
    assert_true(next_any(f, &frame));
    assert_int_equal(frame.layer, SMALL + 1);
    assert_int_equal(frame.flags & FRAME_KEY, FRAME_KEY);
}

/* RTP-16: the layers' RTP clocks begin anywhere, and what is shown together belongs together. */
static void RTP_16_all_layers_are_on_one_timeline(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    int64_t last_us[LAYERS] = {0};
    push_key(f, LARGE);
    push_key(f, SMALL);
    for (unsigned i = 0; i < 100; i++) {
        pass(f, 33333);
        push_picture(f, LARGE);
        push_picture(f, SMALL);
        while (next_any(f, &frame)) {
            unsigned layer = frame.layer == 0 ? LARGE : SMALL;
            assert_true(frame.pts_us > last_us[layer]);
            last_us[layer] = frame.pts_us;
        }
        assert_in_range(last_us[SMALL], last_us[LARGE] - 2000, last_us[LARGE] + 2000);
    }
}

/* RTP-19: the next layer need not wait for a second of silence. */
static void RTP_19_bye_of_the_top_layer_asks_the_next_at_once(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    uint8_t bytes[16];
    unsigned requests[LAYERS] = {0};
    struct writer w;
    push_key(f, LARGE);
    push_key(f, SMALL);
    while (next_any(f, &frame))
        ;
    count_requests(f, requests);
    pass(f, SECOND);
    push_picture(f, SMALL);
    assert_true(next_any(f, &frame));
    writer_init(&w, bytes, sizeof(bytes));
    rtcp_write_bye(&w, VIDEO_SSRC + 0x10 * LARGE);
    assert_int_equal(media_rtcp(f->media, bytes, w.len, f->now_us), 0);
    requests[SMALL] = requests[LARGE] = 0;
    pass(f, 10000);
    count_requests(f, requests);
    assert_int_equal(requests[SMALL], 1);
    assert_int_equal(requests[LARGE], 0);
    push_key(f, SMALL);
    assert_true(next_any(f, &frame));
    assert_int_equal(frame.layer, 0);
    assert_int_equal(frame.width, 322);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_largest_layer_takes_over),
        TEST(a_smaller_layer_never_takes_over_while_the_large_one_lives),
        TEST(the_next_layer_is_asked_when_the_top_falls_silent),
        TEST(BUG_08_nothing_is_asked_of_layers_that_are_left_out),
        TEST(unknown_layers_are_dropped),
        TEST(RTP_16_the_timeline_follows_the_layer),
        TEST(RTP_01_layers_are_passed_on_apart),
        TEST(layers_change_places_at_key_frames_only),
        TEST(RTP_16_all_layers_are_on_one_timeline),
        TEST(RTP_19_bye_of_the_top_layer_asks_the_next_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
