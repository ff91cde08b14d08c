/* A whole stream through all stages to a consumer. */
#include "transcode/pipeline.h"

#include "tests/unit/transcode/world.h"
#include "transcode/avlib.h"
#include "transcode/video.h"

static void end_and_check(enum end_reason reason, struct ledger_sums sums[2])
{
    struct viewer *v = world->viewer;
    assert_int_equal(pipeline_end(world->pipeline, reason), 0);
    drain(v);
    assert_int_equal(v->ends, 1);
    assert_int_equal(v->end.reason, reason);
    assert_int_equal(v->end.final, end_reason_is_final(reason));
    for (size_t i = 0; i < v->ledger.segment_count; i++)
        assert_true(v->ledger.segments[i].closed);
    for (uint32_t r = 0; r < 2; r++)
        sums[r] = ledger_check(&v->ledger, r, PART_US, TARGET_S);
    if (v->hello.renditions == 3) {
        ledger_check_mirrored(&v->ledger, world->apart_us);
        assert_int_equal(sums[0].segments, sums[1].segments);
        int64_t apart = sums[0].end * 8 / 15 - sums[1].end;
        assert_true(llabs(apart) < 19200); /* both end within 400 ms, stalled or not */
    }
}

static void close_and_check(struct publisher *p, enum end_reason reason, struct ledger_sums sums[2])
{
    publisher_close(p);
    end_and_check(reason, sums);
}

static void begin(struct publisher *p, uint32_t renditions, bool vp8)
{
    bind_world(renditions, false);
    publisher_open(p, vp8);
}

static void passes_H264_through_with_aac(void **state)
{
    (void)state;
    struct publisher p;
    struct ledger_sums sums[2];
    begin(&p, 3, false);
    publish(&p, 12);
    close_and_check(&p, END_DELETED, sums);
    struct viewer *v = world->viewer;
    assert_int_equal(v->hellos, 1);
    assert_int_equal(v->hello.target_duration_s, TARGET_S);
    assert_int_equal(v->hello.epoch, 2);
    assert_int_equal(v->end.final, 1);
    assert_int_equal(sums[0].segments, 6);
    assert_int_equal(sums[0].breaks + sums[1].breaks, 0);
    assert_int_equal(sums[0].dependent, 0);
    assert_int_equal(sums[0].first, 0);
    assert_int_equal(sums[1].first, 0);
    assert_int_equal(world->opened_count, 6);
    assert_int_equal(world->opened_msn, 1005);
    assert_int_equal(v->ledger.segments[0].segment.msn, 1000);
    assert_int_equal(v->ledger.segments[0].segment.discontinuity_sequence, 5);
    assert_int_equal(world->playable, 1);
    assert_true(world->playable_us - world->first_frame_us < 300000);
    assert_int_equal(v->init[0].width, 320);
    assert_int_equal(v->init[0].height, 180);
    assert_int_equal(memcmp(v->init[0].codecs, "avc1.64", 7), 0); /* HLS-21 */
    assert_string_equal(v->init[1].codecs, "mp4a.40.2");
    assert_int_equal(v->inits[0], 1);
    assert_decodes(0, 355);
    assert_decodes(1, 555);
}

static void key_frames_are_asked_for_at_segment_ends(void **state)
{
    (void)state;
    struct publisher p;
    struct ledger_sums sums[2];
    begin(&p, 3, false);
    publish(&p, 20);
    close_and_check(&p, END_CLOSED, sums);
    assert_true(sums[0].segments >= 9 && sums[0].segments <= 11);
    assert_true(world->wanted_keys >= 9 && world->wanted_keys <= 12);
    assert_true(sums[0].longest_us < 2200000);
}

static void HLS_02_holds_for_a_publisher_that_ignores_requests(void **state)
{
    (void)state;
    struct publisher p;
    struct ledger_sums sums[2];
    begin(&p, 3, false);
    p.gop_only = true; /* one key frame in 8.3 s */
    publish(&p, 25);
    close_and_check(&p, END_SILENT, sums);
    assert_int_equal(world->viewer->end.final, 0);
    assert_int_equal(sums[0].breaks, 0);
    assert_true(sums[0].dependent >= 4);
    assert_decodes(0, 740);
}

