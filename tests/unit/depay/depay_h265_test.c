#include "gateway/depay/depay.h"
#include "tests/unit/depay/codec_vectors.h"
#include "tests/unit/depay/depay_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { VPS_NAL, SPS_NAL, PPS_NAL, IDR_NAL, P_NAL };

static const uint8_t aud[] = {0x46, 0x01, 0x50};
static const uint8_t sei[] = {0x4e, 0x01, 0x05, 0x01, 0xaa, 0x80};
static const uint8_t filler[] = {0x4c, 0x01, 0xff, 0x80};
static const uint8_t end_of_sequence[] = {0x48, 0x01};
static const uint8_t cra[] = {0x2a, 0x01, 0xac, 0x14, 0x60};  /* first slice, PPS 0 */
static const uint8_t rasl[] = {0x12, 0x01, 0xd0, 0x11, 0x56}; /* first slice, PPS 0 */
static const uint8_t radl[] = {0x0e, 0x01, 0xd0, 0x11, 0x56};
static const uint8_t trail[] = {0x02, 0x01, 0xd0, 0x11, 0x56};

static int setup(void **state)
{
    return fixture_setup(CODEC_H265, state);
}

static int push_nal(struct fixture *f, size_t which, bool marker)
{
    uint8_t nal[VECTOR_MAX];
    size_t len = vector_bytes(h265_nals[which], nal);
    return fixture_push(f, nal, len, marker);
}

static void push_sets(struct fixture *f)
{
    for (size_t i = VPS_NAL; i <= PPS_NAL; i++)
        assert_int_equal(push_nal(f, i, false), 0);
}

static void start_stream(struct fixture *f)
{
    push_sets(f);
    assert_int_equal(push_nal(f, IDR_NAL, true), 0);
    assert_int_equal(f->got.count, 1);
    assert_true(f->got.unit.key);
}

/* NAL units of the last unit by their types. */
static void expect_types(const struct fixture *f, const char *types)
{
    struct reader r;
    reader_init(&r, f->got.data, f->got.unit.len);
    struct slice rest = slice_of(types);
    while (reader_left(&r) > 0) {
        uint32_t type = 0;
        size_t len = reader_u32(&r);
        const uint8_t *nal = reader_bytes(&r, len);
        assert_true(reader_ok(&r));
        assert_int_equal(text_parse_u32(slice_cut(&rest, ' '), 63, &type), 0);
        assert_int_equal(nal[0] >> 1, type);
    }
    assert_int_equal(rest.len, 0);
}

static void COD_06_cached_sets_go_before_each_irap_picture(void **state)
{
    struct fixture *f = *state;
    start_stream(f);
    expect_types(f, "32 33 34 20");
    assert_int_equal(push_nal(f, P_NAL, true), 0);
    expect_types(f, "1");
    assert_int_equal(push_nal(f, IDR_NAL, true), 0);
    expect_types(f, "32 33 34 20");
    assert_int_equal(fixture_push(f, cra, sizeof(cra), true), 0);
    expect_types(f, "32 33 34 21");
    assert_int_equal(f->got.unit.width, CODED_WIDTH);
}

static void COD_06_sets_of_the_offer_are_used(void **state)
{
    struct fixture *f = *state;
    depay_announce(f->depay,
                   slice_of("QAEMAf//AWAAAAMAkAAAAwAAAwAekTAk,no!,QgEBAWAAAAMAkAAAAwAAAwAeoCCDFlk"
                            "TSkwvAWgIAAADAAgAAAMA8EA=,RAHAc8CJ"));
    assert_int_equal(fixture_push(f, aud, sizeof(aud), false), 0);
    assert_int_equal(push_nal(f, IDR_NAL, true), 0);
    assert_int_equal(f->got.count, 1);
    expect_types(f, "32 33 34 20");
}

static void COD_06_BUG_11_late_sets_are_kept_for_the_next_key_frame(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_push(f, aud, sizeof(aud), false), 0);
    assert_int_equal(push_nal(f, IDR_NAL, true), -EBADMSG); /* no sets known */
    assert_true(depay_needs_key(f->depay));
    for (size_t i = PPS_NAL + 1; i-- > VPS_NAL;) /* alone, and in the wrong order */
        assert_int_equal(push_nal(f, i, true), 0);
    assert_int_equal(push_nal(f, P_NAL, true), 0);
    assert_int_equal(f->got.count, 0);
    assert_true(depay_needs_key(f->depay));
    assert_int_equal(push_nal(f, IDR_NAL, true), 0);
    assert_int_equal(f->got.count, 1);
    assert_false(depay_needs_key(f->depay));
}

