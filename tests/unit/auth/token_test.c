/* Tokens: random, valid by RFC 6750, hashed under the pepper, limited as asked. */
#include "auth/token.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct token_key key = {.pepper = {1, 2, 3}};

static struct token_wish wish_for(const char *pattern)
{
    return (struct token_wish){.pattern = slice_of(pattern), .label = slice_of("a label")};
}

static void makes_distinct_tokens_with_256_bits(void **state)
{
    (void)state;
    struct token_wish wish = wish_for("demo");
    char a[TOKEN_TEXT_LEN + 1];
    char b[TOKEN_TEXT_LEN + 1];
    struct token x;
    struct token y;
    assert_int_equal(token_make(&key, &wish, 1000, a, &x), 0);
    assert_int_equal(token_make(&key, &wish, 1000, b, &y), 0);
    assert_int_equal(strlen(a), TOKEN_TEXT_LEN);
    assert_true(slice_starts(slice_of(a), TOKEN_PREFIX));
    assert_string_not_equal(a, b);
    assert_string_not_equal(x.id, y.id);
    assert_true(token_id_valid(slice_of(x.id)));
    assert_memory_not_equal(x.hash, y.hash, TOKEN_HASH_LEN);
    assert_null(strstr(a, x.id + 2));
}

static void D1_hash_depends_on_the_pepper(void **state)
{
    (void)state;
    const struct token_key other = {.pepper = {1, 2, 4}};
    uint8_t a[TOKEN_HASH_LEN];
    uint8_t b[TOKEN_HASH_LEN];
    uint8_t c[TOKEN_HASH_LEN];
    assert_int_equal(token_hash(&key, slice_of("text"), a), 0);
    assert_int_equal(token_hash(&key, slice_of("text"), b), 0);
    assert_int_equal(token_hash(&other, slice_of("text"), c), 0);
    assert_memory_equal(a, b, TOKEN_HASH_LEN);
    assert_memory_not_equal(a, c, TOKEN_HASH_LEN);
}

/* Computed with Python's hmac module. */
static void hash_is_hmac_sha256(void **state)
{
    (void)state;
    const struct token_key jefe = {.pepper = "Jefe"};
    uint8_t expected[TOKEN_HASH_LEN];
    uint8_t hash[TOKEN_HASH_LEN];
    assert_int_equal(
        text_unhex(slice_of("e99e2bd891891741ef0a3b219d4a045738492468970c131002aaddf8bf1cad4b"),
                   expected, sizeof(expected)),
        0);
    assert_int_equal(token_hash(&jefe, slice_of("what-do-ya-want-for-nothing"), hash), 0);
    assert_memory_equal(hash, expected, sizeof(hash));
}

static void refuses_what_cannot_be_a_token(void **state)
{
    (void)state;
    uint8_t hash[TOKEN_HASH_LEN];
    char text[STREAM_TOKEN_MAX + 1];
    memset(text, 'a', sizeof(text));
    assert_int_equal(token_hash(&key, slice_make(text, STREAM_TOKEN_MAX), hash), 0);
    assert_int_equal(token_hash(&key, slice_make(text, STREAM_TOKEN_MAX + 1), hash), -EBADMSG);
    assert_int_equal(token_hash(&key, slice_make(NULL, 0), hash), -EBADMSG);
    for (unsigned c = 0; c < 256; c++) {
        text[5] = (char)c;
        bool allowed = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                       (c != 0 && strchr("-._~+/=", (int)c));
        assert_int_equal(token_hash(&key, slice_make(text, 10), hash), allowed ? 0 : -EBADMSG);
    }
}

static void wish_is_checked(void **state)
{
    (void)state;
    char text[TOKEN_TEXT_LEN + 1] = "untouched";
    struct token token;
    char long_label[TOKEN_LABEL_MAX + 2];
    memset(long_label, 'x', sizeof(long_label));

    struct token_wish wish = wish_for("bad name");
    assert_int_equal(token_make(&key, &wish, 0, text, &token), -EINVAL);
    wish = wish_for("");
    assert_int_equal(token_make(&key, &wish, 0, text, &token), -EINVAL);
    wish = wish_for("demo");
    wish.label = slice_make(long_label, TOKEN_LABEL_MAX + 1);
    assert_int_equal(token_make(&key, &wish, 0, text, &token), -EINVAL);
    wish.label = slice_of("\033[31m");
    assert_int_equal(token_make(&key, &wish, 0, text, &token), -EINVAL);
    wish = wish_for("demo");
    wish.expires_s = TOKEN_TIME_MAX_S + 1;
    assert_int_equal(token_make(&key, &wish, 0, text, &token), -EINVAL);
    wish.expires_s = TOKEN_TIME_MAX_S;
    wish.label = slice_make(long_label, TOKEN_LABEL_MAX);
    assert_string_equal(text, "untouched");
    assert_int_equal(token_make(&key, &wish, 0, text, &token), 0);
}