static void transcodes_VP8(void **state)
{
    (void)state;
    struct publisher p;
    struct ledger_sums sums[2];
    begin(&p, 3, true);
    publish(&p, 9);
    int wanted = world->wanted_keys;
    close_and_check(&p, END_DELETED, sums);
    assert_int_equal(sums[0].dependent + sums[0].breaks, 0); /* HLS-13 without asking */
    assert_true(wanted <= 1);
    assert_true(sums[0].segments == 4 || sums[0].segments == 5);
    assert_true(sums[0].longest_us > 1950000 && sums[0].longest_us < 2050000);
    assert_decodes(0, 265);
}

static void the_bitrate_follows_the_grant(void **state)
{
    (void)state;
    struct publisher p;
    struct ledger_sums sums[2];
    world->ceiling_bps = 150000;
    begin(&p, 1, true);
    p.audio_on = false;
    publish(&p, 10);
    close_and_check(&p, END_DELETED, sums);
    assert_int_equal(world->viewer->init[0].bandwidth_bps, 150000);
    assert_true(world->viewer->captured[0] < 10 * 150000 / 8 * 5 / 4);
}

static void HLS_09_size_changes_are_mirrored(void **state)
{
    (void)state;
    for (int vp8 = 0; vp8 < 2; vp8++) {
        struct publisher p;
        struct ledger_sums sums[2];
        begin(&p, 3, vp8 == 1);
        publish(&p, 3);
        publisher_resize(&p, 640, 360);
        publish(&p, 3);
        publisher_resize(&p, 480, 270);
        publish(&p, 3);
        close_and_check(&p, END_DELETED, sums);
        assert_int_equal(sums[0].breaks, 2);
        assert_int_equal(sums[1].breaks, 2);
        assert_int_equal(world->viewer->inits[0], 3);
        assert_int_equal(world->viewer->inits[1], 1);
        assert_int_equal(world->viewer->init[0].width, 480);
        if (vp8 == 0) { /* the fixture does it all again */
            (void)tear_down(NULL);
            (void)set_up(NULL);
        }
    }
}

static void FMP_02_frame_rate_drop_and_recovery(void **state)
{
    (void)state;
    struct publisher p;
    struct ledger_sums sums[2];
    begin(&p, 3, false);
    publish(&p, 4);
    p.interval_us = 166667;
    publish(&p, 5);
    p.interval_us = 33333;
    publish(&p, 4);
    close_and_check(&p, END_DELETED, sums);
    assert_int_equal(sums[0].breaks, 0);
    assert_decodes(0, 240);
}

static void LL_08_a_stall_is_covered_by_the_last_picture(void **state)
{
    (void)state;
    struct publisher p;
    struct ledger_sums sums[2];
    world->apart_us = 1000000; /* audio goes on until video has stalled */
    begin(&p, 3, false);
    publish(&p, 4);
    p.video_on = false;
    size_t before = world->viewer->ledger.part_count;
    publish(&p, 8);
    size_t parts = world->viewer->ledger.part_count - before;
    assert_true(parts >= 2 * 38 && parts <= 2 * 46); /* both renditions go on */
    publisher_show_again(&p);
    publish(&p, 10);
    close_and_check(&p, END_DELETED, sums);
    assert_int_equal(sums[0].breaks, 2); /* into encoding, back to passing through */
    assert_int_equal(sums[0].dependent, 0);
    assert_decodes(0, 400);
}

static void LL_08_one_frame_per_second(void **state)
{
    (void)state;
    struct publisher p;
    struct ledger_sums sums[2];
    world->apart_us = 1000000; /* audio goes on until video has stalled */
    begin(&p, 3, false);
    p.interval_us = 1000000; /* a shared screen that stands still */
    publish(&p, 15);
    close_and_check(&p, END_DELETED, sums);
    assert_int_equal(sums[0].breaks, 1);
    assert_true(sums[0].parts >= 70);
}

