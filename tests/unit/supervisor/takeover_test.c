/* A stream that is being published already. */
#include "gateway/supervisor/takeover.h"
#include "tests/unit/supervisor/takeover_stage.h"

static void WHIP_23_a_second_publisher_gets_409(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    const struct grant second = {.verdict = GRANT_OK, .lease_id = LEASE + 1};
    go_live(stage, UINT64_MAX);
    post(stage, 2, "demo");
    grant_as(stage, "t_two", &second);
    assert_int_equal(result(stage).status, 409);
    assert_true(hear(&stage->auth, MSG_LEASE_RELEASE, &heard));
    post(stage, 3, "demo");
    grant(stage, GRANT_BUSY, 0, 0); /* the same one-stream token */
    assert_int_equal(result(stage).status, 409);
    assert_int_equal(publications(stage), 1);
}

static void WHIP_23_a_living_session_of_ones_own_is_tried_again(void **state)
{
    struct stage *stage = *state;
    struct player old;
    go_live(stage, UINT64_MAX);
    make_silent(stage, 1000000);
    challenge(stage, "t_one", CLASH_REFUSE, &old);
    struct msg_publish_result m = result(stage);
    assert_int_equal(m.status, 409);
    assert_int_equal(m.retry_after_s, 2);
    assert_int_equal(publications(stage), 1);
    finish(stage, &old);
}

static void WHIP_23_anothers_session_is_never_cut_by_refuse(void **state)
{
    struct stage *stage = *state;
    struct player old;
    go_live(stage, UINT64_MAX);
    make_silent(stage, 60 * CLOCK_SECOND_US);
    challenge(stage, "t_two", CLASH_REFUSE, &old);
    struct msg_publish_result m = result(stage);
    assert_int_equal(m.status, 409);
    assert_int_equal(m.retry_after_s, 0);
    finish(stage, &old);
}

static void W5_a_silent_session_of_ones_own_is_taken_over(void **state)
{
    struct stage *stage = *state;
    struct player old, old_transcode;
    struct heard heard;
    struct msg_publish_result first = go_live(stage, UINT64_MAX);
    open_segment(stage, bound(stage).session, 500, 0);
    make_silent(stage, TAKEOVER_STALE_US + 1);
    relieve(stage, &stage->transcode, PROCESS_TRANSCODE, &old_transcode);
    challenge(stage, "t_one", CLASH_REFUSE, &old);
    assert_false(hear(&old, MSG_END, &heard)); /* not before there is an answer */
    answer_offer(stage, 201);
    assert_int_equal(result(stage).status, 201);
    assert_replaced(stage, &old, first.url_id);
    pong(stage, &old_transcode);
    struct msg_transcode_bind m = bound(stage); /* one discontinuity, no ENDLIST */
    assert_int_equal(m.continues, 1);
    assert_int_equal(m.next_msn, 501);
    assert_int_equal(m.next_discontinuity, 1);
    struct playback *pb = playback_by_stream(&stage->sup, STREAM);
    assert_int_equal(pb->state, STREAM_LIVE);
    pb->previous = NULL;
    leave(stage, &old_transcode);
    finish(stage, &old);
    assert_int_equal(publications(stage), 1);
}

static void W5_a_session_of_ones_own_without_keys_is_taken_over(void **state)
{
    struct stage *stage = *state;
    struct player old;
    struct msg_publish_result first = go_live(stage, UINT64_MAX);
    stage->sup.publications[0]->stats.last_packet_us = clock_now_us(); /* says the worker */
    stage->sup.publications[0]->accepted_us -= TAKEOVER_STALE_US + 1;
    challenge(stage, "t_one", CLASH_REFUSE, &old);
    answer_offer(stage, 201);
    assert_int_equal(result(stage).status, 201);
    assert_replaced(stage, &old, first.url_id);
    finish(stage, &old);
}

/* Or a token that only sends POSTs would get a new worker for each. */
static void W2_a_session_of_ones_own_has_its_time_to_get_keys(void **state)
{
    struct stage *stage = *state;
    struct player old;
    struct heard heard;
    go_live(stage, UINT64_MAX);
    stage->sup.publications[0]->accepted_us -= TAKEOVER_STALE_US / 2;
    challenge(stage, "t_one", CLASH_REFUSE, &old);
    struct msg_publish_result m = result(stage);
    assert_int_equal(m.status, 409);
    assert_int_equal(m.retry_after_s, 2);
    assert_false(hear(&stage->ingest, MSG_INGEST_BIND, &heard));
    assert_false(hear(&old, MSG_END, &heard));
    finish(stage, &old);
}

