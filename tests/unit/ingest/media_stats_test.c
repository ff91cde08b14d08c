/* What the statistics say of frames: those that came out, and why others did not. */
#include "gateway/rtc/rtcp.h"
#include "tests/unit/ingest/media_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND 1000000u
#define FRAME_US 33333u

static void push(struct fixture *f, const void *payload, size_t len, bool marker)
{
    uint8_t bytes[STREAM_DATAGRAM_MAX];
    const struct test_packet packet = {.ssrc = VIDEO_SSRC,
                                       .pt = VIDEO_PT,
                                       .marker = marker,
                                       .sequence = f->sequence++,
                                       .time = (uint32_t)(f->now_us * 9 / 100),
                                       .payload = payload,
                                       .len = len};
    size_t built = build_test_packet(&packet, bytes, sizeof(bytes));
    assert_int_equal(media_rtp(f->media, bytes, built, f->now_us), 0);
}

static void push_key(struct fixture *f, const char *sps)
{
    uint8_t set[64];
    size_t len = vector_bytes(sps, set);
    push(f, set, len, false);
    len = vector_bytes(PPS_BASELINE, set);
    push(f, set, len, false);
    push(f, test_idr, sizeof(test_idr), true);
}

/* A frame later: a picture of two packets. */
static void push_picture(struct fixture *f)
{
    static const uint8_t more[] = {0x41, 0x58, 0x33, 0x44};
    f->now_us += FRAME_US;
    push(f, test_slice, sizeof(test_slice), false);
    push(f, more, sizeof(more), true);
}

static const struct stats_track *video(struct fixture *f)
{
    media_tick(f->media, f->now_us);
    return &f->media->stats.tracks[TRACK_VIDEO];
}

static void stats_tell_damaged_frames_from_those_that_wait(void **state)
{
    struct fixture *f = *state;
    push_key(f, SPS_1280X720);
    for (unsigned i = 0; i < 3; i++)
        push_picture(f);
    f->now_us += FRAME_US;
    push(f, test_slice, sizeof(test_slice), false);
    f->sequence++; /* its second half is lost */
    for (unsigned i = 0; i < 6; i++)
        push_picture(f);
    f->now_us += 3 * FIXTURE_DEADLINE_US;
    media_on_timer(f->media, f->now_us);
    push_key(f, SPS_1280X720);
    push_picture(f);
    const struct stats_track *t = video(f);
    assert_int_equal(t->frames, 1 + 3 + 2);
    assert_int_equal(t->key_frames, 2);
    assert_int_equal(t->damaged, 1);
    assert_int_equal(t->held, 6);
    assert_int_equal(t->lost, 1);
    assert_int_equal(t->too_large + t->too_many, 0);
}

static void stats_without_loss_nothing_is_dropped(void **state)
{
    struct fixture *f = *state;
    const struct stats_track *t = NULL;
    push_key(f, SPS_1280X720);
    for (unsigned i = 0; i < 600; i++) {
        push_picture(f);
        if (i % 30 == 29)
            t = video(f);
    }
    assert_int_equal(t->frames, 601);
    assert_int_equal(t->damaged + t->held + t->too_large + t->too_many, 0);
    assert_in_range(t->frame_rate_milli, 29000, 31000);
    assert_in_range(t->pause_us, FRAME_US, FRAME_US);
}

/* M8: rates and formats. */
static void stats_count_what_is_above_the_limits(void **state)
{
    struct fixture *f = *state;
    push_key(f, SPS_1280X720);
    for (unsigned i = 0; i < 3; i++) { /* one change a second is allowed */
        f->now_us += FRAME_US;
        push_key(f, i == 0 ? SPS_322X182 : SPS_1280X720);
    }
    push_picture(f);
    const struct stats_track *t = video(f);
    assert_int_equal(t->too_many, 2);
    assert_int_equal(t->held, 1);
    assert_int_equal(t->frames, 2);
}

static void stats_show_a_pause_while_it_lasts(void **state)
{
    struct fixture *f = *state;
    push_key(f, SPS_1280X720);
    push_picture(f);
    (void)video(f);
    f->now_us += 3 * SECOND;
    assert_int_equal(video(f)->pause_us, 3 * SECOND);
    assert_int_equal(video(f)->bitrate_bps, 0);
    push_picture(f);
    assert_int_equal(video(f)->pause_us, 3 * SECOND + FRAME_US);
    push_picture(f);
    assert_int_equal(video(f)->pause_us, FRAME_US);
}

static void stats_tell_how_the_rate_is_controlled(void **state)
{
    struct fixture *f = *state;
    const struct media_limits limits = {.jitter_deadline_us = FIXTURE_DEADLINE_US};
    assert_int_equal(f->media->stats.feedback, FEEDBACK_REMB);
    f->answer.tracks[TRACK_VIDEO].feedback = SDP_FB_NACK;
    media_free(f->media);
    f->media = NULL;
    assert_int_equal(media_new(&f->answer, &limits, f->ring.writer, 0, &f->media), 0);
    assert_int_equal(f->media->stats.feedback, FEEDBACK_NONE);
    assert_int_equal(f->media->stats.round_trip, ROUND_TRIP_NONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(stats_tell_damaged_frames_from_those_that_wait),
        TEST(stats_without_loss_nothing_is_dropped),
        TEST(stats_count_what_is_above_the_limits),
        TEST(stats_show_a_pause_while_it_lasts),
        TEST(stats_tell_how_the_rate_is_controlled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
