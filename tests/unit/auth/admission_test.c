/* Who may publish: every verdict, leases, revocation and restart. */
#include "auth/admission.h"

#include "tests/unit/auth/scratch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS 1700000000000u
#define ENDED_MAX 16

static const struct token_key key = {.pepper = {4, 4, 4}};

struct fixture {
    struct scratch dir;
    struct store *store;
    struct reserve reserve;
    struct admission a;
    uint64_t ended[ENDED_MAX];
    size_t ended_count;
};

static void on_end(void *ctx, uint64_t lease_id)
{
    struct fixture *f = ctx;
    assert_true(f->ended_count < ENDED_MAX);
    f->ended[f->ended_count] = lease_id;
    f->ended_count++;
}

/* A fresh process: empty tables, the store as it is on disk. */
static void start(struct fixture *f)
{
    penalty_done(&f->a.penalty);
    memset(&f->a, 0, sizeof(f->a));
    f->a.store = f->store;
    f->a.key = &key;
    f->a.end = on_end;
    f->a.end_ctx = f;
    f->ended_count = 0;
    assert_int_equal(penalty_init(&f->a.penalty), 0);
}

static int set_up(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof(f));
    f.reserve.fd = -1;
    *state = &f;
    if (!scratch_open(&f.dir))
        return -1;
    int rc = store_open(f.dir.fd, 0, &f.store);
    if (rc == 0)
        start(&f);
    else
        scratch_remove(&f.dir);
    return rc;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    penalty_done(&f->a.penalty);
    reserve_close(&f->reserve);
    store_close(f->store);
    scratch_remove(&f->dir);
    return 0;
}

struct made {
    char text[TOKEN_TEXT_LEN + 1];
    struct token token;
};

static struct made make(struct fixture *f, struct token_wish wish)
{
    struct made m;
    assert_int_equal(token_make(&key, &wish, NOW_MS, m.text, &m.token), 0);
    assert_int_equal(store_insert_token(f->store, &m.token), 0);
    return m;
}

static struct made make_for(struct fixture *f, const char *pattern)
{
    return make(f, (struct token_wish){.pattern = slice_of(pattern)});
}

static struct grant ask_at(struct fixture *f, uint32_t purpose, const char *stream,
                           const char *token, uint64_t now_ms)
{
    struct msg_lease_ask ask = {.purpose = purpose, .peer = {.family = 4, .ip = {127, 0, 0, 1}}};
    struct admission_time time = {.now_ms = now_ms, .now_us = now_ms * 1000};
    struct grant grant;
    snprintf(ask.stream, sizeof(ask.stream), "%s", stream);
    snprintf(ask.token, sizeof(ask.token), "%s", token);
    assert_int_equal(admission_ask(&f->a, &ask, &time, &grant), 0);
    return grant;
}

static struct grant ask(struct fixture *f, const char *stream, const char *token)
{
    return ask_at(f, LEASE_PUBLISH, stream, token, NOW_MS);
}

static void valid_token_gets_a_lease(void **state)
{
    struct fixture *f = *state;
    struct made m = make_for(f, "demo");
    struct grant g = ask(f, "demo", m.text);
    assert_int_equal(g.verdict, GRANT_OK);
    assert_true(g.lease_id != 0);
    assert_true(g.remaining_us == UINT64_MAX);
    assert_string_equal(g.token_id, m.token.id);
    assert_int_equal(f->a.leases.count, 1);
    admission_release(&f->a, g.lease_id);
    assert_int_equal(f->a.leases.count, 0);
    admission_release(&f->a, 12345); /* unknown: nothing */
}

static void T1_remaining_is_expiry_or_duration(void **state)
{
    struct fixture *f = *state;
    struct made m = make(
        f,
        (struct token_wish){.pattern = slice_of("*"), .expires_s = 7200, .max_duration_s = 3600});
    assert_true(ask(f, "a", m.text).remaining_us == 3600000000u);
    struct grant late = ask_at(f, LEASE_PUBLISH, "b", m.text, NOW_MS + 7000000);
    assert_true(late.remaining_us == 200000000u);
}