static void COD_05_another_sps_needs_an_irap_picture(void **state)
{
    struct fixture *f = *state;
    uint8_t sps[VECTOR_MAX];
    start_stream(f);
    size_t len = vector_bytes(h265_nals[SPS_NAL], sps);
    sps[len - 1] ^= 0x10;
    assert_int_equal(fixture_push(f, sps, len, false), 0);
    assert_int_equal(push_nal(f, P_NAL, true), -EBADMSG);
    assert_true(depay_needs_key(f->depay));
    assert_int_equal(push_nal(f, IDR_NAL, true), 0);
    assert_int_equal(f->got.count, 2);
    assert_true(f->got.unit.gap);
}

static void another_pps_goes_before_any_picture(void **state)
{
    struct fixture *f = *state;
    uint8_t pps[VECTOR_MAX];
    start_stream(f);
    size_t len = vector_bytes(h265_nals[PPS_NAL], pps);
    pps[len - 1] ^= 0x02;
    assert_int_equal(fixture_push(f, pps, len, false), 0);
    assert_int_equal(push_nal(f, P_NAL, true), 0);
    expect_types(f, "34 1");
    assert_int_equal(push_nal(f, P_NAL, true), 0);
    expect_types(f, "1"); /* once is enough */
}

static void what_no_decoder_needs_is_removed(void **state)
{
    struct fixture *f = *state;
    const uint8_t layer_1[] = {0x02, 0x09, 0xd0, 0x11};
    const uint8_t layer_32[] = {0x63, 0x01, 0xc1, 0x50, 0x11}; /* fragmented, in one */
    const uint8_t reserved[] = {0x52, 0x01, 0x11};
    start_stream(f);
    assert_int_equal(fixture_push(f, aud, sizeof(aud), false), 0);
    assert_int_equal(fixture_push(f, sei, sizeof(sei), false), 0);
    assert_int_equal(fixture_push(f, trail, sizeof(trail), false), 0);
    assert_int_equal(fixture_push(f, layer_1, sizeof(layer_1), false), 0);
    assert_int_equal(fixture_push(f, layer_32, sizeof(layer_32), false), 0);
    assert_int_equal(fixture_push(f, reserved, sizeof(reserved), false), 0);
    assert_int_equal(fixture_push(f, filler, sizeof(filler), true), 0);
    expect_types(f, "39 1");
}

/* Leading pictures refer to what came before: after a loss they can not be decoded. */
static void RTP_10_leading_pictures_are_dropped_after_random_access(void **state)
{
    struct fixture *f = *state;
    push_sets(f);
    assert_int_equal(fixture_push(f, cra, sizeof(cra), true), 0);
    assert_int_equal(fixture_push(f, rasl, sizeof(rasl), true), 0);
    assert_int_equal(f->got.count, 1);
    assert_int_equal(fixture_push(f, radl, sizeof(radl), true), 0);
    assert_int_equal(fixture_push(f, trail, sizeof(trail), true), 0);
    assert_int_equal(f->got.count, 3);
    assert_false(f->got.unit.gap);
    assert_int_equal(fixture_push(f, cra, sizeof(cra), true), 0);
    assert_int_equal(fixture_push(f, rasl, sizeof(rasl), true), 0); /* all before is there */
    assert_int_equal(f->got.count, 5);
    assert_int_equal(fixture_push(f, trail, sizeof(trail), false), 0);
    assert_int_equal(fixture_push(f, end_of_sequence, sizeof(end_of_sequence), true), 0);
    expect_types(f, "1");
    assert_int_equal(fixture_push(f, cra, sizeof(cra), true), 0);
    assert_int_equal(fixture_push(f, rasl, sizeof(rasl), true), 0); /* of the sequence that ended */
    assert_int_equal(f->got.count, 7);
}