static void LL_08_audio_that_stops_becomes_silence(void **state)
{
    (void)state;
    struct publisher p;
    struct ledger_sums sums[2];
    begin(&p, 3, false);
    publish(&p, 4);
    p.audio_on = false;
    publish(&p, 5);
    p.audio_on = true;
    publish(&p, 4);
    close_and_check(&p, END_DELETED, sums);
    assert_int_equal(sums[1].breaks, 0);
    assert_decodes(1, 590);
}

static void audio_that_never_comes_does_not_hold_video_back(void **state)
{
    (void)state;
    struct publisher p;
    struct ledger_sums sums[2];
    begin(&p, 3, false);
    p.audio_on = false;
    publish(&p, 6);
    publisher_close(&p);
    assert_int_equal(world->playable, 1);
    assert_true(world->playable_us - world->first_frame_us < 1200000);
    end_and_check(END_DELETED, sums);
    assert_decodes(1, 250);
}

static void video_that_never_comes_is_black(void **state)
{
    (void)state;
    struct publisher p;
    struct ledger_sums sums[2];
    begin(&p, 3, false);
    p.video_on = false;
    publish(&p, 8);
    assert_int_equal(world->playable, 1);
    publisher_show_again(&p);
    publish(&p, 5);
    close_and_check(&p, END_DELETED, sums);
    assert_int_equal(sums[0].breaks, 1);
    assert_int_equal(world->viewer->init[0].width, 320);
}

static void audio_only(void **state)
{
    (void)state;
    struct publisher p;
    struct ledger_sums sums[2];
    begin(&p, 2, false);
    p.video_on = false;
    publish(&p, 11);
    close_and_check(&p, END_DELETED, sums);
    assert_int_equal(world->viewer->hello.renditions, 2);
    assert_int_equal(sums[0].segments, 0);
    assert_true(sums[1].segments == 5 || sums[1].segments == 6);
    assert_int_equal(world->playable, 1);
    assert_int_equal(world->opened_count, sums[1].segments);
    assert_int_equal(world->wanted_keys, 0);
    assert_decodes(1, 500);
}

static void video_only(void **state)
{
    (void)state;
    struct publisher p;
    struct ledger_sums sums[2];
    begin(&p, 1, false);
    publish(&p, 5);
    close_and_check(&p, END_DELETED, sums);
    assert_int_equal(sums[1].segments, 0);
    assert_true(sums[0].parts >= 24);
    assert_int_equal(world->playable, 1);
}

static void a_successor_begins_with_a_break_at_the_next_key_frame(void **state)
{
    (void)state;
    struct publisher p;
    struct ledger_sums sums[2];
    bind_world(3, true);
    publisher_open(&p, false);
    p.number = 1; /* no key frame before one is asked for */
    world->key_due = false;
    pass(world->now_us + 1000);
    assert_int_equal(world->wanted_keys, 1);
    publish(&p, 5);
    close_and_check(&p, END_DELETED, sums);
    assert_int_equal(world->viewer->hello.continues, 1);
    assert_int_equal(sums[0].breaks, 1);
    assert_int_equal(sums[1].breaks, 1);
    assert_int_equal(world->viewer->ledger.segments[0].segment.discontinuity_sequence, 5);
    assert_int_equal(world->viewer->ledger.segments[0].segment.msn, 1000);
}

static void a_late_viewer_gets_the_window(void **state)
{
    (void)state;
    struct publisher p;
    struct ledger_sums sums[2];
    begin(&p, 3, false);
    publish(&p, 24);
    close_viewer(world->viewer);
    world->viewer = open_viewer(&worker_loop);
    publish(&p, 4);
    close_and_check(&p, END_DELETED, sums);
    assert_true(world->viewer->ledger.segments[0].segment.msn > 1000);
    assert_true(sums[0].segments >= 9); /* window and spare ones */
    assert_int_equal(sums[0].dependent, 0);
    close_viewer(world->viewer);
    world->viewer = open_viewer(&worker_loop); /* after the end */
    drain(world->viewer);
    assert_int_equal(world->viewer->ends, 1);
    assert_decodes(0, 500);
}

