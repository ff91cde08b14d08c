#include "gateway/depay/depay.h"
#include "tests/unit/depay/depay_vectors.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct depay *depay;
    struct collected got;
    uint64_t now_us;
    uint8_t sps[VECTOR_MAX];
    size_t sps_len;
    uint8_t pps[VECTOR_MAX];
    size_t pps_len;
};

/* A slice of type P or IDR: first_mb 0, slice_type 0, pps 0 as Exp-Golomb, then filling. */
static const uint8_t idr[] = {0x65, 0xf0, 0x11, 0x22};
static const uint8_t slice[] = {0x41, 0xf0, 0x33, 0x44};
static const uint8_t aud[] = {0x09, 0x10};
static const uint8_t sei[] = {0x06, 0x05, 0x01, 0xaa, 0x80};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    assert_int_equal(depay_new(CODEC_H264, 0, 0, collect_unit, &f->got, &f->depay), 0);
    f->sps_len = vector_bytes(SPS_1280X720, f->sps);
    f->pps_len = vector_bytes(PPS_BASELINE, f->pps);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    depay_free(f->depay);
    free(f);
    return 0;
}

static int push(struct fixture *f, const void *data, size_t len, uint32_t time, bool marker)
{
    struct depay_packet packet = {
        .data = data, .len = len, .rtp_time = time, .marker = marker, .arrival_us = ++f->now_us};
    return depay_push(f->depay, &packet);
}

static size_t put_nal(uint8_t *to, size_t at, const void *nal, size_t len)
{
    to[at] = 0;
    to[at + 1] = 0;
    to[at + 2] = (uint8_t)(len >> 8);
    to[at + 3] = (uint8_t)len;
    memcpy(to + at + 4, nal, len);
    return at + 4 + len;
}

/* SPS, PPS, then the given NAL unit, as the ring has it. */
static size_t expected_key(const struct fixture *f, uint8_t *to, const void *nal, size_t len)
{
    size_t at = put_nal(to, 0, f->sps, f->sps_len);
    at = put_nal(to, at, f->pps, f->pps_len);
    return put_nal(to, at, nal, len);
}

static void start_stream(struct fixture *f)
{
    assert_int_equal(push(f, f->sps, f->sps_len, 90, false), 0);
    assert_int_equal(push(f, f->pps, f->pps_len, 90, false), 0);
    assert_int_equal(push(f, idr, sizeof(idr), 90, true), 0);
    assert_int_equal(f->got.count, 1);
}

static void COD_04_single_nal_units_form_a_key_frame(void **state)
{
    struct fixture *f = *state;
    uint8_t expected[VECTOR_MAX];
    start_stream(f);
    size_t len = expected_key(f, expected, idr, sizeof(idr));
    assert_int_equal(f->got.unit.len, len);
    assert_memory_equal(f->got.data, expected, len);
    assert_true(f->got.unit.key);
    assert_false(f->got.unit.gap);
    assert_int_equal(f->got.unit.width, 1280);
    assert_int_equal(f->got.unit.height, 720);
    assert_int_equal(f->got.unit.first_us, 1);
    assert_int_equal(f->got.unit.last_us, 3);
}

static void COD_04_stap_a_is_split(void **state)
{
    struct fixture *f = *state;
    uint8_t stap[VECTOR_MAX] = {0x78};
    size_t at = 1;
    const struct {
        const uint8_t *data;
        size_t len;
    } nals[] = {{aud, sizeof(aud)}, {f->sps, f->sps_len}, {f->pps, f->pps_len}, {idr, sizeof(idr)}};
    for (size_t i = 0; i < 4; i++) {
        stap[at++] = (uint8_t)(nals[i].len >> 8);
        stap[at++] = (uint8_t)nals[i].len;
        memcpy(stap + at, nals[i].data, nals[i].len);
        at += nals[i].len;
    }
    assert_int_equal(push(f, stap, at, 1, true), 0);
    uint8_t expected[VECTOR_MAX];
    size_t len = expected_key(f, expected, idr, sizeof(idr));
    assert_int_equal(f->got.count, 1);
    assert_int_equal(f->got.unit.len, len); /* without the delimiter */
    assert_memory_equal(f->got.data, expected, len);
}