/* H9: one answer, byte for byte, for tokens that are unknown, expired, revoked or not even tokens.
 */
static void H9_all_invalid_tokens_get_the_same_answer(void **state)
{
    struct fixture *f = *state;
    struct made expired = make(f, (struct token_wish){.pattern = slice_of("demo"), .expires_s = 1});
    struct made revoked = make_for(f, "demo");
    struct made unsaved = make_for(f, "demo");
    struct admission_revoked result;
    assert_int_equal(admission_revoke(&f->a, revoked.token.id, NOW_MS, &result), 0);
    f->a.store = NULL;
    assert_int_equal(admission_revoke(&f->a, unsaved.token.id, NOW_MS, &result), 0);
    f->a.store = f->store;
    const char *const texts[] = {"sluice_unknown", expired.text, revoked.text,    unsaved.text,
                                 "with blank",     "",           revoked.token.id};
    const struct grant expected = {.verdict = GRANT_UNKNOWN};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        for (uint32_t purpose = 0; purpose < LEASE_PURPOSE_COUNT; purpose++) {
            penalty_done(&f->a.penalty); /* its counting is another test */
            struct grant g = ask_at(f, purpose, "demo", texts[i], NOW_MS + 1000);
            assert_memory_equal(&g, &expected, sizeof(g));
        }
    }
}

static void pattern_decides_403(void **state)
{
    struct fixture *f = *state;
    struct made m = make_for(f, "cam-*");
    assert_int_equal(ask(f, "cam-1", m.text).verdict, GRANT_OK);
    struct grant g = ask(f, "demo", m.text);
    assert_int_equal(g.verdict, GRANT_WRONG_STREAM);
    assert_true(g.lease_id == 0);
    struct made all = make_for(f, "*");
    assert_int_equal(ask(f, "demo", all.text).verdict, GRANT_OK);
    for (int i = 0; i < 20; i++) /* no failure: never penalised */
        assert_int_equal(ask(f, "demo", m.text).verdict, GRANT_WRONG_STREAM);
}

static void U15_the_grant_tells_the_bitrate_of_the_token(void **state)
{
    struct fixture *f = *state;
    struct made m =
        make(f, (struct token_wish){.pattern = slice_of("*"), .max_bitrate_kbps = 2500});
    struct made n = make(f, (struct token_wish){.pattern = slice_of("*")});
    assert_int_equal(ask(f, "a", m.text).max_bitrate_bps, 2500000);
    assert_int_equal(ask(f, "b", n.text).max_bitrate_bps, 0); /* the gateway's */
}

static void W2_max_sessions_limits_streams_at_once(void **state)
{
    struct fixture *f = *state;
    struct made m = make(
        f,
        (struct token_wish){.pattern = slice_of("*"), .sessions_given = true, .max_sessions = 2});
    struct grant a = ask(f, "a", m.text);
    assert_int_equal(a.verdict, GRANT_OK);
    assert_int_equal(ask(f, "b", m.text).verdict, GRANT_OK);
    struct grant c = ask(f, "c", m.text);
    assert_int_equal(c.verdict, GRANT_BUSY);
    assert_string_equal(c.token_id, m.token.id);
    /* the same stream again is the supervisor's 409 */
    assert_int_equal(ask(f, "b", m.text).verdict, GRANT_OK);
    admission_release(&f->a, a.lease_id);
    assert_int_equal(ask(f, "c", m.text).verdict, GRANT_OK);
}

