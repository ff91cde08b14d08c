/* Simulated publishers against the rules of parts and segments. */
#include "transcode/video_cut.h"

#include "tests/unit/transcode/ledger.h"

#include <errno.h>

#define PART_US 200000u
#define SEGMENT_US 2000000u
#define TARGET_S 3u
#define MS INT64_C(90)
#define SECOND INT64_C(90000)

struct sim {
    struct ledger ledger;
    struct numbering numbers;
    struct timeline timeline;
    struct video_cut cut;
    int64_t now;
    uint32_t init_id;
    size_t stalls;
    uint32_t seed;
    int64_t offset; /* presentation minus decode time */
};

static struct sim *sim;

static int set_up(void **state)
{
    (void)state;
    sim = calloc(1, sizeof *sim);
    struct chunker_sink sink = ledger_sink(&sim->ledger);
    numbering_init(&sim->numbers, 100, 7, false);
    timeline_start(&sim->timeline, 5000000, 1700000000000000);
    sim->init_id = 1;
    sim->seed = 1;
    return video_cut_init(&sim->cut, PART_US, SEGMENT_US, &sim->numbers, &sim->timeline, &sink);
}

static int tear_down(void **state)
{
    (void)state;
    video_cut_done(&sim->cut);
    free(sim);
    return 0;
}

static uint32_t random_below(uint32_t limit)
{
    sim->seed = sim->seed * 1664525u + 1013904223u;
    return (sim->seed >> 8) % limit;
}

/* A frame that arrives now; time first passes up to there. */
static int push(int64_t pts, bool key, bool breaks)
{
    uint8_t data[32] = {0, 0, 0, 28, (uint8_t)(key ? 0x65 : 0x41)};
    enum video_cut_state state;
    struct video_cut_frame frame = {.data = data,
                                    .len = sizeof data,
                                    .dts = pts,
                                    .pts = pts + sim->offset,
                                    .init_id = sim->init_id,
                                    .key = key,
                                    .breaks = breaks,
                                    .reorders = sim->offset != 0};
    while (video_cut_due(&sim->cut) < pts) {
        int64_t due = video_cut_due(&sim->cut);
        assert_int_equal(video_cut_tick(&sim->cut, due, &state), 0);
        if (state == VIDEO_CUT_STALLED) {
            sim->stalls++;
            break;
        }
    }
    return video_cut_push(&sim->cut, &frame);
}

static struct ledger_sums finish(void)
{
    assert_int_equal(video_cut_finish(&sim->cut), 0);
    return ledger_check(&sim->ledger, TRACK_VIDEO, PART_US, TARGET_S);
}

static void LL_01_BUG_13_parts_of_30_fps_are_six_frames(void **state)
{
    (void)state;
    for (int i = 0; i < 30 * 20; i++) {
        size_t before = sim->ledger.part_count;
        assert_int_equal(push(i * 3000, i % 60 == 0, false), 0);
        /* published at the arrival of its last frame, not of the one after */
        assert_int_equal(sim->ledger.part_count - before, i % 6 == 5);
    }
    struct ledger_sums sums = finish();
    assert_int_equal(sums.parts, 100);
    assert_int_equal(sums.segments, 10);
    assert_int_equal(sums.dependent, 0); /* HLS-13 */
    assert_int_equal(sums.breaks, 0);
    assert_int_equal(sums.longest_us, 2000000);
}

static void LL_02_frames_with_jitter_keep_parts_long_enough(void **state)
{
    (void)state;
    int64_t pts = 0;
    for (int i = 0; i < 30 * 60; i++) {
        int64_t shaken = pts + random_below(900);
        assert_int_equal(push(shaken, i % 60 == 0, false), 0);
        pts += 3003; /* 29.97 */
    }
    struct ledger_sums sums = finish();
    assert_int_equal(sums.dependent, 0);
    assert_int_equal(sim->stalls, 0);
    assert_true(llabs(sums.end - pts) < 3100); /* nothing accumulates */
}