static void COD_04_fu_a_is_joined(void **state)
{
    struct fixture *f = *state;
    const uint8_t first[] = {0x7c, 0x85, 0xf0, 0x11};
    const uint8_t middle[] = {0x7c, 0x05, 0x22};
    const uint8_t last[] = {0x7c, 0x45, 0x33, 0x44};
    const uint8_t whole[] = {0x65, 0xf0, 0x11, 0x22, 0x33, 0x44};
    assert_int_equal(push(f, f->sps, f->sps_len, 5, false), 0);
    assert_int_equal(push(f, f->pps, f->pps_len, 5, false), 0);
    assert_int_equal(push(f, first, sizeof(first), 5, false), 0);
    assert_int_equal(push(f, middle, sizeof(middle), 5, false), 0);
    assert_int_equal(push(f, last, sizeof(last), 5, true), 0);
    uint8_t expected[VECTOR_MAX];
    size_t len = expected_key(f, expected, whole, sizeof(whole));
    assert_int_equal(f->got.count, 1);
    assert_int_equal(f->got.unit.len, len);
    assert_memory_equal(f->got.data, expected, len);
}

static void COD_04_unit_ends_when_the_timestamp_changes(void **state)
{
    struct fixture *f = *state;
    start_stream(f);
    assert_int_equal(push(f, slice, sizeof(slice), 100, false), 0);
    assert_int_equal(f->got.count, 1);
    assert_int_equal(push(f, slice, sizeof(slice), 200, false), 0);
    assert_int_equal(f->got.count, 2);
    assert_int_equal(f->got.unit.rtp_time, 100);
    assert_false(f->got.unit.key);
    assert_int_equal(f->got.unit.len, 4 + sizeof(slice));
}

static void COD_04_several_slices_make_one_unit(void **state)
{
    struct fixture *f = *state;
    start_stream(f);
    const uint8_t second[] = {0x41, 0x58, 0x55}; /* first_mb 1, pps 0 */
    assert_int_equal(push(f, slice, sizeof(slice), 100, false), 0);
    assert_int_equal(push(f, second, sizeof(second), 100, true), 0);
    assert_int_equal(f->got.count, 2);
    assert_int_equal(f->got.unit.len, 8 + sizeof(slice) + sizeof(second));
}

static void COD_06_BUG_11_nothing_before_sets_and_idr(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(push(f, aud, sizeof(aud), 1, false), 0);
    assert_int_equal(push(f, slice, sizeof(slice), 1, true), 0);
    assert_int_equal(push(f, idr, sizeof(idr), 2, true), -EBADMSG); /* no sets known */
    assert_int_equal(push(f, f->sps, f->sps_len, 3, true), 0);
    assert_int_equal(push(f, f->pps, f->pps_len, 4, true), 0);
    assert_int_equal(f->got.count, 0);
    assert_true(depay_needs_key(f->depay));
    assert_int_equal(push(f, idr, sizeof(idr), 5, true), 0);
    assert_int_equal(f->got.count, 1);
    assert_false(depay_needs_key(f->depay));
}

static void COD_06_cached_sets_go_before_each_idr(void **state)
{
    struct fixture *f = *state;
    uint8_t expected[VECTOR_MAX];
    start_stream(f);
    assert_int_equal(push(f, slice, sizeof(slice), 100, true), 0);
    assert_int_equal(push(f, idr, sizeof(idr), 200, true), 0);
    size_t len = expected_key(f, expected, idr, sizeof(idr));
    assert_int_equal(f->got.count, 3);
    assert_int_equal(f->got.unit.len, len);
    assert_memory_equal(f->got.data, expected, len);
}

