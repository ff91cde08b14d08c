/* Arithmetic of media time over long runs. */
#include "transcode/timeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#define DAY_US (INT64_C(86400) * 1000000)

static void FMP_05_no_rounding_accumulates_in_24_hours(void **state)
{
    (void)state;
    struct timeline t = {0};
    timeline_start(&t, 123456789, 1700000000000000);
    int64_t last = -1;
    for (int64_t frame = 0; frame < 30 * 86400; frame++) {
        int64_t pts_us = 123456789 + frame * 1000000 / 30;
        int64_t ticks = timeline_video(&t, pts_us);
        assert_true(ticks > last);
        assert_true(llabs(ticks - frame * 3000) <= 1); /* within a tick of the exact value */
        last = ticks;
    }
    for (int64_t packet = 0; packet < 50 * 86400; packet += 7)
        assert_int_equal(timeline_audio(&t, 123456789 + packet * 20000), packet * 960);
}

static void both_scales_agree_after_years(void **state)
{
    (void)state;
    for (int64_t us = 0; us < 3650 * DAY_US; us += 37 * DAY_US + 12345) {
        int64_t video = timeline_us_ticks(us, TIMELINE_VIDEO_SCALE);
        int64_t audio = timeline_us_ticks(us, TIMELINE_AUDIO_SCALE);
        assert_true(llabs(timeline_ticks_us(video, TIMELINE_VIDEO_SCALE) - us) <= 12);
        assert_true(llabs(timeline_ticks_us(audio, TIMELINE_AUDIO_SCALE) - us) <= 21);
        assert_true(llabs(timeline_video_to_audio(video) - audio) <= 1);
        assert_true(llabs(timeline_audio_to_video(audio) - video) <= 3);
    }
}

static void FMP_04_audio_and_video_share_one_base(void **state)
{
    (void)state;
    struct timeline t = {0};
    timeline_start(&t, 5000000, 1700000000000000);
    assert_int_equal(timeline_video(&t, 7000000), 180000);
    assert_int_equal(timeline_audio(&t, 7000000), 96000);
    assert_int_equal(timeline_video(&t, 4999999), -1); /* rounded down, also below 0 */
    assert_int_equal(timeline_audio(&t, 4000000), -48000);
}

static void HLS_11_one_mapping_for_both_renditions(void **state)
{
    (void)state;
    struct timeline t = {0};
    timeline_start(&t, 5000000, 1700000000000000);
    assert_int_equal(timeline_wall(&t, 90000, TIMELINE_VIDEO_SCALE), 1700000001000000);
    assert_int_equal(timeline_wall(&t, 48000, TIMELINE_AUDIO_SCALE), 1700000001000000);
    timeline_anchor(&t, 6000000, 1700000003000000); /* the clock was set forward by 2 s */
    assert_int_equal(timeline_wall(&t, 90000, TIMELINE_VIDEO_SCALE), 1700000003000000);
    assert_int_equal(timeline_video(&t, 6000000), 90000); /* media time goes on */
}

static void hostile_times_do_not_overflow(void **state)
{
    (void)state;
    struct timeline t = {0};
    timeline_start(&t, -(INT64_C(1) << 59), 0);
    assert_true(timeline_video(&t, INT64_C(1) << 58) > 0);
    assert_true(timeline_audio(&t, INT64_C(1) << 58) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(FMP_05_no_rounding_accumulates_in_24_hours),
        cmocka_unit_test(both_scales_agree_after_years),
        cmocka_unit_test(FMP_04_audio_and_video_share_one_base),
        cmocka_unit_test(HLS_11_one_mapping_for_both_renditions),
        cmocka_unit_test(hostile_times_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
