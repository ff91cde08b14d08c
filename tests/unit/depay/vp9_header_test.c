/* Frames of VP9: their headers, and the index of superframes. */
#include "gateway/depay/vp9_header.h"
#include "gateway/depay/vp9_superframe.h"
#include "tests/unit/depay/codec_vectors.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* Headers by hand: key of 64x48; others that name a size or take that of reference 1. */
static const uint8_t key[] = {0x82, 0x49, 0x83, 0x42, 0x00, 0x03, 0xf0, 0x02, 0xf6, 0x10};
/* 10 00 0 1 1 0, context 00, refresh 00000010, refs 000 0 001 0 010 0, found 0 0 0, 127, 95 */
static const uint8_t larger[] = {0x86, 0x00, 0x80, 0x90, 0x00, 0x3f, 0x80, 0x2f, 0x80};
/* the same with refresh 0, found 0 1: the size of reference 1 */
static const uint8_t as_second[] = {0x86, 0x00, 0x00, 0x91, 0x00};

static void VP9_frames_tell_their_size(void **state)
{
    (void)state;
    struct vp9_refs refs = {0};
    struct vp9_header h;
    assert_int_equal(vp9_header_parse(larger, sizeof(larger), &refs, &h),
                     -EBADMSG); /* of nothing */
    assert_int_equal(vp9_header_parse(key, sizeof(key), &refs, &h), 0);
    assert_true(h.key);
    assert_int_equal(h.refresh, 0xff);
    assert_int_equal(h.size.width, 64);
    assert_int_equal(h.size.height, 48);
    vp9_header_apply(&refs, &h);
    assert_int_equal(vp9_header_parse(larger, sizeof(larger), &refs, &h), 0);
    assert_false(h.key);
    assert_int_equal(h.refresh, 0x02);
    assert_int_equal(h.size.width, 128);
    assert_int_equal(h.size.height, 96);
    vp9_header_apply(&refs, &h);
    assert_int_equal(refs.sizes[0].width, 64);
    assert_int_equal(refs.sizes[1].width, 128);
    assert_int_equal(vp9_header_parse(as_second, sizeof(as_second), &refs, &h), 0);
    assert_int_equal(h.size.width, 128);
    assert_int_equal(h.refresh, 0);
}

static void VP9_a_shown_reference_has_its_size(void **state)
{
    (void)state;
    struct vp9_refs refs = {.sizes[3] = {.width = 20, .height = 10}};
    struct vp9_header h;
    const uint8_t third[] = {0x8b}, second[] = {0x8a};
    assert_int_equal(vp9_header_parse(third, 1, &refs, &h), 0);
    assert_true(h.repeats);
    assert_int_equal(h.size.width, 20);
    assert_int_equal(vp9_header_parse(second, 1, &refs, &h), -EBADMSG);
}

/* 10 00 0 1 0 0, intra 1, context 00, sync code, refresh 00000100, 64, 48 */
static void VP9_intra_frames_name_their_size(void **state)
{
    (void)state;
    struct vp9_refs refs = {0};
    struct vp9_header h;
    uint8_t intra[] = {0x84, 0x89, 0x30, 0x68, 0x40, 0x80, 0x07, 0xe0, 0x05, 0xe0};
    assert_int_equal(vp9_header_parse(intra, sizeof(intra), &refs, &h), 0);
    assert_false(h.key);
    assert_int_equal(h.refresh, 4);
    assert_int_equal(h.size.width, 64);
    assert_int_equal(h.size.height, 48);
    intra[2] ^= 1;
    assert_int_equal(vp9_header_parse(intra, sizeof(intra), &refs, &h), -EBADMSG);
}

static void COD_08_VP9_other_profiles_are_told(void **state)
{
    (void)state;
    struct vp9_refs refs = {0};
    struct vp9_header h;
    for (unsigned profile = 1; profile < 4; profile++) {
        uint8_t frame[sizeof(key)];
        memcpy(frame, key, sizeof(key));
        frame[0] = (uint8_t)(0x82 | profile << 4);
        assert_int_equal(vp9_header_parse(frame, sizeof(frame), &refs, &h), -ENOTSUP);
    }
}

static void VP9_headers_truncated_at_every_length(void **state)
{
    (void)state;
    struct vp9_refs refs = {0};
    struct vp9_header h;
    uint8_t rgb[sizeof(key)];
    memcpy(rgb, key, sizeof(key));
    rgb[4] = 0xe0;
    assert_int_equal(vp9_header_parse(rgb, sizeof(rgb), &refs, &h), -EBADMSG);
    for (size_t len = 0; len < 9; len++) {
        uint8_t *exact = malloc(len + 1);
        assert_non_null(exact);
        memcpy(exact, key, len);
        assert_int_equal(vp9_header_parse(exact, len, &refs, &h), -EBADMSG);
        free(exact);
    }
}

