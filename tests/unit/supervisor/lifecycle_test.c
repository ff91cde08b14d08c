/* The life of publications and playbacks, with every role played by the test over real channels. */
#include "gateway/supervisor/broker.h"
#include "gateway/supervisor/supervisor.h"
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/ring.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define OFFER "v=0\r\n"
#define LEASE 77u

/* A role played by the test: its process in the supervisor, and the other end of its channel. */
struct player {
    struct process *process;
    int fd;
};

struct stage {
    struct supervisor sup;
    struct player edge, auth, web, ingest, transcode;
};

/* One received message, body and descriptors. */
struct heard {
    struct chan_head head;
    uint8_t body[CHAN_BODY_MAX];
    int fds[4];
    size_t fd_count;
};

static size_t free_slot(struct supervisor *sup)
{
    size_t i = 0;
    while (sup->processes[i])
        i++;
    return i;
}

static void no_end(void *ctx, int reason)
{
    (void)ctx;
    (void)reason;
}

static struct player play(struct stage *stage, enum process_kind kind)
{
    struct supervisor *sup = &stage->sup;
    struct process *p = calloc(1, sizeof(*p));
    int pair[2];
    assert_non_null(p);
    p->sup = sup;
    p->kind = kind;
    p->ready = true;
    p->exit_watch.fd = p->log.watch.fd = -1;
    assert_int_equal(chan_pair(pair), 0);
    size_t rules = broker_rules(kind, p->rules, PROCESS_RULES_MAX);
    assert_int_equal(chan_new(&sup->loop, pair[0], p->rules, rules, no_end, p, &p->chan), 0);
    chan_set_phase(p->chan, PHASE_WARM);
    sup->processes[free_slot(sup)] = p;
    return (struct player){.process = p, .fd = pair[1]};
}

static void leave(struct stage *stage, struct player *player)
{
    struct supervisor *sup = &stage->sup;
    for (size_t i = 0; i < PROCESS_MAX; i++) {
        if (sup->processes[i] == player->process)
            sup->processes[i] = NULL;
    }
    loop_timer_cancel(&sup->loop, &player->process->kill_timer);
    chan_free(player->process->chan);
    free(player->process);
    fd_close(&player->fd);
}

static int setup(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    conf_init(&stage->sup.conf);
    stage->sup.conf.warm_ingest = stage->sup.conf.warm_transcode = 0; /* nothing real is started */
    if (loop_init(&stage->sup.loop))
        return -1;
    stage->edge = play(stage, PROCESS_EDGE);
    stage->auth = play(stage, PROCESS_AUTH);
    stage->web = play(stage, PROCESS_WEB);
    stage->ingest = play(stage, PROCESS_INGEST);
    stage->transcode = play(stage, PROCESS_TRANSCODE);
    *state = stage;
    return 0;
}

static int teardown(void **state)
{
    struct stage *stage = *state;
    struct supervisor *sup = &stage->sup;
    playback_free_all(sup);
    for (size_t i = 0; i < STREAM_MAX; i++) {
        struct publication *p = sup->publications[i];
        if (p) {
            publication_end(p, END_SHUTDOWN);
            if (sup->publications[i] && sup->publications[i]->ingest)
                publication_on_ingest_exit(sup->publications[i]);
        }
    }
    leave(stage, &stage->edge);
    leave(stage, &stage->auth);
    leave(stage, &stage->web);
    leave(stage, &stage->ingest);
    leave(stage, &stage->transcode);
    loop_done(&sup->loop);
    free(stage);
    return 0;
}

static void turn(struct stage *stage)
{
    for (int i = 0; i < 4; i++)
        assert_int_equal(loop_turn(&stage->sup.loop, 0), 0);
}