/* A session of one's own that has died must not be in the way of the next. */
static void W5_a_takeover_is_not_counted_as_a_second_stream(void **state)
{
    struct fixture *f = *state;
    struct made m = make(f, (struct token_wish){.pattern = slice_of("demo"),
                                                .sessions_given = true,
                                                .max_sessions = 1,
                                                .clash = CLASH_TAKE_OVER});
    struct grant first = ask(f, "demo", m.text);
    struct grant second = ask(f, "demo", m.text);
    assert_int_equal(first.verdict, GRANT_OK);
    assert_int_equal(second.verdict, GRANT_OK);
    assert_int_equal(second.clash, CLASH_TAKE_OVER);
    assert_true(first.lease_id != second.lease_id);
    assert_int_equal(ask(f, "demo", make_for(f, "demo").text).clash, CLASH_REFUSE);
}

static void W2_star_runs_many_streams(void **state)
{
    struct fixture *f = *state;
    struct made m = make_for(f, "*");
    for (int i = 0; i < STREAM_MAX; i++) {
        char stream[16];
        snprintf(stream, sizeof(stream), "s%d", i);
        assert_int_equal(ask(f, stream, m.text).verdict, GRANT_OK);
    }
}

static void W2_full_lease_table_is_503(void **state)
{
    struct fixture *f = *state;
    struct made m = make_for(f, "*");
    for (int i = 0; i < LEASE_MAX; i++)
        assert_int_equal(ask(f, "demo", m.text).verdict, GRANT_OK);
    assert_int_equal(ask(f, "demo", m.text).verdict, GRANT_UNAVAILABLE);
}

static void W4_identify_makes_no_lease(void **state)
{
    struct fixture *f = *state;
    struct made m = make_for(f, "demo");
    struct grant g = ask_at(f, LEASE_IDENTIFY, "", m.text, NOW_MS);
    assert_int_equal(g.verdict, GRANT_OK);
    assert_string_equal(g.token_id, m.token.id);
    assert_true(g.lease_id == 0);
    assert_int_equal(f->a.leases.count, 0);
}

static void H8_valid_token_passes_from_a_penalised_address(void **state)
{
    struct fixture *f = *state;
    struct made m = make_for(f, "demo");
    unsigned unknown = 0;
    struct grant g = {0};
    for (int i = 0; i < 20; i++) {
        g = ask(f, "demo", "sluice_wrong");
        unknown += g.verdict == GRANT_UNKNOWN;
    }
    assert_int_equal(g.verdict, GRANT_BUSY);
    assert_string_equal(g.token_id, "");
    assert_int_equal(unknown, PENALTY_TOLERATED);
    assert_int_equal(ask(f, "demo", m.text).verdict, GRANT_OK);
}

static void T5_revoke_ends_every_lease_once(void **state)
{
    struct fixture *f = *state;
    struct made m = make_for(f, "*");
    struct made other = make_for(f, "*");
    struct grant a = ask(f, "a", m.text);
    struct grant b = ask(f, "b", m.text);
    ask(f, "c", other.text);
    struct admission_revoked result;
    assert_int_equal(admission_revoke(&f->a, m.token.id, NOW_MS, &result), 0);
    assert_int_equal(result.ended, 2);
    assert_int_equal(result.saved, 0);
    assert_int_equal(f->ended_count, 2);
    assert_true(f->ended[0] == a.lease_id && f->ended[1] == b.lease_id);
    assert_int_equal(ask(f, "a", m.text).verdict, GRANT_UNKNOWN);
    assert_int_equal(ask(f, "d", other.text).verdict, GRANT_OK);
    assert_int_equal(admission_revoke(&f->a, m.token.id, NOW_MS, &result), 0);
    assert_int_equal(result.ended, 0);
    assert_int_equal(admission_revoke(&f->a, "t_zzzzzzzzzz", NOW_MS, &result), -ENOENT);
}