static void LL_02_irregular_canvas_of_14_to_28_fps(void **state)
{
    (void)state;
    int64_t pts = 0, last_key = 0;
    while (pts < 60 * SECOND) {
        bool key = pts == 0 || pts - last_key >= 2 * SECOND;
        last_key = key ? pts : last_key;
        assert_int_equal(push(pts, key, false), 0);
        pts += 36 * MS + random_below(36 * 90);
    }
    struct ledger_sums sums = finish();
    assert_int_equal(sums.dependent, 0);
    assert_int_equal(sums.breaks, 0);
    assert_int_equal(sim->stalls, 0);
    assert_true(llabs(sums.end - pts) < 72 * MS);
}

static void FMP_02_frame_rate_drop_to_6_leaves_no_hole(void **state)
{
    (void)state;
    int64_t pts = 0, last_key = 0;
    while (pts < 40 * SECOND) {
        bool slow = pts / (5 * SECOND) % 2 == 1;
        bool key = pts == 0 || pts - last_key >= 2 * SECOND;
        last_key = key ? pts : last_key;
        assert_int_equal(push(pts, key, false), 0);
        pts += slow ? 15000 : 3000;
    }
    struct ledger_sums sums = finish();
    assert_int_equal(sums.breaks, 0);
    assert_int_equal(sim->stalls, 0);
    assert_true(llabs(sums.end - pts) < 15000 + 3000);
}

static void LL_08_a_missing_frame_closes_the_part_by_time(void **state)
{
    (void)state;
    enum video_cut_state cut_state;
    for (int i = 0; i < 9; i++)
        assert_int_equal(push(i * 3000, i == 0, false), 0);
    size_t before = sim->ledger.part_count;
    int64_t due = video_cut_due(&sim->cut);
    assert_int_equal(due, 2 * 18000); /* the part's nominal end */
    assert_int_equal(video_cut_tick(&sim->cut, due - 1, &cut_state), 0);
    assert_int_equal(sim->ledger.part_count, before);
    assert_int_equal(video_cut_tick(&sim->cut, due, &cut_state), 0);
    assert_int_equal(cut_state, VIDEO_CUT_FINE);
    assert_int_equal(sim->ledger.part_count, before + 1);
    due = video_cut_due(&sim->cut);
    assert_int_equal(due, 3 * 18000 + 63000);
    video_cut_set_patience(&sim->cut, VIDEO_CUT_STALL_US);
    due = video_cut_due(&sim->cut);
    assert_int_equal(due, 3 * 18000 + 9000);
    assert_int_equal(video_cut_tick(&sim->cut, due, &cut_state), 0);
    assert_int_equal(cut_state, VIDEO_CUT_STALLED);
    assert_int_equal(push(due, false, false), 0); /* filled there or a little late: no hole */
    finish();
}

static void a_hole_takes_only_a_key_frame_with_a_break(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++)
        assert_int_equal(push(i * 3000, i == 0, false), 0);
    assert_int_equal(push(2 * SECOND, false, false), -EAGAIN);
    assert_true(video_cut_wants_key(&sim->cut, 2 * SECOND));
    assert_int_equal(push(2 * SECOND, true, false), 0);
    struct ledger_sums sums = finish();
    assert_int_equal(sums.breaks, 1);
    assert_int_equal(sums.segments, 2);
    assert_int_equal(sim->ledger.segments[1].segment.discontinuity_sequence, 8);
}

static void HLS_02_audio_does_not_wait_for_a_late_segment(void **state)
{
    (void)state;
    for (int i = 0; i < 84; i++)
        assert_int_equal(push(i * 3000, i == 0, false), 0);
    assert_int_equal(video_cut_due(&sim->cut), 3 * SECOND + 40500);
    video_cut_set_ahead(&sim->cut, 9000);
    assert_int_equal(video_cut_due(&sim->cut), 3 * SECOND + 40500 - 9000);
    video_cut_set_ahead(&sim->cut, 90000); /* not before the part is over */
    assert_int_equal(video_cut_due(&sim->cut), 84 * 3000 + 18000);
    finish();
}