static void COD_06_sets_of_the_offer_are_used(void **state)
{
    struct fixture *f = *state;
    uint8_t expected[VECTOR_MAX];
    depay_announce(f->depay, slice_of("Z0LAH9kAUAW7ARAAAAMAEAAAAwPA8YMkgA==,nonsense!,aMuDyyA="));
    assert_int_equal(push(f, aud, sizeof(aud), 1, false), 0);
    assert_int_equal(push(f, idr, sizeof(idr), 1, true), 0);
    size_t len = expected_key(f, expected, idr, sizeof(idr));
    assert_int_equal(f->got.count, 1);
    assert_int_equal(f->got.unit.len, len);
    assert_memory_equal(f->got.data, expected, len);
}

static void sets_stand_before_sei(void **state)
{
    struct fixture *f = *state;
    start_stream(f);
    assert_int_equal(push(f, sei, sizeof(sei), 100, false), 0);
    assert_int_equal(push(f, idr, sizeof(idr), 100, true), 0);
    assert_int_equal(f->got.count, 2);
    assert_int_equal(f->got.data[4], f->sps[0]);
    size_t sets = 8 + f->sps_len + f->pps_len;
    assert_memory_equal(f->got.data + sets + 4, sei, sizeof(sei));
}

static void a_new_pps_goes_before_a_picture_that_is_no_idr(void **state)
{
    struct fixture *f = *state;
    uint8_t pps[VECTOR_MAX];
    memcpy(pps, f->pps, f->pps_len);
    pps[f->pps_len - 1] ^= 0x40;
    start_stream(f);
    assert_int_equal(push(f, pps, f->pps_len, 100, false), 0);
    assert_int_equal(push(f, slice, sizeof(slice), 100, true), 0);
    assert_int_equal(f->got.count, 2);
    assert_int_equal(f->got.unit.len, 8 + f->pps_len + sizeof(slice));
    assert_memory_equal(f->got.data + 4, pps, f->pps_len);
    assert_int_equal(push(f, slice, sizeof(slice), 200, true), 0);
    assert_int_equal(f->got.unit.len, 4 + sizeof(slice)); /* once is enough */
}

static void COD_05_a_new_size_is_told_with_its_idr(void **state)
{
    struct fixture *f = *state;
    uint8_t sps[VECTOR_MAX];
    size_t len = vector_bytes(SPS_1920X1080, sps);
    start_stream(f);
    assert_int_equal(push(f, sps, len, 100, false), 0);
    assert_int_equal(push(f, idr, sizeof(idr), 100, true), 0);
    assert_int_equal(f->got.unit.width, 1920);
    assert_int_equal(f->got.unit.height, 1080);
}

static void RTP_10_a_gap_drops_the_unit_and_holds_until_idr(void **state)
{
    struct fixture *f = *state;
    start_stream(f);
    assert_int_equal(push(f, slice, sizeof(slice), 100, false), 0);
    depay_gap(f->depay);
    assert_int_equal(push(f, slice, sizeof(slice), 100, true), 0);
    assert_int_equal(push(f, slice, sizeof(slice), 200, true), 0);
    assert_int_equal(f->got.count, 1);
    assert_true(depay_needs_key(f->depay));
    assert_int_equal(push(f, f->sps, f->sps_len, 300, false), 0);
    assert_int_equal(push(f, idr, sizeof(idr), 300, true), 0);
    assert_int_equal(f->got.count, 2);
    assert_true(f->got.unit.gap);
    assert_int_equal(push(f, slice, sizeof(slice), 400, true), 0);
    assert_false(f->got.unit.gap);
}

