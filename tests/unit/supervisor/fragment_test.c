/* PATCH: entity tags, turns, and what the worker may answer. */
#include "gateway/supervisor/fragment.h"
#include "tests/unit/supervisor/supervisor_stage.h"

#define FRAGMENT "a=ice-ufrag:abcd\r\n"
#define NEW_UFRAG "newufrag"
#define NEW_PWD "newpasswordnewpasswordne"

static void patch(struct stage *stage, uint64_t request, const char *url_id,
                  enum session_match match, const char *tag)
{
    struct msg_session m = {.request = request,
                            .op = SESSION_PATCH,
                            .match = match,
                            .peer = {.family = 4, .ip = {192, 0, 2, 7}}};
    memcpy(m.url_id, url_id, STREAM_URL_ID_LEN);
    snprintf(m.token, sizeof(m.token), "secret");
    snprintf(m.if_match, sizeof(m.if_match), "%s", tag);
    say(stage, &stage->web, MSG_SESSION, &m, FRAGMENT, strlen(FRAGMENT));
}

/* The same, with the session's own token. */
static void patch_own(struct stage *stage, uint64_t request, const char *url_id,
                      enum session_match match, const char *tag)
{
    patch(stage, request, url_id, match, tag);
    grant(stage, GRANT_OK, 0, 0);
}

static struct msg_fragment at_worker(struct stage *stage)
{
    struct heard heard;
    struct msg_fragment m;
    assert_true(hear(&stage->ingest, MSG_FRAGMENT, &heard));
    assert_int_equal(heard.blob_len, strlen(FRAGMENT));
    assert_memory_equal(heard.blob, FRAGMENT, heard.blob_len);
    memcpy(&m, heard.body, sizeof(m));
    return m;
}

static struct msg_fragment_result answer_to(const struct msg_fragment *m, uint16_t status)
{
    struct msg_fragment_result answer = {
        .session = m->session, .request = m->request, .status = status};
    if (status == 200) {
        snprintf(answer.ufrag, sizeof(answer.ufrag), NEW_UFRAG);
        snprintf(answer.pwd, sizeof(answer.pwd), NEW_PWD);
    }
    return answer;
}

static void work(struct stage *stage, const struct msg_fragment_result *answer)
{
    bool restart = answer->status == 200;
    say(stage, &stage->ingest, MSG_FRAGMENT_RESULT, answer, restart ? "a=x" : NULL,
        restart ? 3 : 0);
}

static bool nothing_for_worker(struct stage *stage)
{
    struct heard heard;
    return !hear(&stage->ingest, MSG_FRAGMENT, &heard);
}

static void WHIP_57_a_trickle_is_204_without_a_tag(void **state)
{
    struct stage *stage = *state;
    struct msg_publish_result live = go_live(stage, UINT64_MAX);
    patch_own(stage, 7, live.url_id, MATCH_TAG, live.etag);
    struct msg_fragment m = at_worker(stage);
    assert_int_equal(m.may_restart, 0);
    struct msg_fragment_result answer = answer_to(&m, 204);
    work(stage, &answer);
    struct msg_session_result r = session_result(stage);
    assert_int_equal(r.request, 7);
    assert_int_equal(r.status, 204);
    assert_string_equal(r.etag, "");
    assert_string_equal(stage->sup.publications[0]->etag, live.etag);
}

static void WHIP_61_a_restart_tells_edge_and_changes_the_tag(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    struct msg_publish_result live = go_live(stage, UINT64_MAX);
    assert_true(hear(&stage->edge, MSG_EXPECT, &heard));
    patch_own(stage, 7, live.url_id, MATCH_ANY, "");
    struct msg_fragment m = at_worker(stage);
    assert_int_equal(m.may_restart, 1);
    struct msg_fragment_result answer = answer_to(&m, 200);
    work(stage, &answer);
    assert_true(hear(&stage->edge, MSG_EXPECT, &heard));
    const struct msg_expect *expect = (const void *)heard.body;
    assert_int_equal(expect->session, m.session);
    assert_string_equal(expect->ufrag, NEW_UFRAG);
    assert_string_equal(expect->pwd, NEW_PWD);
    assert_true(hear(&stage->web, MSG_SESSION_RESULT, &heard));
    const struct msg_session_result *r = (const void *)heard.body;
    assert_int_equal(r->status, 200);
    assert_int_equal(strlen(r->etag), STREAM_ETAG_LEN);
    assert_string_not_equal(r->etag, live.etag);
    assert_int_equal(heard.blob_len, 3);
    assert_memory_equal(heard.blob, "a=x", 3);
}

