#include "gateway/ingest/framer.h"
#include "tests/unit/ingest/ingest_rtp.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define WALL_OFFSET_US INT64_C(1700000000000000)

struct fixture {
    struct test_ring ring;
    struct framer framer;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    assert_int_equal(test_ring_open(&f->ring), 0);
    framer_init(&f->framer, f->ring.writer, WALL_OFFSET_US);
    framer_start_track(&f->framer, TRACK_VIDEO, CODEC_H264, 90000);
    framer_start_track(&f->framer, TRACK_AUDIO, CODEC_OPUS, 48000);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    test_ring_close(&f->ring);
    free(f);
    return 0;
}

static struct depay_unit make_unit(uint32_t time, uint64_t now_us)
{
    return (struct depay_unit){.data = test_slice,
                               .len = sizeof(test_slice),
                               .rtp_time = time,
                               .first_us = now_us,
                               .last_us = now_us + 7};
}

static void RTP_17_frames_carry_times_flags_and_numbers(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    struct depay_unit unit = make_unit(1000, 5000000);
    unit.key = true;
    unit.gap = true;
    unit.width = 640;
    unit.height = 480;
    assert_int_equal(framer_write(&f->framer, TRACK_VIDEO, &unit), 0);
    assert_true(test_ring_next(&f->ring, &frame));
    assert_int_equal(frame.track, TRACK_VIDEO);
    assert_int_equal(frame.codec, CODEC_H264);
    assert_int_equal(frame.flags, FRAME_KEY | FRAME_GAP);
    assert_int_equal(frame.pts_us, 5000000);
    assert_int_equal(frame.wall_us, WALL_OFFSET_US + 5000000);
    assert_int_equal(frame.arrival_us, 5000007);
    assert_int_equal(frame.rtp_time, 1000);
    assert_int_equal(frame.width, 640);
    assert_int_equal(frame.number, 0);
    unit = make_unit(4000, 5033333);
    assert_int_equal(framer_write(&f->framer, TRACK_VIDEO, &unit), 0);
    assert_true(test_ring_next(&f->ring, &frame));
    assert_int_equal(frame.flags, 0);
    assert_int_equal(frame.number, 1);
    unit = make_unit(4000, 5033333);
    assert_int_equal(framer_write(&f->framer, TRACK_AUDIO, &unit), 0);
    assert_true(test_ring_next(&f->ring, &frame));
    assert_int_equal(frame.track, TRACK_AUDIO);
    assert_int_equal(frame.number, 0);
}

static void M7_jumps_are_flagged(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    struct depay_unit unit = make_unit(0, 5000000);
    framer_write(&f->framer, TRACK_VIDEO, &unit);
    unit = make_unit(90000 * 100, 5033333);
    framer_write(&f->framer, TRACK_VIDEO, &unit);
    assert_true(test_ring_next(&f->ring, &frame));
    assert_true(test_ring_next(&f->ring, &frame));
    assert_int_equal(frame.flags, FRAME_JUMP);
}

static void a_frame_too_large_for_the_ring_makes_a_gap(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    uint8_t *large = calloc(1, FRAME_PAYLOAD_MAX);
    assert_non_null(large);
    struct depay_unit unit = make_unit(0, 5000000);
    unit.data = large;
    unit.len = FRAME_PAYLOAD_MAX;
    assert_int_equal(framer_write(&f->framer, TRACK_VIDEO, &unit), -EMSGSIZE);
    free(large);
    unit = make_unit(3000, 5033333);
    assert_int_equal(framer_write(&f->framer, TRACK_VIDEO, &unit), -EAGAIN); /* RTP-10 */
    unit.key = true;
    assert_int_equal(framer_write(&f->framer, TRACK_VIDEO, &unit), 0);
    assert_true(test_ring_next(&f->ring, &frame));
    assert_int_equal(frame.flags, FRAME_KEY | FRAME_GAP);
    unit = make_unit(6000, 5066667);
    assert_int_equal(framer_write(&f->framer, TRACK_VIDEO, &unit), 0);
}

