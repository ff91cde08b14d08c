/* Pictures of several layer frames, and descriptors that are wrong. */
#include "gateway/depay/depay.h"
#include "gateway/depay/vp9_superframe.h"
#include "tests/unit/depay/codec_vectors.h"
#include "tests/unit/depay/depay_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* Frames by hand: a key frame of 64x48, and one of 128x96 that refers to it. */
static const uint8_t key[] = {0x82, 0x49, 0x83, 0x42, 0x00, 0x03, 0xf0, 0x02, 0xf6, 0x10};
static const uint8_t larger[] = {0x86, 0x00, 0x80, 0x90, 0x00, 0x3f, 0x80, 0x2f, 0x80, 0x77};
static const uint8_t as_first[] = {0x86, 0x00, 0x00, 0x92, 0x00, 0x77};
static const uint8_t as_second[] = {0x86, 0x00, 0x00, 0x91, 0x00, 0x77};

#define FIRST 0x08
#define LAST 0x04
#define WHOLE (FIRST | LAST)
#define MARKER true

static int setup(void **state)
{
    return fixture_setup(CODEC_VP9, state);
}

/* Non-flexible mode: a descriptor with the layer, then data. */
static int push_layer(struct fixture *f, unsigned flags, unsigned spatial, const uint8_t *data,
                      size_t len, bool marker)
{
    uint8_t payload[100];
    struct writer w;
    writer_init(&w, payload, sizeof(payload));
    writer_u8(&w, (uint8_t)(0x20 | flags));
    writer_u8(&w, (uint8_t)(spatial << 1));
    writer_u8(&w, 0);
    writer_bytes(&w, data, len);
    return fixture_push(f, payload, w.len, marker);
}

static void start_layers(struct fixture *f)
{
    assert_int_equal(push_layer(f, WHOLE, 0, key, sizeof(key), false), 0);
    assert_int_equal(push_layer(f, FIRST, 1, larger, 4, false), 0);
    assert_int_equal(push_layer(f, LAST, 1, larger + 4, sizeof(larger) - 4, MARKER), 0);
    assert_int_equal(f->got.count, 1);
}

static void COD_08_layers_of_a_picture_make_one_superframe(void **state)
{
    struct fixture *f = *state;
    const uint8_t index[] = {0xc1, sizeof(key), sizeof(larger), 0xc1};
    start_layers(f);
    assert_true(f->got.unit.key);
    assert_int_equal(f->got.unit.width, 128); /* the largest layer's */
    assert_int_equal(f->got.unit.height, 96);
    assert_int_equal(f->got.unit.len, sizeof(key) + sizeof(larger) + sizeof(index));
    assert_memory_equal(f->got.data, key, sizeof(key));
    assert_memory_equal(f->got.data + sizeof(key), larger, sizeof(larger));
    assert_memory_equal(f->got.data + sizeof(key) + sizeof(larger), index, sizeof(index));
    assert_int_equal(push_layer(f, WHOLE, 0, as_first, sizeof(as_first), false), 0);
    assert_int_equal(push_layer(f, WHOLE, 1, as_second, sizeof(as_second), MARKER), 0);
    assert_int_equal(f->got.count, 2);
    assert_false(f->got.unit.key);
    assert_int_equal(f->got.unit.len, 2 * sizeof(as_first) + 4);
    assert_int_equal(push_layer(f, WHOLE, 0, as_first, sizeof(as_first), MARKER), 0);
    assert_int_equal(f->got.unit.len, sizeof(as_first)); /* alone: without index */
}

static void COD_08_superframes_inside_layers_are_merged(void **state)
{
    struct fixture *f = *state;
    uint8_t inner[80];
    struct vp9_frames frames = {.count = 2, .sizes = {sizeof(as_first), sizeof(as_second)}};
    size_t at = 0;
    struct vp9_frames got = {0};
    start_layers(f);
    memcpy(inner, as_first, sizeof(as_first));
    memcpy(inner + sizeof(as_first), as_second, sizeof(as_second));
    at = sizeof(as_first) + sizeof(as_second);
    at += vp9_superframe_index(&frames, inner + at);
    assert_int_equal(push_layer(f, WHOLE, 0, inner, at, false), 0);
    assert_int_equal(push_layer(f, WHOLE, 1, as_second, sizeof(as_second), MARKER), 0);
    assert_int_equal(f->got.count, 2);
    assert_int_equal(vp9_superframe_split(f->got.data, f->got.unit.len, &got, &at), 0);
    assert_int_equal(got.count, 3);
    assert_int_equal(at, 3 * sizeof(as_first));
}

static void M3_VP9_the_size_of_every_frame_is_checked(void **state)
{
    struct fixture *f = *state;
    depay_free(f->depay);
    f->depay = NULL;
    assert_int_equal(depay_new(CODEC_VP9, 127, 127, collect_unit, &f->got, &f->depay), 0);
    assert_int_equal(push_layer(f, WHOLE, 0, key, sizeof(key), MARKER), 0);
    assert_int_equal(f->got.count, 1);
    assert_int_equal(push_layer(f, WHOLE, 0, larger, sizeof(larger), MARKER), -ENOTSUP);
    assert_int_equal(f->got.count, 1);
}