static void I5_a_worker_can_not_hold_its_stream_by_a_lie(void **state)
{
    struct stage *stage = *state;
    struct player old;
    go_live(stage, UINT64_MAX);
    struct publication *p = make_silent(stage, 0);
    p->stats.last_packet_us = UINT64_MAX;
    challenge(stage, "t_one", CLASH_REFUSE, &old);
    answer_offer(stage, 201);
    assert_int_equal(result(stage).status, 201);
    finish(stage, &old);
}

static void W5_take_over_cuts_whatever_is_live(void **state)
{
    struct stage *stage = *state;
    struct player old, old_transcode;
    struct heard heard;
    stage->sup.conf.rejoin_window_s = 0; /* no window is needed: there is no time between */
    stage->sup.conf.max_streams = 1;     /* it is one stream before and after */
    struct msg_publish_result first = go_live(stage, UINT64_MAX);
    open_segment(stage, bound(stage).session, 500, 0);
    make_silent(stage, 0);
    relieve(stage, &stage->transcode, PROCESS_TRANSCODE, &old_transcode);
    challenge(stage, "t_two", CLASH_TAKE_OVER, &old);
    uint64_t next = answer_offer(stage, 201);
    assert_int_equal(result(stage).status, 201);
    assert_false(hear(&old, MSG_END, &heard)); /* an answer is no proof that it can connect */
    get_keys(stage, next);
    assert_replaced(stage, &old, first.url_id);
    pong(stage, &old_transcode);
    struct msg_transcode_bind m = bound(stage);
    assert_int_equal(m.session, next);
    assert_int_equal(m.continues, 1);
    assert_int_equal(m.next_msn, 501);
    assert_int_equal(m.next_discontinuity, 1);
    while (hear(&stage->web, MSG_STREAM_STATE, &heard))
        assert_int_not_equal(((const struct msg_stream_state *)(const void *)heard.body)->state,
                             STREAM_ENDED);
    playback_by_stream(&stage->sup, STREAM)->previous = NULL;
    leave(stage, &old_transcode);
    finish(stage, &old);
}

static void W5_a_bad_offer_cuts_nobody(void **state)
{
    struct stage *stage = *state;
    struct player old;
    struct heard heard;
    struct msg_publish_result first = go_live(stage, UINT64_MAX);
    challenge(stage, "t_two", CLASH_TAKE_OVER, &old);
    answer_offer(stage, 422);
    assert_int_equal(result(stage).status, 422);
    assert_false(hear(&old, MSG_END, &heard));
    session(stage, SESSION_GET, first.url_id);
    assert_int_equal(session_result(stage).status, 200);
    finish(stage, &old);
}

static void W2_one_live_and_one_pending_per_stream(void **state)
{
    struct stage *stage = *state;
    struct player old;
    const struct grant third = {
        .verdict = GRANT_OK, .lease_id = LEASE + 2, .clash = CLASH_TAKE_OVER};
    go_live(stage, UINT64_MAX);
    challenge(stage, "t_one", CLASH_TAKE_OVER, &old);
    post(stage, 3, STREAM);
    grant_as(stage, "t_three", &third);
    struct msg_publish_result m = result(stage);
    assert_int_equal(m.request, 3);
    assert_int_equal(m.status, 409);
    assert_int_equal(publications(stage), 2);
    finish(stage, &old);
}

/* The one that was to be replaced went by itself: nothing else is cut. */
static void W5_what_has_gone_meanwhile_is_not_replaced(void **state)
{
    struct stage *stage = *state;
    struct player old;
    struct msg_publish_result first = go_live(stage, UINT64_MAX);
    challenge(stage, "t_two", CLASH_TAKE_OVER, &old);
    session(stage, SESSION_DELETE, first.url_id);
    grant(stage, GRANT_OK, 0, 0);
    assert_int_equal(session_result(stage).status, 200);
    answer_offer(stage, 201);
    assert_int_equal(result(stage).status, 201);
    session(stage, SESSION_GET, first.url_id);
    assert_int_equal(session_result(stage).end_reason, END_DELETED);
    finish(stage, &old);
    assert_int_equal(publications(stage), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(WHIP_23_a_second_publisher_gets_409),
        CASE(WHIP_23_a_living_session_of_ones_own_is_tried_again),
        CASE(WHIP_23_anothers_session_is_never_cut_by_refuse),
        CASE(W5_a_silent_session_of_ones_own_is_taken_over),
        CASE(W5_a_session_of_ones_own_without_keys_is_taken_over),
        CASE(W2_a_session_of_ones_own_has_its_time_to_get_keys),
        CASE(I5_a_worker_can_not_hold_its_stream_by_a_lie),
        CASE(W5_take_over_cuts_whatever_is_live),
        CASE(W5_a_bad_offer_cuts_nobody),
        CASE(W2_one_live_and_one_pending_per_stream),
        CASE(W5_what_has_gone_meanwhile_is_not_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