/* Else enough of them would shut the door. */
static void D3_what_is_saved_is_not_kept(void **state)
{
    struct fixture *f = *state;
    struct made m = make_for(f, "demo");
    struct admission_revoked result;
    assert_int_equal(admission_revoke(&f->a, m.token.id, NOW_MS, &result), 0);
    assert_int_equal(result.saved, 0);
    assert_int_equal(f->a.unsaved_count, 0);
    f->a.store = NULL;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(admission_revoke(&f->a, m.token.id, NOW_MS, &result), 0);
    assert_int_equal(f->a.unsaved_count, 1); /* the same one is kept once */
}

/* D3: the database cannot be written; the revocation acts, and becomes durable later. */
static void D3_revoke_acts_before_the_disk(void **state)
{
    struct fixture *f = *state;
    struct made m = make_for(f, "demo");
    struct grant g = ask(f, "demo", m.text);
    struct admission_revoked result;
    f->a.store = NULL;
    assert_int_equal(admission_revoke(&f->a, m.token.id, NOW_MS, &result), 0);
    assert_int_equal(result.saved, -EIO);
    assert_int_equal(f->ended_count, 1);
    assert_true(f->ended[0] == g.lease_id);
    assert_int_equal(admission_save_unsaved(&f->a), -EIO);

    f->a.store = f->store; /* readable again, not yet saved */
    assert_int_equal(ask(f, "demo", m.text).verdict, GRANT_UNKNOWN);
    struct token token;
    assert_int_equal(store_find_by_id(f->store, m.token.id, &token), 0);
    assert_int_equal(admission_token_state(&f->a, &token, NOW_MS), TOKEN_REVOKED);
    assert_int_equal(admission_save_unsaved(&f->a), 0);
    assert_int_equal(f->a.unsaved_count, 0);
    start(f);
    assert_int_equal(ask(f, "demo", m.text).verdict, GRANT_UNKNOWN);
}

static void D3_too_many_unsaved_revocations_shut_the_door(void **state)
{
    struct fixture *f = *state;
    struct made m = make_for(f, "demo");
    struct admission_revoked result;
    f->a.store = NULL;
    for (unsigned i = 0; i <= ADMISSION_UNSAVED_MAX; i++) {
        char id[TOKEN_ID_LEN + 1];
        snprintf(id, sizeof(id), "t_%010u", i);
        assert_int_equal(admission_revoke(&f->a, id, NOW_MS, &result), 0);
        assert_true(result.saved < 0);
    }
    f->a.store = f->store;
    assert_int_equal(ask(f, "demo", m.text).verdict, GRANT_UNAVAILABLE);
}

static void T6_without_store_new_ones_wait_and_live_ones_stay(void **state)
{
    struct fixture *f = *state;
    struct made m = make_for(f, "demo");
    struct msg_lease_live live = {.lease_id = 5, .token_id = "t_0123456789", .stream = "demo"};
    f->a.store = NULL;
    assert_int_equal(ask(f, "demo", m.text).verdict, GRANT_UNAVAILABLE);
    assert_int_equal(admission_restore(&f->a, &live), 0);
    assert_int_equal(f->ended_count, 0);
    assert_int_equal(f->a.leases.count, 1);
}

static struct msg_lease_live live_of(uint64_t lease_id, const char *token_id, const char *stream)
{
    struct msg_lease_live live = {.lease_id = lease_id};
    snprintf(live.token_id, sizeof(live.token_id), "%s", token_id);
    snprintf(live.stream, sizeof(live.stream), "%s", stream);
    return live;
}

static void restart_takes_back_live_leases(void **state)
{
    struct fixture *f = *state;
    struct made m = make(
        f,
        (struct token_wish){.pattern = slice_of("*"), .sessions_given = true, .max_sessions = 1});
    struct grant g = ask(f, "a", m.text);
    start(f);
    struct msg_lease_live live = live_of(g.lease_id, m.token.id, "a");
    assert_int_equal(admission_restore(&f->a, &live), 0);
    assert_int_equal(ask(f, "b", m.text).verdict, GRANT_BUSY);
    struct admission_revoked result;
    assert_int_equal(admission_revoke(&f->a, m.token.id, NOW_MS, &result), 0);
    assert_true(f->ended_count == 1 && f->ended[0] == g.lease_id);
}