static void WHIP_61_a_restarted_edge_is_told_both_pairs_for_a_while(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    struct msg_publish_result live = go_live(stage, UINT64_MAX);
    patch_own(stage, 7, live.url_id, MATCH_ANY, "");
    struct msg_fragment m = at_worker(stage);
    struct msg_fragment_result answer = answer_to(&m, 200);
    work(stage, &answer);
    replace(stage, &stage->edge, PROCESS_EDGE);
    publication_tell_edge(&stage->sup);
    assert_true(hear(&stage->edge, MSG_EXPECT, &heard));
    assert_string_equal(((const struct msg_expect *)(const void *)heard.body)->ufrag, "ufrag");
    assert_true(hear(&stage->edge, MSG_EXPECT, &heard)); /* the newer comes last */
    assert_string_equal(((const struct msg_expect *)(const void *)heard.body)->ufrag, NEW_UFRAG);
    stage->sup.publications[0]->restarted_us -= PUBLICATION_OLD_PAIR_US;
    publication_tell_edge(&stage->sup);
    assert_true(hear(&stage->edge, MSG_EXPECT, &heard));
    assert_string_equal(((const struct msg_expect *)(const void *)heard.body)->ufrag, NEW_UFRAG);
    assert_false(hear(&stage->edge, MSG_EXPECT, &heard));
}

static void WHIP_24_if_match_is_needed_and_must_match(void **state)
{
    struct stage *stage = *state;
    struct msg_publish_result live = go_live(stage, UINT64_MAX);
    patch_own(stage, 1, live.url_id, MATCH_NONE, "");
    assert_int_equal(session_result(stage).status, 428);
    patch_own(stage, 2, live.url_id, MATCH_TAG, "0123456789abcdef");
    assert_int_equal(session_result(stage).status, 412);
    patch_own(stage, 3, live.url_id, MATCH_TAG, "");
    assert_int_equal(session_result(stage).status, 412);
    assert_true(nothing_for_worker(stage));
}

static void BUG_24_without_if_match_one_may_trickle_if_configured(void **state)
{
    struct stage *stage = *state;
    struct msg_publish_result live = go_live(stage, UINT64_MAX);
    stage->sup.conf.require_if_match = false;
    patch_own(stage, 1, live.url_id, MATCH_NONE, "");
    assert_int_equal(at_worker(stage).may_restart, 0);
}

static void W4_only_the_sessions_own_token_may_patch(void **state)
{
    struct stage *stage = *state;
    const struct grant ok = {.verdict = GRANT_OK};
    struct msg_publish_result live = go_live(stage, UINT64_MAX);
    patch(stage, 1, live.url_id, MATCH_ANY, "");
    grant_as(stage, "t_two", &ok);
    assert_int_equal(session_result(stage).status, 404); /* WHIP-22 */
    patch(stage, 2, live.url_id, MATCH_ANY, "");
    grant(stage, GRANT_UNKNOWN, 0, 0); /* none, expired, revoked */
    assert_int_equal(session_result(stage).status, 401);
    patch(stage, 3, live.url_id, MATCH_ANY, "");
    grant(stage, GRANT_BUSY, 0, 0);
    struct msg_session_result r = session_result(stage);
    assert_int_equal(r.status, 429);
    assert_true(r.retry_after_s > 0);
    patch(stage, 4, live.url_id, MATCH_ANY, "");
    grant(stage, GRANT_UNAVAILABLE, 0, 0);
    r = session_result(stage);
    assert_int_equal(r.status, 503);
    assert_true(r.retry_after_s > 0);
    patch_own(stage, 5, "00000000000000000000000000000000", MATCH_ANY, "");
    assert_int_equal(session_result(stage).status, 404);
    assert_true(nothing_for_worker(stage));
}

