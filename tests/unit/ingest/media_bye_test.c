/* RTP-19: BYE ends its source and nothing else. */
#include "gateway/rtc/rtcp.h"
#include "tests/unit/ingest/media_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int push(struct fixture *f, uint32_t ssrc, const void *payload, size_t len, bool marker)
{
    uint8_t bytes[200];
    bool audio = ssrc == AUDIO_SSRC;
    f->now_us += 10000;
    const struct test_packet packet = {.ssrc = ssrc,
                                       .pt = audio ? AUDIO_PT : VIDEO_PT,
                                       .marker = marker,
                                       .sequence = f->sequence++,
                                       .time = (uint32_t)(f->now_us / 10000) * (audio ? 480 : 900),
                                       .payload = payload,
                                       .len = len};
    size_t built = build_test_packet(&packet, bytes, sizeof(bytes));
    return media_rtp(f->media, bytes, built, f->now_us);
}

/* Parameter sets and the key frame in one unit. */
static void push_key(struct fixture *f, uint32_t ssrc)
{
    uint8_t set[64];
    uint64_t now_us = f->now_us;
    size_t len = vector_bytes(SPS_1280X720, set);
    assert_int_equal(push(f, ssrc, set, len, false), 0);
    f->now_us = now_us;
    len = vector_bytes(PPS_BASELINE, set);
    assert_int_equal(push(f, ssrc, set, len, false), 0);
    f->now_us = now_us;
    assert_int_equal(push(f, ssrc, test_idr, sizeof(test_idr), true), 0);
}

static int bye(struct fixture *f, const uint32_t *ssrcs, unsigned count, size_t cut)
{
    uint8_t bytes[200];
    struct writer w;
    writer_init(&w, bytes, sizeof(bytes));
    writer_u8(&w, (uint8_t)(0x80 | count));
    writer_u8(&w, RTCP_BYE);
    writer_u16(&w, (uint16_t)count);
    for (unsigned i = 0; i < count; i++)
        writer_u32(&w, ssrcs[i]);
    return media_rtcp(f->media, bytes, w.len - cut, f->now_us);
}

static int bye_one(struct fixture *f, uint32_t ssrc)
{
    return bye(f, &ssrc, 1, 0);
}

static void RTP_19_bye_of_video_leaves_audio_alone(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    push_key(f, VIDEO_SSRC);
    assert_true(test_ring_next(&f->ring, &frame));
    assert_int_equal(push(f, AUDIO_SSRC, test_opus, sizeof(test_opus), false), 0);
    assert_true(test_ring_next(&f->ring, &frame));
    f->sequence--; /* audio and video share the count here */
    assert_int_equal(bye_one(f, VIDEO_SSRC), 0);
    assert_false(f->media->receivers[TRACK_VIDEO].has_ssrc);
    assert_true(f->media->receivers[TRACK_AUDIO].has_ssrc);
    f->sequence++;
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(push(f, AUDIO_SSRC, test_opus, sizeof(test_opus), false), 0);
        assert_true(test_ring_next(&f->ring, &frame));
        assert_int_equal(frame.track, TRACK_AUDIO);
        assert_int_equal(frame.flags, 0);
    }
}

static void RTP_19_the_same_source_may_come_back(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    push_key(f, VIDEO_SSRC);
    assert_true(test_ring_next(&f->ring, &frame));
    assert_int_equal(bye_one(f, VIDEO_SSRC), 0);
    f->sequence = (uint16_t)(f->sequence + 30000); /* begins anew */
    assert_int_equal(push(f, VIDEO_SSRC, test_slice, sizeof(test_slice), true), 0);
    f->now_us += RECEIVER_OPENING_US;
    media_on_timer(f->media, f->now_us);
    assert_false(test_ring_next(&f->ring, &frame)); /* depends on what is gone */
    push_key(f, VIDEO_SSRC);
    assert_true(test_ring_next(&f->ring, &frame));
    assert_int_equal(frame.flags, FRAME_KEY | FRAME_GAP | FRAME_JUMP);
    assert_int_equal(f->media->receivers[TRACK_VIDEO].stats.lost, 0);
    assert_int_equal(f->media->sources.count, 1);
}

static void RTP_19_another_source_may_follow(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    push_key(f, VIDEO_SSRC);
    assert_true(test_ring_next(&f->ring, &frame));
    for (uint32_t i = 1; i < 3 * RTPSOURCE_MAX; i++) { /* RTP-20: their places are free again */
        assert_int_equal(bye_one(f, VIDEO_SSRC + i - 1), 0);
        push_key(f, VIDEO_SSRC + i);
        assert_true(test_ring_next(&f->ring, &frame));
        assert_true(frame.flags & FRAME_KEY);
        assert_int_equal(f->media->receivers[TRACK_VIDEO].ssrc, VIDEO_SSRC + i);
    }
}

static void RTP_19_what_waits_for_a_hole_is_passed_on_at_the_end(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    push_key(f, VIDEO_SSRC);
    assert_true(test_ring_next(&f->ring, &frame));
    f->sequence++;
    push_key(f, VIDEO_SSRC);
    assert_false(test_ring_next(&f->ring, &frame));
    assert_int_equal(bye_one(f, VIDEO_SSRC), 0);
    assert_true(test_ring_next(&f->ring, &frame));
    assert_int_equal(frame.flags, FRAME_KEY | FRAME_GAP);
    assert_true(media_due_us(f->media) == UINT64_MAX);
}

static void U14_bye_of_strangers_and_broken_ones_end_nothing(void **state)
{
    struct fixture *f = *state;
    uint32_t many[31];
    for (unsigned i = 0; i < 31; i++)
        many[i] = 900000 + i;
    push_key(f, VIDEO_SSRC);
    assert_int_equal(bye(f, many, 31, 0), 0);
    assert_int_equal(bye(f, NULL, 0, 0), 0);
    many[0] = VIDEO_SSRC;
    assert_int_equal(bye(f, many, 1, 1), -EBADMSG);
    assert_true(f->media->receivers[TRACK_VIDEO].has_ssrc);
    assert_int_equal(f->media->sources.count, 1);
    many[0] = 900000;
    many[30] = VIDEO_SSRC;
    assert_int_equal(bye(f, many, 31, 0), 0);
    assert_false(f->media->receivers[TRACK_VIDEO].has_ssrc);
    assert_int_equal(bye_one(f, VIDEO_SSRC), 0); /* twice */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(RTP_19_bye_of_video_leaves_audio_alone),
        TEST(RTP_19_the_same_source_may_come_back),
        TEST(RTP_19_another_source_may_follow),
        TEST(RTP_19_what_waits_for_a_hole_is_passed_on_at_the_end),
        TEST(U14_bye_of_strangers_and_broken_ones_end_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