static void RTP_10_an_idr_without_its_beginning_is_dropped(void **state)
{
    struct fixture *f = *state;
    start_stream(f);
    depay_gap(f->depay);
    assert_int_equal(push(f, idr, sizeof(idr), 200, true), 0); /* its SPS may be what is missing */
    assert_int_equal(f->got.count, 1);
    assert_int_equal(push(f, idr, sizeof(idr), 300, true), 0); /* this one is whole */
    assert_int_equal(f->got.count, 2);
}

static void M2_malformed_payloads_drop_the_unit(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint8_t data[8];
        size_t len;
    } bad[] = {
        {{0}, 0},                            /* empty */
        {{0x00, 1, 2}, 3},                   /* type 0 */
        {{0x7c, 0x05, 1}, 3},                /* FU-A middle without start */
        {{0x7c, 0x85}, 2},                   /* FU-A without payload */
        {{0x7c, 0x9c, 1}, 3},                /* FU-A inside FU-A */
        {{0x78}, 1},                         /* empty STAP-A */
        {{0x78, 0, 9, 0x41, 1}, 5},          /* overrun */
        {{0x78, 0, 0, 0, 1, 0x41}, 6},       /* empty NAL unit inside */
        {{0x78, 0, 2, 0x78, 1, 1}, 6},       /* nested */
        {{0x79, 0, 0, 0, 2, 0x41, 0xf0}, 7}, /* STAP-B */
        {{0x42, 0xf0, 1}, 3},                /* data partition */
        {{0xc1, 0xf0, 1}, 3},                /* forbidden bit */
        {{0x67, 1, 2, 3}, 4},                /* SPS that is none */
        {{0x68}, 1},                         /* PPS that is none */
        {{0x41}, 1},                         /* slice without header */
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint32_t time = (uint32_t)(1000 * i + 1000);
        assert_int_equal(push(f, f->sps, f->sps_len, time, false), 0);
        assert_int_equal(push(f, f->pps, f->pps_len, time, false), 0);
        assert_int_equal(push(f, bad[i].data, bad[i].len, time, false), -EBADMSG);
        assert_int_equal(push(f, idr, sizeof(idr), time, true), 0);
        assert_int_equal(f->got.count, i); /* nothing of this unit */
        assert_int_equal(push(f, idr, sizeof(idr), time + 1, true), 0);
        assert_int_equal(f->got.count, i + 1);
        assert_true(f->got.unit.gap);
    }
}

static void M2_fragments_without_end_drop_the_unit(void **state)
{
    struct fixture *f = *state;
    const uint8_t first[] = {0x7c, 0x85, 0xf0, 0x11};
    start_stream(f);
    assert_int_equal(push(f, first, sizeof(first), 100, true), -EBADMSG);
    assert_int_equal(push(f, first, sizeof(first), 200, false), 0);
    assert_int_equal(push(f, first, sizeof(first), 200, false), -EBADMSG); /* start in a start */
    assert_int_equal(push(f, first, sizeof(first), 300, false), 0);
    assert_int_equal(push(f, idr, sizeof(idr), 300, true), -EBADMSG); /* single inside fragments */
    assert_int_equal(f->got.count, 1);
}

static void M2_packets_of_a_unit_are_limited(void **state)
{
    struct fixture *f = *state;
    start_stream(f);
    for (unsigned i = 0; i < DEPAY_PACKETS_MAX; i++)
        assert_int_equal(push(f, slice, sizeof(slice), 100, false), 0);
    assert_int_equal(push(f, slice, sizeof(slice), 100, false), -EMSGSIZE);
    assert_int_equal(push(f, slice, sizeof(slice), 100, true), 0);
    assert_int_equal(f->got.count, 1);
}

