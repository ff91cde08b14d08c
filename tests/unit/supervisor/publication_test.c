/* The life of publications, from the POST to the end. */
#include "gateway/supervisor/launch.h"
#include "tests/unit/supervisor/supervisor_stage.h"

static void WHIP_01_a_good_post_reaches_every_role(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    struct msg_publish_result m = go_live(stage, UINT64_MAX);
    assert_int_equal(strlen(m.url_id), STREAM_URL_ID_LEN);
    assert_true(hear(&stage->edge, MSG_EXPECT, &heard));
    assert_string_equal(((const struct msg_expect *)(const void *)heard.body)->ufrag, "ufrag");
    assert_int_equal(bound(stage).continues, 0);
    assert_true(hear(&stage->transcode, MSG_CONSUMER, &heard));
    close(heard.fds[0]);
    assert_true(hear(&stage->web, MSG_STREAM_LINK, &heard));
    close(heard.fds[0]);
    assert_int_equal(publications(stage), 1);
}

/* A token's ceiling counts below the gateway's only. */
static void U15_the_lower_of_both_bitrates_counts(void **state)
{
    struct stage *stage = *state;
    struct grant g = {.verdict = GRANT_OK, .lease_id = LEASE, .remaining_us = UINT64_MAX};
    uint64_t all_bps = (uint64_t)stage->sup.conf.max_bitrate_kbps * 1000;
    const uint64_t given[] = {all_bps / 2, 0, all_bps * 2};
    const uint64_t wanted[] = {all_bps / 2, all_bps, all_bps};
    struct publication p = {.sup = &stage->sup};
    assert_true(all_bps > 0);
    for (size_t i = 0; i < 3; i++) {
        g.max_bitrate_bps = given[i];
        p.grant = g;
        assert_int_equal(launch_bitrate_bps(&p), wanted[i]);
    }
}

static void W1_nothing_is_done_before_auth_has_answered(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    post(stage, 1, "demo");
    assert_false(hear(&stage->ingest, MSG_INGEST_BIND, &heard));
    assert_false(hear(&stage->edge, MSG_EXPECT, &heard));
}

static void WHIP_21_refusals_leave_nothing(void **state)
{
    static const struct {
        enum grant_verdict verdict;
        uint16_t status;
    } rows[] = {{GRANT_UNKNOWN, 401},
                {GRANT_WRONG_STREAM, 403},
                {GRANT_BUSY, 429},
                {GRANT_UNAVAILABLE, 503}};
    struct stage *stage = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct heard heard;
        post(stage, i, "demo");
        grant(stage, rows[i].verdict, 0, 0);
        struct msg_publish_result m = result(stage);
        assert_int_equal(m.status, rows[i].status);
        assert_int_equal(m.request, i);
        assert_int_equal(publications(stage), 0);
        assert_false(hear(&stage->ingest, MSG_INGEST_BIND, &heard));
    }
    go_live(stage, UINT64_MAX); /* and nobody is locked out */
}

static void WHIP_03_a_bad_offer_leaves_nothing(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    post(stage, 1, "demo");
    grant(stage, GRANT_OK, LEASE, UINT64_MAX);
    answer_offer(stage, 400);
    struct msg_publish_result m = result(stage);
    assert_int_equal(m.status, 400);
    assert_string_equal(m.reason, "no codec");
    assert_int_equal(publications(stage), 0);
    assert_true(hear(&stage->auth, MSG_LEASE_RELEASE, &heard));
    assert_false(hear(&stage->edge, MSG_EXPECT, &heard));
    replace(stage, &stage->ingest, PROCESS_INGEST);
    go_live(stage, UINT64_MAX);
}

