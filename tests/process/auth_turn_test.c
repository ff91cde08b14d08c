/* sluice-auth with a TURN secret: credentials come with the grant, for publishers only. */
#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "tests/support/authrig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SECRET "a secret that coturn has too"
#define TTL_S 600u

/* The role again, with a secret of that length behind the pepper. */
static void start_with(struct authrig *r, size_t secret_len)
{
    uint8_t blob[SETTINGS_PEPPER_LEN + SETTINGS_TURN_SECRET_MAX] = {0};
    struct settings_auth settings = {
        .common = {.uid = geteuid() == 0 ? AUTHRIG_UID : 0, .namespaces = 1},
        .admin_uid = geteuid(),
        .turn_ttl_s = TTL_S};
    const int fds[2] = {r->dir_fd, r->listen_fd};
    memset(blob, 0xab, SETTINGS_PEPPER_LEN);
    memcpy(blob + SETTINGS_PEPPER_LEN, SECRET, sizeof(SECRET) - 1);
    authrig_kill(r);
    assert_int_equal(peer_start(&r->peer, AUTHRIG_ROLE, &settings, sizeof(settings), blob,
                                SETTINGS_PEPPER_LEN + secret_len, fds, 2),
                     0);
    assert_non_null(peer_wait(&r->peer, MSG_READY, AUTHRIG_WAIT_MS));
}

static struct msg_lease_grant ask(struct authrig *r, uint32_t purpose, const char *stream,
                                  const char *token)
{
    struct msg_lease_grant grant;
    struct msg_lease_ask m = {
        .request = 1, .purpose = purpose, .peer = {.family = 4, .ip = {127, 0, 0, 1}}};
    snprintf(m.stream, sizeof(m.stream), "%s", stream);
    snprintf(m.token, sizeof(m.token), "%s", token);
    assert_int_equal(peer_send(&r->peer, MSG_LEASE_ASK, &m, NULL, 0, NULL), 0);
    const struct chan_message *answer = peer_wait(&r->peer, MSG_LEASE_GRANT, AUTHRIG_WAIT_MS);
    assert_non_null(answer);
    memcpy(&grant, answer->body, sizeof(grant));
    return grant;
}

/* "<seconds>:<token id>" as the seconds from now on. */
static uint64_t life_s(const struct turn_credential *turn, const char *token_id)
{
    struct slice id = slice_of(turn->username);
    uint64_t expiry_s = 0;
    assert_int_equal(text_parse_u64(slice_cut(&id, ':'), UINT64_MAX, &expiry_s), 0);
    assert_true(slice_is(id, token_id));
    return expiry_s - clock_wall_us() / CLOCK_SECOND_US;
}

static void WHIP_50_a_publisher_gets_turn_credentials(void **state)
{
    struct authrig *r = *state;
    struct authrig_token m = authrig_create(r, "demo");
    start_with(r, sizeof(SECRET) - 1);
    struct msg_lease_grant grant = ask(r, LEASE_PUBLISH, "demo", m.token);
    assert_int_equal(grant.grant.verdict, GRANT_OK);
    assert_in_range(life_s(&grant.turn, m.id), TTL_S - 60, TTL_S);
    assert_int_equal(strlen(grant.turn.password), 28);
}

static void WHIP_50_nobody_else_gets_any(void **state)
{
    struct authrig *r = *state;
    struct authrig_token m = authrig_create(r, "demo");
    start_with(r, sizeof(SECRET) - 1);
    assert_string_equal(ask(r, LEASE_IDENTIFY, "", m.token).turn.username, "");
    assert_string_equal(ask(r, LEASE_PUBLISH, "other", m.token).turn.username, "");
    assert_string_equal(ask(r, LEASE_PUBLISH, "demo", "sluice_wrong").turn.username, "");
    start_with(r, 0);
    struct msg_lease_grant grant = ask(r, LEASE_PUBLISH, "demo", m.token);
    assert_int_equal(grant.grant.verdict, GRANT_OK);
    assert_string_equal(grant.turn.username, "");
}

static void WHIP_50_credentials_end_with_the_session(void **state)
{
    struct authrig *r = *state;
    json_t *answer =
        authrig_request(r, "{\"op\":\"token.create\",\"stream\":\"demo\",\"max_duration_s\":60,"
                           "\"on_clash\":\"take-over\"}");
    assert_string_equal(authrig_text_of(answer, "on_clash"), "take-over");
    start_with(r, sizeof(SECRET) - 1);
    struct msg_lease_grant grant = ask(r, LEASE_PUBLISH, "demo", authrig_text_of(answer, "token"));
    assert_int_equal(grant.grant.verdict, GRANT_OK);
    assert_int_equal(grant.grant.clash, CLASH_TAKE_OVER);
    assert_in_range(life_s(&grant.turn, authrig_text_of(answer, "id")), 1, 60);
    json_decref(answer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, authrig_set_up, authrig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(WHIP_50_a_publisher_gets_turn_credentials),
        TEST(WHIP_50_nobody_else_gets_any),
        TEST(WHIP_50_credentials_end_with_the_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
