/* Parameter sets and access units of H.264. */
#include "transcode/avc.h"

#include "tests/unit/transcode/bitmake.h"
#include "tests/unit/transcode/media.h"
#include "transcode/avlib.h"

#include <errno.h>

/* As OpenH264 in browsers writes it: Constrained Baseline 3.1, 640x360, cropped. */
static const uint8_t chromium_sps[] = {0x67, 0x42, 0xc0, 0x1f, 0x8c, 0x8d, 0x40, 0x50,
                                       0x17, 0xfc, 0xb0, 0x0f, 0x08, 0x84, 0x6a};
static const uint8_t pps[] = {0x68, 0xce, 0x3c, 0x80};

static void HLS_21_reads_an_openh264_sps(void **state)
{
    (void)state;
    struct avc_sps sps;
    char codecs[AVC_CODECS_MAX];
    assert_int_equal(avc_parse_sps(chromium_sps, sizeof chromium_sps, &sps), 0);
    assert_int_equal(sps.profile, 0x42);
    assert_int_equal(sps.width, 640);
    assert_int_equal(sps.height, 360);
    avc_format_codecs(&sps, codecs);
    assert_string_equal(codecs, "avc1.42c01f");
}

static void sizes_of_our_encoder_are_read_back(void **state)
{
    (void)state;
    static const int sizes[][2] = {{16, 16},    {320, 180},   {640, 360}, {854, 480},
                                   {1280, 720}, {1920, 1080}, {360, 640}, {18, 22}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct encoder *e;
        struct avc_sps sps;
        assert_int_equal(encoder_new(sizes[i][0], sizes[i][1], 200000, &e), 0);
        const struct avc_set *set = &encoder_sets(e)->sps;
        assert_int_equal(avc_parse_sps(set->bytes, set->len, &sps), 0);
        assert_int_equal(sps.width, sizes[i][0]);
        assert_int_equal(sps.height, sizes[i][1]);
        assert_int_equal(sps.chroma_format, 1);
        encoder_free(e);
    }
}

static void truncated_and_foreign_sps_are_refused(void **state)
{
    (void)state;
    struct avc_sps sps;
    uint8_t data[AVC_SET_MAX + 1];
    for (size_t len = 0; len < 10; len++)
        assert_int_equal(avc_parse_sps(chromium_sps, len, &sps), -EBADMSG);
    assert_int_equal(avc_parse_sps(pps, sizeof pps, &sps), -EBADMSG);
    memset(data, 0, sizeof data);
    data[0] = 0x67;
    assert_int_equal(avc_parse_sps(data, AVC_SET_MAX, &sps), -EBADMSG); /* endless zeros */
    memset(data + 1, 0xff, sizeof data - 1);
    assert_int_equal(avc_parse_sps(data, sizeof data, &sps), -EBADMSG);
    for (int seed = 0; seed < 20000; seed++) {
        for (size_t i = 1; i < 40; i++)
            data[i] = (uint8_t)(rand() >> 7);
        int result = avc_parse_sps(data, 40, &sps);
        if (result == 0)
            assert_true(sps.width >= 16 && sps.width <= 8192 && sps.height >= 16);
    }
}

/* A baseline SPS of that many macroblocks. */
static int parse_made_sps(uint32_t width_mbs, uint32_t height_mbs, uint32_t crop,
                          struct avc_sps *out)
{
    struct bit_writer w = {.data = {0x67, 0x42, 0xc0, 0x1f}, .bits = 32};
    put_ue(&w, 0); /* id */
    put_ue(&w, 0); /* log2_max_frame_num_minus4 */
    put_ue(&w, 2); /* pic_order_cnt_type */
    put_ue(&w, 1);
    put_bits(&w, 0, 1);
    put_ue(&w, width_mbs - 1);
    put_ue(&w, height_mbs - 1);
    put_bits(&w, 3, 2); /* frames only, direct 8x8 */
    put_bits(&w, crop > 0, 1);
    for (int i = 0; i < 4 && crop > 0; i++)
        put_ue(&w, crop);
    put_bits(&w, 1, 2); /* no VUI, stop bit */
    return avc_parse_sps(w.data, bit_len(&w), out);
}