static void A3_who_asked_through_a_web_that_died_has_never_been_there(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    go_live(stage, UINT64_MAX);
    post(stage, 2, "second");
    publication_on_web_exit(&stage->sup, stage->auth.process); /* not that one */
    assert_int_equal(publications(stage), 2);
    grant(stage, GRANT_OK, LEASE + 1, UINT64_MAX);
    publication_on_web_exit(&stage->sup, stage->web.process);
    assert_int_equal(publications(stage), 1);
    assert_int_equal(stage->sup.publications[0]->state, PUBLICATION_LIVE);
    assert_true(hear(&stage->auth, MSG_LEASE_RELEASE, &heard));
    assert_int_equal(((const struct msg_lease_release *)(const void *)heard.body)->lease_id,
                     LEASE + 1);
}

static void WHIP_29_who_asked_while_auth_died_is_told_when_to_come_back(void **state)
{
    struct stage *stage = *state;
    go_live(stage, UINT64_MAX);
    post(stage, 2, "second");
    publication_on_auth_exit(&stage->sup);
    struct msg_publish_result m = result(stage);
    assert_int_equal(m.request, 2);
    assert_int_equal(m.status, 503);
    assert_true(m.retry_after_s > 0);
    assert_int_equal(publications(stage), 1);
    assert_int_equal(stage->sup.publications[0]->state, PUBLICATION_LIVE);
}

static void W5_ended_playlists_make_room_for_live_ones(void **state)
{
    struct stage *stage = *state;
    stage->sup.conf.max_streams = 1;
    go_live(stage, UINT64_MAX);
    open_segment(stage, bound(stage).session, 500, 0);
    publication_end(stage->sup.publications[0], END_DELETED);
    publication_on_ingest_exit(stage->sup.publications[0]);
    assert_non_null(playback_by_stream(&stage->sup, "demo"));
    replace(stage, &stage->ingest, PROCESS_INGEST);
    post(stage, 2, "second");
    grant(stage, GRANT_OK, LEASE, UINT64_MAX);
    answer_offer(stage, 201);
    assert_non_null(playback_by_stream(&stage->sup, "second"));
    assert_null(playback_by_stream(&stage->sup, "demo"));
}

static void T5_a_revoked_lease_ends_the_stream(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    struct msg_lease_end end = {.lease_id = LEASE, .reason = END_REVOKED};
    go_live(stage, UINT64_MAX);
    say(stage, &stage->auth, MSG_LEASE_END, &end, NULL, 0);
    assert_true(hear(&stage->ingest, MSG_END, &heard));
    assert_int_equal(((const struct msg_end *)(const void *)heard.body)->reason, END_REVOKED);
}

static void T1_the_deadline_ends_the_stream(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    go_live(stage, 20000);
    uint64_t until = clock_now_us() + 5 * CLOCK_SECOND_US;
    while (stage->sup.publications[0]->state != PUBLICATION_ENDING && clock_now_us() < until)
        loop_turn(&stage->sup.loop, 100);
    assert_true(hear(&stage->ingest, MSG_END, &heard));
    assert_int_equal(((const struct msg_end *)(const void *)heard.body)->reason, END_LIMIT);
}

static void I5_ingest_cannot_give_reasons_that_are_not_its_own(void **state)
{
    static const uint32_t reasons[] = {END_NONE,  END_DELETED,  END_KICKED, END_REVOKED,
                                       END_LIMIT, END_SHUTDOWN, END_CRASHED};
    struct stage *stage = *state;
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        go_live(stage, UINT64_MAX);
        struct publication *p = stage->sup.publications[0];
        struct msg_ingest_state m = {
            .session = p->session, .state = INGEST_ENDED, .reason = reasons[i]};
        say(stage, &stage->ingest, MSG_INGEST_STATE, &m, NULL, 0);
        assert_int_equal(p->state, PUBLICATION_LIVE);
        assert_true(is_cut(&stage->ingest));
        publication_on_ingest_exit(p);
        replace(stage, &stage->ingest, PROCESS_INGEST);
        playback_free_all(&stage->sup);
        replace(stage, &stage->transcode, PROCESS_TRANSCODE);
    }
}