static void W6_a_replayed_patch_meets_a_new_tag(void **state)
{
    struct stage *stage = *state;
    struct msg_publish_result live = go_live(stage, UINT64_MAX);
    patch_own(stage, 1, live.url_id, MATCH_ANY, "");
    patch_own(stage, 2, live.url_id, MATCH_TAG, live.etag); /* waits its turn (WHIP-67) */
    struct msg_fragment m = at_worker(stage);
    assert_true(nothing_for_worker(stage));
    struct msg_fragment_result answer = answer_to(&m, 200);
    work(stage, &answer);
    assert_int_equal(session_result(stage).status, 200);
    struct msg_session_result r = session_result(stage);
    assert_int_equal(r.request, 2);
    assert_int_equal(r.status, 412);
    assert_true(nothing_for_worker(stage));
}

static void WHIP_28_a_worker_that_has_enough_restarts_says_when_to_come_back(void **state)
{
    struct stage *stage = *state;
    struct msg_publish_result live = go_live(stage, UINT64_MAX);
    patch_own(stage, 1, live.url_id, MATCH_ANY, "");
    struct msg_fragment m = at_worker(stage);
    struct msg_fragment_result answer = answer_to(&m, 429);
    work(stage, &answer);
    struct msg_session_result r = session_result(stage);
    assert_int_equal(r.status, 429);
    assert_true(r.retry_after_s > 0);
}

static void WHIP_67_fragments_take_turns(void **state)
{
    struct stage *stage = *state;
    struct msg_publish_result live = go_live(stage, UINT64_MAX);
    for (uint64_t i = 0; i <= FRAGMENT_QUEUE_MAX; i++)
        patch_own(stage, i, live.url_id, MATCH_TAG, live.etag);
    patch_own(stage, 99, live.url_id, MATCH_TAG, live.etag);
    struct msg_session_result r = session_result(stage);
    assert_int_equal(r.request, 99);
    assert_int_equal(r.status, 429); /* WHIP-28 */
    assert_int_equal(r.guessing, 0);
    assert_true(r.retry_after_s > 0);
    for (uint64_t i = 0; i <= FRAGMENT_QUEUE_MAX; i++) {
        struct msg_fragment m = at_worker(stage);
        assert_true(nothing_for_worker(stage));
        struct msg_fragment_result answer = answer_to(&m, 204);
        work(stage, &answer);
        r = session_result(stage);
        assert_int_equal(r.request, i);
        assert_int_equal(r.status, 204);
    }
}

static void WHIP_28_patches_have_a_rate(void **state)
{
    struct stage *stage = *state;
    struct msg_publish_result live = go_live(stage, UINT64_MAX);
    unsigned refused = 0;
    for (unsigned i = 0; i < 2 * FRAGMENT_BURST; i++) {
        struct heard heard;
        patch_own(stage, i, live.url_id, MATCH_TAG, live.etag);
        if (hear(&stage->ingest, MSG_FRAGMENT, &heard)) {
            struct msg_fragment m;
            memcpy(&m, heard.body, sizeof(m));
            struct msg_fragment_result answer = answer_to(&m, 204);
            work(stage, &answer);
        }
        refused += session_result(stage).status == 429;
    }
    assert_in_range(refused, FRAGMENT_BURST / 2, FRAGMENT_BURST);
}

static void WHIP_62_a_refused_fragment_changes_nothing(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    struct msg_publish_result live = go_live(stage, UINT64_MAX);
    assert_true(hear(&stage->edge, MSG_EXPECT, &heard));
    patch_own(stage, 1, live.url_id, MATCH_ANY, "");
    struct msg_fragment m = at_worker(stage);
    struct msg_fragment_result answer = answer_to(&m, 422);
    snprintf(answer.reason, sizeof(answer.reason), "no such section");
    work(stage, &answer);
    struct msg_session_result r = session_result(stage);
    assert_int_equal(r.status, 422);
    assert_string_equal(r.reason, "no such section");
    assert_false(hear(&stage->edge, MSG_EXPECT, &heard));
    struct publication *p = stage->sup.publications[0];
    assert_int_equal(p->state, PUBLICATION_LIVE);
    assert_string_equal(p->etag, live.etag);
    assert_string_equal(p->ufrag, "ufrag");
}