/* The next message of this type that the player was sent; others before it are dropped. */
static bool hear(const struct player *player, enum msg_type type, struct heard *out)
{
    static uint8_t packet[CHAN_MESSAGE_MAX];
    char control[CMSG_SPACE(sizeof(int) * 4)];
    struct iovec iov = {.iov_base = packet, .iov_len = sizeof(packet)};
    for (;;) {
        struct msghdr msg = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
        ssize_t n = recvmsg(player->fd, &msg, MSG_DONTWAIT);
        if (n < (ssize_t)sizeof(struct chan_head))
            return false;
        memset(out, 0, sizeof(*out));
        memcpy(&out->head, packet, sizeof(out->head));
        memcpy(out->body, packet + sizeof(out->head), out->head.body_len);
        const struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        if (c) {
            out->fd_count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            memcpy(out->fds, CMSG_DATA(c), out->fd_count * sizeof(int));
        }
        if (out->head.type == type)
            return true;
        for (size_t i = 0; i < out->fd_count; i++)
            close(out->fds[i]);
    }
}

static void say(struct stage *stage, const struct player *player, enum msg_type type,
                const void *body, const void *blob, size_t blob_len)
{
    static uint8_t packet[CHAN_MESSAGE_MAX];
    size_t body_len = msg_shape(type)->body_len;
    struct chan_head head = {
        .type = (uint16_t)type, .body_len = (uint32_t)body_len, .blob_len = (uint32_t)blob_len};
    memcpy(packet, &head, sizeof(head));
    memcpy(packet + sizeof(head), body, body_len);
    if (blob_len)
        memcpy(packet + sizeof(head) + body_len, blob, blob_len);
    size_t len = sizeof(head) + body_len + blob_len;
    assert_int_equal(send(player->fd, packet, len, MSG_DONTWAIT), (ssize_t)len);
    turn(stage);
}

static void post(struct stage *stage, uint64_t request, const char *stream)
{
    struct msg_publish m = {.request = request, .peer = {.family = 4, .ip = {127, 0, 0, 1}}};
    snprintf(m.stream, sizeof(m.stream), "%s", stream);
    snprintf(m.token, sizeof(m.token), "secret");
    say(stage, &stage->web, MSG_PUBLISH, &m, OFFER, strlen(OFFER));
}

static void grant(struct stage *stage, enum grant_verdict verdict, uint64_t lease,
                  uint64_t remaining_us)
{
    struct heard ask;
    assert_true(hear(&stage->auth, MSG_LEASE_ASK, &ask));
    const struct msg_lease_ask *m = (const void *)ask.body;
    struct msg_lease_grant answer = {.request = m->request};
    answer.grant.verdict = (uint8_t)verdict;
    answer.grant.lease_id = lease;
    answer.grant.remaining_us = remaining_us;
    snprintf(answer.grant.token_id, sizeof(answer.grant.token_id), "t_one");
    say(stage, &stage->auth, MSG_LEASE_GRANT, &answer, NULL, 0);
}

static struct msg_publish_result result(struct stage *stage)
{
    struct heard heard;
    struct msg_publish_result m;
    assert_true(hear(&stage->web, MSG_PUBLISH_RESULT, &heard));
    memcpy(&m, heard.body, sizeof(m));
    return m;
}

/* The ingest worker maps its ring and answers with status; returns its session. */
static uint64_t answer_offer(struct stage *stage, uint16_t status)
{
    struct heard bind;
    struct ring_writer *ring = NULL;
    int locked = 0;
    assert_true(hear(&stage->ingest, MSG_INGEST_BIND, &bind));
    assert_int_equal(bind.fd_count, 2);
    const struct msg_ingest_bind *m = (const void *)bind.body;
    struct msg_number session = {.number = m->session};
    struct msg_answer answer = {.session = m->session, .status = status, .renditions = 3};
    assert_int_equal(ring_writer_new(bind.fds[0], &ring, &locked), 0);
    say(stage, &stage->ingest, MSG_RING_MAPPED, &session, NULL, 0);
    ring_writer_free(ring);
    close(bind.fds[0]);
    close(bind.fds[1]);
    snprintf(answer.ufrag, sizeof(answer.ufrag), "ufrag");
    snprintf(answer.pwd, sizeof(answer.pwd), "password");
    snprintf(answer.reason, sizeof(answer.reason), "no codec");
    say(stage, &stage->ingest, MSG_ANSWER, &answer, status == 201 ? "v=0" : NULL,
        status == 201 ? 3 : 0);
    return session.number;
}