static void I5_a_state_there_is_not_ends_its_worker(void **state)
{
    struct stage *stage = *state;
    go_live(stage, UINT64_MAX);
    struct publication *p = stage->sup.publications[0];
    const struct msg_ingest_state m = {.session = p->session, .state = INGEST_STATE_COUNT};
    say(stage, &stage->ingest, MSG_INGEST_STATE, &m, NULL, 0);
    assert_int_equal(p->state, PUBLICATION_LIVE);
    assert_true(is_cut(&stage->ingest));
}

static void I5_text_without_an_end_ends_its_web(void **state)
{
    struct stage *stage = *state;
    struct msg_publish m = {.request = 1, .stream = "demo"};
    memset(m.token, 'a', sizeof(m.token));
    say(stage, &stage->web, MSG_PUBLISH, &m, OFFER, strlen(OFFER));
    assert_int_equal(publications(stage), 0);
    assert_true(is_cut(&stage->web));
}

static void I5_a_ring_is_mapped_once(void **state)
{
    struct stage *stage = *state;
    go_live(stage, UINT64_MAX);
    struct msg_number m = {.number = stage->sup.publications[0]->session};
    say(stage, &stage->ingest, MSG_RING_MAPPED, &m, NULL, 0);
    assert_true(is_cut(&stage->ingest));
}

static void I5_auth_gives_no_reasons_that_are_not_its_own(void **state)
{
    struct stage *stage = *state;
    const struct msg_lease_end end = {.lease_id = LEASE, .reason = END_CRASHED};
    go_live(stage, UINT64_MAX);
    say(stage, &stage->auth, MSG_LEASE_END, &end, NULL, 0);
    assert_int_equal(stage->sup.publications[0]->state, PUBLICATION_LIVE);
    assert_true(is_cut(&stage->auth));
}

static void I5_a_key_frame_is_wanted_of_a_track_there_can_be(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    const struct msg_number track = {.number = TRACK_COUNT};
    go_live(stage, UINT64_MAX);
    say(stage, &stage->transcode, MSG_WANT_KEYFRAME, &track, NULL, 0);
    assert_false(hear(&stage->ingest, MSG_WANT_KEYFRAME, &heard));
    assert_true(is_cut(&stage->transcode));
}

static void I5_a_second_answer_ends_its_worker(void **state)
{
    struct stage *stage = *state;
    struct msg_publish_result live = go_live(stage, UINT64_MAX);
    struct publication *p = stage->sup.publications[0];
    struct msg_answer m = {.session = p->session,
                           .status = 201,
                           .renditions = 1,
                           .ufrag = "another",
                           .pwd = "passwordpasswordpassword"};
    say(stage, &stage->ingest, MSG_ANSWER, &m, "v=0", 3);
    assert_int_equal(p->state, PUBLICATION_LIVE);
    assert_string_equal(p->url_id, live.url_id);
    assert_string_equal(p->ufrag, "ufrag");
    assert_true(is_cut(&stage->ingest));
}

/* Or a worker would look alive by saying the same again and again. */
static void I5_a_state_counts_once(void **state)
{
    struct stage *stage = *state;
    go_live(stage, UINT64_MAX);
    struct publication *p = stage->sup.publications[0];
    struct msg_ingest_state m = {.session = p->session, .state = INGEST_KEYED};
    say(stage, &stage->ingest, MSG_INGEST_STATE, &m, NULL, 0);
    assert_true(p->keyed_us > 0);
    p->keyed_us = 1;
    say(stage, &stage->ingest, MSG_INGEST_STATE, &m, NULL, 0);
    assert_int_equal(p->keyed_us, 1);
    assert_int_equal(p->state, PUBLICATION_LIVE);
}