static void M2_VP9_malformed_payloads_drop_the_picture(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint8_t data[12];
        size_t len;
    } bad[] = {
        {{0}, 0},                                     /* empty */
        {{0x0c}, 1},                                  /* no payload */
        {{0x8c, 0x80}, 2},                            /* half a picture number */
        {{0x8c, 0x80, 1}, 3},                         /* nothing behind it */
        {{0x2c, 0x00}, 2},                            /* no TL0PICIDX */
        {{0xdc, 1, 3, 5, 7, 0x86}, 6},                /* a fourth P_DIFF */
        {{0x0e, 0x30, 0, 64, 0, 48, 0, 128, 0}, 9},   /* half a size */
        {{0x0e, 0x08, 2, 0x0c, 1, 2, 3, 0x0c, 1}, 9}, /* half a group */
        {{0x0e, 0x08, 0xff, 0, 0}, 5},                /* a group of 255 */
        {{0x04, 0x86}, 2},                            /* a middle without start */
        {{0x0c, 0x02}, 2},                            /* not VP9 */
        {{0x0c, 1, 0xc0, 2, 0xc0}, 5},                /* an index that does not fit */
    };
    assert_int_equal(push_layer(f, WHOLE, 0, key, sizeof(key), MARKER), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(fixture_push(f, bad[i].data, bad[i].len, MARKER), -EBADMSG);
        assert_int_equal(f->got.count, i + 1);
        assert_int_equal(push_layer(f, WHOLE, 0, key, sizeof(key), MARKER), 0);
        assert_int_equal(f->got.count, i + 2);
        assert_true(f->got.unit.gap);
    }
}

/* A key frame and one of any size behind it, which the outer index hides from us only. */
static void M3_VP9_an_index_hides_no_frame(void **state)
{
    struct fixture *f = *state;
    uint8_t data[80];
    struct vp9_frames inner = {.count = 2, .sizes = {sizeof(key), sizeof(larger)}};
    struct vp9_frames outer = {.count = 1};
    memcpy(data, key, sizeof(key));
    memcpy(data + sizeof(key), larger, sizeof(larger));
    size_t len = sizeof(key) + sizeof(larger);
    len += vp9_superframe_index(&inner, data + len);
    assert_int_equal(push_layer(f, WHOLE, 0, data, len, MARKER), 0);
    assert_int_equal(f->got.count, 1);
    outer.sizes[0] = (uint32_t)len;
    len += vp9_superframe_index(&outer, data + len);
    assert_int_equal(push_layer(f, WHOLE, 0, data, len, MARKER), -EBADMSG);
    assert_int_equal(f->got.count, 1);
}

static void layers_in_wrong_order_are_refused(void **state)
{
    struct fixture *f = *state;
    start_layers(f);
    assert_int_equal(push_layer(f, WHOLE, 1, as_first, sizeof(as_first), false), 0);
    assert_int_equal(push_layer(f, WHOLE, 0, as_first, sizeof(as_first), MARKER), -EBADMSG);
    assert_int_equal(push_layer(f, WHOLE, 0, key, sizeof(key), false), 0);
    assert_int_equal(push_layer(f, WHOLE, 0, key, sizeof(key), MARKER), -EBADMSG); /* twice */
    assert_int_equal(push_layer(f, FIRST, 0, key, 2, false), 0);
    assert_int_equal(push_layer(f, LAST, 1, key + 2, 8, MARKER), -EBADMSG); /* of another */
    assert_int_equal(push_layer(f, WHOLE, 0, key, sizeof(key), false), 0);
    assert_int_equal(push_layer(f, FIRST, 1, as_first, 2, false), 0);
    assert_int_equal(push_layer(f, FIRST, 2, as_first, 6, MARKER), -EBADMSG); /* not ended */
}

static void RTP_10_VP9_after_a_gap_a_picture_start_is_recognised(void **state)
{
    struct fixture *f = *state;
    start_layers(f);
    depay_gap(f->depay);
    assert_int_equal(push_layer(f, WHOLE, 1, key, sizeof(key), MARKER), 0); /* its base is lost */
    assert_int_equal(f->got.count, 1);
    depay_gap(f->depay);
    assert_int_equal(push_layer(f, WHOLE, 0, key, sizeof(key), MARKER), 0);
    assert_int_equal(f->got.count, 2);
    assert_true(f->got.unit.gap);
}

static void a_picture_without_end_bits_ends_at_the_marker(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(push_layer(f, FIRST, 0, key, sizeof(key), MARKER), 0);
    assert_int_equal(f->got.count, 1);
    assert_int_equal(f->got.unit.len, sizeof(key));
}

static void M2_VP9_frames_of_a_picture_are_limited(void **state)
{
    struct fixture *f = *state;
    const uint8_t payload[] = {0x0c, 0x86, 0x00, 0x00, 0x92, 0x00, 0x77};
    start_layers(f);
    for (size_t i = 0; i < VP9_FRAMES_MAX; i++)
        assert_int_equal(fixture_push(f, payload, sizeof(payload), false), 0);
    assert_int_equal(fixture_push(f, payload, sizeof(payload), MARKER), -EMSGSIZE);
    assert_int_equal(f->got.count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(COD_08_layers_of_a_picture_make_one_superframe),
        TEST(COD_08_superframes_inside_layers_are_merged),
        TEST(M3_VP9_the_size_of_every_frame_is_checked),
        TEST(M2_VP9_malformed_payloads_drop_the_picture),
        TEST(M3_VP9_an_index_hides_no_frame),
        TEST(layers_in_wrong_order_are_refused),
        TEST(RTP_10_VP9_after_a_gap_a_picture_start_is_recognised),
        TEST(a_picture_without_end_bits_ends_at_the_marker),
        TEST(M2_VP9_frames_of_a_picture_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
