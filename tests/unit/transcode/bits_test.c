#include "transcode/bits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void fields_are_read_from_the_top(void **state)
{
    (void)state;
    static const uint8_t data[] = {0xa5, 0x0f, 0xff, 0xff, 0xff, 0xf0};
    struct bits b;
    bits_init(&b, data, sizeof data);
    assert_int_equal(bits_read(&b, 4), 0xa);
    bits_skip(&b, 4);
    assert_int_equal(bits_read(&b, 32), 0x0fffffffu);
    assert_int_equal(bits_read(&b, 0), 0);
    assert_int_equal(bits_read(&b, 8), 0xf0);
    assert_false(b.failed);
    assert_int_equal(bits_read(&b, 1), 0);
    assert_true(b.failed);
}

static void the_error_is_sticky(void **state)
{
    (void)state;
    struct bits b;
    bits_init(&b, (const uint8_t *)"\xff", 1);
    bits_skip(&b, 9);
    assert_true(b.failed);
    assert_int_equal(bits_read(&b, 1), 0);
    assert_int_equal(bits_ue(&b), 0);
    bits_init(&b, NULL, 0);
    assert_int_equal(bits_se(&b), 0);
    assert_true(b.failed);
}

static void exp_golomb_codes(void **state)
{
    (void)state;
    /* 1 010 011 00100 00101 000 ... : 0, 1, 2, 3, 4 (H.264 table 9-2) */
    static const uint8_t data[] = {0xa6, 0x42, 0x80};
    struct bits b;
    bits_init(&b, data, sizeof data);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(bits_ue(&b), i);
    bits_init(&b, data, sizeof data);
    static const int32_t numbers[] = {0, 1, -1, 2, -2};
    for (int i = 0; i < 5; i++)
        assert_int_equal(bits_se(&b), numbers[i]);
    static const uint8_t zeros[8] = {0};
    bits_init(&b, zeros, sizeof zeros);
    assert_int_equal(bits_ue(&b), 0);
    assert_true(b.failed);
}

static void emulation_prevention_is_taken_out(void **state)
{
    (void)state;
    static const uint8_t data[] = {1, 0, 0, 3, 1, 0, 0, 3, 0, 0, 3};
    struct bits b;
    bits_init_nal(&b, data, sizeof data);
    static const uint8_t wanted[] = {1, 0, 0, 1, 0, 0, 0, 0};
    assert_int_equal(b.count, sizeof wanted * 8);
    assert_memory_equal(b.data, wanted, sizeof wanted);
}

static void only_the_first_bytes_are_read(void **state)
{
    (void)state;
    static const uint8_t data[BITS_BYTES_MAX + 100];
    struct bits b;
    bits_init(&b, data, sizeof data);
    assert_int_equal(b.count, BITS_BYTES_MAX * 8);
    bits_init_nal(&b, data, sizeof data);
    assert_int_equal(b.count, BITS_BYTES_MAX * 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_read_from_the_top),
        cmocka_unit_test(the_error_is_sticky),
        cmocka_unit_test(exp_golomb_codes),
        cmocka_unit_test(emulation_prevention_is_taken_out),
        cmocka_unit_test(only_the_first_bytes_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