static void ingest_tells_its_own_end(void **state)
{
    struct stage *stage = *state;
    go_live(stage, UINT64_MAX);
    struct publication *p = stage->sup.publications[0];
    struct msg_ingest_state m = {.session = p->session, .state = INGEST_KEYED};
    say(stage, &stage->ingest, MSG_INGEST_STATE, &m, NULL, 0);
    assert_true(p->keyed);
    m = (struct msg_ingest_state){
        .session = p->session, .state = INGEST_ENDED, .reason = END_CLOSED};
    say(stage, &stage->ingest, MSG_INGEST_STATE, &m, NULL, 0);
    assert_int_equal(p->state, PUBLICATION_ENDING);
    assert_int_equal(p->reason, END_CLOSED);
}

static void I5_ingest_gives_back_only_paths_that_it_was_given(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    go_live(stage, UINT64_MAX);
    struct msg_path path = {.session = stage->sup.publications[0]->session};
    say(stage, &stage->edge, MSG_PATH_BYTES, &path, "x", 1);
    assert_true(hear(&stage->ingest, MSG_PATH_BYTES, &heard));
    say(stage, &stage->ingest, MSG_PATH_GONE, &path, NULL, 0);
    assert_true(hear(&stage->edge, MSG_PATH_GONE, &heard));
    say(stage, &stage->ingest, MSG_PATH_GONE, &path, NULL, 0);
    assert_false(hear(&stage->edge, MSG_PATH_GONE, &heard));
    assert_true(is_cut(&stage->ingest));
}

/* edge has opened a socket for the path. */
static void open_path(struct stage *stage, const struct msg_path *path)
{
    struct {
        struct chan_head head;
        struct msg_path path;
    } packet = {.head = {.type = MSG_PATH, .fd_count = 1, .body_len = sizeof(*path)},
                .path = *path};
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec iov = {.iov_base = &packet, .iov_len = sizeof(packet)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control,
                         .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    *c = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), &stage->ingest.fd, sizeof(int)); /* any will do */
    assert_int_equal(sendmsg(stage->edge.fd, &msg, MSG_DONTWAIT), sizeof(packet));
    turn(stage);
}

/* A restarted edge must know what is open, or a publisher whose port changes is a stranger to it
 * until its next check. */
static void U17_a_restarted_edge_learns_which_paths_are_open(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    go_live(stage, UINT64_MAX);
    struct publication *p = stage->sup.publications[0];
    struct msg_path path = {.session = p->session, .remote = {.family = 4, .port = 1}};
    for (uint16_t port = 1; port <= 3; port++) {
        path.remote.port = port;
        open_path(stage, &path);
        assert_true(hear(&stage->ingest, MSG_PATH, &heard));
        fd_close(&heard.fds[0]);
    }
    path.remote.port = 1;
    say(stage, &stage->ingest, MSG_PATH_GONE, &path, NULL, 0);
    replace(stage, &stage->edge, PROCESS_EDGE);
    publication_tell_edge(&stage->sup);
    assert_true(hear(&stage->edge, MSG_EXPECT, &heard)); /* first whose they are */
    uint64_t ports = 0;
    while (hear(&stage->edge, MSG_PATH_HELD, &heard)) {
        const struct msg_path *held = (const void *)heard.body;
        assert_int_equal(held->session, p->session);
        ports |= 1U << held->remote.port;
    }
    assert_int_equal(ports, 1U << 2 | 1U << 3);
}

static void T1_a_passed_deadline_does_not_keep_the_loop_awake(void **state)
{
    struct stage *stage = *state;
    go_live(stage, 20000);
    struct publication *p = stage->sup.publications[0];
    while (p->state != PUBLICATION_ENDING)
        loop_turn(&stage->sup.loop, 100);
    turn(stage);
    uint64_t before = clock_now_us();
    assert_int_equal(loop_turn(&stage->sup.loop, 50), 0);
    assert_true(clock_now_us() - before >= 20000);
}

