/* Bounds-checked reading. */
#include "lib/base/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18};

static void integers_are_big_endian(void **state)
{
    struct reader r;
    (void)state;
    reader_init(&r, bytes, sizeof(bytes));
    assert_int_equal(reader_u8(&r), 0x01);
    assert_int_equal(reader_u16(&r), 0x0203);
    assert_int_equal(reader_u24(&r), 0x040506);
    assert_int_equal(reader_u32(&r), 0x0708090a);
    assert_true(reader_u64(&r) == UINT64_C(0x0b0c0d0e0f101112));
    assert_int_equal(reader_left(&r), 0);
    assert_true(reader_ok(&r));
}

static void reads_past_the_end_fail_at_every_length(void **state)
{
    (void)state;
    for (size_t len = 0; len < 8; len++) {
        struct reader r;
        uint8_t copy[8]; /* of its own, so that a sanitizer sees one byte too many */
        memcpy(copy, bytes, len);
        reader_init(&r, copy, len);
        assert_true(reader_u64(&r) == 0);
        assert_false(reader_ok(&r));
        assert_int_equal(r.pos, 0);
    }
}

static void failure_is_sticky(void **state)
{
    struct reader r;
    (void)state;
    reader_init(&r, bytes, 3);
    assert_int_equal(reader_u32(&r), 0);
    assert_int_equal(reader_u8(&r), 0);
    assert_null(reader_bytes(&r, 0));
    assert_int_equal(reader_left(&r), 0);
    struct reader sub = reader_sub(&r, 1);
    assert_false(reader_ok(&sub));
    assert_false(reader_ok(&r));
}

static void bytes_are_borrowed_and_skipped(void **state)
{
    struct reader r;
    (void)state;
    reader_init(&r, bytes, 4);
    assert_ptr_equal(reader_bytes(&r, 3), bytes);
    assert_int_equal(reader_left(&r), 1);
    assert_null(reader_bytes(&r, 2));
    assert_false(reader_ok(&r));
    reader_init(&r, bytes, 4);
    assert_null(reader_bytes(&r, SIZE_MAX));
    assert_false(reader_ok(&r));
}

static void sub_reader_ends_where_it_should(void **state)
{
    struct reader r;
    (void)state;
    reader_init(&r, bytes, 4);
    struct reader sub = reader_sub(&r, 2);
    assert_int_equal(reader_u16(&sub), 0x0102);
    assert_int_equal(reader_u8(&sub), 0);
    assert_false(reader_ok(&sub));
    assert_true(reader_ok(&r));
    assert_int_equal(reader_u16(&r), 0x0304);
    sub = reader_sub(&r, 1);
    assert_false(reader_ok(&sub));
    assert_false(reader_ok(&r));
}

static void empty_range_may_have_no_memory(void **state)
{
    struct reader r;
    (void)state;
    reader_init(&r, NULL, 0);
    assert_non_null(reader_bytes(&r, 0));
    assert_true(reader_ok(&r));
    assert_int_equal(reader_u8(&r), 0);
    assert_false(reader_ok(&r));
    reader_init(&r, NULL, 5); /* a caller's mistake must not read */
    assert_int_equal(reader_u8(&r), 0);
    assert_false(reader_ok(&r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_big_endian),
        cmocka_unit_test(reads_past_the_end_fail_at_every_length),
        cmocka_unit_test(failure_is_sticky),
        cmocka_unit_test(bytes_are_borrowed_and_skipped),
        cmocka_unit_test(sub_reader_ends_where_it_should),
        cmocka_unit_test(empty_range_may_have_no_memory),
    };
    return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