static void COD_07_presentation_times_are_kept(void **state)
{
    (void)state;
    static const int64_t times[] = {0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12, 10, 11};
    for (int i = 0; i < 12; i++) {
        int64_t dts = (i - 1) * 3000 < 0 ? 0 : (i - 1) * 3000;
        sim->offset = times[i] * 3000 - dts;
        assert_int_equal(push(dts, i == 0, false), 0);
    }
    finish();
    size_t shown = 0;
    for (size_t i = 0; i < sim->ledger.part_count; i++) {
        const struct ledger_part *p = &sim->ledger.parts[i];
        for (size_t k = 0; k < p->samples; k++, shown++)
            assert_int_equal(p->shown[k], times[shown] * 3000);
    }
    assert_int_equal(shown, 12);
}

static void nothing_before_the_first_key_frame(void **state)
{
    (void)state;
    assert_int_equal(video_cut_due(&sim->cut), INT64_MAX);
    assert_int_equal(video_cut_boundary(&sim->cut), INT64_MAX);
    assert_int_equal(push(0, false, false), -EAGAIN);
    assert_int_equal(sim->ledger.segment_count, 0);
    assert_int_equal(push(3000, true, true), 0); /* a break at the very start is none */
    assert_int_equal(sim->ledger.segments[0].segment.discontinuity, 0);
    assert_int_equal(sim->ledger.segments[0].segment.discontinuity_sequence, 7);
    assert_int_equal(sim->ledger.segments[0].segment.msn, 100);
}

static void HLS_02_without_key_frames_segments_end_in_time(void **state)
{
    (void)state;
    for (int i = 0; i < 30 * 30; i++)
        assert_int_equal(push(i * 3000, i % 250 == 0, false), 0);
    struct ledger_sums sums = finish();
    assert_true(sums.longest_us <= 3000000);
    assert_true(sums.dependent > 0);
    assert_int_equal(sums.breaks, 0);
}

static void HLS_13_early_key_frames_do_not_cut(void **state)
{
    (void)state;
    for (int i = 0; i < 30 * 10; i++)
        assert_int_equal(push(i * 3000, i % 20 == 0, false), 0);
    struct ledger_sums sums = finish();
    assert_int_equal(sums.dependent, 0);
    assert_int_equal(sums.segments, 5); /* cut at the key frame after 2 s: 0, 60, 120, ... */
}

static void HLS_09_a_size_change_breaks_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < 120; i++) {
        bool change = i == 37 || i == 71;
        sim->init_id += change;
        assert_int_equal(push(i * 3000, i == 0 || change, change), 0);
    }
    struct ledger_sums sums = finish();
    assert_int_equal(sums.segments, 3);
    assert_int_equal(sums.breaks, 2);
    assert_int_equal(sim->ledger.segments[1].segment.init_id, 2);
    assert_int_equal(sim->ledger.segments[2].segment.init_id, 3);
    assert_int_equal(sim->ledger.segments[2].segment.discontinuity_sequence, 9);
}

static void HLS_11_wall_clock_is_that_of_the_first_sample(void **state)
{
    (void)state;
    for (int i = 0; i < 130; i++)
        assert_int_equal(push(i * 3000, i % 60 == 0, false), 0);
    assert_int_equal(sim->ledger.segments[0].segment.wall_us, 1700000000000000);
    assert_int_equal(sim->ledger.segments[1].segment.wall_us, 1700000002000000);
}

static void times_that_go_back_or_stand_still_are_squeezed(void **state)
{
    (void)state;
    for (int i = 0; i < 12; i++)
        assert_int_equal(push(i * 3000, i == 0, false), 0);
    for (int i = 0; i < 600; i++)
        assert_int_equal(push(SECOND / 10 - i, i % 50 == 49, false), 0);
    assert_int_equal(push(10 * SECOND, true, false), 0);
    assert_int_equal(video_cut_finish(&sim->cut), 0);
    for (size_t i = 0; i < sim->ledger.part_count; i++)
        assert_true(sim->ledger.parts[i].part.duration_us <= PART_US);
}

