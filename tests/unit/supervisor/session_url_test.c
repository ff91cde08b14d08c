/* Requests on session URLs. */
#include "tests/unit/supervisor/supervisor_stage.h"

static void WHIP_30_delete_ends_and_the_url_tells_why(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    struct msg_publish_result m = go_live(stage, UINT64_MAX);
    open_segment(stage, bound(stage).session, 500, 0);
    session(stage, SESSION_GET, m.url_id);
    assert_int_equal(session_result(stage).status, 200);
    session(stage, SESSION_DELETE, m.url_id);
    grant(stage, GRANT_OK, 0, 0);
    assert_int_equal(session_result(stage).status, 200);
    assert_true(hear(&stage->ingest, MSG_END, &heard));
    assert_true(hear(&stage->transcode, MSG_END, &heard));
    assert_true(hear(&stage->edge, MSG_FORGET, &heard));
    assert_true(hear(&stage->auth, MSG_LEASE_RELEASE, &heard));
    session(stage, SESSION_GET, m.url_id);
    struct msg_session_result after = session_result(stage);
    assert_int_equal(after.status, 404);
    assert_int_equal(after.end_reason, END_DELETED);
    session(stage, SESSION_DELETE, m.url_id); /* a second DELETE */
    grant(stage, GRANT_OK, 0, 0);
    assert_int_equal(session_result(stage).status, 404);
    assert_int_equal(playback_by_stream(&stage->sup, "demo")->state, STREAM_ENDED);
}

static void WHIP_30_the_url_tells_why_for_a_minute(void **state)
{
    struct stage *stage = *state;
    struct msg_publish_result m = go_live(stage, UINT64_MAX);
    session(stage, SESSION_DELETE, m.url_id);
    grant(stage, GRANT_OK, 0, 0);
    assert_int_equal(session_result(stage).status, 200);
    stage->sup.urls.ended[0].until_us -= SESSION_URL_ENDED_US;
    session(stage, SESSION_GET, m.url_id);
    struct msg_session_result after = session_result(stage);
    assert_int_equal(after.status, 404);
    assert_int_equal(after.end_reason, END_NONE);
}

static void WHIP_74_delete_after_close_notify_ends_the_wait(void **state)
{
    struct stage *stage = *state;
    struct grant other = {.verdict = GRANT_OK};
    struct msg_publish_result m = go_live(stage, UINT64_MAX);
    open_segment(stage, bound(stage).session, 500, 0);
    publication_end(publication_by_url(&stage->sup, m.url_id), END_CLOSED);
    const struct playback *pb = playback_by_stream(&stage->sup, "demo");
    assert_int_equal(pb->state, STREAM_REJOIN);
    publication_on_ingest_exit(stage->sup.publications[0]);
    session(stage, SESSION_DELETE, m.url_id);
    grant_as(stage, "t_two", &other);
    assert_int_equal(session_result(stage).status, 404);
    assert_int_equal(pb->state, STREAM_REJOIN);
    session(stage, SESSION_DELETE, m.url_id);
    grant(stage, GRANT_OK, 0, 0);
    assert_int_equal(session_result(stage).status, 200);
    assert_int_equal(pb->state, STREAM_ENDED);
    assert_int_equal(pb->reason, END_DELETED);
    session(stage, SESSION_DELETE, m.url_id);
    grant(stage, GRANT_OK, 0, 0);
    assert_int_equal(session_result(stage).status, 404);
}

static void W4_delete_needs_the_token_of_the_session(void **state)
{
    struct stage *stage = *state;
    struct heard ask;
    struct msg_publish_result m = go_live(stage, UINT64_MAX);
    session(stage, SESSION_DELETE, m.url_id);
    assert_true(hear(&stage->auth, MSG_LEASE_ASK, &ask));
    struct msg_lease_grant other = {.request =
                                        ((const struct msg_lease_ask *)(void *)ask.body)->request};
    snprintf(other.grant.token_id, sizeof(other.grant.token_id), "t_two");
    say(stage, &stage->auth, MSG_LEASE_GRANT, &other, NULL, 0);
    assert_int_equal(session_result(stage).status, 404);
    session(stage, SESSION_DELETE, m.url_id);
    grant(stage, GRANT_UNKNOWN, 0, 0);
    assert_int_equal(session_result(stage).status, 401);
    assert_int_equal(publications(stage), 1);
    assert_false(hear(&stage->ingest, MSG_END, &ask));
}

