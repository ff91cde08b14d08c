/* Playlists over workers and sessions. */
#include "tests/unit/supervisor/supervisor_stage.h"

/* A session that has opened segment 500 ends because its ingest worker was killed; its number. */
static uint64_t break_off(struct stage *stage, uint64_t discontinuity)
{
    go_live(stage, UINT64_MAX);
    uint64_t session = bound(stage).session;
    open_segment(stage, session, 500, discontinuity);
    publication_on_ingest_exit(stage->sup.publications[0]);
    return session;
}

/* The next POST works at once; the transcode worker of the session before stays as *old. */
static void come_again(struct stage *stage, struct player *old)
{
    replace(stage, &stage->ingest, PROCESS_INGEST);
    relieve(stage, &stage->transcode, PROCESS_TRANSCODE, old);
    go_live(stage, UINT64_MAX);
}

static void a_returning_publisher_goes_on_in_the_same_playlist(void **state)
{
    struct stage *stage = *state;
    struct player old;
    break_off(stage, 3);
    assert_int_equal(publications(stage), 0);
    assert_int_equal(playback_by_stream(&stage->sup, "demo")->state, STREAM_REJOIN);
    come_again(stage, &old);
    pong(stage, &old);
    struct msg_transcode_bind m = bound(stage);
    assert_int_equal(m.continues, 1);
    assert_int_equal(m.next_msn, 501);
    assert_int_equal(m.next_discontinuity, 4);
    struct msg_number playable = {.number = m.session};
    say(stage, &stage->transcode, MSG_PLAYABLE, &playable, NULL, 0);
    assert_null(old.process->chan); /* its channel's end sends the old worker home */
    leave(stage, &old);
}

/* What ingest wrote last may open one more segment, whose number the successor must not use. */
static void the_last_words_of_the_old_worker_count(void **state)
{
    struct stage *stage = *state;
    struct player old;
    struct heard heard;
    uint64_t first = break_off(stage, 3);
    come_again(stage, &old);
    assert_false(hear(&stage->transcode, MSG_TRANSCODE_BIND, &heard));
    struct msg_segment_opened last = {.session = first, .msn = 501, .discontinuity_sequence = 3};
    say(stage, &old, MSG_SEGMENT_OPENED, &last, NULL, 0);
    pong(stage, &old);
    struct msg_transcode_bind second = bound(stage);
    assert_int_equal(second.next_msn, 502);
    assert_int_equal(second.next_discontinuity, 4);
    struct msg_number playable = {.number = second.session};
    say(stage, &stage->transcode, MSG_PLAYABLE, &playable, NULL, 0);
    leave(stage, &old);
}

static void a_stuck_old_worker_is_not_waited_for(void **state)
{
    struct stage *stage = *state;
    struct player old;
    break_off(stage, 0);
    come_again(stage, &old);
    struct playback *pb = playback_by_stream(&stage->sup, "demo");
    while (pb->transcode != stage->transcode.process)
        assert_int_equal(loop_turn(&stage->sup.loop, 1000), 0);
    assert_int_equal(bound(stage).next_msn, 501);
    assert_ptr_equal(pb->previous, old.process);
    playback_on_transcode_exit(pb, old.process, true);
    assert_null(pb->previous);
    leave(stage, &old);
}

static void an_old_worker_that_dies_while_it_is_waited_for_is_no_crash(void **state)
{
    struct stage *stage = *state;
    struct player old;
    break_off(stage, 0);
    come_again(stage, &old);
    struct playback *pb = playback_by_stream(&stage->sup, "demo");
    playback_on_transcode_exit(pb, old.process, false);
    assert_int_equal(bound(stage).next_msn, 501);
    assert_int_equal(pb->crashes, 0);
    leave(stage, &old);
}

static void a_session_that_ends_before_its_worker_has_begun_leaves_the_window_open(void **state)
{
    struct stage *stage = *state;
    struct player old;
    struct heard heard;
    break_off(stage, 0);
    assert_true(hear(&stage->transcode, MSG_END, &heard));
    come_again(stage, &old);
    publication_on_ingest_exit(stage->sup.publications[0]);
    assert_false(hear(&old, MSG_END, &heard)); /* that it had; a second one would be its end */
    struct playback *pb = playback_by_stream(&stage->sup, "demo");
    assert_int_equal(pb->state, STREAM_REJOIN);
    assert_ptr_equal(pb->transcode, old.process);
    assert_int_equal(pb->drain_ping, 0);
    pb->transcode = NULL;
    leave(stage, &old);
}