static void VP9_a_real_superframe_is_split_and_joined(void **state)
{
    (void)state;
    uint8_t data[VECTOR_MAX], index[VP9_INDEX_MAX];
    struct vp9_frames frames = {0};
    size_t len = vector_bytes(vp9_frames[1], data), rest = 0;
    assert_int_equal(vp9_superframe_split(data, len, &frames, &rest), 0);
    assert_int_equal(frames.count, 2);
    assert_int_equal(frames.sizes[0], 0x27);
    assert_int_equal(frames.sizes[1], 0x0f);
    assert_int_equal(rest, len - 4);
    assert_int_equal(vp9_superframe_index(&frames, index), 4);
    assert_memory_equal(index, data + rest, 4);
    assert_int_equal(vp9_superframe_split(data, rest, &frames, &rest), 0); /* without index */
    assert_int_equal(frames.count, 3);
}

static void VP9_sizes_of_all_lengths(void **state)
{
    (void)state;
    static uint8_t data[200000];
    const uint32_t sizes[] = {1, 255, 256, 65535, 65536};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct vp9_frames frames = {.count = 2, .sizes = {sizes[i], 3}};
        struct vp9_frames got = {0};
        size_t at = sizes[i] + 3, rest = 0;
        at += vp9_superframe_index(&frames, data + at);
        assert_int_equal(vp9_superframe_split(data, at, &got, &rest), 0);
        assert_int_equal(rest, sizes[i] + 3);
        assert_int_equal(got.count, 2);
        assert_int_equal(got.sizes[0], sizes[i]);
        assert_int_equal(got.sizes[1], 3);
    }
}

static void M2_VP9_an_index_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct vp9_frames frames = {0};
    size_t rest = 0;
    const uint8_t sum[] = {1, 2, 3, 0xc1, 1, 1, 0xc1};
    const uint8_t empty[] = {1, 2, 0xc1, 0, 2, 0xc1};
    const uint8_t no_index[] = {0xc1};
    assert_int_equal(vp9_superframe_split(sum, sizeof(sum), &frames, &rest), -EBADMSG);
    assert_int_equal(vp9_superframe_split(empty, sizeof(empty), &frames, &rest), -EBADMSG);
    assert_int_equal(vp9_superframe_split(empty, 0, &frames, &rest), -EBADMSG);
    frames.count = 0;
    assert_int_equal(vp9_superframe_split(no_index, 1, &frames, &rest), 0);
    frames.count = VP9_FRAMES_MAX;
    assert_int_equal(vp9_superframe_split(no_index, 1, &frames, &rest), -EMSGSIZE);
}

/* One frame outside, two inside: what follows the first is not judged, but decoded. */
static void M3_VP9_an_index_inside_a_frame_is_refused(void **state)
{
    (void)state;
    struct vp9_frames frames = {0};
    size_t rest = 0;
    const uint8_t nested[] = {0x82, 0x86, 0xc1, 1, 1, 0xc1, 0xc0, 6, 0xc0};
    const uint8_t second[] = {0x82, 0x86, 0xc1, 1, 1, 0xc1, 0xc1, 1, 5, 0xc1};
    const uint8_t alike[] = {0x82, 0xc1, 1, 2, 0xc1, 0x86, 0xc1, 5, 1, 0xc1};
    assert_int_equal(vp9_superframe_split(nested, 6, &frames, &rest), 0); /* not nested */
    assert_int_equal(frames.count, 2);
    frames.count = 0;
    assert_int_equal(vp9_superframe_split(nested, sizeof(nested), &frames, &rest), -EBADMSG);
    frames.count = 0;
    assert_int_equal(vp9_superframe_split(second, sizeof(second), &frames, &rest), -EBADMSG);
    frames.count = 0;
    assert_int_equal(vp9_superframe_split(alike, sizeof(alike), &frames, &rest), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(VP9_frames_tell_their_size),
        cmocka_unit_test(VP9_a_shown_reference_has_its_size),
        cmocka_unit_test(VP9_intra_frames_name_their_size),
        cmocka_unit_test(COD_08_VP9_other_profiles_are_told),
        cmocka_unit_test(VP9_headers_truncated_at_every_length),
        cmocka_unit_test(VP9_a_real_superframe_is_split_and_joined),
        cmocka_unit_test(VP9_sizes_of_all_lengths),
        cmocka_unit_test(M2_VP9_an_index_that_does_not_fit_is_refused),
        cmocka_unit_test(M3_VP9_an_index_inside_a_frame_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
