/* Ranges of media (RFC 9110 14.1.2, 14.2). */
#include "web/range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static size_t first, len;

static enum range_verdict parse(const char *header, size_t total)
{
    first = len = 4711;
    return range_parse(slice_of(header), total, &first, &len);
}

static void assert_partial(const char *header, size_t total, size_t want_first, size_t want_len)
{
    assert_int_equal(parse(header, total), RANGE_PARTIAL);
    assert_int_equal(first, want_first);
    assert_int_equal(len, want_len);
}

static void CDN_08_examples_of_RFC_9110_14_1_2(void **state)
{
    (void)state;
    assert_partial("bytes=0-499", 10000, 0, 500);
    assert_partial("bytes=500-999", 10000, 500, 500);
    assert_partial("bytes=-500", 10000, 9500, 500);
    assert_partial("bytes=9500-", 10000, 9500, 500);
    assert_partial("bytes=0-0", 10000, 0, 1);
}

static void CDN_08_ends_are_cut(void **state)
{
    (void)state;
    assert_partial("bytes=9999-20000", 10000, 9999, 1);
    assert_partial("bytes=-20000", 10000, 0, 10000);
    assert_partial("Bytes=5-99999999999999999999999", 10, 5, 5);
}

static void CDN_08_outside(void **state)
{
    (void)state;
    assert_int_equal(parse("bytes=10000-", 10000), RANGE_OUTSIDE);
    assert_int_equal(parse("bytes=99999999999999999999999-", 10000), RANGE_OUTSIDE);
    assert_int_equal(parse("bytes=-0", 10000), RANGE_OUTSIDE);
    assert_int_equal(parse("bytes=0-", 0), RANGE_OUTSIDE);
    assert_int_equal(first, 4711);
}

static void CDN_08_anything_else_is_the_whole(void **state)
{
    static const char *const whole[] = {
        NULL,          "",          "bytes",      "bytes=",     "bytes=-",       "bytes=a-b",
        "bytes=5",     "bytes=5-4", "items=0-1",  "bytes=0-1,", "bytes=0-1,3-4", "bytes=--1",
        "bytes=1-2-3", "bytes= ",   "bytes=+1-2",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
        assert_int_equal(parse(whole[i], 10000), RANGE_WHOLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(CDN_08_examples_of_RFC_9110_14_1_2),
        cmocka_unit_test(CDN_08_ends_are_cut),
        cmocka_unit_test(CDN_08_outside),
        cmocka_unit_test(CDN_08_anything_else_is_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
