#include "gateway/depay/sps.h"
#include "lib/proto/frame.h"
#include "tests/unit/depay/depay_vectors.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int parse(const char *hex, struct sps *out)
{
    uint8_t nal[VECTOR_MAX];
    size_t len = vector_bytes(hex, nal);
    return sps_parse(nal, len, out);
}

static void COD_03_size_comes_from_the_sps(void **state)
{
    struct sps sps;
    (void)state;
    assert_int_equal(parse(SPS_1280X720, &sps), 0);
    assert_int_equal(sps.width, 1280);
    assert_int_equal(sps.height, 720);
    assert_int_equal(sps.profile_idc, 66);
    assert_int_equal(sps.level_idc, 31);
    assert_int_equal(parse(SPS_1920X1080, &sps), 0);
    assert_int_equal(sps.width, 1920);
    assert_int_equal(sps.height, 1080);
}

static void cropping_of_odd_sizes_is_applied(void **state)
{
    struct sps sps;
    (void)state;
    assert_int_equal(parse(SPS_322X182, &sps), 0);
    assert_int_equal(sps.width, 322);
    assert_int_equal(sps.height, 182);
}

static void high_profile_scaling_and_fields_are_read(void **state)
{
    struct sps sps;
    (void)state;
    assert_int_equal(parse(SPS_HIGH_1920X1080, &sps), 0);
    assert_int_equal(sps.width, 1920);
    assert_int_equal(sps.height, 1080);
    assert_int_equal(parse(SPS_HIGH_SCALING, &sps), 0);
    assert_int_equal(sps.width, 320);
    assert_int_equal(sps.height, 240);
    assert_int_equal(parse(SPS_INTERLACED, &sps), 0);
    assert_int_equal(sps.width, 320);
    assert_int_equal(sps.height, 240);
}

static void COD_02_444_is_refused(void **state)
{
    struct sps sps = {.width = 7};
    (void)state;
    assert_int_equal(parse(SPS_444, &sps), -ENOTSUP);
    assert_int_equal(sps.width, 7); /* untouched */
}

/* ---- made up sets: a bit writer ---- */

struct bits {
    uint8_t data[64];
    size_t count;
};

static void put(struct bits *b, uint32_t value, unsigned count)
{
    while (count-- > 0) {
        if ((value >> count) & 1)
            b->data[b->count / 8] |= (uint8_t)(0x80 >> b->count % 8);
        b->count++;
    }
}

static void put_ue(struct bits *b, uint32_t value)
{
    unsigned len = 0;
    while ((((uint64_t)value + 1) >> (len + 1)) != 0)
        len++;
    put(b, 0, len);
    put(b, 1, 1);
    put(b, value + 1 - (1u << len), len);
}

/* Baseline, poc type 2, no cropping. */
static struct bits simple_sps(uint32_t width_mbs, uint32_t height_mbs)
{
    struct bits b = {.data = {0x67, 66, 0xc0, 31}, .count = 32};
    put_ue(&b, 0);
    put_ue(&b, 0);
    put_ue(&b, 2);
    put_ue(&b, 1);
    put(&b, 0, 1);
    put_ue(&b, width_mbs - 1);
    put_ue(&b, height_mbs - 1);
    put(&b, 1, 1);
    put(&b, 1, 1);
    put(&b, 0, 1);
    put(&b, 0, 1);
    put(&b, 1, 1);
    return b;
}

static int parse_size(uint32_t width_mbs, uint32_t height_mbs, struct sps *out)
{
    struct bits b = simple_sps(width_mbs, height_mbs);
    return sps_parse(b.data, (b.count + 7) / 8, out);
}

static void M3_dimensions_are_limited(void **state)
{
    struct sps sps;
    (void)state;
    assert_int_equal(parse_size(FRAME_DIMENSION_MAX / 16, 1, &sps), 0);
    assert_int_equal(sps.width, FRAME_DIMENSION_MAX);
    assert_int_equal(parse_size(FRAME_DIMENSION_MAX / 16 + 1, 1, &sps), -EMSGSIZE);
    assert_int_equal(parse_size(1, FRAME_DIMENSION_MAX / 16 + 1, &sps), -EMSGSIZE);
    assert_int_equal(parse_size(1u << 30, 1u << 30, &sps), -EMSGSIZE);
}

