/* Names, patterns and reasons. */
#include "lib/proto/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void names(void **state)
{
    static const char *const bad[] = {"",     "a b", "a/b",   "..",    "a.b", "a*",
                                      "\xc3", "a\n", "a%20b", "a\x7f", "é",   "a:b"};
    char longest[STREAM_NAME_MAX + 2];
    (void)state;
    assert_true(stream_name_valid(slice_of("demo")));
    assert_true(stream_name_valid(slice_of("A-z_09")));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(stream_name_valid(slice_of(bad[i])));
    assert_false(stream_name_valid(slice_make("a\0b", 3)));
    memset(longest, 'x', sizeof(longest));
    assert_true(stream_name_valid(slice_make(longest, STREAM_NAME_MAX)));
    assert_false(stream_name_valid(slice_make(longest, STREAM_NAME_MAX + 1)));
}

static void every_byte_in_a_name(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        bool wanted = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                      c == '-' || c == '_';
        assert_int_equal(stream_name_valid(slice_make(&byte, 1)), wanted);
        assert_int_equal(stream_pattern_valid(slice_make(&byte, 1)), wanted || c == '*');
    }
}

static bool matches(const char *pattern, const char *name)
{
    return stream_pattern_matches(slice_of(pattern), slice_of(name));
}

static void patterns(void **state)
{
    (void)state;
    assert_true(matches("demo", "demo"));
    assert_false(matches("demo", "Demo"));
    assert_false(matches("demo", "demo2"));
    assert_false(matches("demo2", "demo"));
    assert_true(matches("*", "anything"));
    assert_true(matches("*", ""));
    assert_true(matches("**", "x"));
    assert_true(matches("cam-*", "cam-"));
    assert_true(matches("cam-*", "cam-7"));
    assert_false(matches("cam-*", "cam7"));
    assert_true(matches("*-cam", "a-b-cam"));
    assert_false(matches("*-cam", "a-cam-b"));
    assert_true(matches("a*b*c", "aXbYbZc"));
    assert_false(matches("a*b*c", "aXbYbZ"));
    assert_true(matches("*aab", "aaaab"));
    assert_false(matches("", "x"));
    assert_true(matches("", ""));
    assert_false(stream_pattern_valid(slice_of("")));
    assert_false(stream_pattern_valid(slice_of("a?")));
}

/* Would take 2^30 steps with plain backtracking. */
static void hostile_pattern_is_cheap(void **state)
{
    (void)state;
    assert_false(matches("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
                         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

static void reasons_have_words(void **state)
{
    (void)state;
    for (int i = 0; i <= END_REASON_COUNT; i++) {
        enum end_reason reason = (enum end_reason)i;
        assert_true(strlen(end_reason_name(reason)) > 0);
        assert_null(strpbrk(end_reason_name(reason), " =\""));
        assert_true(strlen(end_reason_text(reason)) < STREAM_REASON_MAX);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(end_reason_name(reason), end_reason_name((enum end_reason)j));
    }
    assert_string_equal(end_reason_name((enum end_reason) - 1), "unknown");
    assert_string_equal(codec_name(CODEC_H264), "h264");
    assert_string_equal(codec_name(CODEC_AAC), "aac");
    assert_string_equal(codec_name(CODEC_H265), "h265");
    assert_string_equal(codec_name(CODEC_VP9), "vp9");
    assert_string_equal(codec_name(CODEC_AV1), "av1");
    assert_int_equal(CODEC_AAC, 4); /* numbers travel between processes: never change them */
    assert_int_equal(CODEC_AV1, 7);
    assert_string_equal(codec_name((enum codec)99), "unknown");
}

/* design.md 2: DELETE, kick, limit and revocation write ENDLIST at once, and so does a stop. */
static void final_reasons(void **state)
{
    (void)state;
    for (int i = 0; i < END_REASON_COUNT; i++) {
        bool wanted = i == END_DELETED || i == END_KICKED || i == END_REVOKED || i == END_LIMIT ||
                      i == END_SHUTDOWN || i == END_OVER_LIMIT;
        assert_int_equal(end_reason_is_final((enum end_reason)i), wanted);
    }
    assert_false(end_reason_is_final((enum end_reason)99));
}

static void a_pair_of_ours_has_ice_chars_and_lengths(void **state)
{
    (void)state;
    assert_true(stream_pair_valid("aZ09", "0123456789abcdefABCD+/"));
    assert_true(stream_pair_valid("12345678", "0123456789abcdefABCD+/xy"));
    assert_false(stream_pair_valid("abc", "0123456789abcdefABCD+/"));
    assert_false(stream_pair_valid("123456789", "0123456789abcdefABCD+/"));
    assert_false(stream_pair_valid("abcd", "0123456789abcdefABCD+"));
    assert_false(stream_pair_valid("abcd", "0123456789abcdefABCD+/xyz"));
    assert_false(stream_pair_valid("ab-d", "0123456789abcdefABCD+/"));
    assert_false(stream_pair_valid("abcd", "0123456789abcdefABCD_/"));
    assert_false(stream_pair_valid("ab:d", "0123456789abcdefABCD+/"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pair_of_ours_has_ice_chars_and_lengths),
        cmocka_unit_test(names),
        cmocka_unit_test(every_byte_in_a_name),
        cmocka_unit_test(patterns),
        cmocka_unit_test(hostile_pattern_is_cheap),
        cmocka_unit_test(reasons_have_words),
        cmocka_unit_test(final_reasons),
    };
    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