static void labels_have_no_control_characters(void **state)
{
    (void)state;
    assert_true(token_label_valid(slice_of("")));
    assert_true(token_label_valid(slice_of("Bühne 2, <b>left</b>")));
    assert_false(token_label_valid(slice_of("a\nb")));
    assert_false(token_label_valid(slice_of("a\x7f")));
    assert_false(token_label_valid(slice_of("a\xc2\x9b"))); /* CSI as one character */
    assert_true(token_label_valid(slice_of("\xc2\xa9")));
}

static void W2_default_sessions_follow_the_pattern(void **state)
{
    (void)state;
    char text[TOKEN_TEXT_LEN + 1];
    struct token token;
    struct token_wish wish = wish_for("demo");
    assert_int_equal(token_make(&key, &wish, 0, text, &token), 0);
    assert_int_equal(token.max_sessions, 1);
    wish = wish_for("*");
    assert_int_equal(token_make(&key, &wish, 0, text, &token), 0);
    assert_int_equal(token.max_sessions, 0);
    wish.sessions_given = true;
    wish.max_sessions = 3;
    assert_int_equal(token_make(&key, &wish, 0, text, &token), 0);
    assert_int_equal(token.max_sessions, 3);
}

static void remaining_is_the_earlier_end(void **state)
{
    (void)state;
    struct token t = {0};
    assert_true(token_remaining_us(&t, 5000) == UINT64_MAX);
    t.max_duration_ms = 3000;
    assert_true(token_remaining_us(&t, 5000) == 3000000);
    t.expires_ms = 7000;
    assert_true(token_remaining_us(&t, 5000) == 2000000);
    assert_true(token_remaining_us(&t, 1000) == 3000000);
    assert_true(token_remaining_us(&t, 7001) == 0);
    t.max_duration_ms = 0;
    assert_true(token_remaining_us(&t, 5000) == 2000000);
    assert_true(token_remaining_us(&t, 6999) == 1000);
}

static void state_of_a_token(void **state)
{
    (void)state;
    struct token t = {.expires_ms = 100};
    assert_int_equal(token_state(&t, 99), TOKEN_ACTIVE);
    assert_int_equal(token_state(&t, 100), TOKEN_EXPIRED);
    t.revoked_ms = 5;
    assert_int_equal(token_state(&t, 99), TOKEN_REVOKED);
    t = (struct token){0};
    assert_int_equal(token_state(&t, UINT64_MAX), TOKEN_ACTIVE);
    assert_string_equal(token_state_name(TOKEN_EXPIRED), "expired");
}

static void ids_have_one_form(void **state)
{
    (void)state;
    assert_true(token_id_valid(slice_of("t_0123456789")));
    assert_false(token_id_valid(slice_of("t_012345678")));
    assert_false(token_id_valid(slice_of("t_01234567890")));
    assert_false(token_id_valid(slice_of("x_0123456789")));
    assert_false(token_id_valid(slice_of("t_012345678'")));
    assert_false(token_id_valid(slice_make(NULL, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_distinct_tokens_with_256_bits),
        cmocka_unit_test(D1_hash_depends_on_the_pepper),
        cmocka_unit_test(hash_is_hmac_sha256),
        cmocka_unit_test(refuses_what_cannot_be_a_token),
        cmocka_unit_test(wish_is_checked),
        cmocka_unit_test(labels_have_no_control_characters),
        cmocka_unit_test(W2_default_sessions_follow_the_pattern),
        cmocka_unit_test(remaining_is_the_earlier_end),
        cmocka_unit_test(state_of_a_token),
        cmocka_unit_test(ids_have_one_form),
    };
    return cmocka_run_group_tests_name("token", tests, NULL, NULL);
}
