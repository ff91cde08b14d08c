/* Link headers of ICE servers: which lists and credentials are taken, and their room. */
#include "web/ice_links.h"

#include "lib/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void WHIP_49_lists_of_servers_are_checked(void **state)
{
    static const char eight[] = "stun:1 stun:2 stun:3 stun:4 stun:5 stun:6 stun:7 stun:8";
    static const char nine[] = "stun:1 stun:2 stun:3 stun:4 stun:5 stun:6 stun:7 stun:8 stun:9";
    static const char *const good[] = {
        "",
        "  ",
        "stun:a",
        "STUN:a.example:3478",
        "turn:[2001:db8::1]:3478?transport=tcp",
        "stuns:a turns:b:5349 turn:c?transport=udp",
        eight,
    };
    static const char *const bad[] = {
        "stun:",    "http://a", "a.example",      "stun:a,stun:b", "stun:a>",       "turn:a\"",
        "turn:a;b", nine,       "stun:a\r\nX: y", "stun:a\t",      "turn:\xc3\xa4",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (!ice_links_valid(good[i]))
            fail_msg("refused: %s", good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (ice_links_valid(bad[i]))
            fail_msg("taken: %s", bad[i]);
    }
}

static void WHIP_49_credentials_have_nothing_that_clients_cut_at(void **state)
{
    static const char *const bad[] = {"a,b", "a;b", "a\"b", "a\\b", "a b", "a\nb", "\xe4"};
    struct turn_credential turn = {.username = "", .password = ""};
    (void)state;
    assert_true(ice_links_credential_valid(&turn));
    turn = (struct turn_credential){.username = "1750000000:t-1_x", .password = "aB+/=="};
    assert_true(ice_links_credential_valid(&turn));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        turn = (struct turn_credential){.username = "u", .password = "p"};
        (void)text_copy(turn.username, sizeof(turn.username), slice_of(bad[i]));
        assert_false(ice_links_credential_valid(&turn));
        turn = (struct turn_credential){.username = "u", .password = "p"};
        (void)text_copy(turn.password, sizeof(turn.password), slice_of(bad[i]));
        assert_false(ice_links_credential_valid(&turn));
    }
    memset(turn.password, 'p', sizeof(turn.password));
    assert_false(ice_links_credential_valid(&turn));
}

/* Half a credential is none. */
static void WHIP_49_turn_servers_need_a_whole_credential(void **state)
{
    struct turn_credential turn = {.username = "u", .password = ""};
    struct reply *reply = reply_new_roomy(201, ICE_LINKS_TEXT_MAX);
    (void)state;
    ice_links_add(reply, "turn:a TURNS:b", &turn);
    assert_null(reply_find(reply, "Link"));
    turn = (struct turn_credential){.username = "u", .password = "p"};
    ice_links_add(reply, "turn:a TURNS:b", &turn);
    assert_non_null(strstr(reply_find_nth(reply, "Link", 1), "<TURNS:b>; rel=\"ice-server\"; "
                                                             "username=\"u\""));
    reply_unref(reply);
}

/* The longest list with the longest credential has room: nothing is asserted away. */
static void WHIP_49_the_longest_lines_fit(void **state)
{
    struct settings_web settings = {0};
    struct turn_credential turn;
    size_t each = sizeof(settings.ice_servers) / ICE_LINKS_MAX;
    (void)state;
    memset(settings.ice_servers, 'a', sizeof(settings.ice_servers) - 1);
    for (size_t i = 0; i < ICE_LINKS_MAX; i++) {
        memcpy(settings.ice_servers + i * each, "turns:", 6);
        settings.ice_servers[i * each + each - 1] = i + 1 < ICE_LINKS_MAX ? ' ' : '\0';
    }
    memset(&turn, 'b', sizeof(turn));
    turn.username[sizeof(turn.username) - 1] = '\0';
    turn.password[sizeof(turn.password) - 1] = '\0';
    assert_true(ice_links_valid(settings.ice_servers));
    assert_true(ice_links_credential_valid(&turn));
    struct reply *reply = reply_new_roomy(201, ICE_LINKS_TEXT_MAX);
    ice_links_add(reply, settings.ice_servers, &turn);
    for (size_t i = 0; i < ICE_LINKS_MAX; i++) {
        const char *line = reply_find_nth(reply, "Link", i);
        assert_non_null(line);
        assert_string_equal(line + strlen(line) - 28, "; credential-type=\"password\"");
    }
    assert_null(reply_find_nth(reply, "Link", ICE_LINKS_MAX));
    reply_unref(reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(WHIP_49_lists_of_servers_are_checked),
        cmocka_unit_test(WHIP_49_credentials_have_nothing_that_clients_cut_at),
        cmocka_unit_test(WHIP_49_turn_servers_need_a_whole_credential),
        cmocka_unit_test(WHIP_49_the_longest_lines_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