/* Cropped by that many luma samples at the right and at the bottom, 4:2:0. */
static int parse_cropped(uint32_t size_mbs, uint32_t right, uint32_t bottom, struct sps *out)
{
    struct bits b = simple_sps(size_mbs, size_mbs);
    b.count -= 3; /* up to the crop flag */
    b.data[b.count / 8] &= (uint8_t)(0xff00 >> b.count % 8);
    if (b.count / 8 + 1 < sizeof(b.data))
        b.data[b.count / 8 + 1] = 0;
    put(&b, 1, 1);
    put_ue(&b, 0);
    put_ue(&b, right / 2);
    put_ue(&b, 0);
    put_ue(&b, bottom / 2);
    put(&b, 1, 2);
    return sps_parse(b.data, (b.count + 7) / 8, out);
}

static void cropping_everything_away_is_refused(void **state)
{
    struct sps sps;
    (void)state;
    assert_int_equal(parse_cropped(1, 16, 0, &sps), -EBADMSG);
    assert_int_equal(parse_cropped(1, 0, 16, &sps), -EBADMSG);
    assert_int_equal(parse_cropped(1, 14, 14, &sps), 0);
    assert_int_equal(sps.width, 2);
    assert_int_equal(sps.height, 2);
}

static void M3_a_large_picture_does_not_hide_behind_cropping(void **state)
{
    struct sps sps = {.width = 7};
    (void)state;
    assert_int_equal(parse_cropped(512, 8192 - 64, 8192 - 64, &sps), -ENOTSUP);
    assert_int_equal(parse_cropped(100, 64, 0, &sps), -ENOTSUP);
    assert_int_equal(parse_cropped(100, 0, 64, &sps), -ENOTSUP);
    assert_int_equal(sps.width, 7);
    assert_int_equal(parse_cropped(100, 62, 62, &sps), 0);
    assert_int_equal(sps.width, 1538);
    assert_int_equal(sps.height, 1538);
}

/* Their syntax is read by some decoders as that of High, by others as that of Baseline. */
static void M3_profiles_that_decoders_read_differently_are_refused(void **state)
{
    static const uint8_t unsure[] = {144, 134, 135, 139, 0, 67};
    struct sps sps;
    (void)state;
    for (size_t i = 0; i < sizeof(unsure); i++) {
        struct bits b = simple_sps(20, 20);
        b.data[1] = unsure[i];
        assert_int_equal(sps_parse(b.data, (b.count + 7) / 8, &sps), -ENOTSUP);
    }
}

static void truncation_at_every_length_is_refused(void **state)
{
    uint8_t nal[VECTOR_MAX];
    struct sps sps;
    (void)state;
    size_t len = vector_bytes(SPS_HIGH_SCALING, nal);
    assert_int_equal(sps_parse(nal, len, &sps), 0);
    for (size_t cut = 0; cut < 9; cut++) /* the size ends in byte 9; behind it is the VUI */
        assert_int_equal(sps_parse(nal, cut, &sps), -EBADMSG);
}

static void other_nal_types_are_refused(void **state)
{
    uint8_t nal[VECTOR_MAX];
    struct sps sps;
    (void)state;
    size_t len = vector_bytes(SPS_1280X720, nal);
    nal[0] = 0x68;
    assert_int_equal(sps_parse(nal, len, &sps), -EBADMSG);
    nal[0] = 0xe7; /* forbidden bit */
    assert_int_equal(sps_parse(nal, len, &sps), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(COD_03_size_comes_from_the_sps),
        cmocka_unit_test(cropping_of_odd_sizes_is_applied),
        cmocka_unit_test(high_profile_scaling_and_fields_are_read),
        cmocka_unit_test(COD_02_444_is_refused),
        cmocka_unit_test(M3_dimensions_are_limited),
        cmocka_unit_test(cropping_everything_away_is_refused),
        cmocka_unit_test(M3_a_large_picture_does_not_hide_behind_cropping),
        cmocka_unit_test(M3_profiles_that_decoders_read_differently_are_refused),
        cmocka_unit_test(truncation_at_every_length_is_refused),
        cmocka_unit_test(other_nal_types_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