static void any_times_keep_the_invariants(void **state)
{
    (void)state;
    enum video_cut_state cut_state;
    int64_t pts = 0;
    for (int i = 0; i < 20000 && sim->ledger.segment_count < 500 && sim->ledger.part_count < 4000;
         i++) {
        pts += (int64_t)random_below(9000) - 2000;
        if (random_below(300) == 0)
            pts += (int64_t)random_below(400000) - 100000;
        bool key = random_below(40) == 0;
        int result = push(pts > 0 ? pts : 0, key, key && random_below(3) == 0);
        assert_true(result == 0 || result == -EAGAIN);
        if (random_below(10) == 0)
            assert_int_equal(video_cut_tick(&sim->cut, pts + random_below(30000), &cut_state), 0);
    }
    assert_int_equal(video_cut_finish(&sim->cut), 0);
    for (size_t i = 0; i < sim->ledger.part_count; i++)
        assert_true(sim->ledger.parts[i].part.duration_us <= PART_US);
}

static void oversized_frames_are_refused_and_full_parts_closed(void **state)
{
    (void)state;
    static uint8_t large[CHUNKER_BODY_VIDEO + 1];
    struct video_cut_frame frame = {.data = large, .len = sizeof large, .init_id = 1, .key = true};
    assert_int_equal(video_cut_push(&sim->cut, &frame), -EMSGSIZE);
    frame.len = CHUNKER_BODY_VIDEO / 2 + 1;
    for (int i = 0; i < 12; i++, frame.key = false, frame.dts += 3000, frame.pts += 3000)
        assert_int_equal(video_cut_push(&sim->cut, &frame), 0);
    assert_int_equal(video_cut_finish(&sim->cut), 0);
    assert_true(sim->ledger.segment_count > 1); /* a memfd would not hold them all */
}

static void M8_a_thousand_frames_per_second(void **state)
{
    (void)state;
    for (int i = 0; i < 5000; i++)
        assert_int_equal(push(i * 90, i % 500 == 0, false), 0);
    assert_int_equal(video_cut_finish(&sim->cut), 0);
    for (size_t i = 0; i < sim->ledger.part_count; i++)
        assert_true(sim->ledger.parts[i].part.duration_us <= PART_US);
}

static void target_duration_is_one_and_a_half_segments(void **state)
{
    (void)state;
    assert_int_equal(video_cut_target_duration_s(2000000), 3);
    assert_int_equal(video_cut_target_duration_s(1000000), 2);
    assert_int_equal(video_cut_target_duration_s(4000000), 6);
    assert_int_equal(video_cut_target_duration_s(6000000), 9);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(LL_01_BUG_13_parts_of_30_fps_are_six_frames),
        TEST(LL_02_frames_with_jitter_keep_parts_long_enough),
        TEST(LL_02_irregular_canvas_of_14_to_28_fps),
        TEST(FMP_02_frame_rate_drop_to_6_leaves_no_hole),
        TEST(LL_08_a_missing_frame_closes_the_part_by_time),
        TEST(a_hole_takes_only_a_key_frame_with_a_break),
        TEST(HLS_02_audio_does_not_wait_for_a_late_segment),
        TEST(COD_07_presentation_times_are_kept),
        TEST(nothing_before_the_first_key_frame),
        TEST(HLS_02_without_key_frames_segments_end_in_time),
        TEST(HLS_13_early_key_frames_do_not_cut),
        TEST(HLS_09_a_size_change_breaks_at_once),
        TEST(HLS_11_wall_clock_is_that_of_the_first_sample),
        TEST(times_that_go_back_or_stand_still_are_squeezed),
        TEST(any_times_keep_the_invariants),
        TEST(oversized_frames_are_refused_and_full_parts_closed),
        TEST(M8_a_thousand_frames_per_second),
        TEST(target_duration_is_one_and_a_half_segments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