static void M3_a_huge_or_empty_picture_is_refused(void **state)
{
    (void)state;
    struct avc_sps sps;
    assert_int_equal(parse_made_sps(512, 512, 0, &sps), 0);
    assert_int_equal(sps.width, 8192);
    sps.width = 1;
    assert_int_equal(parse_made_sps(513, 1, 0, &sps), -ENOTSUP);
    assert_int_equal(parse_made_sps(1, 65536, 0, &sps), -ENOTSUP);
    assert_int_equal(parse_made_sps(1u << 28, 1u << 28, 0, &sps), -ENOTSUP);
    assert_int_equal(parse_made_sps(2, 2, 8, &sps), -EBADMSG);
    assert_int_equal(parse_made_sps(2, 2, 7, &sps), -ENOTSUP);
    assert_int_equal(parse_made_sps(2, 2, 1u << 29, &sps), -EBADMSG);
    assert_int_equal(sps.width, 1); /* untouched */
}

static void M3_a_large_picture_does_not_hide_behind_cropping(void **state)
{
    (void)state;
    struct avc_sps sps = {.width = 1};
    assert_int_equal(parse_made_sps(512, 512, (8192 - 64) / 4, &sps), -ENOTSUP);
    assert_int_equal(parse_made_sps(10, 10, 16, &sps), -ENOTSUP);
    assert_int_equal(sps.width, 1);
    assert_int_equal(parse_made_sps(10, 10, 15, &sps), 0);
    assert_int_equal(sps.width, 100);
}

/* Their syntax is read by some decoders as that of High, by others as that of Baseline. */
static void M3_profiles_that_decoders_read_differently_are_refused(void **state)
{
    static const uint8_t unsure[] = {144, 134, 135, 139, 0, 67};
    (void)state;
    struct avc_sps sps;
    for (size_t i = 0; i < sizeof unsure; i++) {
        uint8_t data[sizeof chromium_sps];
        memcpy(data, chromium_sps, sizeof data);
        data[1] = unsure[i];
        assert_int_equal(avc_parse_sps(data, sizeof data, &sps), -ENOTSUP);
    }
}

static size_t nal(uint8_t *to, uint8_t type, size_t len)
{
    memset(to, 0xaa, 4 + len);
    to[0] = to[1] = to[2] = 0;
    to[3] = (uint8_t)len;
    to[4] = type;
    return 4 + len;
}

static void COD_04_strip_keeps_slices_and_sei_byte_for_byte(void **state)
{
    (void)state;
    uint8_t data[512], wanted[512];
    struct avc_sets sets = {0};
    struct avc_unit unit;
    size_t len = 0, kept = 0;
    static const uint8_t types[] = {9, 0x67, 0x68, 0x68, 6, 0x65, 0x65, 12, 10, 11, 0x01, 14, 20};
    for (size_t i = 0; i < sizeof types; i++) {
        size_t size = nal(data + len, types[i], 5 + i);
        unsigned type = types[i] & 0x1f;
        if (type < 7 || type > 12) {
            memcpy(wanted + kept, data + len, size);
            kept += size;
        }
        len += size;
    }
    assert_int_equal(avc_strip(data, len, &sets, &unit), 0);
    assert_int_equal(unit.len, kept);
    assert_memory_equal(data, wanted, kept);
    assert_true(unit.idr && unit.picture && unit.has_sets);
    assert_int_equal(sets.sps.len, 6);
    assert_int_equal(sets.pps[0].len, 7);
    assert_int_equal(sets.pps[1].len, 8);
    assert_int_equal(sets.pps[2].len, 0);
}

static void an_access_unit_without_sets_is_untouched(void **state)
{
    (void)state;
    uint8_t data[64], copy[64];
    struct avc_sets sets = {.sps = {.len = 3}};
    struct avc_unit unit;
    size_t len = nal(data, 0x41, 30);
    memcpy(copy, data, sizeof data);
    assert_int_equal(avc_strip(data, len, &sets, &unit), 0);
    assert_int_equal(unit.len, len);
    assert_memory_equal(data, copy, len);
    assert_true(unit.picture && !unit.idr && !unit.has_sets);
    assert_int_equal(sets.sps.len, 3);
}

static void lengths_that_do_not_add_up_are_refused(void **state)
{
    (void)state;
    uint8_t data[64], whole[64];
    struct avc_sets sets = {0};
    struct avc_unit unit;
    size_t len = nal(whole, 0x67, 10);
    len += nal(whole + len, 0x65, 20);
    for (size_t cut = 1; cut < len; cut++) {
        memcpy(data, whole, sizeof data);
        int result = avc_strip(data, cut, &sets, &unit);
        assert_int_equal(result, cut == 14 ? 0 : -EBADMSG);
    }
    memset(data, 0, sizeof data);
    assert_int_equal(avc_strip(data, 8, &sets, &unit), -EBADMSG); /* empty NAL unit */
    memset(data, 0xff, sizeof data);
    assert_int_equal(avc_strip(data, 8, &sets, &unit), -EBADMSG);
    assert_int_equal(avc_strip(data, 0, &sets, &unit), 0); /* nothing at all: no picture */
    assert_false(unit.picture);
}