static void T6_without_auth_new_publishers_wait_and_live_ones_stay(void **state)
{
    struct stage *stage = *state;
    go_live(stage, UINT64_MAX);
    stage->auth.process->ready = false;
    post(stage, 2, "other");
    struct msg_publish_result m = result(stage);
    assert_int_equal(m.status, 503);
    assert_true(m.retry_after_s > 0);
    assert_int_equal(publications(stage), 1);
}

/* edge would end with a pair that it cannot hold, and with it everybody's way in. */
static void I5_ingest_can_not_hand_edge_a_bad_pair(void **state)
{
    static const char *const bad[][2] = {
        {"abc", "passwordpasswordpassword"},       {"ufrag", "too-short"},
        {"ufra:", "passwordpasswordpassword"},     {"ufragufrag", "passwordpasswordpassword"},
        {"ufrag", "passwordpasswordpasswordpass"}, {"", ""},
    };
    struct stage *stage = *state;
    struct heard heard;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        post(stage, 1, "demo");
        grant(stage, GRANT_OK, LEASE, UINT64_MAX);
        struct publication *p = stage->sup.publications[0];
        struct msg_answer answer = {.session = p->session, .status = 201, .renditions = 3};
        snprintf(answer.ufrag, sizeof(answer.ufrag), "%s", bad[i][0]);
        snprintf(answer.pwd, sizeof(answer.pwd), "%s", bad[i][1]);
        p->mapped = true;
        say(stage, &stage->ingest, MSG_ANSWER, &answer, "v=0", 3);
        assert_true(is_cut(&stage->ingest));
        assert_false(hear(&stage->edge, MSG_EXPECT, &heard));
        publication_on_ingest_exit(p);
        assert_int_equal(result(stage).status, 503);
        replace(stage, &stage->ingest, PROCESS_INGEST);
    }
}

static void WHIP_49_turn_credentials_come_with_the_201_alone(void **state)
{
    struct stage *stage = *state;
    assert_string_equal(go_live(stage, UINT64_MAX).turn.username, "1:t_one");
    assert_string_equal(stage->sup.publications[0]->turn.username, "");
    post(stage, 2, "other");
    grant(stage, GRANT_WRONG_STREAM, 0, 0);
    assert_string_equal(result(stage).turn.username, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(WHIP_01_a_good_post_reaches_every_role),
        CASE(U15_the_lower_of_both_bitrates_counts),
        CASE(W1_nothing_is_done_before_auth_has_answered),
        CASE(WHIP_21_refusals_leave_nothing),
        CASE(WHIP_03_a_bad_offer_leaves_nothing),
        CASE(A3_who_asked_through_a_web_that_died_has_never_been_there),
        CASE(W5_ended_playlists_make_room_for_live_ones),
        CASE(WHIP_29_who_asked_while_auth_died_is_told_when_to_come_back),
        CASE(T5_a_revoked_lease_ends_the_stream),
        CASE(T1_the_deadline_ends_the_stream),
        CASE(I5_ingest_cannot_give_reasons_that_are_not_its_own),
        CASE(I5_a_second_answer_ends_its_worker),
        CASE(I5_a_ring_is_mapped_once),
        CASE(I5_a_state_there_is_not_ends_its_worker),
        CASE(I5_text_without_an_end_ends_its_web),
        CASE(I5_auth_gives_no_reasons_that_are_not_its_own),
        CASE(I5_a_key_frame_is_wanted_of_a_track_there_can_be),
        CASE(I5_a_state_counts_once),
        CASE(ingest_tells_its_own_end),
        CASE(I5_ingest_can_not_hand_edge_a_bad_pair),
        CASE(WHIP_49_turn_credentials_come_with_the_201_alone),
        CASE(I5_ingest_gives_back_only_paths_that_it_was_given),
        CASE(U17_a_restarted_edge_learns_which_paths_are_open),
        CASE(T1_a_passed_deadline_does_not_keep_the_loop_awake),
        CASE(T6_without_auth_new_publishers_wait_and_live_ones_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