static void M2_malformed_payloads_drop_the_unit(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint8_t data[12];
        size_t len;
    } bad[] = {
        {{0}, 0},                                     /* empty */
        {{0x02}, 1},                                  /* half a header */
        {{0x82, 0x01, 0xd0, 0x11}, 4},                /* forbidden bit */
        {{0x02, 0x00, 0xd0, 0x11}, 4},                /* temporal id */
        {{0x02, 0x01}, 2},                            /* slice without header */
        {{0x02, 0x01, 0x50, 0x11}, 4},                /* slice that is not the first */
        {{0x62, 0x01, 0x01, 0x55}, 4},                /* FU middle without start */
        {{0x62, 0x01, 0x81}, 3},                      /* FU without payload */
        {{0x62, 0x01, 0xb1, 0x55}, 4},                /* FU of an FU */
        {{0x60, 0x01}, 2},                            /* empty AP */
        {{0x60, 0x01, 0, 9, 0x02, 0x01}, 6},          /* AP overrun */
        {{0x60, 0x01, 0, 1, 0x02}, 5},                /* half a header inside */
        {{0x60, 0x01, 0, 4, 0x60, 0x01, 0, 1, 2}, 9}, /* nested */
        {{0x60, 0x01, 0, 3, 0x4e, 0x01, 0, 0}, 8},    /* half a length at the end */
        {{0x64, 0x01, 0x50, 0x11}, 4},                /* PACI */
        {{0x7e, 0x01, 0x50, 0x11}, 4},                /* unspecified */
        {{0x42, 0x01, 1, 2, 3}, 5},                   /* SPS that is none */
        {{0x44, 0x01}, 2},                            /* PPS that is none */
    };
    start_stream(f);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        push_sets(f);
        assert_int_equal(fixture_push(f, bad[i].data, bad[i].len, false), -EBADMSG);
        assert_int_equal(push_nal(f, IDR_NAL, true), 0);
        assert_int_equal(f->got.count, i + 1); /* nothing of this unit */
        assert_int_equal(push_nal(f, IDR_NAL, true), 0);
        assert_int_equal(f->got.count, i + 2);
        assert_true(f->got.unit.gap);
    }
}

static void M2_fragments_without_end_drop_the_unit(void **state)
{
    struct fixture *f = *state;
    const uint8_t first[] = {0x62, 0x01, 0x81, 0xd0, 0x11};
    start_stream(f);
    assert_int_equal(fixture_push(f, first, sizeof(first), true), -EBADMSG);
    assert_int_equal(push_nal(f, IDR_NAL, true), 0);
    assert_int_equal(fixture_push(f, first, sizeof(first), false), 0);
    assert_int_equal(fixture_push(f, first, sizeof(first), true),
                     -EBADMSG); /* a start in a start */
    assert_int_equal(fixture_push(f, first, sizeof(first), false), 0);
    assert_int_equal(fixture_push(f, trail, sizeof(trail), true),
                     -EBADMSG); /* single inside fragments */
    assert_int_equal(f->got.count, 2);
}

static void two_pictures_in_one_unit_are_refused(void **state)
{
    struct fixture *f = *state;
    start_stream(f);
    assert_int_equal(fixture_push(f, trail, sizeof(trail), false), 0);
    assert_int_equal(fixture_push(f, trail, sizeof(trail), true), -EBADMSG);
    assert_int_equal(f->got.count, 1);
}

static void COD_04_several_slices_make_one_unit(void **state)
{
    struct fixture *f = *state;
    const uint8_t second[] = {0x02, 0x01, 0x50, 0x11, 0x56};
    const uint8_t of_another[] = {0x00, 0x01, 0x50, 0x11, 0x56};
    start_stream(f);
    assert_int_equal(fixture_push(f, trail, sizeof(trail), false), 0);
    assert_int_equal(fixture_push(f, second, sizeof(second), true), 0);
    assert_int_equal(f->got.count, 2);
    expect_types(f, "1 1");
    assert_int_equal(fixture_push(f, trail, sizeof(trail), false), 0);
    assert_int_equal(fixture_push(f, of_another, sizeof(of_another), true), -EBADMSG);
}

static void M2_nal_units_of_a_unit_are_limited(void **state)
{
    struct fixture *f = *state;
    uint8_t many[2 + 5 * 100] = {0x60, 0x01};
    for (size_t i = 0; i < 100; i++)
        memcpy(many + 2 + 5 * i, "\x00\x03\x4e\x01\x05", 5);
    start_stream(f);
    fixture_fill(f, many, sizeof(many), 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(COD_06_cached_sets_go_before_each_irap_picture),
        TEST(COD_06_sets_of_the_offer_are_used),
        TEST(COD_06_BUG_11_late_sets_are_kept_for_the_next_key_frame),
        TEST(COD_05_another_sps_needs_an_irap_picture),
        TEST(another_pps_goes_before_any_picture),
        TEST(what_no_decoder_needs_is_removed),
        TEST(RTP_10_leading_pictures_are_dropped_after_random_access),
        TEST(M2_malformed_payloads_drop_the_unit),
        TEST(M2_fragments_without_end_drop_the_unit),
        TEST(two_pictures_in_one_unit_are_refused),
        TEST(COD_04_several_slices_make_one_unit),
        TEST(M2_nal_units_of_a_unit_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
