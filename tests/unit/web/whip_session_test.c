/* WHIP session URLs without sockets: PATCH, DELETE, GET, by rule id. */
#include "tests/unit/web/whip_rig.h"

static void WHIP_55_a_patch_goes_to_the_supervisor(void **state)
{
    struct whip_rig *rig = *state;
    static struct request r;
    patch_init(&r, "\"" TAG "\"");
    handle(rig, &r);
    assert_false(r.answered);
    assert_int_equal(rig->type, MSG_SESSION);
    assert_int_equal(rig->session.op, SESSION_PATCH);
    assert_string_equal(rig->session.url_id, ID);
    assert_string_equal(rig->session.token, "secret");
    assert_true(addr_equal(&rig->session.peer, &r.peer));
    assert_int_equal(rig->session.match, MATCH_TAG);
    assert_string_equal(rig->session.if_match, TAG);
    assert_string_equal(rig->blob, FRAGMENT);
    whip_sweep(rig->whip, UINT64_MAX);
    assert_answer(&r, 503);
    assert_true(header_is(&r, "Retry-After", "1"));
    drop(&r);
}

static void WHIP_57_trickle_gives_204_without_body_and_tag(void **state)
{
    struct whip_rig *rig = *state;
    static struct request r;
    patch_init(&r, "\"" TAG "\"");
    handle(rig, &r);
    struct msg_session_result m = session_result(rig, 204);
    (void)text_copy(m.etag, sizeof(m.etag), slice_of(TAG)); /* not even then */
    assert_int_equal(whip_on_session_result(rig->whip, &m, "x", 1), 0);
    assert_answer(&r, 204);
    assert_int_equal(r.reply->body_len, 0);
    assert_true(header_is(&r, "ETag", NULL));
    assert_true(header_is(&r, "Content-Type", NULL));
    drop(&r);
}

static void WHIP_61_restart_gives_200_with_fragment_and_new_tag(void **state)
{
    struct whip_rig *rig = *state;
    static struct request r;
    patch_init(&r, "*");
    handle(rig, &r);
    struct msg_session_result m = session_result(rig, 200);
    (void)text_copy(m.etag, sizeof(m.etag), slice_of("fedcba9876543210"));
    assert_int_equal(whip_on_session_result(rig->whip, &m, "a=ice-lite\r\n", 12), 0);
    assert_answer(&r, 200);
    assert_true(header_is(&r, "Content-Type", FRAGMENT_TYPE));
    assert_true(header_is(&r, "ETag", "\"fedcba9876543210\""));
    assert_int_equal(r.reply->body_len, 12);
    assert_memory_equal(r.reply->body, "a=ice-lite\r\n", 12);
    drop(&r);
}

static void WHIP_61_a_restart_without_tag_or_fragment_is_our_fault(void **state)
{
    struct whip_rig *rig = *state;
    static struct request r;
    patch_init(&r, "*");
    settle(rig, &r, 200);
    assert_answer(&r, 500);
    drop(&r);
    patch_init(&r, "*");
    handle(rig, &r);
    struct msg_session_result m = session_result(rig, 200);
    assert_int_equal(whip_on_session_result(rig->whip, &m, "x", 1), 0);
    assert_answer(&r, 500);
    drop(&r);
}

static void WHIP_59_60_any_generation_is_asked_for_with_both_stars(void **state)
{
    static const char *const stars[] = {"*", "\"*\"", " * "};
    struct whip_rig *rig = *state;
    static struct request r;
    for (size_t i = 0; i < 3; i++) {
        patch_init(&r, stars[i]);
        settle(rig, &r, 204);
        assert_int_equal(rig->session.match, MATCH_ANY);
        assert_string_equal(rig->session.if_match, "");
        drop(&r);
    }
}

static void WHIP_24_a_missing_if_match_is_told_to_the_supervisor(void **state)
{
    struct whip_rig *rig = *state;
    static struct request r;
    patch_init(&r, NULL);
    settle(rig, &r, 428);
    assert_int_equal(rig->session.match, MATCH_NONE);
    assert_answer(&r, 428);
    drop(&r);
}