static void M2_the_sets_of_a_unit_are_limited(void **state)
{
    /* PPS 0 to 8 */
    static const uint8_t ids[][2] = {{0xf0, 0x80}, {0xd0, 0x80}, {0xd8, 0x80},
                                     {0xc8, 0x80}, {0xca, 0x80}, {0xcc, 0x80},
                                     {0xce, 0x80}, {0xc4, 0x40}, {0xc4, 0xc0}};
    struct fixture *f = *state;
    start_stream(f);
    for (size_t i = 0; i < 9; i++) {
        const uint8_t nal[] = {0x41, ids[i][0], ids[i][1], 0x44};
        assert_int_equal(push(f, nal, sizeof(nal), 100, false), i < 8 ? 0 : -EMSGSIZE);
    }
}

static void M2_bytes_of_a_unit_are_limited(void **state)
{
    struct fixture *f = *state;
    static uint8_t large[60000] = {0x7c, 0x05};
    const uint8_t first[] = {0x7c, 0x85, 0xf0, 0x11};
    start_stream(f);
    assert_int_equal(push(f, first, sizeof(first), 100, false), 0);
    int rc = 0;
    size_t total = 0;
    for (unsigned i = 0; i < 100 && rc == 0; i++) {
        rc = push(f, large, sizeof(large), 100, false);
        total += sizeof(large);
    }
    assert_int_equal(rc, -EMSGSIZE);
    assert_in_range(total, DEPAY_BODY_MAX, DEPAY_BODY_MAX + sizeof(large));
}

static void M3_sizes_above_the_grant_are_told(void **state)
{
    struct fixture *f = *state;
    depay_free(f->depay);
    f->depay = NULL;
    assert_int_equal(depay_new(CODEC_H264, 1280, 719, collect_unit, &f->got, &f->depay), 0);
    assert_int_equal(push(f, f->sps, f->sps_len, 1, false), 0);
    assert_int_equal(push(f, f->pps, f->pps_len, 1, false), 0);
    assert_int_equal(push(f, idr, sizeof(idr), 1, true), -ENOTSUP);
    assert_int_equal(f->got.count, 0);
}

static void COD_02_444_is_told(void **state)
{
    struct fixture *f = *state;
    uint8_t sps[VECTOR_MAX];
    size_t len = vector_bytes(SPS_444, sps);
    assert_int_equal(push(f, sps, len, 1, false), -ENOTSUP);
}

static void an_sps_change_without_idr_is_a_loss(void **state)
{
    struct fixture *f = *state;
    uint8_t sps[VECTOR_MAX];
    size_t len = vector_bytes(SPS_1920X1080, sps);
    start_stream(f);
    assert_int_equal(push(f, sps, len, 100, false), 0);
    assert_int_equal(push(f, slice, sizeof(slice), 100, true), -EBADMSG);
    assert_true(depay_needs_key(f->depay));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(COD_04_single_nal_units_form_a_key_frame),
        TEST(COD_04_stap_a_is_split),
        TEST(COD_04_fu_a_is_joined),
        TEST(COD_04_unit_ends_when_the_timestamp_changes),
        TEST(COD_04_several_slices_make_one_unit),
        TEST(COD_06_BUG_11_nothing_before_sets_and_idr),
        TEST(COD_06_cached_sets_go_before_each_idr),
        TEST(COD_06_sets_of_the_offer_are_used),
        TEST(sets_stand_before_sei),
        TEST(a_new_pps_goes_before_a_picture_that_is_no_idr),
        TEST(COD_05_a_new_size_is_told_with_its_idr),
        TEST(RTP_10_a_gap_drops_the_unit_and_holds_until_idr),
        TEST(RTP_10_an_idr_without_its_beginning_is_dropped),
        TEST(M2_malformed_payloads_drop_the_unit),
        TEST(M2_fragments_without_end_drop_the_unit),
        TEST(M2_packets_of_a_unit_are_limited),
        TEST(M2_the_sets_of_a_unit_are_limited),
        TEST(M2_bytes_of_a_unit_are_limited),
        TEST(M3_sizes_above_the_grant_are_told),
        TEST(COD_02_444_is_told),
        TEST(an_sps_change_without_idr_is_a_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