static void lost_frames_wait_for_a_key_frame(void **state)
{
    (void)state;
    struct publisher p;
    struct ledger_sums sums[2];
    begin(&p, 3, false);
    publish(&p, 3);
    int before = world->wanted_keys;
    pipeline_lose(world->pipeline);
    publish(&p, 3);
    publisher_close(&p);
    assert_true(world->wanted_keys > before);
    end_and_check(END_DELETED, sums);
    assert_decodes(0, 150);
}

static void M3_too_large_pictures_are_not_decoded(void **state)
{
    (void)state;
    struct publisher p;
    struct ledger_sums sums[2];
    bind_small_world(3);
    publisher_open(&p, true);
    publish(&p, 4);
    assert_int_equal(world->refused, 0);
    publish(&p, 3);
    assert_int_equal(world->refused, 1); /* the supervisor ends the stream */
    publish(&p, 6);
    assert_int_equal(world->refused, 1);
    close_and_check(&p, END_DELETED, sums);
    for (uint32_t i = 0; i < world->viewer->inits[0]; i++)
        assert_true(world->viewer->init[0].width != 320);
}

/* Ticks alone, until a part is published. */
static size_t ticks_to_next_part(void)
{
    size_t parts = world->viewer->ledger.part_count, ticks = 0;
    for (; world->viewer->ledger.part_count == parts; ticks++) {
        assert_true(ticks < 10000);
        uint64_t due = pipeline_due_us(world->pipeline, world->now_us);
        world->now_us = due > world->now_us ? due : world->now_us + 1;
        assert_int_equal(pipeline_tick(world->pipeline, world->now_us), 0);
        drain(world->viewer);
    }
    return ticks;
}

static void a_turn_decodes_one_frame_at_most(void **state)
{
    (void)state;
    struct publisher p;
    struct ledger_sums sums[2];
    begin(&p, 1, false);
    p.audio_on = false;
    publish(&p, 3.8);                    /* the last key frame is about 54 frames back */
    size_t first = ticks_to_next_part(); /* what waited, if anything did */
    assert_true(first + ticks_to_next_part() > 40);
    close_and_check(&p, END_CLOSED, sums);
    assert_int_equal(sums[0].breaks, 1);
    assert_decodes(0, 100);
}

static void a_stall_that_ends_while_catching_up_is_none(void **state)
{
    (void)state;
    struct publisher p;
    struct ledger_sums sums[2];
    begin(&p, 1, false);
    p.audio_on = false;
    publish(&p, 3.8);
    world->now_us += 1500000;
    for (int i = 0; i < 10; i++)
        assert_int_equal(pipeline_tick(world->pipeline, world->now_us), 0);
    p.video_us = (int64_t)(world->now_us - START_US) - 20000;
    world->key_due = true;
    world->asked_us = 0;
    publish(&p, 3);
    close_and_check(&p, END_CLOSED, sums);
    assert_true(sums[0].breaks <= 1); /* the hole alone */
    assert_int_equal(world->viewer->inits[0], 1);
}

static void frames_that_wait_for_us_are_encoded_less_often(void **state)
{
    (void)state;
    struct publisher p;
    struct ledger_sums sums[2];
    begin(&p, 3, true);
    publish(&p, 2);
    pipeline_set_backlog(world->pipeline, VIDEO_SPARE_US + 1);
    size_t before = ledger_samples(&world->viewer->ledger, TRACK_VIDEO);
    publish(&p, 4);
    size_t sparse = ledger_samples(&world->viewer->ledger, TRACK_VIDEO) - before;
    assert_true(sparse >= 36 && sparse <= 44); /* of 120 */
    int wanted = world->wanted_keys;
    pipeline_set_backlog(world->pipeline, VIDEO_DROP_US + 1);
    p.gop_only = true; /* nothing is queued up for a publisher that is deaf */
    before = ledger_samples(&world->viewer->ledger, TRACK_VIDEO);
    publish(&p, 2);
    sparse = ledger_samples(&world->viewer->ledger, TRACK_VIDEO) - before;
    assert_true(sparse >= 8 && sparse <= 12); /* the last picture, once a part */
    assert_true(world->wanted_keys > wanted);
    pipeline_set_backlog(world->pipeline, 0);
    p.gop_only = false;
    publish(&p, 2);
    close_and_check(&p, END_DELETED, sums);
    assert_int_equal(sums[0].breaks, 0);
    assert_decodes(0, 150);
}

