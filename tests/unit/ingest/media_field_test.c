/* What went wrong for others with publishers in the field (protocols.md, BUG list). */
#include "gateway/rtc/rtcp.h"
#include "tests/unit/ingest/media_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND 1000000u
#define FRAME_US 33333u

static int push_packet(struct fixture *f, const struct test_packet *packet)
{
    uint8_t bytes[STREAM_DATAGRAM_MAX];
    size_t len = build_test_packet(packet, bytes, sizeof(bytes));
    return media_rtp(f->media, bytes, len, f->now_us);
}

static void push(struct fixture *f, const void *payload, size_t len, bool marker)
{
    const struct test_packet packet = {.ssrc = VIDEO_SSRC,
                                       .pt = VIDEO_PT,
                                       .marker = marker,
                                       .sequence = f->sequence++,
                                       .time = (uint32_t)(f->now_us * 9 / 100),
                                       .payload = payload,
                                       .len = len};
    assert_int_equal(push_packet(f, &packet), 0);
}

static void push_sets(struct fixture *f)
{
    uint8_t set[64];
    size_t len = vector_bytes(SPS_1280X720, set);
    push(f, set, len, false);
    len = vector_bytes(PPS_BASELINE, set);
    push(f, set, len, false);
}

static void push_key(struct fixture *f)
{
    push_sets(f);
    push(f, test_idr, sizeof(test_idr), true);
}

static bool next(struct fixture *f, struct frame *out)
{
    return test_ring_next(&f->ring, out);
}

/* OBS: parameter sets in packets of their own, and never a sender report. */
static void BUG_05_no_sender_report_is_needed(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    push_key(f);
    assert_true(next(f, &frame));
    for (unsigned i = 0; i < 300; i++) {
        f->now_us += FRAME_US;
        media_tick(f->media, f->now_us);
        push(f, test_slice, sizeof(test_slice), true);
        assert_true(next(f, &frame));
        assert_int_equal(frame.flags, 0);
    }
    assert_in_range(frame.pts_us, f->now_us - 1000, f->now_us + 1000);
}

/* The first packets never came: no key frame at the start, a sequence from anywhere. */
static void BUG_07_a_stream_may_begin_anywhere(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    f->sequence = (uint16_t)(65530 + 50);
    for (unsigned i = 0; i < 20; i++) {
        push(f, test_slice, sizeof(test_slice), true);
        assert_false(next(f, &frame));
        f->now_us += FRAME_US;
    }
    struct receiver *video = &f->media->receivers[TRACK_VIDEO];
    assert_true(keyframe_due_us(&video->keyframe) <= f->now_us); /* asked for, not waited for */
    push_key(f);
    assert_true(next(f, &frame));
    assert_int_equal(frame.flags & FRAME_KEY, FRAME_KEY);
    assert_int_equal(jitter_lost(video->jitter), 0);
    assert_int_equal(video->nack.count, 0);
}

static void BUG_25_padding_does_not_reach_the_frame(void **state)
{
    struct fixture *f = *state;
    struct frame plain, padded;
    uint8_t bytes[64];
    push_key(f);
    assert_true(next(f, &plain));
    for (unsigned with = 0; with < 2; with++) {
        f->now_us += FRAME_US;
        const struct test_packet packet = {.ssrc = VIDEO_SSRC,
                                           .pt = VIDEO_PT,
                                           .marker = true,
                                           .sequence = f->sequence++,
                                           .time = (uint32_t)(f->now_us * 9 / 100),
                                           .payload = test_slice,
                                           .len = sizeof(test_slice)};
        size_t len = build_test_packet(&packet, bytes, sizeof(bytes));
        for (unsigned i = 0; i < 7 * with; i++)
            bytes[len++] = i == 6 ? 7 : 0;
        bytes[0] |= with ? 0x20 : 0;
        assert_int_equal(media_rtp(f->media, bytes, len, f->now_us), 0);
        assert_true(next(f, with ? &padded : &plain));
    }
    assert_int_equal(padded.len, plain.len);
}