static void WHIP_20_bad_if_match_gives_400(void **state)
{
    static const char *const bad[] = {
        "", TAG, "W/\"" TAG "\"", "\"a\", \"b\"", "\"a\",*", "*, *", "\"a", "a\"", "\"", "**",
    };
    struct whip_rig *rig = *state;
    static struct request r;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        patch_init(&r, bad[i]);
        assert_refused(rig, &r, 400);
    }
    patch_init(&r, "\"" TAG "\"");
    r.headers.if_match_lines = 2;
    assert_refused(rig, &r, 400);
}

static void WHIP_25_another_type_gives_415_with_accept_patch(void **state)
{
    static const char *const bad[] = {"application/sdp", "", "text/plain", FRAGMENT_TYPE "x"};
    static const char *const good[] = {"Application/Trickle-ICE-SDPfrag",
                                       FRAGMENT_TYPE "; charset=utf-8", FRAGMENT_TYPE " ;a"};
    struct whip_rig *rig = *state;
    static struct request r;
    for (size_t i = 0; i < 4; i++) {
        patch_init(&r, "*");
        r.headers.content_type = slice_of(bad[i]);
        handle(rig, &r);
        assert_answer(&r, 415);
        assert_true(header_is(&r, "Accept-Patch", FRAGMENT_TYPE));
        assert_true(header_is(&r, "Accept-Post", NULL));
        drop(&r);
    }
    assert_int_equal(rig->sent, 0);
    for (size_t i = 0; i < 3; i++) {
        patch_init(&r, "*");
        r.headers.content_type = slice_of(good[i]);
        settle(rig, &r, 204);
        assert_answer(&r, 204);
        drop(&r);
    }
}

static void WHIP_12_a_big_fragment_gives_413_and_an_empty_one_400(void **state)
{
    struct whip_rig *rig = *state;
    static struct request r;
    patch_init(&r, "*");
    r.body_too_large = true;
    r.body = slice_of(NULL);
    assert_refused(rig, &r, 413);
    patch_init(&r, "*");
    r.body = slice_of(NULL);
    assert_refused(rig, &r, 400);
}

static void WHIP_20_to_29_of_a_patch_pass_through(void **state)
{
    static const uint16_t statuses[] = {400, 401, 412, 422, 428, 429, 503};
    struct whip_rig *rig = *state;
    static struct request r;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        patch_init(&r, "*");
        handle(rig, &r);
        struct msg_session_result m = session_result(rig, statuses[i]);
        m.retry_after_s = statuses[i] >= 429 ? 7 : 0;
        assert_int_equal(whip_on_session_result(rig->whip, &m, NULL, 0), 0);
        assert_answer(&r, statuses[i]);
        assert_true(header_is(&r, "Content-Type", "application/problem+json"));
        assert_true(header_is(&r, "Retry-After", statuses[i] >= 429 ? "7" : NULL));
        assert_true((reply_find(r.reply, "WWW-Authenticate") != NULL) == (statuses[i] == 401));
        assert_true(header_is(&r, "ETag", NULL)); /* WHIP-62: the old generation goes on */
        assert_problem_says(&r, "detail", "Because.");
        drop(&r);
    }
}

static void WHIP_47_no_session_url_redirects(void **state)
{
    static const uint16_t odd[] = {0, 201, 301, 302, 307, 308, 600};
    struct whip_rig *rig = *state;
    static struct request r;
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        patch_init(&r, "*");
        settle(rig, &r, odd[i]);
        assert_answer(&r, 500);
        assert_true(header_is(&r, "Location", NULL));
        assert_problem_says(&r, "detail", NULL);
        drop(&r);
        delete_init(&r);
        settle(rig, &r, odd[i]);
        assert_answer(&r, 500);
        assert_true(header_is(&r, "Location", NULL));
        drop(&r);
    }
    delete_init(&r);
    settle(rig, &r, 204); /* not to a DELETE */
    assert_answer(&r, 500);
    drop(&r);
}

