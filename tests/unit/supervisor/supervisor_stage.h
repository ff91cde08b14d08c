/* A supervisor whose roles are all played by the test over real channels: for tests of
 * publications, playbacks and session URLs. */
#ifndef SLUICE_TESTS_SUPERVISOR_STAGE_H
#define SLUICE_TESTS_SUPERVISOR_STAGE_H

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
#include <sys/socket.h>
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
    const uint8_t *blob; /* until the next one is heard */
    size_t blob_len;
    int fds[4];
    size_t fd_count;
};

static inline size_t free_slot(struct supervisor *sup)
{
    size_t i = 0;
    while (sup->processes[i])
        i++;
    return i;
}

static inline void no_end(void *ctx, int reason)
{
    (void)ctx;
    (void)reason;
}

static inline struct player play(struct stage *stage, enum process_kind kind)
{
    struct supervisor *sup = &stage->sup;
    struct process *p = calloc(1, sizeof(*p));
    int pair[2];
    assert_non_null(p);
    p->sup = sup;
    p->kind = kind;
    p->number = ++sup->next_number;
    p->ready = true;
    p->exit_watch.fd = p->log.watch.fd = -1;
    assert_int_equal(chan_pair(pair), 0);
    size_t rules = broker_rules(kind, p->rules, PROCESS_RULES_MAX);
    assert_int_equal(chan_new(&sup->loop, pair[0], p->rules, rules, no_end, p, &p->chan), 0);
    chan_set_phase(p->chan, PHASE_WARM);
    sup->processes[free_slot(sup)] = p;
    return (struct player){.process = p, .fd = pair[1]};
}

static inline void leave(struct stage *stage, struct player *player)
{
    struct supervisor *sup = &stage->sup;
    if (!player->process) /* its successor could not be made */
        return;
    for (size_t i = 0; i < PROCESS_MAX; i++) {
        if (sup->processes[i] == player->process)
            sup->processes[i] = NULL;
    }
    loop_timer_cancel(&sup->loop, &player->process->kill_timer);
    chan_free(player->process->chan);
    free(player->process);
    player->process = NULL;
    fd_close(&player->fd);
}

static inline int setup(void **state)
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

static inline int teardown(void **state)
{
    struct stage *stage = *state;
    struct supervisor *sup = &stage->sup;
    session_url_free_all(sup);
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

static inline void turn(struct stage *stage)
{
    for (int i = 0; i < 4; i++)
        assert_int_equal(loop_turn(&stage->sup.loop, 0), 0);
}

/* The next message of this type that the player was sent; others before it are dropped. */
static inline bool hear(const struct player *player, enum msg_type type, struct heard *out)
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
        out->blob = packet + sizeof(out->head) + out->head.body_len;
        out->blob_len = out->head.blob_len;
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

static inline void say(struct stage *stage, const struct player *player, enum msg_type type,
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

static inline void post(struct stage *stage, uint64_t request, const char *stream)
{
    struct msg_publish m = {.request = request, .peer = {.family = 4, .ip = {127, 0, 0, 1}}};
    snprintf(m.stream, sizeof(m.stream), "%s", stream);
    snprintf(m.token, sizeof(m.token), "secret");
    say(stage, &stage->web, MSG_PUBLISH, &m, OFFER, strlen(OFFER));
}

/* auth's answer to the oldest question. */
static inline void grant_as(struct stage *stage, const char *token_id, const struct grant *grant)
{
    struct heard ask;
    assert_true(hear(&stage->auth, MSG_LEASE_ASK, &ask));
    const struct msg_lease_ask *m = (const void *)ask.body;
    struct msg_lease_grant answer = {.request = m->request, .grant = *grant};
    snprintf(answer.grant.token_id, sizeof(answer.grant.token_id), "%s", token_id);
    snprintf(answer.turn.username, sizeof(answer.turn.username), "1:%s", token_id);
    say(stage, &stage->auth, MSG_LEASE_GRANT, &answer, NULL, 0);
}

static inline void grant(struct stage *stage, enum grant_verdict verdict, uint64_t lease,
                         uint64_t remaining_us)
{
    const struct grant g = {
        .verdict = (uint8_t)verdict, .lease_id = lease, .remaining_us = remaining_us};
    grant_as(stage, "t_one", &g);
}

static inline struct msg_publish_result result(struct stage *stage)
{
    struct heard heard;
    struct msg_publish_result m;
    assert_true(hear(&stage->web, MSG_PUBLISH_RESULT, &heard));
    memcpy(&m, heard.body, sizeof(m));
    return m;
}

/* The ingest worker maps its ring and answers with status; returns its session. */
static inline uint64_t answer_offer(struct stage *stage, uint16_t status)
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
    snprintf(answer.pwd, sizeof(answer.pwd), "passwordpasswordpassword");
    snprintf(answer.reason, sizeof(answer.reason), "no codec");
    say(stage, &stage->ingest, MSG_ANSWER, &answer, status == 201 ? "v=0" : NULL,
        status == 201 ? 3 : 0);
    return session.number;
}

static inline struct msg_publish_result go_live(struct stage *stage, uint64_t remaining_us)
{
    post(stage, 1, "demo");
    grant(stage, GRANT_OK, LEASE, remaining_us);
    answer_offer(stage, 201);
    struct msg_publish_result m = result(stage);
    assert_int_equal(m.status, 201);
    return m;
}

static inline void replace(struct stage *stage, struct player *player, enum process_kind kind)
{
    leave(stage, player);
    *player = play(stage, kind);
}

static inline size_t publications(const struct stage *stage)
{
    size_t count = 0;
    for (size_t i = 0; i < STREAM_MAX; i++)
        count += stage->sup.publications[i] != NULL;
    return count;
}

static inline struct msg_transcode_bind bound(struct stage *stage)
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

static inline void open_segment(struct stage *stage, uint64_t session, uint64_t msn,
                                uint64_t discontinuity)
{
    struct msg_segment_opened m = {
        .session = session, .msn = msn, .discontinuity_sequence = discontinuity};
    say(stage, &stage->transcode, MSG_SEGMENT_OPENED, &m, NULL, 0);
}

static inline void session(struct stage *stage, enum msg_session_op op, const char *url_id)
{
    struct msg_session m = {.request = 9, .op = op, .peer = {.family = 4, .ip = {192, 0, 2, 7}}};
    memcpy(m.url_id, url_id, STREAM_URL_ID_LEN);
    snprintf(m.token, sizeof(m.token), "secret");
    say(stage, &stage->web, MSG_SESSION, &m, NULL, 0);
}

static inline struct msg_session_result session_result(struct stage *stage)
{
    struct heard heard;
    struct msg_session_result m;
    assert_true(hear(&stage->web, MSG_SESSION_RESULT, &heard));
    memcpy(&m, heard.body, sizeof(m));
    return m;
}

/* A player of the same kind takes the place of the one before, which stays as *old. */
static inline void relieve(struct stage *stage, struct player *player, enum process_kind kind,
                           struct player *old)
{
    *old = *player;
    *player = play(stage, kind);
}

/* The worker has done all that it was told before. */
static inline void pong(struct stage *stage, const struct player *player)
{
    struct heard ping;
    assert_true(hear(player, MSG_PING, &ping));
    say(stage, player, MSG_PONG, ping.body, NULL, 0);
}

/* The end of the player's channel, as the supervisor decided. */
static inline bool is_cut(const struct player *player)
{
    struct heard heard;
    char byte;
    while (hear(player, MSG_TYPE_COUNT, &heard))
        ;
    return recv(player->fd, &byte, 1, MSG_DONTWAIT) == 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
