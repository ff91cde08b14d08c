/* A publisher that has its answer, but not yet the place of the one that it is to replace. */
#include "tests/unit/supervisor/takeover_stage.h"

/* A healthy stream of t_one, and another session that has its 201 and no keys. */
struct heirdom {
    struct player old;
    struct msg_publish_result first, second;
    uint64_t session, heir;
};

static struct heirdom make_heir_of(struct stage *stage, const char *token, uint64_t remaining_us)
{
    struct heirdom h = {.first = go_live(stage, UINT64_MAX)};
    const struct grant g = {.verdict = GRANT_OK,
                            .lease_id = LEASE + 1,
                            .remaining_us = remaining_us,
                            .clash = CLASH_TAKE_OVER};
    struct heard heard;
    h.session = bound(stage).session;
    open_segment(stage, h.session, 500, 0);
    make_silent(stage, 0);
    relieve(stage, &stage->ingest, PROCESS_INGEST, &h.old);
    post(stage, 2, STREAM);
    grant_as(stage, token, &g);
    h.heir = answer_offer(stage, 201);
    h.second = result(stage);
    assert_int_equal(h.second.status, 201);
    while (hear(&stage->web, MSG_STREAM_STATE, &heard) || hear(&stage->edge, MSG_EXPECT, &heard))
        ;
    return h;
}

static struct heirdom make_heir(struct stage *stage, uint64_t remaining_us)
{
    return make_heir_of(stage, "t_two", remaining_us);
}

/* The old session goes on as if nothing had been. */
static void assert_untouched(struct stage *stage, const struct heirdom *h)
{
    struct publication *p = publication_by_stream(&stage->sup, STREAM);
    const struct playback *pb = playback_by_stream(&stage->sup, STREAM);
    struct heard heard;
    assert_int_equal(p->session, h->session);
    assert_int_equal(p->state, PUBLICATION_LIVE);
    assert_int_equal(pb->session, h->session);
    assert_int_equal(pb->state, STREAM_LIVE);
    assert_ptr_equal(pb->transcode, stage->transcode.process);
    assert_false(pb->wanted);
    assert_int_equal(pb->drain_ping, 0);
    assert_false(hear(&h->old, MSG_END, &heard));
    assert_false(hear(&stage->transcode, MSG_END, &heard));
    assert_false(hear(&stage->web, MSG_STREAM_STATE, &heard));
}

static enum end_reason reason_told(struct stage *stage, const struct msg_publish_result *m)
{
    session(stage, SESSION_GET, m->url_id);
    return session_result(stage).end_reason;
}

static void W5_an_heir_has_its_url_and_its_credentials(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    struct heirdom h = make_heir(stage, UINT64_MAX);
    assert_untouched(stage, &h);
    session(stage, SESSION_GET, h.second.url_id);
    assert_int_equal(session_result(stage).status, 200);
    publication_tell_edge(&stage->sup); /* a restarted one: either may still check its paths */
    assert_true(hear(&stage->edge, MSG_EXPECT, &heard));
    assert_true(hear(&stage->edge, MSG_EXPECT, &heard));
    finish(stage, &h.old);
}

static void heir_not_started(struct stage *stage, const struct heirdom *h)
{
    tell(stage, h->heir, INGEST_ENDED, END_NOT_STARTED);
}

static void heir_deleted(struct stage *stage, const struct heirdom *h)
{
    const struct grant own = {.verdict = GRANT_OK};
    session(stage, SESSION_DELETE, h->second.url_id);
    grant_as(stage, "t_two", &own);
    assert_int_equal(session_result(stage).status, 200);
}

static void heir_revoked(struct stage *stage, const struct heirdom *h)
{
    struct msg_lease_end end = {.lease_id = LEASE + 1, .reason = END_REVOKED};
    (void)h;
    say(stage, &stage->auth, MSG_LEASE_END, &end, NULL, 0);
}

