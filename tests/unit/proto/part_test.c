/* Announcements between transcode and its consumers. */
#include "lib/proto/part.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* One field set to one value in a good message must give the wanted result. */
#define CHECK(check, type, good, field, value, wanted)                                             \
    do {                                                                                           \
        struct type changed = good;                                                                \
        changed.field = (value);                                                                   \
        assert_int_equal(check, wanted);                                                           \
    } while (0)

static const struct part_hello hello = {.part_target_us = 200000,
                                        .segment_target_us = 2000000,
                                        .target_duration_s = 2,
                                        .window = 6,
                                        .renditions = 3};

static void LL_03_hello(void **state)
{
#define HELLO(field, value, wanted)                                                                \
    CHECK(part_check_hello(&changed), part_hello, hello, field, value, wanted)
    (void)state;
    assert_int_equal(part_check_hello(&hello), 0);
    HELLO(part_target_us, 0, -EBADMSG);
    HELLO(part_target_us, 2000000, 0);
    HELLO(part_target_us, 2000001, -EBADMSG);
    HELLO(segment_target_us, 60000000, 0);
    HELLO(segment_target_us, 60000001, -EBADMSG);
    HELLO(target_duration_s, 0, -EBADMSG);
    HELLO(target_duration_s, 60, 0);
    HELLO(target_duration_s, 61, -EBADMSG);
    HELLO(window, 0, -EBADMSG);
    HELLO(window, PART_WINDOW_MAX, 0);
    HELLO(window, PART_WINDOW_MAX + 1, -EBADMSG);
    HELLO(continues, 1, 0);
    HELLO(continues, 2, -EBADMSG);
    HELLO(renditions, 0, -EBADMSG);
}

static const struct part_init video = {
    .kind = TRACK_VIDEO, .width = 1280, .height = 720, .codecs = "avc1.42c01f"};
static const struct part_init audio = {.rendition = 1,
                                       .kind = TRACK_AUDIO,
                                       .channels = 2,
                                       .sample_rate = 48000,
                                       .codecs = "mp4a.40.2"};

static void init_fields(void **state)
{
#define VIDEO(field, value, wanted)                                                                \
    CHECK(part_check_init(&changed, 700), part_init, video, field, value, wanted)
#define AUDIO(field, value, wanted)                                                                \
    CHECK(part_check_init(&changed, 700), part_init, audio, field, value, wanted)
    (void)state;
    assert_int_equal(part_check_init(&video, PART_INIT_MAX), 0);
    assert_int_equal(part_check_init(&audio, 1), 0);
    assert_int_equal(part_check_init(&video, 0), -EBADMSG);
    assert_int_equal(part_check_init(&video, PART_INIT_MAX + 1), -EBADMSG);
    VIDEO(rendition, PART_RENDITIONS_MAX - 1, 0);
    VIDEO(rendition, PART_RENDITIONS_MAX, -EBADMSG);
    VIDEO(kind, TRACK_COUNT, -EBADMSG);
    VIDEO(width, 0, -EBADMSG);
    VIDEO(width, 8193, -EBADMSG);
    VIDEO(height, 0, -EBADMSG);
    VIDEO(height, 8193, -EBADMSG);
    AUDIO(channels, 0, -EBADMSG);
    AUDIO(channels, 8, 0);
    AUDIO(channels, 9, -EBADMSG);
    AUDIO(sample_rate, 0, -EBADMSG);
    AUDIO(sample_rate, 192001, -EBADMSG);
}

/* The text goes between quotes into a playlist. */
static void init_codecs_are_harmless(void **state)
{
    static const char *const bad[] = {"", "avc1\"", "avc1 x", "avc1\n", "a\r", "a\\", "\xc3\xa9"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct part_init m = video;
        memset(m.codecs, 0, sizeof(m.codecs));
        memcpy(m.codecs, bad[i], strlen(bad[i]));
        assert_int_equal(part_check_init(&m, 10), -EBADMSG);
    }
    struct part_init m = video;
    memset(m.codecs, 'a', sizeof(m.codecs));
    assert_int_equal(part_check_init(&m, 10), -EBADMSG); /* no end */
    m.codecs[PART_CODECS_MAX - 1] = '\0';
    assert_int_equal(part_check_init(&m, 10), 0);
}

static void segment_fields(void **state)
{
    const struct part_segment good = {.msn = 1700000000, .wall_us = 1};
#define SEGMENT(field, value, wanted)                                                              \
    CHECK(part_check_segment(&changed), part_segment, good, field, value, wanted)
    (void)state;
    assert_int_equal(part_check_segment(&good), 0);
    SEGMENT(rendition, PART_RENDITIONS_MAX, -EBADMSG);
    SEGMENT(discontinuity, 1, 0);
    SEGMENT(discontinuity, 2, -EBADMSG);
    SEGMENT(msn, PART_MSN_MAX, 0);
    SEGMENT(msn, PART_MSN_MAX + 1, -EBADMSG);
    SEGMENT(msn, UINT64_MAX, -EBADMSG);
    SEGMENT(discontinuity_sequence, UINT64_MAX, -EBADMSG);
    SEGMENT(wall_us, -1, -EBADMSG);
    SEGMENT(wall_us, INT64_MAX, -EBADMSG);
}

static void LL_01_I1_part_stays_in_its_memfd(void **state)
{
    const struct part_part good = {.offset = 4000, .len = 96, .duration_us = 200000};
#define PART(field, value, wanted)                                                                 \
    CHECK(part_check_part(&changed, 4096), part_part, good, field, value, wanted)
    (void)state;
    assert_int_equal(part_check_part(&good, 4096), 0);
    assert_int_equal(part_check_part(&good, 4095), -EBADMSG);
    assert_int_equal(part_check_part(&good, 0), -EBADMSG);
    PART(len, 0, -EBADMSG);
    PART(len, 97, -EBADMSG);
    PART(len, UINT32_MAX, -EBADMSG); /* offset + len wraps in 32 bits */
    PART(offset, 4001, -EBADMSG);
    PART(offset, UINT32_MAX, -EBADMSG);
    PART(offset, UINT32_MAX - 95, -EBADMSG);
    PART(rendition, PART_RENDITIONS_MAX, -EBADMSG);
    PART(part, PART_PER_SEGMENT_MAX - 1, 0);
    PART(part, PART_PER_SEGMENT_MAX, -EBADMSG);
    PART(msn, UINT64_MAX, -EBADMSG);
    PART(flags, PART_INDEPENDENT | PART_LAST, 0);
    PART(flags, 4, -EBADMSG);
    PART(duration_us, 0, -EBADMSG);
    PART(duration_us, PART_DURATION_MAX_US + 1, -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(LL_03_hello),
        cmocka_unit_test(init_fields),
        cmocka_unit_test(init_codecs_are_harmless),
        cmocka_unit_test(segment_fields),
        cmocka_unit_test(LL_01_I1_part_stays_in_its_memfd),
    };
    return cmocka_run_group_tests_name("part", tests, NULL, NULL);
}
