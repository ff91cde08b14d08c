#include "gateway/supervisor/iceuri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void WHIP_49_uris_of_stun_and_turn_servers_are_taken(void **state)
{
    static const char *const good[] = {
        "stun:stun.example.org",
        "stun:stun.example.org:3478",
        "stun:192.0.2.1:1",
        "stun:[2001:db8::1]:3478",
        "turn:turn-1.example.org",
        "turn:192.0.2.1:3478?transport=udp",
        "turn:[2001:db8::1]?transport=tcp",
        "turns:turn.example.org:5349?transport=tcp",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(iceuri_valid(slice_of(good[i])));
}

/* They stand in a header: nothing that could end one may pass. */
static void WHIP_49_what_is_no_such_uri_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "stun:",
        "stuns:example.org",
        "http://example.org",
        "stun:example.org:0",
        "stun:example.org:65536",
        "stun:example.org:",
        "stun:example.org:3478x",
        "stun:exa mple.org",
        "stun:example.org>; rel=x",
        "stun:example.org\r\nX: y",
        "stun:-example.org",
        "stun:example..org",
        "stun:example.org.",
        "stun:2001:db8::1",
        "stun:[2001:db8::1",
        "stun:[2001:db8::1]3478",
        "stun:[192.0.2.1]:3478",
        "stun:example.org?transport=udp",
        "turn:example.org?transport=sctp",
        "turn:example.org?transport=udp&x=y",
        "turn:example.org?",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(iceuri_valid(slice_of(bad[i])));
}

static void a_uri_has_a_longest_length(void **state)
{
    char uri[ICEURI_MAX + 2] = "stun:";
    (void)state;
    for (size_t i = 5; i < ICEURI_MAX; i++)
        uri[i] = 'a';
    assert_true(iceuri_valid(slice_make(uri, ICEURI_MAX)));
    uri[ICEURI_MAX] = 'a';
    assert_false(iceuri_valid(slice_make(uri, ICEURI_MAX + 1)));
}

static void turn_is_found_in_a_list(void **state)
{
    (void)state;
    assert_false(iceuri_has_turn(slice_of("")));
    assert_false(iceuri_has_turn(slice_of("stun:turn:3478 stun:b")));
    assert_true(iceuri_has_turn(slice_of("stun:a turn:b")));
    assert_true(iceuri_has_turn(slice_of("turns:b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(WHIP_49_uris_of_stun_and_turn_servers_are_taken),
        cmocka_unit_test(WHIP_49_what_is_no_such_uri_is_refused),
        cmocka_unit_test(a_uri_has_a_longest_length),
        cmocka_unit_test(turn_is_found_in_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
