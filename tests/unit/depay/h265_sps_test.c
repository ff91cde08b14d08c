/* Real parameter sets of x265 through FFmpeg. */
#include "gateway/depay/h265_sets.h"
#include "gateway/depay/h265_sps.h"
#include "tests/unit/depay/depay_vectors.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define X265_1080                                                                                  \
    "420101016000000300900000030000030078a003c0801107cb965654a4c2f0168080000003008000000f04"
#define X265_322X182                                                                               \
    "42010101600000030090000003000003003ca00a880c1c44d965654a4c2f016808000003000800000300f040"
#define X265_TEN_BITS                                                                              \
    "42010102200000030090000003000003005da00280802d136595952930bc05a020000003002000000303c1"
#define X265_422 "4201010408000003009d0800000300001eb01020616595952930bc05a020000003002000000303c1"
#define X265_444                                                                                   \
    "4201010408000003009e0800000300001e9002040c2cb2b2a5261780b4040000030004000003007820"
#define X265_GRAY "4201010408000003009fc800000300001ec0408185965654a4c2f0168080000003008000000f04"
#define X265_VPS "40010c01ffff01600000030090000003000003001e913024"
#define X265_PPS "4401c073c089"

static int parse(const char *hex, struct h265_sps *out)
{
    uint8_t nal[VECTOR_MAX];
    return h265_sps_parse(nal, vector_bytes(hex, nal), out);
}

static void M3_sizes_are_those_after_cropping(void **state)
{
    (void)state;
    struct h265_sps sps;
    assert_int_equal(parse(X265_1080, &sps), 0);
    assert_int_equal(sps.width, 1920);
    assert_int_equal(sps.height, 1080);
    assert_int_equal(parse(X265_322X182, &sps), 0);
    assert_int_equal(sps.width, 322);
    assert_int_equal(sps.height, 182);
    assert_int_equal(sps.id, 0);
    assert_int_equal(sps.vps_id, 0);
}

static void COD_02_other_formats_are_told(void **state)
{
    (void)state;
    struct h265_sps sps;
    assert_int_equal(parse(X265_TEN_BITS, &sps), -ENOTSUP);
    assert_int_equal(parse(X265_422, &sps), -ENOTSUP);
    assert_int_equal(parse(X265_444, &sps), -ENOTSUP);
    assert_int_equal(parse(X265_GRAY, &sps), -ENOTSUP);
}

/* Sub-layers with and without a profile and a level of their own, in front of the same fields. */
static void sub_layers_are_skipped(void **state)
{
    (void)state;
    uint8_t nal[VECTOR_MAX] = {0x42, 0x01, 0x04}; /* two sub-layers below the highest */
    struct h265_sps sps;
    struct writer w;
    writer_init(&w, nal + 3, 200);
    for (size_t i = 0; i < 12; i++)
        writer_u8(&w, 0x11);
    writer_u16(&w, 0xd000); /* 11 01, then six reserved pairs */
    for (size_t i = 0; i < 11 + 1 + 1; i++)
        writer_u8(&w, 0x22);
    writer_u8(&w, 0xa0); /* id 0, 4:2:0, width from here: 1 010 00000 1000001 ... */
    writer_u16(&w, 0x2083);
    writer_u16(&w, 0x1659);
    writer_u8(&w, 0x13);
    assert_int_equal(h265_sps_parse(nal, 3 + w.len, &sps), 0);
    assert_int_equal(sps.width, 64);
    assert_int_equal(sps.height, 48);
}

static void truncation_at_every_length(void **state)
{
    (void)state;
    uint8_t nal[VECTOR_MAX];
    struct h265_sps sps = {.width = 7};
    bool whole = false;
    size_t len = vector_bytes(X265_1080, nal);
    for (size_t i = 0; i < len; i++) {
        uint8_t *exact = malloc(i + 1);
        assert_non_null(exact);
        memcpy(exact, nal, i);
        int rc = h265_sps_parse(exact, i, &sps);
        whole = whole || rc == 0; /* what stands behind is not read */
        assert_int_equal(rc, whole ? 0 : -EBADMSG);
        assert_int_equal(sps.width, whole ? 1920 : 7);
        free(exact);
    }
    assert_true(whole);
}

static void COD_06_a_picture_finds_its_sets(void **state)
{
    (void)state;
    static struct h265_sets sets;
    struct h265_chain chain;
    uint8_t nal[VECTOR_MAX];
    memset(&sets, 0, sizeof(sets));
    assert_int_equal(h265_sets_add(&sets, nal, vector_bytes(X265_PPS, nal)), 0);
    assert_int_equal(h265_sets_find(&sets, 0, &chain), -ENOENT);
    assert_int_equal(h265_sets_add(&sets, nal, vector_bytes(X265_1080, nal)), 0);
    assert_int_equal(h265_sets_find(&sets, 0, &chain), -ENOENT);
    assert_int_equal(h265_sets_add(&sets, nal, vector_bytes(X265_VPS, nal)), 0);
    assert_int_equal(h265_sets_find(&sets, 0, &chain), 0);
    assert_int_equal(chain.sps->width, 1920);
    assert_int_equal(h265_sets_find(&sets, 1, &chain), -ENOENT);
}

static void M2_malformed_sets_are_refused(void **state)
{
    (void)state;
    static struct h265_sets sets;
    static uint8_t large[NALSET_LEN_MAX + 1] = {0x40, 1};
    const uint8_t no_set[] = {0x26, 1, 0xff};
    const uint8_t pps_64[] = {0x44, 1, 0x02, 0x0c};    /* 0000001000001 1: id 64 */
    const uint8_t sps_of_16[] = {0x44, 1, 0x84, 0x40}; /* 1 000010001: SPS 16 */
    assert_int_equal(h265_sets_add(&sets, large, sizeof(large)), -EMSGSIZE);
    assert_int_equal(h265_sets_add(&sets, large, 2), -EBADMSG);
    assert_int_equal(h265_sets_add(&sets, no_set, sizeof(no_set)), -EBADMSG);
    assert_int_equal(h265_sets_add(&sets, pps_64, sizeof(pps_64)), -EBADMSG);
    assert_int_equal(h265_sets_add(&sets, sps_of_16, sizeof(sps_of_16)), -EBADMSG);
}

/* More numbers than slots: the set that came longest ago goes. */
static void M2_the_cache_is_bounded(void **state)
{
    (void)state;
    static struct h265_sets sets;
    memset(&sets, 0, sizeof(sets));
    for (uint8_t id = 0; id < 5; id++) {
        const uint8_t vps[] = {0x40, 1, (uint8_t)(id << 4), 0};
        assert_int_equal(h265_sets_add(&sets, vps, sizeof(vps)), 0);
    }
    assert_null(nalset_find(sets.vps, H265_VPS_SLOTS, 2));
    assert_non_null(nalset_find(sets.vps, H265_VPS_SLOTS, 3));
    assert_non_null(nalset_find(sets.vps, H265_VPS_SLOTS, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(M3_sizes_are_those_after_cropping),
        cmocka_unit_test(COD_02_other_formats_are_told),
        cmocka_unit_test(sub_layers_are_skipped),
        cmocka_unit_test(truncation_at_every_length),
        cmocka_unit_test(COD_06_a_picture_finds_its_sets),
        cmocka_unit_test(M2_malformed_sets_are_refused),
        cmocka_unit_test(M2_the_cache_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
