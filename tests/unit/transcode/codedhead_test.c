/* What coded frames claim, read from real encoders' output and from broken copies of it. */
#include "transcode/codedhead.h"

#include "tests/unit/transcode/leaks.h"
#include "tests/unit/transcode/media.h"
#include "transcode/av1head.h"
#include "transcode/avlib.h"
#include "transcode/hevchead.h"
#include "transcode/vp9head.h"

#include <errno.h>

static const enum codec codecs[] = {CODEC_VP8, CODEC_VP9, CODEC_AV1, CODEC_H265};
#define CODECS (sizeof codecs / sizeof *codecs)

static struct media_unit unit;

static void M3_key_frames_tell_their_size(void **state)
{
    static const int sizes[][2] = {{320, 180}, {640, 360}, {178, 94}};
    (void)state;
    for (size_t i = 0; i < CODECS * 3; i++) {
        struct codedhead head;
        enum codec codec = codecs[i / 3];
        const int *size = sizes[i % 3];
        AVCodecContext *c = media_open(codec, size[0], size[1]);
        media_coded(c, 0, true, &unit);
        assert_int_equal(codedhead_parse(codec, unit.data, unit.len, &head), 0);
        assert_true(head.key);
        assert_int_equal(head.width, size[0]);
        assert_int_equal(head.height, size[1]);
        media_coded(c, 1, false, &unit);
        assert_int_equal(codedhead_parse(codec, unit.data, unit.len, &head), 0);
        assert_false(head.key);
        assert_int_equal(head.width, 0);
        avcodec_free_context(&c);
    }
}

/* No truncated frame claims another size than the whole one. */
static void truncation_at_every_length(void **state)
{
    (void)state;
    for (size_t i = 0; i < CODECS; i++) {
        AVCodecContext *c = media_open(codecs[i], 320, 180);
        media_coded(c, 0, true, &unit);
        avcodec_free_context(&c);
        for (size_t len = 0; len < unit.len; len++) {
            struct codedhead head;
            uint8_t *exact = malloc(len + 1); /* for the address sanitizer */
            assert_non_null(exact);
            memcpy(exact, unit.data, len);
            int result = codedhead_parse(codecs[i], exact, len, &head);
            assert_true(result == -EBADMSG || result == 0);
            if (result == 0 && head.key)
                assert_true(head.width == 320 && head.height == 180);
            free(exact);
        }
    }
}

static void broken_frames_are_refused_or_read(void **state)
{
    (void)state;
    srand(3);
    for (size_t i = 0; i < CODECS; i++) {
        static struct media_unit broken;
        AVCodecContext *c = media_open(codecs[i], 320, 180);
        media_coded(c, 0, true, &unit);
        avcodec_free_context(&c);
        for (int round = 0; round < 20000; round++) {
            struct codedhead head;
            broken.len = unit.len < 200 ? unit.len : 200;
            memcpy(broken.data, unit.data, broken.len);
            for (int k = 0; k < 3; k++)
                broken.data[(size_t)rand() % broken.len] = (uint8_t)(rand() >> 5);
            int result = codedhead_parse(codecs[i], broken.data, broken.len, &head);
            assert_true(result == 0 || result == -EBADMSG || result == -ENOTSUP);
            if (result == 0)
                assert_int_equal(head.key, head.width > 0);
        }
    }
}

static void VP9_other_profiles_are_not_supported(void **state)
{
    (void)state;
    static const uint8_t profile_1[] = {0xa0, 0x49, 0x83, 0x42, 0, 0, 0, 0, 0, 0};
    static const uint8_t repeat[] = {0x88}; /* show_existing_frame */
    static const uint8_t wrong_sync[] = {0x82, 0x49, 0x83, 0x43, 0, 0, 0, 0, 0, 0};
    struct codedhead head;
    assert_int_equal(vp9head_parse(profile_1, sizeof profile_1, &head), -ENOTSUP);
    assert_int_equal(vp9head_parse(repeat, sizeof repeat, &head), 0);
    assert_false(head.key);
    assert_int_equal(vp9head_parse(wrong_sync, sizeof wrong_sync, &head), -EBADMSG);
    assert_int_equal(vp9head_parse((const uint8_t *)"\x42", 1, &head), -EBADMSG);
}

static void AV1_every_OBU_has_its_size(void **state)
{
    (void)state;
    static const uint8_t no_size[] = {0x08, 0x01, 0x00};
    static const uint8_t forbidden[] = {0x92, 0x00};
    static const uint8_t too_long[] = {0x12, 0x05, 0x00};
    static const uint8_t endless[] = {0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
    static const uint8_t empty_sequence[] = {0x0a, 0x00};
    struct codedhead head;
    assert_int_equal(av1head_parse(no_size, sizeof no_size, &head), -EBADMSG);
    assert_int_equal(av1head_parse(forbidden, sizeof forbidden, &head), -EBADMSG);
    assert_int_equal(av1head_parse(too_long, sizeof too_long, &head), -EBADMSG);
    assert_int_equal(av1head_parse(endless, sizeof endless, &head), -EBADMSG);
    assert_int_equal(av1head_parse(empty_sequence, sizeof empty_sequence, &head), -EBADMSG);
}

static void H265_lengths_become_start_codes(void **state)
{
    (void)state;
    uint8_t data[] = {0, 0, 0, 3, 0x40, 1, 9, 0, 0, 0, 4, 0x26, 1, 7, 8};
    static const uint8_t wanted[] = {0, 0, 0, 1, 0x40, 1, 9, 0, 0, 0, 1, 0x26, 1, 7, 8};
    struct codedhead head;
    assert_int_equal(hevchead_parse(data, sizeof data, &head), 0);
    assert_false(head.key); /* no SPS */
    hevchead_to_start_codes(data, sizeof data);
    assert_memory_equal(data, wanted, sizeof wanted);
}

static void other_codecs_are_not_decoded_here(void **state)
{
    (void)state;
    struct codedhead head;
    assert_int_equal(codedhead_parse(CODEC_H264, unit.data, 10, &head), -ENOTSUP);
    assert_int_equal(codedhead_parse(CODEC_OPUS, unit.data, 10, &head), -ENOTSUP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(M3_key_frames_tell_their_size),
        cmocka_unit_test(truncation_at_every_length),
        cmocka_unit_test(broken_frames_are_refused_or_read),
        cmocka_unit_test(VP9_other_profiles_are_not_supported),
        cmocka_unit_test(AV1_every_OBU_has_its_size),
        cmocka_unit_test(H265_lengths_become_start_codes),
        cmocka_unit_test(other_codecs_are_not_decoded_here),
    };
    avlib_silence();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