static void M8_frame_rates_are_limited(void **state)
{
    struct fixture *f = *state;
    static const uint32_t most[TRACK_COUNT] = {FRAMER_VIDEO_RATE_MAX, FRAMER_AUDIO_RATE_MAX};
    for (unsigned track = 0; track < TRACK_COUNT; track++) {
        for (uint32_t i = 0; i < most[track]; i++) {
            struct depay_unit unit = make_unit(i * 90, 5000000 + i * 1000);
            assert_int_equal(framer_write(&f->framer, track, &unit), 0);
        }
        struct depay_unit unit = make_unit(most[track] * 90, 5500000);
        assert_int_equal(framer_write(&f->framer, track, &unit), -EDQUOT);
        framer_tick(&f->framer);
        unit.key = true; /* what depends on the dropped one stays out */
        assert_int_equal(framer_write(&f->framer, track, &unit), 0);
    }
}

/* 1,000 frames/s for 5 s: no more than the limit each second, and each run starts with a key. */
static void M8_a_rate_bomb_is_cut_to_whole_groups(void **state)
{
    struct fixture *f = *state;
    uint32_t written = 0;
    bool whole = true;
    for (uint32_t i = 0; i < 5000; i++) {
        struct depay_unit unit = make_unit(i * 90, 5000000 + i * 1000);
        unit.key = i % 400 == 0;
        unit.width = unit.key ? 640 : 0;
        unit.height = unit.key ? 480 : 0;
        if (i % 1000 == 999)
            framer_tick(&f->framer);
        int rc = framer_write(&f->framer, TRACK_VIDEO, &unit);
        if (rc == 0) {
            assert_true(whole || unit.key);
            written++;
        }
        whole = rc == 0;
    }
    assert_in_range(written, 1, 6 * FRAMER_VIDEO_RATE_MAX);
}

static struct depay_unit make_key(uint32_t number, uint16_t width)
{
    struct depay_unit unit = make_unit(number * 3000, 5000000 + number * 33333);
    unit.key = true;
    unit.width = width;
    unit.height = 360;
    return unit;
}

static void M8_format_changes_are_limited(void **state)
{
    struct fixture *f = *state;
    struct depay_unit unit = make_key(0, 640);
    assert_int_equal(framer_write(&f->framer, TRACK_VIDEO, &unit), 0);
    unit = make_key(1, 642); /* the first change of this second */
    assert_int_equal(framer_write(&f->framer, TRACK_VIDEO, &unit), 0);
    unit = make_key(2, 644);
    assert_int_equal(framer_write(&f->framer, TRACK_VIDEO, &unit), -EDQUOT);
    unit = make_unit(3 * 3000, 5100000);
    assert_int_equal(framer_write(&f->framer, TRACK_VIDEO, &unit), -EAGAIN);
    unit = make_key(4, 642); /* no change */
    assert_int_equal(framer_write(&f->framer, TRACK_VIDEO, &unit), 0);
    framer_tick(&f->framer);
    unit = make_key(5, 644);
    assert_int_equal(framer_write(&f->framer, TRACK_VIDEO, &unit), 0);
}

static void S4_old_frames_are_wiped(void **state)
{
    struct fixture *f = *state;
    struct ring_reader *late = NULL;
    uint8_t record[256];
    size_t len;
    struct depay_unit unit = make_unit(0, 5000000);
    assert_int_equal(framer_write(&f->framer, TRACK_VIDEO, &unit), 0);
    for (unsigned i = 0; i < FRAMER_KEEP_S; i++) {
        framer_tick(&f->framer);
        bool there = false;
        assert_int_equal(ring_reader_new(f->ring.fd, 1, &late), 0);
        there = ring_read(late, record, sizeof(record), &len) == RING_RECORD;
        ring_reader_free(late);
        assert_true(there);
    }
    framer_tick(&f->framer);
    assert_int_equal(ring_reader_new(f->ring.fd, 1, &late), 0);
    assert_int_equal(ring_read(late, record, sizeof(record), &len), RING_EMPTY);
    ring_reader_free(late);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(RTP_17_frames_carry_times_flags_and_numbers),
        TEST(M7_jumps_are_flagged),
        TEST(a_frame_too_large_for_the_ring_makes_a_gap),
        TEST(M8_frame_rates_are_limited),
        TEST(M8_a_rate_bomb_is_cut_to_whole_groups),
        TEST(M8_format_changes_are_limited),
        TEST(S4_old_frames_are_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