/* Without the address auth could not slow down who guesses tokens by DELETE. */
static void H8_auth_learns_who_sends_a_token(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    struct msg_publish_result m = go_live(stage, UINT64_MAX);
    session(stage, SESSION_DELETE, m.url_id);
    assert_true(hear(&stage->auth, MSG_LEASE_ASK, &heard));
    const struct msg_lease_ask *ask = (const void *)heard.body;
    assert_int_equal(ask->purpose, LEASE_IDENTIFY);
    assert_int_equal(ask->peer.family, 4);
    assert_int_equal(ask->peer.ip[3], 7);
    struct msg_lease_grant busy = {.request = ask->request, .grant = {.verdict = GRANT_BUSY}};
    say(stage, &stage->auth, MSG_LEASE_GRANT, &busy, NULL, 0);
    struct msg_session_result slow = session_result(stage);
    assert_int_equal(slow.status, 429);
    assert_int_equal(slow.guessing, 1);
    assert_int_equal(publications(stage), 1);
}

#define UNKNOWN "00000000000000000000000000000000"

static void delete_from(struct stage *stage, uint64_t request, uint8_t host, const char *url_id)
{
    struct msg_session m = {.request = request,
                            .op = SESSION_DELETE,
                            .peer = {.family = 4, .ip = {198, 51, 100, host}}};
    memcpy(m.url_id, url_id, STREAM_URL_ID_LEN);
    snprintf(m.token, sizeof(m.token), "wrong");
    say(stage, &stage->web, MSG_SESSION, &m, NULL, 0);
}

/* Whoever has no session's URL takes no place from those who have. */
static void W4_requests_on_unknown_urls_do_not_hold_up_sessions(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    struct msg_publish_result m = go_live(stage, UINT64_MAX);
    size_t refused = 0;
    for (uint64_t i = 0; i < SESSION_URL_ASKS_MAX; i++)
        delete_from(stage, 100 + i, (uint8_t)(i % 250), UNKNOWN);
    while (hear(&stage->web, MSG_SESSION_RESULT, &heard)) {
        assert_int_equal(((const struct msg_session_result *)(const void *)heard.body)->status,
                         503);
        refused++;
    }
    assert_int_equal(refused, SESSION_URL_ASKS_MAX - SESSION_URL_UNKNOWN_MAX);
    while (hear(&stage->auth, MSG_LEASE_ASK, &heard)) /* auth is slow */
        ;
    session(stage, SESSION_DELETE, m.url_id);
    grant(stage, GRANT_OK, 0, 0);
    assert_int_equal(session_result(stage).status, 200);
    session(stage, SESSION_DELETE, m.url_id); /* its end is still known, and so is its URL */
    grant(stage, GRANT_OK, 0, 0);
    struct msg_session_result again = session_result(stage);
    assert_int_equal(again.status, 404);
    assert_int_equal(again.end_reason, END_DELETED);
}

static void W4_one_address_has_an_eighth_of_the_places(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    struct msg_publish_result live = go_live(stage, UINT64_MAX);
    const struct {
        const char *url_id;
        uint64_t share;
    } rows[] = {{UNKNOWN, SESSION_URL_UNKNOWN_MAX / SESSION_URL_SHARE},
                {live.url_id, SESSION_URL_KNOWN_MAX / SESSION_URL_SHARE}};
    for (size_t row = 0; row < 2; row++) {
        for (uint64_t i = 0; i < rows[row].share; i++)
            delete_from(stage, i, 1, rows[row].url_id);
        assert_false(hear(&stage->web, MSG_SESSION_RESULT, &heard));
        delete_from(stage, 77, 1, rows[row].url_id);
        struct msg_session_result m = session_result(stage);
        assert_int_equal(m.request, 77);
        assert_int_equal(m.status, 503);
        assert_true(m.retry_after_s > 0);
        delete_from(stage, 78, 2, rows[row].url_id);
        assert_false(hear(&stage->web, MSG_SESSION_RESULT, &heard));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(WHIP_30_delete_ends_and_the_url_tells_why),
        CASE(WHIP_30_the_url_tells_why_for_a_minute),
        CASE(WHIP_74_delete_after_close_notify_ends_the_wait),
        CASE(W4_delete_needs_the_token_of_the_session),
        CASE(W4_requests_on_unknown_urls_do_not_hold_up_sessions),
        CASE(W4_one_address_has_an_eighth_of_the_places),
        CASE(H8_auth_learns_who_sends_a_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
