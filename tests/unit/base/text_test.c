/* Slices and strict numbers. */
#include "lib/base/text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct slice s(const char *text)
{
    return slice_of(text);
}

static void comparing(void **state)
{
    (void)state;
    assert_true(slice_is(s("ab"), "ab"));
    assert_false(slice_is(s("ab"), "abc"));
    assert_false(slice_is(s("abc"), "ab"));
    assert_false(slice_is(s("aB"), "ab"));
    assert_true(slice_is_nocase(s("aB[z"), "Ab[Z"));
    assert_false(slice_is_nocase(s("["), "{")); /* differ by the same bit as letters do */
    assert_true(slice_is(s(NULL), ""));
    assert_true(slice_equal(s(NULL), s("")));
    assert_true(slice_starts(s("a=rtpmap"), "a="));
    assert_true(slice_starts(s("a"), ""));
    assert_false(slice_starts(s("a"), "a="));
    assert_true(slice_starts_nocase(s("Bearer x"), "bEARER "));
    assert_false(slice_starts_nocase(s(""), "b"));
    assert_false(slice_is(slice_make("ab\0c", 4), "ab"));
}

static void skipping_and_trimming(void **state)
{
    (void)state;
    assert_true(slice_is(slice_skip(s("abc"), 2), "c"));
    assert_int_equal(slice_skip(s("abc"), 9).len, 0);
    assert_int_equal(slice_skip(s(NULL), 1).len, 0);
    assert_true(slice_is(slice_trim(s(" \t a b\t ")), "a b"));
    assert_int_equal(slice_trim(s(" \t ")).len, 0);
    assert_true(slice_is(slice_trim(s("\n")), "\n"));
}

static void cutting(void **state)
{
    struct slice rest = s("a,,b");
    (void)state;
    assert_true(slice_is(slice_cut(&rest, ','), "a"));
    assert_true(slice_is(slice_cut(&rest, ','), ""));
    assert_non_null(rest.data);
    assert_true(slice_is(slice_cut(&rest, ','), "b"));
    assert_null(rest.data);
    assert_int_equal(slice_cut(&rest, ',').len, 0);
    rest = s("a,");
    slice_cut(&rest, ',');
    assert_int_equal(rest.len, 0);
    assert_non_null(rest.data); /* a separator was there: one more, empty, piece */
}

static void lines_end_in_lf_or_crlf(void **state)
{
    struct slice rest = s("v=0\r\no=-\n\n\rx\r\n");
    (void)state;
    assert_true(slice_is(slice_line(&rest), "v=0"));
    assert_true(slice_is(slice_line(&rest), "o=-"));
    assert_true(slice_is(slice_line(&rest), ""));
    assert_true(slice_is(slice_line(&rest), "\rx"));
    assert_int_equal(rest.len, 0);
}

static void copying(void **state)
{
    char to[4] = "old";
    (void)state;
    assert_int_equal(text_copy(to, sizeof(to), s("abc")), 0);
    assert_string_equal(to, "abc");
    assert_int_equal(text_copy(to, sizeof(to), s("abcd")), -EMSGSIZE);
    assert_string_equal(to, "");
    assert_int_equal(text_copy(to, sizeof(to), slice_make("a\0b", 3)), -EBADMSG);
    assert_string_equal(to, "");
    assert_int_equal(text_copy(to, 0, s("")), -EMSGSIZE);
    assert_int_equal(text_copy(to, 1, s("")), 0);
}

static void termination(void **state)
{
    const char field[4] = {'a', 'b', 'c', 'd'};
    (void)state;
    assert_false(text_is_terminated(field, 4));
    assert_false(text_is_terminated(field, 0));
    assert_true(text_is_terminated("abc", 4));
}

static void numbers_are_digits_only(void **state)
{
    static const char *const bad[] = {"", " 1", "1 ", "+1", "-1", "0x1", "1a", "a", "1.0", "\xb2"};
    uint32_t value = 77;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(text_parse_u32(s(bad[i]), UINT32_MAX, &value), -EBADMSG);
    assert_int_equal(text_parse_u32(slice_make("1\0", 2), UINT32_MAX, &value), -EBADMSG);
    assert_int_equal(value, 77);
    assert_int_equal(text_parse_u32(s("007"), 7, &value), 0);
    assert_int_equal(value, 7);
}

