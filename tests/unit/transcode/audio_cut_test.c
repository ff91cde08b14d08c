/* Audio parts and segments against video's boundaries. */
#include "transcode/audio_cut.h"

#include "tests/unit/transcode/ledger.h"

#include <errno.h>

#define PART_US 200000u
#define SEGMENT_US 2000000u
#define TARGET_S 3u

struct sim {
    struct ledger ledger;
    struct numbering numbers;
    struct timeline timeline;
    struct audio_cut cut;
    int64_t next; /* dts */
    uint64_t msn;
};

static int start(void **state, bool leads)
{
    struct sim *s = calloc(1, sizeof *s);
    struct chunker_sink sink = ledger_sink(&s->ledger);
    numbering_init(&s->numbers, 40, 0, false);
    timeline_start(&s->timeline, 0, 1700000000000000);
    s->msn = 40;
    *state = s;
    return audio_cut_init(&s->cut, PART_US, SEGMENT_US, leads, &s->numbers, &s->timeline, &sink);
}

static int set_up(void **state)
{
    return start(state, false);
}

static int set_up_leader(void **state)
{
    return start(state, true);
}

static int tear_down(void **state)
{
    struct sim *s = *state;
    audio_cut_done(&s->cut);
    free(s);
    return 0;
}

static void push_until(struct sim *s, int64_t end)
{
    uint8_t data[40] = {0};
    for (; s->next + 1024 <= end; s->next += 1024)
        assert_int_equal(audio_cut_push(&s->cut, data, sizeof data, s->next), 0);
}

static int boundary(struct sim *s, int64_t at, bool discontinuity)
{
    struct part_segment segment = {
        .msn = s->msn++, .discontinuity = discontinuity, .discontinuity_sequence = 1};
    return audio_cut_add_boundary(&s->cut, &segment, at);
}

static struct ledger_sums finish(struct sim *s)
{
    assert_int_equal(audio_cut_finish(&s->cut), 0);
    return ledger_check(&s->ledger, TRACK_AUDIO, PART_US, TARGET_S);
}

static void LL_02_parts_are_nine_frames(void **state)
{
    struct sim *s = *state;
    assert_int_equal(audio_cut_next_end(&s->cut), INT64_MIN);
    assert_int_equal(boundary(s, 0, false), 0);
    push_until(s, 9 * 1024);
    assert_int_equal(s->ledger.part_count, 1); /* as soon as the ninth is there */
    assert_int_equal(s->ledger.parts[0].part.duration_us, 192000);
    assert_int_equal(audio_cut_next_end(&s->cut), 2 * 9 * 1024);
    push_until(s, 90 * 1024);
    assert_int_equal(s->ledger.part_count, 10);
    finish(s);
}

static void LL_07_cuts_at_the_frame_nearest_to_videos_boundary(void **state)
{
    struct sim *s = *state;
    assert_int_equal(boundary(s, 0, false), 0);
    for (int i = 1; i <= 5; i++) {
        push_until(s, i * 96000 - 4800);
        assert_int_equal(boundary(s, i * 96000, false), 0);
    }
    push_until(s, 11 * 48000);
    struct ledger_sums sums = finish(s);
    assert_int_equal(sums.segments, 6);
    for (size_t i = 0; i < s->ledger.segment_count; i++) {
        int64_t wanted = 1700000000000000 + (int64_t)i * 2000000;
        assert_true(llabs(s->ledger.segments[i].segment.wall_us - wanted) <=
                    10667); /* half a frame */
        assert_int_equal(s->ledger.segments[i].segment.msn, 40 + i);
    }
}

static void a_boundary_already_passed_cuts_as_soon_as_possible(void **state)
{
    struct sim *s = *state;
    assert_int_equal(boundary(s, 0, false), 0);
    push_until(s, 96000 + 20 * 1024);
    assert_int_equal(boundary(s, 96000, false), 0);
    push_until(s, 4 * 48000);
    struct ledger_sums sums = finish(s);
    assert_int_equal(sums.segments, 2);
    assert_true(s->ledger.segments[1].segment.wall_us >= 1700000002400000);
    assert_true(s->ledger.segments[1].segment.wall_us <= 1700000002700000);
}

static void HLS_10_breaks_are_videos(void **state)
{
    struct sim *s = *state;
    assert_int_equal(boundary(s, 0, false), 0);
    assert_int_equal(boundary(s, 30000, true), 0);
    push_until(s, 48000);
    struct ledger_sums sums = finish(s);
    assert_int_equal(sums.breaks, 1);
    assert_int_equal(s->ledger.segments[1].segment.discontinuity_sequence, 1);
}

static void boundaries_in_quick_succession_each_get_a_frame(void **state)
{
    struct sim *s = *state;
    for (unsigned i = 0; i < AUDIO_CUT_BOUNDARIES; i++)
        assert_int_equal(boundary(s, (int64_t)i * 100, true), 0);
    assert_int_equal(boundary(s, 99, false), -ENOSPC);
    push_until(s, 48000);
    struct ledger_sums sums = finish(s);
    assert_int_equal(sums.segments, AUDIO_CUT_BOUNDARIES);
}

static void frames_before_the_first_boundary_are_dropped(void **state)
{
    struct sim *s = *state;
    push_until(s, 10 * 1024);
    assert_int_equal(s->ledger.part_count, 0);
    assert_int_equal(boundary(s, 20 * 1024, false), 0);
    push_until(s, 40 * 1024);
    struct ledger_sums sums = finish(s);
    assert_int_equal(sums.first, 20 * 1024);
}

static void BUG_30_audio_alone_cuts_by_itself(void **state)
{
    struct sim *s = *state;
    push_until(s, 48000 * 20);
    struct ledger_sums sums = finish(s);
    assert_true(sums.segments == 10 || sums.segments == 11);
    assert_int_equal(s->ledger.segments[0].segment.msn, 40);
    assert_true(sums.longest_us < 2020000);
}

static void frames_of_a_part_of_another_length(void **state)
{
    static const struct {
        uint32_t part_us;
        unsigned frames;
    } cases[] = {{100000, 4}, {200000, 9}, {333000, 15}, {500000, 23}, {1000000, 46}};
    struct sim *s = *state;
    struct chunker_sink sink = ledger_sink(&s->ledger);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        audio_cut_done(&s->cut);
        assert_int_equal(audio_cut_init(&s->cut, cases[i].part_us, SEGMENT_US, true, &s->numbers,
                                        &s->timeline, &sink),
                         0);
        assert_int_equal(s->cut.frames_per_part, cases[i].frames);
        assert_true(cases[i].frames * UINT64_C(1024000000) / 48000 * 100 >=
                    cases[i].part_us * UINT64_C(85)); /* LL-02 */
    }
    audio_cut_done(&s->cut);
    assert_int_equal(
        audio_cut_init(&s->cut, 10000, SEGMENT_US, true, &s->numbers, &s->timeline, &sink),
        -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define LEADER(name) cmocka_unit_test_setup_teardown(name, set_up_leader, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(LL_02_parts_are_nine_frames),
        TEST(LL_07_cuts_at_the_frame_nearest_to_videos_boundary),
        TEST(a_boundary_already_passed_cuts_as_soon_as_possible),
        TEST(HLS_10_breaks_are_videos),
        TEST(boundaries_in_quick_succession_each_get_a_frame),
        TEST(frames_before_the_first_boundary_are_dropped),
        LEADER(BUG_30_audio_alone_cuts_by_itself),
        LEADER(frames_of_a_part_of_another_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