static size_t build_repair(uint16_t sequence, const struct test_packet *lost, uint8_t *to)
{
    static uint8_t payload[STREAM_DATAGRAM_MAX];
    struct test_packet repair = *lost;
    payload[0] = (uint8_t)(lost->sequence >> 8);
    payload[1] = (uint8_t)lost->sequence;
    memcpy(payload + 2, lost->payload, lost->len);
    repair.ssrc = VIDEO_RTX_SSRC;
    repair.pt = VIDEO_RTX_PT;
    repair.sequence = sequence;
    repair.payload = payload;
    repair.len = lost->len + 2;
    return build_test_packet(&repair, to, STREAM_DATAGRAM_MAX);
}

/* Leaves a hole for a packet of that length; gives what would fill it. */
static struct test_packet leave_hole(struct fixture *f, const uint8_t *payload, size_t len)
{
    f->now_us += FRAME_US;
    const struct test_packet lost = {.ssrc = VIDEO_SSRC,
                                     .pt = VIDEO_PT,
                                     .marker = true,
                                     .sequence = f->sequence++,
                                     .time = (uint32_t)(f->now_us * 9 / 100),
                                     .payload = payload,
                                     .len = len};
    f->now_us += FRAME_US;
    push(f, test_slice, sizeof(test_slice), true);
    return lost;
}

static void BUG_26_repairs_of_another_version_are_refused(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    uint8_t bytes[STREAM_DATAGRAM_MAX];
    push_key(f);
    assert_true(next(f, &frame));
    const struct test_packet lost = leave_hole(f, test_slice, sizeof(test_slice));
    size_t len = build_repair(1, &lost, bytes);
    for (unsigned version = 0; version < 4; version++) {
        bytes[0] = (uint8_t)((bytes[0] & 0x3f) | version << 6);
        if (version == 2)
            continue;
        assert_int_equal(media_rtp(f->media, bytes, len, f->now_us), -EBADMSG);
        assert_false(next(f, &frame));
    }
    bytes[0] = (uint8_t)((bytes[0] & 0x3f) | 0x80);
    assert_int_equal(media_rtp(f->media, bytes, len, f->now_us), 0);
    assert_true(next(f, &frame));
    assert_true(next(f, &frame));
}

/* The MID stands in the first packets only, and a repair is larger than what it repairs. */
static void BUG_27_a_repair_as_large_as_a_datagram_fits(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    static uint8_t payload[STREAM_DATAGRAM_MAX];
    uint8_t bytes[STREAM_DATAGRAM_MAX];
    memcpy(payload, test_slice, sizeof(test_slice));
    memset(payload + sizeof(test_slice), 0x55, sizeof(payload) - sizeof(test_slice));
    push_key(f);
    assert_true(next(f, &frame));
    struct test_packet lost = leave_hole(f, payload, STREAM_DATAGRAM_MAX - 12 - 8 - 2);
    lost.mid = "v"; /* eight bytes of extension */
    size_t len = build_repair(1, &lost, bytes);
    assert_int_equal(len, STREAM_DATAGRAM_MAX);
    assert_int_equal(media_rtp(f->media, bytes, len, f->now_us), 0);
    assert_true(next(f, &frame));
    assert_int_equal(frame.len, lost.len + 4);
    assert_true(next(f, &frame));
}

/* SPS and PPS come once, at the start: each key frame carries them all the same. */
static void BUG_32_parameter_sets_are_kept(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    push_key(f);
    assert_true(next(f, &frame));
    size_t with_sets = frame.len;
    for (unsigned i = 0; i < 10; i++) {
        f->now_us += 2 * SECOND;
        push(f, test_idr, sizeof(test_idr), true);
        assert_true(next(f, &frame));
        assert_int_equal(frame.len, with_sets);
        assert_int_equal(frame.width, 1280);
        assert_int_equal(frame.flags, FRAME_KEY);
    }
}

/* ---- sound and picture ---- */