static void numbers_have_a_maximum(void **state)
{
    uint32_t small = 77;
    uint64_t big = 77;
    (void)state;
    assert_int_equal(text_parse_u32(s("8"), 7, &small), -EMSGSIZE);
    assert_int_equal(text_parse_u32(s("4294967296"), UINT32_MAX, &small), -EMSGSIZE);
    assert_int_equal(text_parse_u32(s("1"), 0, &small), -EMSGSIZE);
    assert_int_equal(small, 77);
    assert_int_equal(text_parse_u32(s("4294967295"), UINT32_MAX, &small), 0);
    assert_true(small == UINT32_MAX);
    assert_int_equal(text_parse_u64(s("18446744073709551615"), UINT64_MAX, &big), 0);
    assert_true(big == UINT64_MAX);
    assert_int_equal(text_parse_u64(s("18446744073709551616"), UINT64_MAX, &big), -EMSGSIZE);
    assert_int_equal(text_parse_u64(s("99999999999999999999999"), UINT64_MAX, &big), -EMSGSIZE);
    assert_int_equal(text_parse_u64(s("99999999999999999999x"), UINT64_MAX, &big), -EBADMSG);
    assert_true(big == UINT64_MAX);
}

static void durations(void **state)
{
    uint64_t value = 77;
    (void)state;
    assert_int_equal(text_parse_duration_s(s("90"), 1000, &value), 0);
    assert_int_equal(value, 90);
    assert_int_equal(text_parse_duration_s(s("90s"), 1000, &value), 0);
    assert_int_equal(value, 90);
    assert_int_equal(text_parse_duration_s(s("15m"), 1000, &value), 0);
    assert_int_equal(value, 900);
    assert_int_equal(text_parse_duration_s(s("2h"), 7200, &value), 0);
    assert_int_equal(value, 7200);
    assert_int_equal(text_parse_duration_s(s("7d"), UINT64_MAX, &value), 0);
    assert_int_equal(value, 604800);
    value = 77;
    assert_int_equal(text_parse_duration_s(s("17m"), 1000, &value), -EMSGSIZE);
    assert_int_equal(text_parse_duration_s(s("213503982334602d"), UINT64_MAX, &value), -EMSGSIZE);
    assert_int_equal(text_parse_duration_s(s("s"), 1000, &value), -EBADMSG);
    assert_int_equal(text_parse_duration_s(s("1ms"), 1000, &value), -EBADMSG);
    assert_int_equal(text_parse_duration_s(s("1w"), 1000, &value), -EBADMSG);
    assert_int_equal(text_parse_duration_s(s(""), 1000, &value), -EBADMSG);
    assert_int_equal(value, 77);
}

static void hexadecimal(void **state)
{
    char text[9];
    uint8_t bytes[4] = {0};
    (void)state;
    text_hex("\x00\x9f\xff\x10", 4, text);
    assert_string_equal(text, "009fff10");
    assert_int_equal(text_unhex(s("009FfF10"), bytes, 4), 0);
    assert_memory_equal(bytes, "\x00\x9f\xff\x10", 4);
    assert_int_equal(text_unhex(s("009fff1"), bytes, 4), -EBADMSG);
    assert_int_equal(text_unhex(s("009fff101"), bytes, 4), -EBADMSG);
    assert_int_equal(text_unhex(s("009fff1g"), bytes, 4), -EBADMSG);
    assert_int_equal(text_unhex(s(""), bytes, 0), 0);
    text_hex(NULL, 0, text);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing),
        cmocka_unit_test(skipping_and_trimming),
        cmocka_unit_test(cutting),
        cmocka_unit_test(lines_end_in_lf_or_crlf),
        cmocka_unit_test(copying),
        cmocka_unit_test(termination),
        cmocka_unit_test(numbers_are_digits_only),
        cmocka_unit_test(numbers_have_a_maximum),
        cmocka_unit_test(durations),
        cmocka_unit_test(hexadecimal),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