static void WHIP_30_delete_gives_200_then_404(void **state)
{
    struct whip_rig *rig = *state;
    static struct request r;
    for (int i = 0; i < 2; i++) {
        delete_init(&r);
        settle(rig, &r, i ? 404 : 200);
        assert_int_equal(rig->session.op, SESSION_DELETE);
        assert_string_equal(rig->session.url_id, ID);
        assert_string_equal(rig->session.token, "secret");
        assert_answer(&r, i ? 404 : 200);
        drop(&r);
    }
}

static void WHIP_67_delete_ignores_if_match(void **state)
{
    static const char *const any[] = {"\"old\"", "garbage", "", "W/\"x\""};
    struct whip_rig *rig = *state;
    static struct request r;
    for (size_t i = 0; i < 4; i++) {
        delete_init(&r);
        r.headers.if_match = slice_of(any[i]);
        r.headers.if_match_lines = (unsigned)i + 1;
        settle(rig, &r, 200);
        assert_int_equal(rig->session.match, MATCH_NONE);
        assert_answer(&r, 200);
        drop(&r);
    }
}

static void WHIP_22_unknown_and_not_yours_look_the_same(void **state)
{
    struct whip_rig *rig = *state;
    static struct request r[2];
    static const char *const reasons[] = {"There is no such session.", "It is not yours."};
    for (int method = 0; method < 2; method++) {
        for (size_t i = 0; i < 2; i++) {
            if (method)
                patch_init(&r[i], "*");
            else
                delete_init(&r[i]);
            handle(rig, &r[i]);
            struct msg_session_result m = session_result(rig, 404);
            (void)text_copy(m.reason, sizeof(m.reason), slice_of(reasons[i]));
            assert_int_equal(whip_on_session_result(rig->whip, &m, NULL, 0), 0);
            assert_answer(&r[i], 404);
        }
        assert_int_equal(r[0].reply->body_len, r[1].reply->body_len);
        assert_memory_equal(r[0].reply->body, r[1].reply->body, r[0].reply->body_len);
        assert_int_equal(r[0].reply->header_count, r[1].reply->header_count);
        drop(&r[0]);
        drop(&r[1]);
    }
}

static void WHIP_36_changes_need_a_token_get_does_not(void **state)
{
    struct whip_rig *rig = *state;
    static struct request r;
    delete_init(&r);
    r.headers.authorization = slice_of(NULL);
    assert_refused(rig, &r, 401);
    patch_init(&r, "*");
    r.headers.authorization = slice_of(NULL);
    r.headers.content_type = slice_of("text/plain"); /* W1: the token comes first */
    assert_refused(rig, &r, 401);
    request_init(&r, METHOD_GET, SESSION);
    r.headers.authorization = slice_of("Bearer a b");
    assert_refused(rig, &r, 401);
    request_init(&r, METHOD_GET, SESSION);
    settle(rig, &r, 200);
    assert_int_equal(rig->session.op, SESSION_GET);
    assert_string_equal(rig->session.token, "");
    assert_string_equal(rig->blob, "");
    drop(&r);
}

static void WHIP_04_get_and_head_of_a_session_have_no_body(void **state)
{
    struct whip_rig *rig = *state;
    static struct request r;
    for (int i = 0; i < 2; i++) {
        request_init(&r, i ? METHOD_HEAD : METHOD_GET, SESSION);
        settle(rig, &r, 200);
        assert_int_equal(rig->session.op, SESSION_GET);
        assert_answer(&r, 200);
        assert_int_equal(r.reply->body_len, 0);
        assert_true(header_is(&r, "ETag", NULL));
        drop(&r);
    }
}

