/* Known answers: computed with another implementation of HMAC and Base64. */
#include "auth/turn.h"

#include "lib/proto/settings.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void WHIP_50_credentials_are_a_known_hmac_sha1(void **state)
{
    struct turn_credential made;
    (void)state;
    assert_int_equal(turn_make(slice_of("north"), 1700003600, "t_AbCdEfGhIj", &made), 0);
    assert_string_equal(made.username, "1700003600:t_AbCdEfGhIj");
    assert_string_equal(made.password, "9SEEwlTpY44g6Xou1G6QVV+Nlx0=");
}

static void WHIP_50_secret_and_time_decide(void **state)
{
    struct turn_credential one, other;
    char longest[SETTINGS_TURN_SECRET_MAX + 1];
    (void)state;
    memset(longest, 's', sizeof(longest) - 1); /* longer than a block: HMAC hashes it first */
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(turn_make(slice_of(longest), 1, "t_a", &one), 0);
    assert_int_equal(strlen(one.password), 28);
    assert_int_equal(turn_make(slice_skip(slice_of(longest), 1), 1, "t_a", &other), 0);
    assert_string_not_equal(one.password, other.password);
    assert_int_equal(turn_make(slice_of(longest), 2, "t_a", &other), 0);
    assert_string_not_equal(one.password, other.password);
    assert_int_equal(turn_make(slice_of(longest), 1, "t_b", &other), 0);
    assert_string_not_equal(one.password, other.password);
}

static void what_can_not_be_made_changes_nothing(void **state)
{
    struct turn_credential made = {.username = "before"};
    char id[TURN_USERNAME_MAX];
    (void)state;
    memset(id, 'i', sizeof(id) - 1);
    id[sizeof(id) - 1] = '\0';
    assert_int_equal(turn_make(slice_of(""), 1, "t_a", &made), -EINVAL);
    assert_int_equal(turn_make(slice_of("s"), 1, id, &made), -EINVAL);
    assert_string_equal(made.username, "before");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(WHIP_50_credentials_are_a_known_hmac_sha1),
        cmocka_unit_test(WHIP_50_secret_and_time_decide),
        cmocka_unit_test(what_can_not_be_made_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