static struct msg_publish_result go_live(struct stage *stage, uint64_t remaining_us)
{
    post(stage, 1, "demo");
    grant(stage, GRANT_OK, LEASE, remaining_us);
    answer_offer(stage, 201);
    struct msg_publish_result m = result(stage);
    assert_int_equal(m.status, 201);
    return m;
}

static void replace(struct stage *stage, struct player *player, enum process_kind kind)
{
    leave(stage, player);
    *player = play(stage, kind);
}

static size_t publications(const struct stage *stage)
{
    size_t count = 0;
    for (size_t i = 0; i < STREAM_MAX; i++)
        count += stage->sup.publications[i] != NULL;
    return count;
}

static struct msg_transcode_bind bound(struct stage *stage)
{
    struct heard heard;
    struct msg_transcode_bind m;
    assert_true(hear(&stage->transcode, MSG_TRANSCODE_BIND, &heard));
    assert_int_equal(heard.fd_count, 2);
    close(heard.fds[0]);
    close(heard.fds[1]);
    memcpy(&m, heard.body, sizeof(m));
    return m;
}

static void open_segment(struct stage *stage, uint64_t session, uint64_t msn,
                         uint64_t discontinuity)
{
    struct msg_segment_opened m = {
        .session = session, .msn = msn, .discontinuity_sequence = discontinuity};
    say(stage, &stage->transcode, MSG_SEGMENT_OPENED, &m, NULL, 0);
}

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

static void WHIP_23_a_second_publisher_gets_409(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    go_live(stage, UINT64_MAX);
    post(stage, 2, "demo");
    grant(stage, GRANT_OK, LEASE + 1, UINT64_MAX);
    assert_int_equal(result(stage).status, 409);
    assert_true(hear(&stage->auth, MSG_LEASE_RELEASE, &heard));
    post(stage, 3, "demo");
    grant(stage, GRANT_BUSY, 0, 0); /* the same one-stream token */
    assert_int_equal(result(stage).status, 409);
    assert_int_equal(publications(stage), 1);
}

static void session(struct stage *stage, enum msg_session_op op, const char *url_id)
{
    struct msg_session m = {.request = 9, .op = op, .peer = {.family = 4, .ip = {192, 0, 2, 7}}};
    memcpy(m.url_id, url_id, STREAM_URL_ID_LEN);
    snprintf(m.token, sizeof(m.token), "secret");
    say(stage, &stage->web, MSG_SESSION, &m, NULL, 0);
}

static struct msg_session_result session_result(struct stage *stage)
{
    struct heard heard;
    struct msg_session_result m;
    assert_true(hear(&stage->web, MSG_SESSION_RESULT, &heard));
    memcpy(&m, heard.body, sizeof(m));
    return m;
}

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
    assert_int_equal(session_result(stage).status, 429);
    assert_int_equal(publications(stage), 1);
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