static void a_stream_that_can_not_be_transcoded_ends(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    go_live(stage, UINT64_MAX);
    struct msg_transcode_bind m = bound(stage);
    struct msg_number session = {.number = m.session + 1};
    say(stage, &stage->transcode, MSG_REFUSED, &session, NULL, 0); /* about another one */
    assert_int_equal(stage->sup.publications[0]->state, PUBLICATION_LIVE);
    session.number = m.session;
    say(stage, &stage->transcode, MSG_REFUSED, &session, NULL, 0);
    assert_int_equal(stage->sup.publications[0]->state, PUBLICATION_ENDING);
    assert_true(hear(&stage->ingest, MSG_END, &heard));
    assert_int_equal(((const struct msg_end *)(const void *)heard.body)->reason, END_BROKEN);
    assert_true(hear(&stage->transcode, MSG_END, &heard));
}

/* It may guess the number of the session that it has no part in. */
static void I5_the_old_worker_can_not_end_the_next_session(void **state)
{
    struct stage *stage = *state;
    struct player old;
    break_off(stage, 3);
    come_again(stage, &old);
    struct publication *p = stage->sup.publications[0];
    struct msg_number session = {.number = p->session};
    assert_ptr_equal(playback_by_stream(&stage->sup, "demo")->transcode, old.process);
    say(stage, &old, MSG_REFUSED, &session, NULL, 0);
    assert_int_equal(p->state, PUBLICATION_LIVE);
    pong(stage, &old);
    assert_int_equal(bound(stage).session, p->session);
    say(stage, &old, MSG_REFUSED, &session, NULL, 0);
    assert_int_equal(p->state, PUBLICATION_LIVE);
    playback_by_stream(&stage->sup, "demo")->previous = NULL;
    leave(stage, &old);
}

static void HLS_04_a_new_playlist_never_starts_lower(void **state)
{
    struct stage *stage = *state;
    uint64_t seconds = clock_wall_us() / CLOCK_SECOND_US;
    struct msg_publish_result m = go_live(stage, UINT64_MAX);
    struct msg_transcode_bind first = bound(stage);
    assert_in_range(first.next_msn, seconds, seconds + 5);
    open_segment(stage, first.session, first.next_msn + 1000, 0);
    session(stage, SESSION_DELETE, m.url_id);
    grant(stage, GRANT_OK, 0, 0);
    publication_on_ingest_exit(stage->sup.publications[0]);
    struct player old;
    come_again(stage, &old);
    struct msg_transcode_bind second = bound(stage);
    assert_int_equal(second.continues, 0);
    assert_int_equal(second.next_msn, first.next_msn + 1001);
    leave(stage, &old);
    playback_by_stream(&stage->sup, "demo")->previous = NULL;
}

static void a_killed_transcode_worker_gets_a_successor_on_the_same_ring(void **state)
{
    struct stage *stage = *state;
    go_live(stage, UINT64_MAX);
    struct msg_transcode_bind first = bound(stage);
    open_segment(stage, first.session, 500, 0);
    struct playback *pb = playback_by_stream(&stage->sup, "demo");
    playback_on_transcode_exit(pb, stage->transcode.process, false);
    assert_true(pb->wanted);
    replace(stage, &stage->transcode, PROCESS_TRANSCODE);
    playback_on_worker(&stage->sup);
    struct msg_transcode_bind second = bound(stage);
    assert_int_equal(second.session, first.session);
    assert_int_equal(second.next_msn, 501);
    assert_int_equal(second.next_discontinuity, 1);
    assert_int_equal(second.continues, 1);
    assert_true(second.epoch != first.epoch);
}

static void A3_a_stream_whose_worker_crashes_ten_times_ends(void **state)
{
    struct stage *stage = *state;
    go_live(stage, UINT64_MAX);
    struct playback *pb = playback_by_stream(&stage->sup, "demo");
    for (unsigned i = 0; i < PLAYBACK_CRASHES_MAX; i++) {
        assert_int_equal(stage->sup.publications[0]->state, PUBLICATION_LIVE);
        playback_on_transcode_exit(pb, stage->transcode.process, false);
        replace(stage, &stage->transcode, PROCESS_TRANSCODE);
        playback_on_worker(&stage->sup);
    }
    assert_int_equal(stage->sup.publications[0]->state, PUBLICATION_ENDING);
}

