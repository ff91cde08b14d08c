/* Sequence headers of libaom, SVT-AV1 and rav1e through FFmpeg, and OBUs around them. */
#include "gateway/depay/av1_obu.h"
#include "gateway/depay/av1_sequence.h"
#include "tests/unit/depay/depay_vectors.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define AOM_1920X1080 "0a0b00000042abbfc3776be401"
#define SVT_1280X720 "0a0b0000002d4cffb3cfbf9004"
#define RAV1E_178X94 "0a0e000000f9dac6e8842a2040404280"
#define AOM_TEN_BITS "0a0a0000000337fbe6d7ca02"
#define AOM_444 "0a0a2000000337fbe6d7c810"
#define AOM_GRAY "0a0a0000000337fbe6d7c910"

static int parse(const char *hex, struct av1_sequence *out)
{
    uint8_t data[VECTOR_MAX];
    struct av1_obu obu;
    size_t len = vector_bytes(hex, data);
    assert_int_equal(av1_obu_parse(data, len, &obu), 0);
    assert_int_equal(obu.type, AV1_SEQUENCE_HEADER);
    assert_int_equal(obu.payload_at, 2);
    return av1_sequence_parse(data + 2, obu.payload_len, out);
}

static void M3_AV1_sizes_of_real_encoders(void **state)
{
    (void)state;
    struct av1_sequence s;
    assert_int_equal(parse(AOM_1920X1080, &s), 0);
    assert_int_equal(s.width, 1920);
    assert_int_equal(s.height, 1080);
    assert_int_equal(parse(SVT_1280X720, &s), 0);
    assert_int_equal(s.width, 1280);
    assert_int_equal(s.height, 720);
    assert_int_equal(parse(RAV1E_178X94, &s), 0);
    assert_int_equal(s.width, 178);
    assert_int_equal(s.height, 94);
}

static void COD_08_AV1_other_formats_are_told(void **state)
{
    (void)state;
    struct av1_sequence s;
    const uint8_t reduced[] = {0x18, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    assert_int_equal(parse(AOM_TEN_BITS, &s), -ENOTSUP);
    assert_int_equal(parse(AOM_444, &s), -ENOTSUP);
    assert_int_equal(parse(AOM_GRAY, &s), -ENOTSUP);
    assert_int_equal(av1_sequence_parse(reduced, sizeof(reduced), &s), -ENOTSUP);
}

/* All that is optional in front of the size: timing, decoder model, operating points with tiers. */
static void optional_fields_are_skipped(void **state)
{
    (void)state;
    /* Profile 0; timing with equal intervals (uvlc 1); a model with delays of 5 bits; display
     * delays; 2 points, the second with a tier; sizes of 7 and 6 bits: 64 and 48. */
    static const char bits[] = "000"
                               "0"
                               "0"
                               "1"
                               "00000000000000000000000000000001"
                               "00000000000000000000000000011110"
                               "1"
                               "010"
                               "1"
                               "00100"
                               "00000000000000000000000000000001"
                               "00011"
                               "00011"
                               "1"
                               "00001"
                               "000000000001"
                               "00100"
                               "1"
                               "00001"
                               "00010"
                               "0"
                               "1"
                               "0101"
                               "000000000001"
                               "01000"
                               "1"
                               "0"
                               "0"
                               "0110"
                               "0101"
                               "0111111"
                               "101111"
                               "1"
                               "0010"
                               "010"
                               "000"
                               "0000"
                               "1"
                               "00"
                               "0"
                               "1"
                               "0"
                               "1"
                               "110"
                               "000"
                               "0"
                               "0";
    struct av1_sequence s;
    uint8_t data[64] = {0};
    for (size_t i = 0; bits[i] != '\0'; i++)
        data[i / 8] |= (uint8_t)((bits[i] - '0') << (7 - i % 8));
    assert_int_equal(av1_sequence_parse(data, (sizeof(bits) - 1 + 7) / 8, &s), 0);
    assert_int_equal(s.width, 64);
    assert_int_equal(s.height, 48);
}

static void sequences_truncated_at_every_length(void **state)
{
    (void)state;
    uint8_t data[VECTOR_MAX];
    struct av1_sequence s;
    bool whole = false;
    size_t len = vector_bytes(AOM_1920X1080, data) - 2;
    for (size_t i = 0; i <= len; i++) {
        uint8_t *exact = malloc(i + 1);
        assert_non_null(exact);
        memcpy(exact, data + 2, i);
        int rc = av1_sequence_parse(exact, i, &s);
        whole = whole || rc == 0;
        assert_int_equal(rc, whole ? 0 : -EBADMSG);
        free(exact);
    }
    assert_true(whole);
}

static void obus_with_and_without_size(void **state)
{
    (void)state;
    struct av1_obu obu;
    const uint8_t without[] = {0x30, 1, 2, 3};
    const uint8_t extended[] = {0x36, 0x08, 2, 1, 2};
    const uint8_t padded[] = {0x32, 0x82, 0x80, 0x00, 1, 2};
    assert_int_equal(av1_obu_parse(without, sizeof(without), &obu), 0);
    assert_int_equal(obu.type, AV1_FRAME);
    assert_int_equal(obu.payload_at, 1);
    assert_int_equal(obu.payload_len, 3);
    assert_int_equal(av1_obu_parse(extended, sizeof(extended), &obu), 0);
    assert_int_equal(obu.head_len, 2);
    assert_int_equal(obu.payload_at, 3);
    assert_int_equal(av1_obu_parse(padded, sizeof(padded), &obu), 0);
    assert_int_equal(obu.payload_at, 4);
}

static void M2_AV1_sizes_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    struct av1_obu obu;
    static const struct {
        uint8_t data[10];
        size_t len;
    } bad[] = {
        {{0}, 0},
        {{0xb0, 1}, 2},                                              /* forbidden bit */
        {{0x34}, 1},                                                 /* no extension */
        {{0x32, 2, 1}, 3},                                           /* too much */
        {{0x32, 1, 1, 1}, 4},                                        /* too little */
        {{0x32, 0x80}, 2},                                           /* half a size */
        {{0x32, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80}, 9}, /* endless */
        {{0x32, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 1}, 8},          /* above 32 bits */
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(av1_obu_parse(bad[i].data, bad[i].len, &obu), -EBADMSG);
}

static void lengths_are_read_as_written(void **state)
{
    (void)state;
    const uint32_t values[] = {0, 1, 127, 128, 16383, 16384, 2097151, 2097152, UINT32_MAX};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        uint8_t bytes[AV1_LEB128_MAX];
        struct reader r;
        size_t len = av1_write_leb128(values[i], bytes);
        assert_in_range(len, 1, 5);
        reader_init(&r, bytes, len);
        assert_int_equal(av1_read_leb128(&r), values[i]);
        assert_true(reader_ok(&r));
        assert_int_equal(reader_left(&r), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(M3_AV1_sizes_of_real_encoders),
        cmocka_unit_test(COD_08_AV1_other_formats_are_told),
        cmocka_unit_test(optional_fields_are_skipped),
        cmocka_unit_test(sequences_truncated_at_every_length),
        cmocka_unit_test(obus_with_and_without_size),
        cmocka_unit_test(M2_AV1_sizes_that_do_not_fit_are_refused),
        cmocka_unit_test(lengths_are_read_as_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