static void a_returning_publisher_goes_on_in_the_same_playlist(void **state)
{
    struct stage *stage = *state;
    go_live(stage, UINT64_MAX);
    open_segment(stage, bound(stage).session, 500, 3);
    publication_on_ingest_exit(stage->sup.publications[0]); /* killed */
    assert_int_equal(publications(stage), 0);
    assert_int_equal(playback_by_stream(&stage->sup, "demo")->state, STREAM_REJOIN);
    struct player old = stage->transcode;
    replace(stage, &stage->ingest, PROCESS_INGEST);
    stage->transcode = play(stage, PROCESS_TRANSCODE);
    go_live(stage, UINT64_MAX); /* the next POST works at once */
    struct msg_transcode_bind m = bound(stage);
    assert_int_equal(m.continues, 1);
    assert_int_equal(m.next_msn, 501);
    assert_int_equal(m.next_discontinuity, 4);
    struct msg_number playable = {.number = m.session};
    say(stage, &stage->transcode, MSG_PLAYABLE, &playable, NULL, 0);
    assert_null(old.process->chan); /* its channel's end sends the old worker home */
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
    struct player old = stage->transcode;
    replace(stage, &stage->ingest, PROCESS_INGEST);
    stage->transcode = play(stage, PROCESS_TRANSCODE);
    go_live(stage, UINT64_MAX);
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

static void W2_half_open_sessions_are_limited(void **state)
{
    struct stage *stage = *state;
    for (uint64_t i = 0; i < PUBLICATION_PER_ADDRESS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "s%u", (unsigned)i);
        post(stage, i, name);
    }
    post(stage, 99, "one-more");
    struct msg_publish_result m = result(stage);
    assert_int_equal(m.request, 99);
    assert_int_equal(m.status, 429);
    assert_true(m.retry_after_s > 0);
}

static void restarted_roles_are_told_what_lives(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    go_live(stage, UINT64_MAX);
    replace(stage, &stage->edge, PROCESS_EDGE);
    publication_tell_edge(&stage->sup);
    assert_true(hear(&stage->edge, MSG_EXPECT, &heard));
    replace(stage, &stage->auth, PROCESS_AUTH);
    publication_tell_auth(&stage->sup);
    assert_true(hear(&stage->auth, MSG_LEASE_LIVE, &heard));
    assert_int_equal(((const struct msg_lease_live *)(const void *)heard.body)->lease_id, LEASE);
    replace(stage, &stage->web, PROCESS_WEB);
    playback_tell_web(&stage->sup, stage->web.process);
    assert_true(hear(&stage->web, MSG_STREAM_LINK, &heard));
    close(heard.fds[0]);
    assert_true(hear(&stage->web, MSG_STREAM_STATE, &heard));
}

static void A7_what_could_not_be_started_is_tried_again(void **state)
{
    struct stage *stage = *state;
    struct supervisor *sup = &stage->sup;
    struct rlimit limit, none;
    leave(stage, &stage->edge);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    process_fill(sup);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(sup->backoff[PROCESS_EDGE].timer.slot != 0);
    loop_timer_cancel(&sup->loop, &sup->backoff[PROCESS_EDGE].timer);
    stage->edge = play(stage, PROCESS_EDGE);
}