static void WHIP_05_other_methods_of_a_session_give_405(void **state)
{
    struct whip_rig *rig = *state;
    static struct request r;
    for (int i = 0; i < 2; i++) {
        request_init(&r, i ? METHOD_POST : METHOD_OTHER, SESSION);
        handle(rig, &r);
        assert_answer(&r, 405);
        assert_true(header_is(&r, "Allow", "PATCH, DELETE, GET, HEAD, OPTIONS"));
        assert_true(header_is(&r, "Accept-Patch", FRAGMENT_TYPE));
        drop(&r);
    }
    assert_int_equal(rig->sent, 0);
}

static void WHIP_39_a_session_that_ended_says_why(void **state)
{
    struct whip_rig *rig = *state;
    static struct request r;
    request_init(&r, METHOD_GET, SESSION);
    handle(rig, &r);
    struct msg_session_result m = {
        .request = rig->session.request, .status = 404, .end_reason = END_REVOKED};
    assert_int_equal(whip_on_session_result(rig->whip, &m, NULL, 0), 0);
    assert_answer(&r, 404);
    assert_problem_says(&r, "end", end_reason_name(END_REVOKED));
    assert_problem_says(&r, "detail", end_reason_text(END_REVOKED));
    drop(&r);
    request_init(&r, METHOD_GET, SESSION);
    handle(rig, &r);
    m = (struct msg_session_result){
        .request = rig->session.request, .status = 404, .end_reason = 999};
    assert_int_equal(whip_on_session_result(rig->whip, &m, NULL, 0), 0);
    assert_answer(&r, 404);
    assert_problem_says(&r, "end", NULL);
    drop(&r);
}

static void I5_session_results_that_cannot_be_are_refused(void **state)
{
    struct whip_rig *rig = *state;
    static struct request r;
    patch_init(&r, "*");
    handle(rig, &r);
    struct msg_session_result m = session_result(rig, 204);
    memset(m.reason, 'a', sizeof(m.reason));
    assert_int_equal(whip_on_session_result(rig->whip, &m, NULL, 0), -EBADMSG);
    m = session_result(rig, 200);
    memset(m.etag, 'a', sizeof(m.etag));
    assert_int_equal(whip_on_session_result(rig->whip, &m, "x", 1), -EBADMSG);
    m = session_result(rig, 204);
    m.request = 12345;
    assert_int_equal(whip_on_session_result(rig->whip, &m, NULL, 0), 0);
    assert_false(r.answered);
    m = session_result(rig, 204);
    assert_int_equal(whip_on_session_result(rig->whip, &m, NULL, 0), 0);
    assert_int_equal(whip_on_session_result(rig->whip, &m, NULL, 0), 0); /* once is enough */
    assert_answer(&r, 204);
    drop(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_RIG(WHIP_55_a_patch_goes_to_the_supervisor),
        IN_RIG(WHIP_57_trickle_gives_204_without_body_and_tag),
        IN_RIG(WHIP_61_restart_gives_200_with_fragment_and_new_tag),
        IN_RIG(WHIP_61_a_restart_without_tag_or_fragment_is_our_fault),
        IN_RIG(WHIP_59_60_any_generation_is_asked_for_with_both_stars),
        IN_RIG(WHIP_24_a_missing_if_match_is_told_to_the_supervisor),
        IN_RIG(WHIP_20_bad_if_match_gives_400),
        IN_RIG(WHIP_25_another_type_gives_415_with_accept_patch),
        IN_RIG(WHIP_12_a_big_fragment_gives_413_and_an_empty_one_400),
        IN_RIG(WHIP_20_to_29_of_a_patch_pass_through),
        IN_RIG(WHIP_47_no_session_url_redirects),
        IN_RIG(WHIP_30_delete_gives_200_then_404),
        IN_RIG(WHIP_67_delete_ignores_if_match),
        IN_RIG(WHIP_22_unknown_and_not_yours_look_the_same),
        IN_RIG(WHIP_36_changes_need_a_token_get_does_not),
        IN_RIG(WHIP_04_get_and_head_of_a_session_have_no_body),
        IN_RIG(WHIP_05_other_methods_of_a_session_give_405),
        IN_RIG(WHIP_39_a_session_that_ended_says_why),
        IN_RIG(I5_session_results_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
