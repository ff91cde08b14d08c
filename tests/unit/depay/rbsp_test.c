#include "gateway/depay/rbsp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void bits_come_most_significant_first(void **state)
{
    const uint8_t data[] = {0xa5, 0x0f};
    struct rbsp r;
    (void)state;
    rbsp_init(&r, data, sizeof(data));
    assert_true(rbsp_flag(&r));
    assert_int_equal(rbsp_bits(&r, 3), 2);
    assert_int_equal(rbsp_bits(&r, 12), 0x50f);
    assert_true(rbsp_ok(&r));
    assert_false(rbsp_flag(&r));
    assert_false(rbsp_ok(&r));
}

/* ITU-T H.264 table 9-2 and 9-3 */
static void exp_golomb_follows_the_tables(void **state)
{
    const uint8_t data[] = {0xa6, 0x42, 0x98, 0xe2, 0x04, 0x8a};
    struct rbsp r;
    (void)state;
    rbsp_init(&r, data, sizeof(data)); /* 1 010 011 00100 00101 00110 00111 0001000 ... */
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(rbsp_ue(&r), i);
    rbsp_init(&r, data, sizeof(data));
    const int32_t expected[] = {0, 1, -1, 2, -2, 3, -3, 4};
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(rbsp_se(&r), expected[i]);
    assert_true(rbsp_ok(&r));
}

static void emulation_prevention_is_removed(void **state)
{
    const uint8_t data[] = {0x00, 0x00, 0x03, 0x01, 0x00, 0x00, 0x03, 0x00};
    struct rbsp r;
    (void)state;
    rbsp_init(&r, data, sizeof(data));
    assert_int_equal(rbsp_bits(&r, 24), 1);
    assert_int_equal(rbsp_bits(&r, 24), 0);
    assert_true(rbsp_ok(&r));
    rbsp_bits(&r, 1);
    assert_false(rbsp_ok(&r));
}

static void an_endless_exp_golomb_fails(void **state)
{
    const uint8_t data[16] = {0, 1, 0, 0, 0, 0, 0x40};
    struct rbsp r;
    (void)state;
    rbsp_init(&r, data + 2, 6); /* 33 zeros */
    assert_int_equal(rbsp_ue(&r), 0);
    assert_false(rbsp_ok(&r));
    const uint8_t largest[] = {0, 0, 0x03, 0, 0x01, 0xff, 0xff, 0xff, 0xfe}; /* 31 zeros, 32 ones */
    rbsp_init(&r, largest, sizeof(largest));
    assert_true(rbsp_ue(&r) == UINT32_MAX - 1);
    assert_true(rbsp_ok(&r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_come_most_significant_first),
        cmocka_unit_test(exp_golomb_follows_the_tables),
        cmocka_unit_test(emulation_prevention_is_removed),
        cmocka_unit_test(an_endless_exp_golomb_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
