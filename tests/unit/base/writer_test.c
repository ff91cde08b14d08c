/* Bounded writing. */
#include "lib/base/writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void integers_are_big_endian(void **state)
{
    static const uint8_t wanted[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18};
    uint8_t data[sizeof(wanted)];
    struct writer w;
    (void)state;
    writer_init(&w, data, sizeof(data));
    writer_u8(&w, 0x01);
    writer_u16(&w, 0x0203);
    writer_u24(&w, 0xff040506);
    writer_u32(&w, 0x0708090a);
    writer_u64(&w, UINT64_C(0x0b0c0d0e0f101112));
    assert_true(writer_ok(&w));
    assert_int_equal(w.len, sizeof(wanted));
    assert_memory_equal(data, wanted, sizeof(wanted));
}

static void what_does_not_fit_writes_nothing(void **state)
{
    (void)state;
    for (size_t cap = 0; cap < 8; cap++) {
        uint8_t data[8];
        struct writer w;
        memset(data, 0xee, sizeof(data));
        writer_init(&w, data, cap);
        writer_u64(&w, 0);
        assert_false(writer_ok(&w));
        assert_int_equal(w.len, 0);
        for (size_t i = 0; i < sizeof(data); i++)
            assert_int_equal(data[i], 0xee);
        writer_u8(&w, 1); /* would fit: the error is sticky */
        assert_int_equal(w.len, 0);
    }
}

static void bytes_and_zeros(void **state)
{
    uint8_t data[6];
    struct writer w;
    (void)state;
    memset(data, 0xee, sizeof(data));
    writer_init(&w, data, sizeof(data));
    writer_bytes(&w, "abc", 3);
    writer_bytes(&w, NULL, 0);
    writer_zeros(&w, 3);
    assert_true(writer_ok(&w));
    assert_memory_equal(data, "abc\0\0\0", 6);
    writer_zeros(&w, 0);
    assert_true(writer_ok(&w));
    writer_bytes(&w, "x", SIZE_MAX);
    assert_false(writer_ok(&w));
}

/* Text of len characters into cap bytes, at the end of a heap block. */
static void check_text(size_t cap, size_t len, bool fits)
{
    char text[2048];
    struct writer w;
    uint8_t *data = malloc(cap ? cap : 1);
    assert_non_null(data);
    memset(text, 'x', len);
    text[len] = '\0';
    writer_init(&w, data, cap);
    writer_text(&w, "%s", text);
    assert_int_equal(writer_ok(&w), fits);
    if (fits) {
        assert_int_equal(w.len, len);
        assert_memory_equal(data, text, len);
    } else {
        assert_int_equal(w.len, 0);
    }
    free(data);
}

static void text_fits_without_its_nul(void **state)
{
    (void)state;
    for (size_t cap = 0; cap < 40; cap++) {
        for (size_t len = 0; len < 44; len++)
            check_text(cap, len, len <= cap);
    }
    check_text(1500, 1500, true);
    check_text(1500, 1501, false);
    check_text(2047, 2047, true);
}

static void patches_stay_inside(void **state)
{
    uint8_t data[8];
    struct writer w;
    (void)state;
    writer_init(&w, data, sizeof(data));
    writer_zeros(&w, 6);
    writer_patch_u16(&w, 4, 0x0102);
    writer_patch_u32(&w, 0, 0x0a0b0c0d);
    assert_true(writer_ok(&w));
    assert_memory_equal(data, "\x0a\x0b\x0c\x0d\x01\x02", 6);
    struct writer copy = w;
    writer_patch_u16(&copy, 5, 1); /* there is capacity, but it is not written */
    assert_false(writer_ok(&copy));
    copy = w;
    writer_patch_u32(&copy, SIZE_MAX, 1);
    assert_false(writer_ok(&copy));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_big_endian),
        cmocka_unit_test(what_does_not_fit_writes_nothing),
        cmocka_unit_test(bytes_and_zeros),
        cmocka_unit_test(text_fits_without_its_nul),
        cmocka_unit_test(patches_stay_inside),
    };
    return cmocka_run_group_tests_name("writer", tests, NULL, NULL);
}