static void heir_crashed(struct stage *stage, const struct heirdom *h)
{
    publication_on_ingest_exit(publication_by_session(&stage->sup, h->heir));
}

/* Its worker neither gets keys nor gives up. */
static void heir_stuck(struct stage *stage, const struct heirdom *h)
{
    struct publication *p = publication_by_session(&stage->sup, h->heir);
    struct loop_timer *timer = &p->wait_timer;
    assert_in_range(timer->due_us, p->accepted_us + CLOCK_SECOND_US,
                    p->accepted_us + PUBLICATION_HEIR_US);
    loop_timer_set(&stage->sup.loop, timer, clock_now_us(), timer->fn, timer->ctx);
    turn(stage);
}

static void W5_an_heir_that_ends_leaves_no_trace(void **state)
{
    static const struct {
        void (*end)(struct stage *stage, const struct heirdom *h);
        enum end_reason reason;
    } rows[] = {{heir_not_started, END_NOT_STARTED},
                {heir_deleted, END_DELETED},
                {heir_revoked, END_REVOKED},
                {heir_crashed, END_CRASHED},
                {heir_stuck, END_NOT_STARTED}};
    struct stage *stage = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct heirdom h = make_heir(stage, UINT64_MAX);
        rows[i].end(stage, &h);
        assert_untouched(stage, &h);
        assert_int_equal(reason_told(stage, &h.second), rows[i].reason);
        struct publication *p = publication_by_session(&stage->sup, h.heir);
        if (p)
            publication_on_ingest_exit(p);
        assert_int_equal(publications(stage), 1);
        /* the next row begins with an empty stage */
        publication_end(publication_by_session(&stage->sup, h.session), END_DELETED);
        finish(stage, &h.old);
        replace(stage, &stage->ingest, PROCESS_INGEST);
        playback_free_all(&stage->sup);
        replace(stage, &stage->transcode, PROCESS_TRANSCODE);
    }
}

static void T1_the_deadline_of_an_heir_is_its_own(void **state)
{
    struct stage *stage = *state;
    struct heirdom h = make_heir(stage, 20000);
    while (publication_by_session(&stage->sup, h.heir)->state != PUBLICATION_ENDING)
        assert_int_equal(loop_turn(&stage->sup.loop, 1000), 0);
    assert_untouched(stage, &h);
    assert_int_equal(reason_told(stage, &h.second), END_LIMIT);
    finish(stage, &h.old);
}

/* Nobody has to wait for keys that no longer replace anything. */
static void W5_the_heir_has_the_place_of_one_that_ends(void **state)
{
    struct stage *stage = *state;
    struct player old_transcode;
    struct heirdom h = make_heir(stage, UINT64_MAX);
    relieve(stage, &stage->transcode, PROCESS_TRANSCODE, &old_transcode);
    publication_end(publication_by_session(&stage->sup, h.session), END_CLOSED);
    const struct playback *pb = playback_by_stream(&stage->sup, STREAM);
    assert_int_equal(pb->session, h.heir);
    pong(stage, &old_transcode);
    struct msg_transcode_bind m = bound(stage);
    assert_int_equal(m.session, h.heir);
    assert_int_equal(m.renditions, 3);
    assert_int_equal(m.continues, 1);
    assert_int_equal(m.next_msn, 501);
    struct publication *p = publication_by_stream(&stage->sup, STREAM);
    assert_int_equal(p->session, h.heir);
    get_keys(stage, h.heir);
    assert_int_equal(p->state, PUBLICATION_LIVE);
    assert_int_equal(reason_told(stage, &h.first), END_CLOSED);
    playback_by_stream(&stage->sup, STREAM)->previous = NULL;
    leave(stage, &old_transcode);
    finish(stage, &h.old);
}