static void WHIP_39_a_session_that_ends_answers_what_waits(void **state)
{
    struct stage *stage = *state;
    struct msg_publish_result live = go_live(stage, UINT64_MAX);
    patch_own(stage, 1, live.url_id, MATCH_ANY, "");
    patch_own(stage, 2, live.url_id, MATCH_ANY, "");
    struct msg_fragment m = at_worker(stage);
    publication_end(stage->sup.publications[0], END_REVOKED);
    for (int i = 0; i < 2; i++) {
        struct msg_session_result r = session_result(stage);
        assert_int_equal(r.status, 404);
        assert_int_equal(r.end_reason, END_REVOKED);
    }
    struct msg_fragment_result late = answer_to(&m, 200); /* no crime */
    work(stage, &late);
    assert_false(is_cut(&stage->ingest));
}

/* The worker has restarted, whoever still listens: tag and pair must be what it has. */
static void WHIP_62_a_late_restart_counts_though_nobody_waits(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    struct msg_publish_result live = go_live(stage, UINT64_MAX);
    assert_true(hear(&stage->edge, MSG_EXPECT, &heard));
    patch_own(stage, 1, live.url_id, MATCH_ANY, "");
    struct msg_fragment m = at_worker(stage);
    uint64_t began_us = clock_now_us();
    while (!hear(&stage->web, MSG_SESSION_RESULT, &heard))
        assert_int_equal(loop_turn(&stage->sup.loop, 5000), 0);
    const struct msg_session_result *r = (const void *)heard.body;
    assert_int_equal(r->status, 503);
    assert_true(r->retry_after_s > 0);
    assert_true(clock_now_us() - began_us >= SESSION_URL_WAIT_US);
    patch_own(stage, 2, live.url_id, MATCH_TAG, live.etag);
    assert_true(nothing_for_worker(stage)); /* it owes an answer */
    struct msg_fragment_result answer = answer_to(&m, 200);
    work(stage, &answer);
    assert_true(hear(&stage->edge, MSG_EXPECT, &heard));
    assert_int_equal(session_result(stage).status, 412);
    assert_string_equal(stage->sup.publications[0]->ufrag, NEW_UFRAG);
}

static void a_web_process_that_dies_takes_its_requests_along(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    struct msg_publish_result live = go_live(stage, UINT64_MAX);
    patch_own(stage, 1, live.url_id, MATCH_ANY, "");
    patch_own(stage, 2, live.url_id, MATCH_ANY, "");
    struct msg_fragment m = at_worker(stage);
    session_url_on_web_exit(&stage->sup, stage->web.process);
    replace(stage, &stage->web, PROCESS_WEB);
    struct msg_fragment_result answer = answer_to(&m, 200);
    work(stage, &answer);
    assert_false(hear(&stage->web, MSG_SESSION_RESULT, &heard));
    assert_true(nothing_for_worker(stage));
    assert_string_equal(stage->sup.publications[0]->ufrag, NEW_UFRAG);
}

static void T6_without_auth_a_patch_is_tried_again(void **state)
{
    struct stage *stage = *state;
    struct msg_publish_result live = go_live(stage, UINT64_MAX);
    patch(stage, 1, live.url_id, MATCH_ANY, "");
    session_url_on_auth_exit(&stage->sup);
    struct msg_session_result r = session_result(stage);
    assert_int_equal(r.status, 503);
    assert_true(r.retry_after_s > 0);
    stage->auth.process->ready = false;
    patch(stage, 2, live.url_id, MATCH_ANY, "");
    assert_int_equal(session_result(stage).status, 503);
    assert_int_equal(publications(stage), 1);
}

static void spoil(struct msg_fragment_result *m, unsigned how)
{
    switch (how) {
    case 0:
        m->request++;
        break;
    case 1:
        m->session++;
        break;
    case 2:
        m->status = 201;
        break;
    case 3:
        m->status = 503;
        break;
    case 4: /* a trickle with a pair */
        snprintf(m->ufrag, sizeof(m->ufrag), NEW_UFRAG);
        break;
    case 5:
        memset(m->reason, 'x', sizeof(m->reason));
        break;
    default:
        break;
    }
}

