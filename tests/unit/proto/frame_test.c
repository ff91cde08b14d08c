/* Ring records that claim to be frames. */
#include "lib/proto/frame.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct {
    struct frame head;
    uint8_t payload[10];
} record;

static int set_up(void **state)
{
    (void)state;
    memset(&record, 0, sizeof(record));
    record.head = (struct frame){.len = 10,
                                 .track = TRACK_VIDEO,
                                 .codec = CODEC_H264,
                                 .flags = FRAME_KEY | FRAME_GAP | FRAME_JUMP,
                                 .pts_us = -5,
                                 .wall_us = 7,
                                 .width = FRAME_DIMENSION_MAX,
                                 .height = 1};
    return 0;
}

static int parse(void)
{
    struct frame out;
    const uint8_t *payload;
    return frame_parse(&record, sizeof(record.head) + 10, &out, &payload);
}

static void good_frame_is_copied(void **state)
{
    struct frame out;
    const uint8_t *payload = NULL;
    (void)state;
    assert_int_equal(frame_parse(&record, sizeof(record.head) + 10, &out, &payload), 0);
    assert_memory_equal(&out, &record.head, sizeof(out));
    assert_ptr_equal(payload, record.payload);
}

static void every_other_length_is_refused(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof(record.head) + 10; len++) {
        struct frame out;
        const uint8_t *payload = NULL;
        void *copy = malloc(len ? len : 1); /* so that a sanitizer sees one byte too many */
        assert_non_null(copy);
        memcpy(copy, &record, len);
        assert_int_equal(frame_parse(copy, len, &out, &payload), -EBADMSG);
        assert_null(payload);
        free(copy);
    }
    record.head.len = 9;
    assert_int_equal(parse(), -EBADMSG);
    record.head.len = 11;
    assert_int_equal(parse(), -EBADMSG);
    record.head.len = UINT32_MAX;
    assert_int_equal(parse(), -EBADMSG);
}

static void payload_limits(void **state)
{
    struct frame out;
    const uint8_t *payload;
    size_t len = sizeof(struct frame) + FRAME_PAYLOAD_MAX + 1;
    struct frame *big = calloc(1, len);
    (void)state;
    assert_non_null(big);
    *big = record.head;
    big->len = FRAME_PAYLOAD_MAX;
    assert_int_equal(frame_parse(big, len - 1, &out, &payload), 0);
    big->len = FRAME_PAYLOAD_MAX + 1;
    assert_int_equal(frame_parse(big, len, &out, &payload), -EBADMSG);
    big->len = 0;
    assert_int_equal(frame_parse(big, sizeof(*big), &out, &payload), -EBADMSG);
    free(big);
}

static void codec_belongs_to_its_track(void **state)
{
    (void)state;
    for (unsigned track = 0; track < 256; track++) {
        for (unsigned codec = 0; codec < 256; codec++) {
            bool video = track == TRACK_VIDEO &&
                         (codec == CODEC_H264 || codec == CODEC_VP8 || codec == CODEC_H265 ||
                          codec == CODEC_VP9 || codec == CODEC_AV1);
            bool audio = track == TRACK_AUDIO && (codec == CODEC_OPUS || codec == CODEC_AAC);
            record.head.track = (uint8_t)track;
            record.head.codec = (uint8_t)codec;
            assert_int_equal(parse(), video || audio ? 0 : -EBADMSG);
        }
    }
}

static void only_video_has_layers(void **state)
{
    (void)state;
    for (unsigned layer = 0; layer < 256; layer++) {
        record.head.layer = (uint8_t)layer;
        record.head.track = TRACK_VIDEO;
        record.head.codec = CODEC_H264;
        assert_int_equal(parse(), layer < FRAME_LAYERS_MAX ? 0 : -EBADMSG);
        record.head.track = TRACK_AUDIO;
        record.head.codec = CODEC_OPUS;
        assert_int_equal(parse(), layer == 0 ? 0 : -EBADMSG);
    }
}

static void unknown_flags_are_refused(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags < 256; flags++) {
        record.head.flags = (uint8_t)flags;
        assert_int_equal(parse(), flags < 8 ? 0 : -EBADMSG);
    }
}

static void times_have_a_range(void **state)
{
    int64_t *const times[] = {&record.head.pts_us, &record.head.wall_us, &record.head.arrival_us};
    static const int64_t good[] = {0, INT64_C(1) << 60, -(INT64_C(1) << 60)};
    static const int64_t bad[] = {(INT64_C(1) << 60) + 1, -(INT64_C(1) << 60) - 1, INT64_MAX,
                                  INT64_MIN};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        int64_t before = *times[i];
        for (size_t j = 0; j < 3; j++) {
            *times[i] = good[j];
            assert_int_equal(parse(), 0);
        }
        for (size_t j = 0; j < 4; j++) {
            *times[i] = bad[j];
            assert_int_equal(parse(), -EBADMSG);
        }
        *times[i] = before;
    }
}

static void M3_dimensions_have_a_limit(void **state)
{
    (void)state;
    record.head.width = FRAME_DIMENSION_MAX + 1;
    assert_int_equal(parse(), -EBADMSG);
    record.head.width = 0;
    record.head.height = FRAME_DIMENSION_MAX + 1;
    assert_int_equal(parse(), -EBADMSG);
    record.head.height = 0;
    assert_int_equal(parse(), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(good_frame_is_copied),  TEST(every_other_length_is_refused),
        TEST(payload_limits),        TEST(codec_belongs_to_its_track),
        TEST(only_video_has_layers), TEST(unknown_flags_are_refused),
        TEST(times_have_a_range),    TEST(M3_dimensions_have_a_limit),
    };
    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