static void I5_transcode_cannot_use_up_the_numbers(void **state)
{
    struct stage *stage = *state;
    go_live(stage, UINT64_MAX);
    struct msg_transcode_bind m = bound(stage);
    open_segment(stage, m.session, m.next_msn, 0);
    struct playback *pb = playback_by_stream(&stage->sup, "demo");
    open_segment(stage, m.session, UINT64_MAX, 0);
    assert_int_equal(pb->msn, m.next_msn);
    assert_true(is_cut(&stage->transcode));
}

/* A session that shows nothing, while the ended playlist of an earlier one is still there. */
static void an_ended_playlist_is_not_continued(void **state)
{
    struct stage *stage = *state;
    struct msg_publish_result m = go_live(stage, UINT64_MAX);
    struct msg_transcode_bind first = bound(stage);
    open_segment(stage, first.session, first.next_msn, 0);
    session(stage, SESSION_DELETE, m.url_id);
    grant(stage, GRANT_OK, 0, 0);
    publication_on_ingest_exit(stage->sup.publications[0]);
    struct player old;
    come_again(stage, &old);
    (void)bound(stage);
    struct playback *pb = playback_by_stream(&stage->sup, "demo");
    struct process *broken = stage->transcode.process;
    stage->transcode = play(stage, PROCESS_TRANSCODE);
    playback_on_transcode_exit(pb, broken, false);
    assert_int_equal(bound(stage).continues, 0);
    publication_on_ingest_exit(stage->sup.publications[0]);
    assert_int_equal(pb->state, STREAM_ENDED);
    pb->previous = NULL;
    leave(stage, &old);
    struct player gone = {.process = broken, .fd = -1};
    leave(stage, &gone);
}

/* What web has lost, it gets again: for its session only, and not at any pace. */
static void a_web_process_that_lost_its_link_gets_another(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    go_live(stage, UINT64_MAX);
    struct msg_transcode_bind m = bound(stage);
    assert_true(hear(&stage->web, MSG_STREAM_LINK, &heard));
    assert_true(hear(&stage->transcode, MSG_CONSUMER, &heard));
    struct msg_stream_link wanted = {.session = m.session + 1, .stream = "demo"};
    say(stage, &stage->web, MSG_LINK_WANTED, &wanted, NULL, 0);
    assert_false(hear(&stage->web, MSG_STREAM_LINK, &heard));
    wanted.session = m.session;
    for (int i = 0; i < 3; i++)
        say(stage, &stage->web, MSG_LINK_WANTED, &wanted, NULL, 0);
    assert_true(hear(&stage->web, MSG_STREAM_LINK, &heard));
    assert_true(hear(&stage->transcode, MSG_CONSUMER, &heard));
    assert_false(hear(&stage->web, MSG_STREAM_LINK, &heard));
    struct player other = play(stage, PROCESS_WEB); /* what one has had is no matter to another */
    say(stage, &other, MSG_LINK_WANTED, &wanted, NULL, 0);
    assert_true(hear(&other, MSG_STREAM_LINK, &heard));
    assert_true(hear(&stage->transcode, MSG_CONSUMER, &heard));
    assert_int_equal(((const struct msg_number *)(const void *)heard.body)->number,
                     other.process->number);
    assert_int_not_equal(other.process->number, stage->web.process->number);
    leave(stage, &other);
    memset(wanted.stream, 'a', sizeof(wanted.stream)); /* I5 */
    say(stage, &stage->web, MSG_LINK_WANTED, &wanted, NULL, 0);
    assert_true(is_cut(&stage->web));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_returning_publisher_goes_on_in_the_same_playlist),
        CASE(the_last_words_of_the_old_worker_count),
        CASE(a_stuck_old_worker_is_not_waited_for),
        CASE(an_old_worker_that_dies_while_it_is_waited_for_is_no_crash),
        CASE(a_session_that_ends_before_its_worker_has_begun_leaves_the_window_open),
        CASE(a_stream_that_can_not_be_transcoded_ends),
        CASE(I5_the_old_worker_can_not_end_the_next_session),
        CASE(HLS_04_a_new_playlist_never_starts_lower),
        CASE(a_killed_transcode_worker_gets_a_successor_on_the_same_ring),
        CASE(A3_a_stream_whose_worker_crashes_ten_times_ends),
        CASE(I5_transcode_cannot_use_up_the_numbers),
        CASE(an_ended_playlist_is_not_continued),
        CASE(a_web_process_that_lost_its_link_gets_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