static void I5_a_result_that_can_not_be_ends_its_worker_alone(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    for (unsigned how = 0; how < 6; how++) {
        struct msg_publish_result live = go_live(stage, UINT64_MAX);
        struct publication *p = stage->sup.publications[0];
        patch_own(stage, 1, live.url_id, MATCH_ANY, "");
        struct msg_fragment m = at_worker(stage);
        struct msg_fragment_result answer = answer_to(&m, 204);
        while (hear(&stage->edge, MSG_TYPE_COUNT, &heard))
            ;
        spoil(&answer, how);
        work(stage, &answer);
        assert_true(is_cut(&stage->ingest));
        assert_false(hear(&stage->edge, MSG_EXPECT, &heard));
        publication_on_ingest_exit(p);
        assert_int_equal(session_result(stage).status, 404);
        replace(stage, &stage->ingest, PROCESS_INGEST);
        playback_free_all(&stage->sup);
        replace(stage, &stage->transcode, PROCESS_TRANSCODE);
    }
}

static void I5_a_restart_that_can_not_be_ends_its_worker_alone(void **state)
{
    static const char *const pairs[][2] = {
        {"ufrag", NEW_PWD}, /* the same ufrag, the same password */
        {NEW_UFRAG, "passwordpasswordpassword"},
        {"abc", NEW_PWD},
        {NEW_UFRAG, "short"},
        {"new:frag", NEW_PWD},
    };
    struct stage *stage = *state;
    struct heard heard;
    for (size_t i = 0; i <= sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct msg_publish_result live = go_live(stage, UINT64_MAX);
        struct publication *p = stage->sup.publications[0];
        bool no_fragment = i == sizeof(pairs) / sizeof(pairs[0]);
        patch_own(stage, 1, live.url_id, MATCH_ANY, "");
        struct msg_fragment m = at_worker(stage);
        struct msg_fragment_result answer = answer_to(&m, 200);
        while (hear(&stage->edge, MSG_TYPE_COUNT, &heard))
            ;
        if (!no_fragment) {
            snprintf(answer.ufrag, sizeof(answer.ufrag), "%s", pairs[i][0]);
            snprintf(answer.pwd, sizeof(answer.pwd), "%s", pairs[i][1]);
        }
        say(stage, &stage->ingest, MSG_FRAGMENT_RESULT, &answer, no_fragment ? NULL : "a=x",
            no_fragment ? 0 : 3);
        assert_true(is_cut(&stage->ingest));
        assert_false(hear(&stage->edge, MSG_EXPECT, &heard));
        publication_on_ingest_exit(p);
        replace(stage, &stage->ingest, PROCESS_INGEST);
        playback_free_all(&stage->sup);
        replace(stage, &stage->transcode, PROCESS_TRANSCODE);
        while (hear(&stage->web, MSG_TYPE_COUNT, &heard))
            ;
    }
}

static void I5_a_result_nobody_asked_for_ends_its_worker(void **state)
{
    struct stage *stage = *state;
    go_live(stage, UINT64_MAX);
    const struct msg_fragment none = {.session = stage->sup.publications[0]->session};
    struct msg_fragment_result answer = answer_to(&none, 200);
    work(stage, &answer);
    assert_true(is_cut(&stage->ingest));
    assert_string_equal(stage->sup.publications[0]->ufrag, "ufrag");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(WHIP_57_a_trickle_is_204_without_a_tag),
        CASE(WHIP_61_a_restart_tells_edge_and_changes_the_tag),
        CASE(WHIP_61_a_restarted_edge_is_told_both_pairs_for_a_while),
        CASE(WHIP_24_if_match_is_needed_and_must_match),
        CASE(BUG_24_without_if_match_one_may_trickle_if_configured),
        CASE(W4_only_the_sessions_own_token_may_patch),
        CASE(W6_a_replayed_patch_meets_a_new_tag),
        CASE(WHIP_28_a_worker_that_has_enough_restarts_says_when_to_come_back),
        CASE(WHIP_67_fragments_take_turns),
        CASE(WHIP_28_patches_have_a_rate),
        CASE(WHIP_62_a_refused_fragment_changes_nothing),
        CASE(WHIP_39_a_session_that_ends_answers_what_waits),
        CASE(WHIP_62_a_late_restart_counts_though_nobody_waits),
        CASE(a_web_process_that_dies_takes_its_requests_along),
        CASE(T6_without_auth_a_patch_is_tried_again),
        CASE(I5_a_result_that_can_not_be_ends_its_worker_alone),
        CASE(I5_a_restart_that_can_not_be_ends_its_worker_alone),
        CASE(I5_a_result_nobody_asked_for_ends_its_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