/* The playlist that a DELETE has ended stays ended: the heir has its own. */
static void WHIP_30_an_heir_does_not_continue_what_was_deleted(void **state)
{
    struct stage *stage = *state;
    struct player old_transcode;
    struct heirdom h = make_heir(stage, UINT64_MAX);
    relieve(stage, &stage->transcode, PROCESS_TRANSCODE, &old_transcode);
    session(stage, SESSION_DELETE, h.first.url_id);
    grant(stage, GRANT_OK, 0, 0);
    assert_int_equal(session_result(stage).status, 200);
    struct msg_transcode_bind m = bound(stage);
    assert_int_equal(m.session, h.heir);
    assert_int_equal(m.continues, 0);
    playback_by_stream(&stage->sup, STREAM)->previous = NULL;
    leave(stage, &old_transcode);
    finish(stage, &h.old);
}

static void W5_one_live_and_one_heir_and_nobody_else(void **state)
{
    struct stage *stage = *state;
    static const char *const others[] = {"t_one", "t_two", "t_three"};
    const struct grant g = {.verdict = GRANT_OK, .lease_id = LEASE + 2, .clash = CLASH_TAKE_OVER};
    struct heirdom h = make_heir(stage, UINT64_MAX);
    for (uint64_t i = 0; i < 3; i++) {
        post(stage, 10 + i, STREAM);
        grant_as(stage, others[i], &g);
        struct msg_publish_result m = result(stage);
        assert_int_equal(m.status, 409);
        assert_int_equal(m.retry_after_s, i == 1 ? 2 : 0); /* it may follow itself in a moment */
    }
    assert_int_equal(publications(stage), 2);
    assert_untouched(stage, &h);
    finish(stage, &h.old);
}

/* Its publisher has no way here, and tries again. */
static void W5_an_heir_without_keys_makes_room_for_its_own_token(void **state)
{
    struct stage *stage = *state;
    struct heirdom h = make_heir(stage, UINT64_MAX);
    const struct grant g = {.verdict = GRANT_OK,
                            .lease_id = LEASE + 2,
                            .remaining_us = UINT64_MAX,
                            .clash = CLASH_TAKE_OVER};
    struct player second;
    publication_by_session(&stage->sup, h.heir)->accepted_us -= TAKEOVER_STALE_US + 1;
    relieve(stage, &stage->ingest, PROCESS_INGEST, &second);
    post(stage, 3, STREAM);
    grant_as(stage, "t_two", &g);
    uint64_t third = answer_offer(stage, 201);
    assert_int_equal(result(stage).status, 201);
    assert_true(takeover_is_heir(publication_by_session(&stage->sup, third)));
    assert_int_equal(reason_told(stage, &h.second), END_REPLACED);
    assert_untouched(stage, &h);
    finish(stage, &second);
    finish(stage, &h.old);
}

static void T5_a_revoked_token_leaves_no_heir(void **state)
{
    struct stage *stage = *state;
    struct heirdom h = make_heir_of(stage, "t_one", UINT64_MAX);
    const struct msg_lease_end end = {.lease_id = LEASE, .reason = END_REVOKED};
    struct msg_stream_state said;
    struct heard heard;
    say(stage, &stage->auth, MSG_LEASE_END, &end, NULL, 0);
    assert_null(publication_by_stream(&stage->sup, STREAM));
    assert_true(hear(&stage->web, MSG_STREAM_STATE, &heard));
    memcpy(&said, heard.body, sizeof(said));
    assert_int_equal(said.state, STREAM_ENDED);
    assert_false(hear(&stage->web, MSG_STREAM_STATE, &heard)); /* and not live again */
    assert_int_equal(reason_told(stage, &h.second), END_REVOKED);
    finish(stage, &h.old);
}

static void W5_an_heir_needs_no_room_of_its_own(void **state)
{
    struct stage *stage = *state;
    const struct grant g = {.verdict = GRANT_OK, .lease_id = LEASE + 2, .remaining_us = UINT64_MAX};
    stage->sup.conf.max_streams = 2;
    struct heirdom h = make_heir(stage, UINT64_MAX);
    post(stage, 10, "second");
    grant_as(stage, "t_three", &g);
    post(stage, 11, "third");
    grant_as(stage, "t_three", &g);
    struct msg_publish_result m = result(stage);
    assert_int_equal(m.request, 11);
    assert_int_equal(m.status, 503);
    assert_int_equal(publications(stage), 3);
    finish(stage, &h.old);
}

