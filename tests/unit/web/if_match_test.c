/* If-Match of a PATCH: one strong tag, or any. */
#include "web/if_match.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TAG "0123456789abcdef"

static int parse(const char *text, enum session_match *match, char tag[STREAM_ETAG_LEN + 1])
{
    memset(tag, 0, STREAM_ETAG_LEN + 1);
    memcpy(tag, "untouched", 10);
    *match = SESSION_MATCH_COUNT;
    return if_match_parse(slice_of(text), match, tag);
}

static void WHIP_56_one_strong_tag(void **state)
{
    enum session_match match;
    char tag[STREAM_ETAG_LEN + 1];
    (void)state;
    assert_int_equal(parse("\"" TAG "\"", &match, tag), 0);
    assert_int_equal(match, MATCH_TAG);
    assert_string_equal(tag, TAG);
    assert_int_equal(parse("\t\"a,b;c\" ", &match, tag), 0); /* commas are part of a tag */
    assert_string_equal(tag, "a,b;c");
    assert_int_equal(parse("\"a*\"", &match, tag), 0);
    assert_int_equal(match, MATCH_TAG);
}

static void WHIP_24_a_tag_that_cannot_be_ours_is_the_empty_tag(void **state)
{
    enum session_match match;
    char tag[STREAM_ETAG_LEN + 1];
    (void)state;
    assert_int_equal(parse("\"" TAG "0\"", &match, tag), 0);
    assert_int_equal(match, MATCH_TAG);
    assert_string_equal(tag, "");
    assert_int_equal(parse("\"\"", &match, tag), 0);
    assert_int_equal(match, MATCH_TAG);
    assert_string_equal(tag, "");
    assert_int_equal(parse("\"\xe4\xf6\"", &match, tag), 0); /* obs-text */
    assert_string_equal(tag, "\xe4\xf6");
}

static void WHIP_59_both_stars(void **state)
{
    enum session_match match;
    char tag[STREAM_ETAG_LEN + 1];
    (void)state;
    assert_int_equal(parse("*", &match, tag), 0);
    assert_int_equal(match, MATCH_ANY);
    assert_string_equal(tag, "");
    assert_int_equal(parse(" \"*\"", &match, tag), 0);
    assert_int_equal(match, MATCH_ANY);
}

static void WHIP_20_all_else_is_refused(void **state)
{
    static const char *const bad[] = {
        "",           " ",      TAG,       "W/\"a\"",    "w/\"a\"",     "\"a\",\"b\"",
        "\"a\", *",   "*,",     ",*",      "**",         "\"",          "\"a",
        "a\"",        "'a'",    "\"a\" b", "\"a b\"",    "\"a\x01\"",   "\"a\x7f\"",
        "\"a\"\"b\"", "\"\"\"", "* \"a\"", "\"a\"; q=1", "\"*\",\"*\"", "W/*",
    };
    enum session_match match;
    char tag[STREAM_ETAG_LEN + 1];
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (parse(bad[i], &match, tag) != -EBADMSG)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(match, SESSION_MATCH_COUNT);
        assert_string_equal(tag, "untouched");
    }
    assert_int_equal(if_match_parse(slice_make("\"a\0b\"", 5), &match, tag), -EBADMSG);
}

static void WHIP_56_tags_of_ours_are_printable(void **state)
{
    (void)state;
    assert_true(if_match_tag_valid(slice_of(TAG)));
    assert_true(if_match_tag_valid(slice_of("1")));
    assert_false(if_match_tag_valid(slice_of("")));
    assert_false(if_match_tag_valid(slice_of(TAG "0")));
    assert_false(if_match_tag_valid(slice_of("a\"b")));
    assert_false(if_match_tag_valid(slice_of("a b")));
    assert_false(if_match_tag_valid(slice_of("a\r\nb")));
    assert_false(if_match_tag_valid(slice_of("\xe4")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(WHIP_56_one_strong_tag),
        cmocka_unit_test(WHIP_24_a_tag_that_cannot_be_ours_is_the_empty_tag),
        cmocka_unit_test(WHIP_59_both_stars),
        cmocka_unit_test(WHIP_20_all_else_is_refused),
        cmocka_unit_test(WHIP_56_tags_of_ours_are_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