static void web_is_told_whether_a_publisher_would_be_served(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    process_tell_serving(&stage->sup);
    assert_true(hear(&stage->web, MSG_SERVING, &heard));
    assert_int_equal(((const struct msg_number *)(const void *)heard.body)->number, 1);
    stage->edge.process->ready = false;
    process_tell_serving(&stage->sup);
    assert_true(hear(&stage->web, MSG_SERVING, &heard));
    assert_int_equal(((const struct msg_number *)(const void *)heard.body)->number, 0);
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

static void limits_max_streams_is_a_limit(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    stage->sup.conf.max_streams = 1;
    go_live(stage, UINT64_MAX);
    post(stage, 2, "other");
    grant(stage, GRANT_OK, LEASE + 1, UINT64_MAX);
    struct msg_publish_result m = result(stage);
    assert_int_equal(m.status, 503);
    assert_true(m.retry_after_s > 0);
    assert_true(hear(&stage->auth, MSG_LEASE_RELEASE, &heard));
    assert_int_equal(publications(stage), 1);
}

/* The end of the player's channel, as the supervisor decided. */
static bool is_cut(const struct player *player)
{
    struct heard heard;
    char byte;
    while (hear(player, MSG_TYPE_COUNT, &heard))
        ;
    return recv(player->fd, &byte, 1, MSG_DONTWAIT) == 0;
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
    struct player old = stage->transcode;
    replace(stage, &stage->ingest, PROCESS_INGEST);
    stage->transcode = play(stage, PROCESS_TRANSCODE);
    go_live(stage, UINT64_MAX);
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

/* A real child that does nothing, as the pool's only ready ingest. */
static struct process *start_real_ingest(struct stage *stage)
{
    struct supervisor *sup = &stage->sup;
    char program[sizeof(sup->libexec) + 32];
    strcpy(sup->libexec, "/tmp/sluice-lifecycle-XXXXXX");
    assert_non_null(mkdtemp(sup->libexec));
    snprintf(program, sizeof(program), "%s/sluice-ingest", sup->libexec);
    FILE *script = fopen(program, "w");
    assert_non_null(script);
    fputs("#!/bin/sh\nexec sleep 60\n", script);
    assert_int_equal(fchmod(fileno(script), 0700), 0);
    fclose(script);
    stage->ingest.process->ready = false;
    sup->conf.warm_ingest = 2;
    process_fill(sup);
    sup->conf.warm_ingest = 0;
    for (size_t i = 0; i < PROCESS_MAX; i++) {
        struct process *p = sup->processes[i];
        if (p && p->kind == PROCESS_INGEST && p->pid > 0) {
            p->ready = true;
            return p;
        }
    }
    return NULL;
}

static void A3_a_crash_of_one_session_does_not_pause_the_pool_of_all(void **state)
{
    struct stage *stage = *state;
    struct supervisor *sup = &stage->sup;
    char program[sizeof(sup->libexec) + 32];
    struct process *real = start_real_ingest(stage);
    assert_non_null(real);
    post(stage, 1, "demo");
    grant(stage, GRANT_OK, LEASE, UINT64_MAX);
    assert_ptr_equal(real->owner, sup->publications[0]);
    process_kill(real);
    while (publications(stage) > 0)
        assert_int_equal(loop_turn(&sup->loop, 100), 0);
    assert_int_equal(result(stage).status, 503);
    assert_int_equal(sup->backoff[PROCESS_INGEST].pause_us, 0);
    snprintf(program, sizeof(program), "%s/sluice-ingest", sup->libexec);
    unlink(program);
    rmdir(sup->libexec);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(WHIP_01_a_good_post_reaches_every_role),
        CASE(W1_nothing_is_done_before_auth_has_answered),
        CASE(WHIP_21_refusals_leave_nothing),
        CASE(WHIP_03_a_bad_offer_leaves_nothing),
        CASE(WHIP_23_a_second_publisher_gets_409),
        CASE(WHIP_30_delete_ends_and_the_url_tells_why),
        CASE(W4_delete_needs_the_token_of_the_session),
        CASE(H8_auth_learns_who_sends_a_token),
        CASE(T5_a_revoked_lease_ends_the_stream),
        CASE(T1_the_deadline_ends_the_stream),
        CASE(a_returning_publisher_goes_on_in_the_same_playlist),
        CASE(a_stream_that_can_not_be_transcoded_ends),
        CASE(HLS_04_a_new_playlist_never_starts_lower),
        CASE(a_killed_transcode_worker_gets_a_successor_on_the_same_ring),
        CASE(A3_a_stream_whose_worker_crashes_ten_times_ends),
        CASE(W2_half_open_sessions_are_limited),
        CASE(restarted_roles_are_told_what_lives),
        CASE(A7_what_could_not_be_started_is_tried_again),
        CASE(web_is_told_whether_a_publisher_would_be_served),
        CASE(T6_without_auth_new_publishers_wait_and_live_ones_stay),
        CASE(limits_max_streams_is_a_limit),
        CASE(I5_ingest_cannot_give_reasons_that_are_not_its_own),
        CASE(ingest_tells_its_own_end),
        CASE(I5_ingest_gives_back_only_paths_that_it_was_given),
        CASE(I5_transcode_cannot_use_up_the_numbers),
        CASE(an_ended_playlist_is_not_continued),
        CASE(T1_a_passed_deadline_does_not_keep_the_loop_awake),
        CASE(A3_a_crash_of_one_session_does_not_pause_the_pool_of_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