static void sets_that_are_too_long_or_too_many_are_refused(void **state)
{
    (void)state;
    static uint8_t data[4096];
    struct avc_sets sets = {0};
    struct avc_unit unit;
    size_t len = nal(data, 0x67, 255);
    assert_int_equal(avc_strip(data, len, &sets, &unit), -EMSGSIZE);
    len = 0;
    for (unsigned i = 0; i <= AVC_PPS_MAX; i++)
        len += nal(data + len, 0x68, 5);
    assert_int_equal(avc_strip(data, len, &sets, &unit), -EMSGSIZE);
    len = 0;
    for (unsigned i = 0; i <= AVC_NALS_MAX; i++)
        len += nal(data + len, 0x41, 1);
    assert_int_equal(avc_strip(data, len, &sets, &unit), -EBADMSG);
}

static void the_first_pps_of_a_unit_replaces_all(void **state)
{
    (void)state;
    uint8_t data[64];
    struct avc_sets sets = {0};
    struct avc_unit unit;
    size_t len = nal(data, 0x68, 5);
    len += nal(data + len, 0x68, 6);
    assert_int_equal(avc_strip(data, len, &sets, &unit), 0);
    assert_int_equal(sets.pps[1].len, 6);
    len = nal(data, 0x68, 9);
    assert_int_equal(avc_strip(data, len, &sets, &unit), 0);
    assert_int_equal(sets.pps[0].len, 9);
    assert_int_equal(sets.pps[1].len, 0);
}

static void config_is_what_decoders_expect(void **state)
{
    (void)state;
    uint8_t data[AVC_CONFIG_MAX];
    struct writer w;
    struct avc_sps sps;
    struct avc_sets sets = {0};
    assert_int_equal(avc_parse_sps(chromium_sps, sizeof chromium_sps, &sps), 0);
    writer_init(&w, data, sizeof data);
    assert_int_equal(avc_write_config(&sets, &sps, &w), -EBADMSG);
    sets.sps.len = sizeof chromium_sps;
    memcpy(sets.sps.bytes, chromium_sps, sizeof chromium_sps);
    sets.pps[0].len = sizeof pps;
    memcpy(sets.pps[0].bytes, pps, sizeof pps);
    assert_int_equal(avc_write_config(&sets, &sps, &w), 0);
    static const uint8_t head[] = {1, 0x42, 0xc0, 0x1f, 0xff, 0xe1, 0, sizeof chromium_sps};
    assert_memory_equal(data, head, sizeof head);
    assert_memory_equal(data + 8, chromium_sps, sizeof chromium_sps);
    assert_int_equal(data[8 + sizeof chromium_sps], 1);
    assert_int_equal(w.len, 8 + sizeof chromium_sps + 3 + sizeof pps);
    sps.profile = 100; /* High adds chroma and depths */
    writer_init(&w, data, sizeof data);
    assert_int_equal(avc_write_config(&sets, &sps, &w), 0);
    static const uint8_t tail[] = {0xfd, 0xf8, 0xf8, 0};
    assert_memory_equal(data + w.len - 4, tail, 4);
    for (size_t cap = 0, len = w.len; cap < len; cap++) {
        writer_init(&w, data, cap);
        assert_int_equal(avc_write_config(&sets, &sps, &w), -ENOSPC);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(HLS_21_reads_an_openh264_sps),
        cmocka_unit_test(sizes_of_our_encoder_are_read_back),
        cmocka_unit_test(truncated_and_foreign_sps_are_refused),
        cmocka_unit_test(M3_a_huge_or_empty_picture_is_refused),
        cmocka_unit_test(M3_a_large_picture_does_not_hide_behind_cropping),
        cmocka_unit_test(M3_profiles_that_decoders_read_differently_are_refused),
        cmocka_unit_test(COD_04_strip_keeps_slices_and_sei_byte_for_byte),
        cmocka_unit_test(an_access_unit_without_sets_is_untouched),
        cmocka_unit_test(lengths_that_do_not_add_up_are_refused),
        cmocka_unit_test(sets_that_are_too_long_or_too_many_are_refused),
        cmocka_unit_test(the_first_pps_of_a_unit_replaces_all),
        cmocka_unit_test(config_is_what_decoders_expect),
    };
    avlib_silence();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