static void report(struct fixture *f, uint32_t ssrc, uint32_t rtp_time)
{
    uint8_t bytes[64];
    struct writer w;
    const struct rtcp_sender_info info = {
        .ssrc = ssrc,
        .ntp = (UINT64_C(3900000000) << 32) +
               ((f->now_us / SECOND) << 32 | ((f->now_us % SECOND) << 32) / SECOND),
        .rtp_timestamp = rtp_time};
    writer_init(&w, bytes, sizeof(bytes));
    rtcp_write_sr(&w, &info);
    assert_int_equal(media_rtcp(f->media, bytes, w.len, f->now_us), 0);
}

/* One second of both, captured together; video comes late_us later, audio is lost where told. Gives
 * by how much the picture is later than the sound in the end. */
static int64_t run_second(struct fixture *f, uint64_t late_us, bool audio_lost)
{
    static uint16_t audio_sequence;
    int64_t video_us = 0, audio_us = 0;
    uint64_t start_us = f->now_us;
    struct frame frame;
    report(f, VIDEO_SSRC, (uint32_t)(start_us * 9 / 100));
    report(f, AUDIO_SSRC, (uint32_t)(start_us * 48 / 1000));
    for (unsigned i = 0; i < 50; i++) {
        uint64_t captured_us = start_us + i * 20000u;
        struct test_packet packet = {.ssrc = AUDIO_SSRC,
                                     .pt = AUDIO_PT,
                                     .sequence = audio_sequence++,
                                     .time = (uint32_t)(captured_us * 48 / 1000),
                                     .payload = test_opus,
                                     .len = sizeof(test_opus)};
        f->now_us = captured_us;
        if (!audio_lost)
            assert_int_equal(push_packet(f, &packet), 0);
        packet = (struct test_packet){.ssrc = VIDEO_SSRC,
                                      .pt = VIDEO_PT,
                                      .marker = true,
                                      .sequence = f->sequence++,
                                      .time = (uint32_t)(captured_us * 9 / 100),
                                      .payload = test_slice,
                                      .len = sizeof(test_slice)};
        f->now_us = captured_us + late_us;
        assert_int_equal(push_packet(f, &packet), 0);
        media_on_timer(f->media, f->now_us);
        while (next(f, &frame)) {
            int64_t relative = frame.pts_us - (int64_t)captured_us;
            *(frame.track == TRACK_VIDEO ? &video_us : &audio_us) = relative;
        }
    }
    f->now_us = start_us + SECOND;
    media_tick(f->media, f->now_us);
    return video_us - audio_us;
}

static int64_t size_of(int64_t value)
{
    return value < 0 ? -value : value;
}

/* The picture takes 200 ms longer to us: that is no reason to show it later than its sound. */
static void BUG_29_arrival_is_not_capture(void **state)
{
    struct fixture *f = *state;
    int64_t skew_us = 0;
    push_key(f);
    for (unsigned i = 0; i < 20; i++)
        skew_us = run_second(f, 200000, false);
    if (size_of(skew_us) > 5000)
        print_error("skew %d us\n", (int)skew_us);
    assert_true(size_of(skew_us) <= 5000);
}

static void BUG_28_sound_and_picture_meet_again_after_a_loss(void **state)
{
    struct fixture *f = *state;
    int64_t skew_us = 0;
    push_key(f);
    for (unsigned i = 0; i < 15; i++)
        skew_us = run_second(f, 30000, false);
    assert_true(size_of(skew_us) <= 5000);
    for (unsigned i = 0; i < 3; i++)
        (void)run_second(f, 30000, true);
    skew_us = run_second(f, 30000, false);
    assert_true(size_of(skew_us) <= 5000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(BUG_05_no_sender_report_is_needed),
        TEST(BUG_07_a_stream_may_begin_anywhere),
        TEST(BUG_25_padding_does_not_reach_the_frame),
        TEST(BUG_26_repairs_of_another_version_are_refused),
        TEST(BUG_27_a_repair_as_large_as_a_datagram_fits),
        TEST(BUG_32_parameter_sets_are_kept),
        TEST(BUG_29_arrival_is_not_capture),
        TEST(BUG_28_sound_and_picture_meet_again_after_a_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
