/* Bearer tokens (RFC 6750 2.1; WHIP-35). */
#include "web/bearer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char token[STREAM_TOKEN_MAX + 1];

static int parse(const char *header)
{
    (void)text_copy(token, sizeof(token), slice_of("untouched"));
    return bearer_parse(slice_of(header), token);
}

static void WHIP_35_scheme_in_any_case(void **state)
{
    (void)state;
    assert_int_equal(parse("Bearer mF_9.B5f-4.1JqM"), 0); /* RFC 6750 2.1 */
    assert_string_equal(token, "mF_9.B5f-4.1JqM");
    assert_int_equal(parse("bEARER   a"), 0);
    assert_string_equal(token, "a");
    assert_int_equal(parse("  Bearer a~+/=="), 0);
    assert_string_equal(token, "a~+/==");
}

static void WHIP_35_no_header_or_another_scheme(void **state)
{
    (void)state;
    assert_int_equal(parse(NULL), -ENOENT);
    assert_int_equal(parse(""), -ENOENT);
    assert_int_equal(parse("Basic dXNlcjpwYXNz"), -ENOENT);
    assert_int_equal(parse("Bearerx y"), -ENOENT);
    assert_int_equal(parse("Bear"), -ENOENT);
    assert_string_equal(token, "untouched");
}

static void WHIP_35_what_is_no_token(void **state)
{
    static const char *const bad[] = {
        "Bearer",     "Bearer ",    "Bearer =",        "Bearer a b",  "Bearer a=b",
        "Bearer a,b", "Bearer a\"", "Bearer \xc3\xa9", "Bearer a\tb",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (parse(bad[i]) != -EBADMSG)
            fail_msg("passed: %s", bad[i]);
    }
    assert_int_equal(bearer_parse(slice_make("Bearer a\0b", 10), token), -EBADMSG);
    assert_string_equal(token, "untouched");
}

static void WHIP_35_length_limit(void **state)
{
    char header[7 + STREAM_TOKEN_MAX + 2] = "Bearer ";
    (void)state;
    memset(header + 7, 'a', STREAM_TOKEN_MAX);
    assert_int_equal(parse(header), 0);
    assert_int_equal(strlen(token), STREAM_TOKEN_MAX);
    header[7 + STREAM_TOKEN_MAX] = 'a';
    assert_int_equal(parse(header), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(WHIP_35_scheme_in_any_case),
        cmocka_unit_test(WHIP_35_no_header_or_another_scheme),
        cmocka_unit_test(WHIP_35_what_is_no_token),
        cmocka_unit_test(WHIP_35_length_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