/* auth was killed between the commit of a revocation and its message. */
static void T5_restart_ends_leases_of_revoked_tokens(void **state)
{
    struct fixture *f = *state;
    struct made m = make_for(f, "demo");
    assert_int_equal(store_revoke_token(f->store, m.token.id, NOW_MS), 0);
    struct msg_lease_live live = live_of(77, m.token.id, "demo");
    assert_int_equal(admission_restore(&f->a, &live), 0);
    assert_true(f->ended_count == 1 && f->ended[0] == 77);
    live = live_of(78, "t_neverwas00", "demo");
    assert_int_equal(admission_restore(&f->a, &live), 0);
    assert_true(f->ended_count == 2 && f->ended[1] == 78);
}

static void I5_messages_that_break_their_layout(void **state)
{
    struct fixture *f = *state;
    struct admission_time time = {.now_ms = NOW_MS};
    struct grant grant;
    struct msg_lease_ask a = {.purpose = LEASE_PUBLISH, .stream = "demo", .token = "x"};
    memset(a.token, 'x', sizeof(a.token));
    assert_int_equal(admission_ask(&f->a, &a, &time, &grant), -EBADMSG);
    a = (struct msg_lease_ask){.purpose = LEASE_PUBLISH, .stream = "../x", .token = "x"};
    assert_int_equal(admission_ask(&f->a, &a, &time, &grant), -EBADMSG);
    a = (struct msg_lease_ask){.purpose = LEASE_PUBLISH, .token = "x"};
    assert_int_equal(admission_ask(&f->a, &a, &time, &grant), -EBADMSG);
    memset(a.stream, 'x', sizeof(a.stream));
    assert_int_equal(admission_ask(&f->a, &a, &time, &grant), -EBADMSG);
    a = (struct msg_lease_ask){.purpose = LEASE_PURPOSE_COUNT, .stream = "demo", .token = "x"};
    assert_int_equal(admission_ask(&f->a, &a, &time, &grant), -EBADMSG);

    struct msg_lease_live live = live_of(0, "t_0123456789", "demo");
    assert_int_equal(admission_restore(&f->a, &live), -EBADMSG);
    live = live_of(1, "t_0123456789", "a/b");
    assert_int_equal(admission_restore(&f->a, &live), -EBADMSG);
    live = live_of(1, "t_0123456789", "demo");
    memset(live.token_id, 'x', sizeof(live.token_id));
    assert_int_equal(admission_restore(&f->a, &live), -EBADMSG);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(valid_token_gets_a_lease),
        TEST(T1_remaining_is_expiry_or_duration),
        TEST(H9_all_invalid_tokens_get_the_same_answer),
        TEST(pattern_decides_403),
        TEST(W5_a_takeover_is_not_counted_as_a_second_stream),
        TEST(U15_the_grant_tells_the_bitrate_of_the_token),
        TEST(W2_max_sessions_limits_streams_at_once),
        TEST(W2_star_runs_many_streams),
        TEST(W2_full_lease_table_is_503),
        TEST(W4_identify_makes_no_lease),
        TEST(H8_valid_token_passes_from_a_penalised_address),
        TEST(T5_revoke_ends_every_lease_once),
        TEST(D3_what_is_saved_is_not_kept),
        TEST(D3_revoke_acts_before_the_disk),
        TEST(D3_too_many_unsaved_revocations_shut_the_door),
        TEST(T6_without_store_new_ones_wait_and_live_ones_stay),
        TEST(restart_takes_back_live_leases),
        TEST(T5_restart_ends_leases_of_revoked_tokens),
        TEST(I5_messages_that_break_their_layout),
    };
    return cmocka_run_group_tests_name("admission", tests, NULL, NULL);
}