/* Until then everything that is the stream's is the old session's. */
static void W5_workers_and_rows_belong_to_who_has_the_playback(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    struct msg_number number = {.number = 0};
    struct msg_ctl list = {.op = CTL_STREAMS};
    struct stats stats = {.last_packet_us = 12345};
    struct heirdom h = make_heir(stage, UINT64_MAX);
    say(stage, &stage->transcode, MSG_WANT_KEYFRAME, &number, NULL, 0);
    assert_true(hear(&h.old, MSG_WANT_KEYFRAME, &heard));
    assert_false(hear(&stage->ingest, MSG_WANT_KEYFRAME, &heard));
    say(stage, &stage->ingest, MSG_STATS, &stats, NULL, 0);
    say(stage, &stage->auth, MSG_CTL, &list, NULL, 0);
    assert_true(hear(&stage->auth, MSG_CTL_ROW, &heard));
    const struct msg_ctl_row *row = (const void *)heard.body;
    assert_int_equal(row->session, h.session);
    assert_string_equal(row->token_id, "t_one");
    assert_int_not_equal(row->stats.last_packet_us, 12345);
    assert_false(hear(&stage->auth, MSG_CTL_ROW, &heard));
    number.number = h.heir;
    say(stage, &stage->transcode, MSG_REFUSED, &number, NULL, 0); /* not its to refuse */
    assert_untouched(stage, &h);
    finish(stage, &h.old);
}

/* Both ended, and the heir had no playback in between. */
static void assert_ended_together(struct stage *stage, struct heirdom *h, enum end_reason reason)
{
    struct heard heard;
    assert_int_equal(playback_by_stream(&stage->sup, STREAM)->session, 0);
    while (hear(&stage->web, MSG_STREAM_STATE, &heard))
        assert_int_not_equal(((const struct msg_stream_state *)(const void *)heard.body)->state,
                             STREAM_LIVE);
    assert_int_equal(reason_told(stage, &h->first), reason);
    assert_int_equal(reason_told(stage, &h->second), reason);
    finish(stage, &h->old);
}

static void T5_a_kick_takes_the_heir_along(void **state)
{
    struct stage *stage = *state;
    struct msg_ctl kick = {.op = CTL_KICK, .stream = STREAM};
    struct heirdom h = make_heir(stage, UINT64_MAX);
    say(stage, &stage->auth, MSG_CTL, &kick, NULL, 0);
    assert_ended_together(stage, &h, END_KICKED);
}

static void WHIP_73_a_shutdown_brings_no_heir_up(void **state)
{
    struct stage *stage = *state;
    struct heirdom h = make_heir(stage, UINT64_MAX);
    publication_end_all(&stage->sup, END_SHUTDOWN);
    assert_ended_together(stage, &h, END_SHUTDOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(W5_an_heir_has_its_url_and_its_credentials),
        CASE(W5_an_heir_that_ends_leaves_no_trace),
        CASE(T1_the_deadline_of_an_heir_is_its_own),
        CASE(W5_the_heir_has_the_place_of_one_that_ends),
        CASE(WHIP_30_an_heir_does_not_continue_what_was_deleted),
        CASE(W5_one_live_and_one_heir_and_nobody_else),
        CASE(W5_an_heir_without_keys_makes_room_for_its_own_token),
        CASE(T5_a_revoked_token_leaves_no_heir),
        CASE(W5_an_heir_needs_no_room_of_its_own),
        CASE(W5_workers_and_rows_belong_to_who_has_the_playback),
        CASE(T5_a_kick_takes_the_heir_along),
        CASE(WHIP_73_a_shutdown_brings_no_heir_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