static void coding_that_is_too_slow_passes_through_at_the_next_key_frame(void **state)
{
    (void)state;
    struct publisher p;
    struct ledger_sums sums[2];
    world->apart_us = 1000000; /* audio goes on until video has stalled */
    begin(&p, 3, false);
    publish(&p, 4);
    p.video_on = false;
    publish(&p, 2);
    publisher_show_again(&p);
    publish(&p, 0.3); /* coding */
    assert_int_equal(world->viewer->inits[0], 2);
    pipeline_set_backlog(world->pipeline, VIDEO_DROP_US + 1);
    publish(&p, 0.6); /* asked for and given */
    assert_int_equal(world->viewer->inits[0], 3);
    publish(&p, 2);
    close_and_check(&p, END_DELETED, sums);
    assert_int_equal(sums[0].breaks, 2);
    assert_decodes(0, 180);
}

static void M3_a_publisher_that_calms_down_is_not_refused(void **state)
{
    (void)state;
    struct publisher p;
    struct ledger_sums sums[2];
    bind_small_world(1);
    publisher_open(&p, true);
    p.audio_on = false;
    for (int i = 0; i < 3; i++) {
        publish(&p, 3);
        publisher_resize(&p, 160, 90);
        publish(&p, 1);
        publisher_resize(&p, 320, 180);
    }
    publisher_close(&p);
    assert_int_equal(world->refused, 0);
    end_and_check(END_DELETED, sums);
}

static void settings_and_bind_are_checked(void **state)
{
    (void)state;
    struct pipeline *p = NULL;
    struct pipeline_hooks hooks = {0};
    struct msg_transcode_bind bind = {.renditions = 3};
    struct settings_transcode bad = settings;
    bad.window = PART_WINDOW_MAX + 1;
    assert_int_equal(pipeline_new(&worker_loop, &bad, &bind, &hooks, &p), -EINVAL);
    bad = settings;
    bad.part_us = 0;
    assert_int_equal(pipeline_new(&worker_loop, &bad, &bind, &hooks, &p), -EINVAL);
    bind.renditions = 4;
    assert_int_equal(pipeline_new(&worker_loop, &settings, &bind, &hooks, &p), -EINVAL);
    bind.renditions = 0;
    assert_int_equal(pipeline_new(&worker_loop, &settings, &bind, &hooks, &p), -EINVAL);
    bind_world(3, false);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(passes_H264_through_with_aac),
        TEST(key_frames_are_asked_for_at_segment_ends),
        TEST(HLS_02_holds_for_a_publisher_that_ignores_requests),
        TEST(transcodes_VP8),
        TEST(the_bitrate_follows_the_grant),
        TEST(HLS_09_size_changes_are_mirrored),
        TEST(FMP_02_frame_rate_drop_and_recovery),
        TEST(LL_08_a_stall_is_covered_by_the_last_picture),
        TEST(LL_08_one_frame_per_second),
        TEST(LL_08_audio_that_stops_becomes_silence),
        TEST(audio_that_never_comes_does_not_hold_video_back),
        TEST(video_that_never_comes_is_black),
        TEST(audio_only),
        TEST(video_only),
        TEST(a_successor_begins_with_a_break_at_the_next_key_frame),
        TEST(a_late_viewer_gets_the_window),
        TEST(lost_frames_wait_for_a_key_frame),
        TEST(M3_too_large_pictures_are_not_decoded),
        TEST(a_turn_decodes_one_frame_at_most),
        TEST(a_stall_that_ends_while_catching_up_is_none),
        TEST(frames_that_wait_for_us_are_encoded_less_often),
        TEST(coding_that_is_too_slow_passes_through_at_the_next_key_frame),
        TEST(M3_a_publisher_that_calms_down_is_not_refused),
        TEST(settings_and_bind_are_checked),
    };
    avlib_silence();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
