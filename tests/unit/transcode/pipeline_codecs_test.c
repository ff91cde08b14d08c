/* What publishers may send beside a browser's H.264 and VP8, through the whole pipeline. */
#include "transcode/pipeline.h"

#include "tests/unit/transcode/leaks.h"
#include "tests/unit/transcode/world.h"
#include "transcode/avlib.h"

static struct ledger_sums end_and_sum(void)
{
    struct viewer *v = world->viewer;
    assert_int_equal(pipeline_end(world->pipeline, END_CLOSED), 0);
    drain(v);
    return ledger_check(&v->ledger, TRACK_VIDEO, PART_US, TARGET_S);
}

/* Pictures from..to are captured, encoded and sent. */
static void publish_b_frames(AVCodecContext *encoder, int from, int to)
{
    for (int i = from; i < to; i++) {
        int number;
        bool key;
        pass(START_US + 20000 + (uint64_t)i * 33333);
        if (media_b_frames(encoder, i, &unit, &number, &key))
            deliver(TRACK_VIDEO, CODEC_H264, number * INT64_C(33333), key ? FRAME_KEY : 0);
    }
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void COD_07_B_frames_are_shown_in_time(void **state)
{
    (void)state;
    static int64_t shown[2000];
    size_t count = 0;
    AVCodecContext *encoder = media_open_b_frames(320, 180);
    bind_world(1, false);
    publish_b_frames(encoder, 0, 240);
    avcodec_free_context(&encoder);
    struct ledger_sums sums = end_and_sum();
    assert_int_equal(sums.breaks, 0);
    const struct ledger *l = &world->viewer->ledger;
    for (size_t i = 0; i < l->part_count; i++) {
        const struct ledger_part *p = &l->parts[i];
        assert_true(p->samples <= LEDGER_SHOWN);
        for (size_t k = 0; k < p->samples; k++)
            shown[count++] = p->shown[k];
    }
    assert_true(count > 230);
    qsort(shown, count, sizeof *shown, by_time);
    for (size_t i = 1; i + 1 < count; i++) /* before the last one some are missing */
        assert_true(llabs(shown[i] - shown[i - 1] - 3000) <= 2);
    assert_decodes(0, 230);
}

static void COD_07_a_stall_of_B_frames_is_covered(void **state)
{
    (void)state;
    AVCodecContext *encoder = media_open_b_frames(320, 180);
    bind_world(1, false);
    publish_b_frames(encoder, 0, 100);
    for (int i = 100, number; i < 160; i++) { /* these get lost */
        bool key;
        (void)media_b_frames(encoder, i, &unit, &number, &key);
    }
    publish_b_frames(encoder, 160, 300); /* key frames at 180 and 240 */
    avcodec_free_context(&encoder);
    struct ledger_sums sums = end_and_sum();
    assert_int_equal(sums.breaks, 2);
    assert_int_equal(world->viewer->inits[0], 3);
    assert_decodes(0, 150);
}

static void transcodes(enum codec codec)
{
    struct publisher p;
    bind_world(3, false);
    publisher_open_codec(&p, codec);
    publish(&p, 3);
    publisher_resize(&p, 640, 360);
    publish(&p, 2);
    assert_int_equal(world->viewer->inits[0], 2);
    assert_int_equal(world->viewer->init[0].width, 640);
    assert_int_equal(world->viewer->init[0].height, 360);
    int wanted = world->wanted_keys;
    pipeline_lose(world->pipeline);
    publish(&p, 1);
    assert_true(world->wanted_keys > wanted);
    p.video_on = false;
    publish(&p, 1.5); /* the last picture is repeated */
    p.video_on = true;
    publish(&p, 1);
    publisher_close(&p);
    struct ledger_sums sums = end_and_sum();
    assert_int_equal(sums.breaks, 1);
    assert_int_equal(sums.dependent, 0);
    assert_decodes(0, 190);
}

static void transcodes_VP9(void **state)
{
    (void)state;
    transcodes(CODEC_VP9);
}

static void transcodes_AV1(void **state)
{
    (void)state;
    transcodes(CODEC_AV1);
}

static void transcodes_H265(void **state)
{
    (void)state;
    transcodes(CODEC_H265);
}

static void M3_too_large_pictures_are_not_decoded(void **state)
{
    static const enum codec codecs[] = {CODEC_VP9, CODEC_AV1, CODEC_H265};
    (void)state;
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++) {
        struct publisher p;
        if (i > 0) { /* the fixture does it all again */
            (void)tear_down(NULL);
            (void)set_up(NULL);
        }
        bind_small_world(1);
        publisher_open_codec(&p, codecs[i]);
        publish(&p, 4);
        publisher_close(&p);
        for (uint32_t k = 0; k < world->viewer->inits[0]; k++)
            assert_true(world->viewer->init[0].width != 320);
    }
}

static void another_codec_is_a_break(void **state)
{
    (void)state;
    struct publisher p;
    bind_world(1, false);
    publisher_open_codec(&p, CODEC_VP9);
    p.audio_on = false;
    publish(&p, 2);
    p.codec = CODEC_H264;
    publisher_resize(&p, 320, 180);
    publish(&p, 2);
    p.codec = CODEC_AV1;
    publisher_resize(&p, 320, 180);
    publish(&p, 2);
    publisher_close(&p);
    assert_int_equal(end_and_sum().breaks, 2);
    assert_int_equal(world->viewer->inits[0], 3);
    assert_decodes(0, 150);
}

/* Ten changes in five seconds. */
static void M8_formats_change_once_a_second(void **state)
{
    (void)state;
    struct publisher p;
    bind_world(3, false);
    publisher_open(&p, false);
    for (int i = 0; i < 10; i++) {
        publish(&p, 0.5);
        publisher_resize(&p, i % 2 == 0 ? 640 : 320, i % 2 == 0 ? 360 : 180);
    }
    publish(&p, 0.5);
    publisher_close(&p);
    (void)end_and_sum();
    assert_true(world->viewer->inits[0] >= 2 && world->viewer->inits[0] <= 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(COD_07_B_frames_are_shown_in_time),
        TEST(COD_07_a_stall_of_B_frames_is_covered),
        TEST(transcodes_VP9),
        TEST(transcodes_AV1),
        TEST(transcodes_H265),
        TEST(M3_too_large_pictures_are_not_decoded),
        TEST(another_codec_is_a_break),
        TEST(M8_formats_change_once_a_second),
    };
    avlib_silence();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
