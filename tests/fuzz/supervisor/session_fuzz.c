/* What web, auth and ingest may say about live sessions, in any order and with any bytes: PATCH,
 * takeover, answers that cannot be. Nothing may crash, edge is never handed a pair that it cannot
 * hold, and web gets at most one answer for each request.
 *
 * Input: records of an action byte, a length byte and so many bytes. */
#include "gateway/supervisor/broker.h"
#include "gateway/supervisor/supervisor.h"
#include "lib/base/fd.h"
#include "lib/base/reader.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STEPS_MAX 48u
#define FRAGMENT "a=mid:0\r\n"

struct player {
    struct process process;
    int fd;
    bool ended;
};

enum { EDGE, AUTH, WEB, INGEST, INGEST_TWO, TRANSCODE, TRANSCODE_TWO, PLAYERS };

static const enum process_kind kinds[PLAYERS] = {
    PROCESS_EDGE,   PROCESS_AUTH,      PROCESS_WEB,      PROCESS_INGEST,
    PROCESS_INGEST, PROCESS_TRANSCODE, PROCESS_TRANSCODE};

struct stage {
    struct supervisor sup;
    struct player players[PLAYERS];
    uint64_t asked; /* auth's oldest open question; 0 = none */
    uint64_t requests;
    uint64_t answers;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_end(void *ctx, int reason)
{
    struct process *p = ctx;
    struct player *player = (struct player *)(void *)((char *)p - offsetof(struct player, process));
    (void)reason;
    player->ended = true;
}

static void heard(struct stage *stage, const struct chan_head *head, const uint8_t *body)
{
    struct msg_expect expect;
    struct msg_lease_ask ask;
    if (head->type == MSG_EXPECT) {
        memcpy(&expect, body, sizeof(expect));
        if (!stream_pair_valid(expect.ufrag, expect.pwd))
            abort();
    }
    if (head->type == MSG_LEASE_ASK) {
        memcpy(&ask, body, sizeof(ask));
        stage->asked = ask.request;
    }
    stage->answers += head->type == MSG_SESSION_RESULT || head->type == MSG_PUBLISH_RESULT;
    if (stage->answers > stage->requests)
        abort();
}

/* Reads all that the players were sent; descriptors are closed. */
static void listen_to(struct stage *stage, const struct player *player)
{
    static uint8_t packet[CHAN_MESSAGE_MAX];
    char control[CMSG_SPACE(sizeof(int) * CHAN_FDS_MAX)];
    struct iovec iov = {.iov_base = packet, .iov_len = sizeof(packet)};
    for (;;) {
        struct chan_head head;
        int fds[CHAN_FDS_MAX];
        struct msghdr msg = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
        ssize_t n = recvmsg(player->fd, &msg, MSG_DONTWAIT);
        if (n < (ssize_t)sizeof(head))
            return;
        const struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        if (c) {
            size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            memcpy(fds, CMSG_DATA(c), count * sizeof(int));
            fd_close_all(fds, count);
        }
        memcpy(&head, packet, sizeof(head));
        heard(stage, &head, packet + sizeof(head));
    }
}

static void turn(struct stage *stage)
{
    for (int i = 0; i < 3; i++)
        (void)loop_turn(&stage->sup.loop, 0);
    for (size_t i = 0; i < PLAYERS; i++)
        listen_to(stage, &stage->players[i]);
}

static void say(struct stage *stage, int who, enum msg_type type, const void *body,
                const void *blob, size_t blob_len)
{
    static uint8_t packet[CHAN_MESSAGE_MAX];
    size_t body_len = msg_shape(type)->body_len;
    const struct chan_head head = {
        .type = (uint16_t)type, .body_len = (uint32_t)body_len, .blob_len = (uint32_t)blob_len};
    memcpy(packet, &head, sizeof(head));
    memcpy(packet + sizeof(head), body, body_len);
    if (blob_len > 0)
        memcpy(packet + sizeof(head) + body_len, blob, blob_len);
    (void)send(stage->players[who].fd, packet, sizeof(head) + body_len + blob_len,
               MSG_DONTWAIT | MSG_NOSIGNAL);
    turn(stage);
}

static void open_stage(struct stage *stage)
{
    struct supervisor *sup = &stage->sup;
    int pair[2];
    conf_init(&sup->conf);
    sup->conf.warm_ingest = sup->conf.warm_transcode = 0;
    if (loop_init(&sup->loop))
        abort();
    for (size_t i = 0; i < PLAYERS; i++) {
        struct process *p = &stage->players[i].process;
        p->sup = sup;
        p->kind = kinds[i];
        p->ready = true;
        p->exit_watch.fd = p->log.watch.fd = -1;
        if (chan_pair(pair))
            abort();
        size_t rules = broker_rules(p->kind, p->rules, PROCESS_RULES_MAX);
        if (chan_new(&sup->loop, pair[0], p->rules, rules, on_end, p, &p->chan))
            abort();
        chan_set_phase(p->chan, PHASE_WARM);
        sup->processes[i] = p;
        stage->players[i].fd = pair[1];
    }
}

static void close_stage(struct stage *stage)
{
    struct supervisor *sup = &stage->sup;
    playback_free_all(sup);
    session_url_free_all(sup);
    for (size_t i = 0; i < STREAM_MAX; i++) {
        if (sup->publications[i])
            publication_end(sup->publications[i], END_SHUTDOWN);
        if (sup->publications[i] && sup->publications[i]->ingest)
            publication_on_ingest_exit(sup->publications[i]);
    }
    for (size_t i = 0; i < PLAYERS; i++) {
        listen_to(stage, &stage->players[i]);
        loop_timer_cancel(&sup->loop, &stage->players[i].process.kill_timer);
        chan_free(stage->players[i].process.chan);
        fd_close(&stage->players[i].fd);
    }
    loop_done(&sup->loop);
}

/* ---- actions; `in` gives zeros when it is used up ---- */

static void fill(struct reader *in, void *to, size_t len)
{
    size_t given = len < reader_left(in) ? len : reader_left(in);
    const uint8_t *bytes = reader_bytes(in, given);
    memset(to, 0, len);
    if (bytes)
        memcpy(to, bytes, given);
}

static struct publication *some(struct stage *stage, uint8_t which)
{
    size_t seen = 0;
    for (size_t i = 0; i < STREAM_MAX; i++) {
        if (stage->sup.publications[i] && seen++ == (which & 1))
            return stage->sup.publications[i];
    }
    return NULL;
}

static void post(struct stage *stage)
{
    struct msg_publish m = {.request = ++stage->requests, .stream = "demo", .token = "t"};
    say(stage, WEB, MSG_PUBLISH, &m, "v=0", 3);
}

static void grant(struct stage *stage, uint8_t how)
{
    struct msg_lease_grant m = {.request = stage->asked, .grant = {.remaining_us = UINT64_MAX}};
    m.grant.verdict = how & 0x10 ? how & 7 : GRANT_OK;
    m.grant.clash = how >> 5 & 1;
    m.grant.lease_id = stage->asked;
    m.grant.token_id[0] = how & 8 ? 'b' : 'a';
    say(stage, AUTH, MSG_LEASE_GRANT, &m, NULL, 0);
}

static void answer(struct stage *stage, uint8_t how)
{
    struct publication *p = some(stage, how);
    struct msg_answer m = {
        .status = how & 2 ? 400 : 201, .renditions = 3, .ufrag = "ufrag", .reason = "no"};
    if (!p || !p->ingest)
        return;
    memcpy(m.pwd, "passwordpasswordpassword", 24);
    m.session = p->session;
    p->mapped = true;
    int who = p->ingest == &stage->players[INGEST].process ? INGEST : INGEST_TWO;
    say(stage, who, MSG_ANSWER, &m, "v=0", how & 2 ? 0 : 3);
}

static void request(struct stage *stage, uint8_t how, struct reader *in)
{
    const struct publication *p = some(stage, how);
    struct msg_session m = {
        .request = ++stage->requests, .op = how >> 1 & 3, .match = how >> 3 & 3, .token = "t"};
    if (p && how & 0x20)
        memcpy(m.if_match, p->etag, sizeof(m.if_match));
    else
        fill(in, m.if_match, sizeof(m.if_match) - (how & 0x40 ? 0 : 1));
    if (p)
        memcpy(m.url_id, p->url_id, sizeof(m.url_id));
    say(stage, WEB, MSG_SESSION, &m, FRAGMENT, m.op == SESSION_PATCH ? sizeof(FRAGMENT) - 1 : 0);
}

static void result(struct stage *stage, uint8_t how, struct reader *in)
{
    static const uint16_t statuses[] = {204, 200, 400, 428, 429, 500, 201, 0};
    const struct publication *p = some(stage, how);
    struct msg_fragment_result m = {.status = statuses[how >> 1 & 7]};
    if (!p)
        return;
    m.session = p->session;
    m.request = how & 0x10 ? 4711 : p->fragment_request;
    if (how & 0x20) {
        fill(in, m.ufrag, sizeof(m.ufrag));
        fill(in, m.pwd, sizeof(m.pwd));
        fill(in, m.reason, sizeof(m.reason));
    } else if (m.status == 200) {
        memcpy(m.ufrag, "frag0000", 8);
        m.ufrag[7] = (char)('a' + (p->ufrag[7] + 1) % 20);
        memset(m.pwd, p->pwd[0] == 'x' ? 'y' : 'x', 24);
    }
    say(stage, p->ingest == &stage->players[INGEST].process ? INGEST : INGEST_TWO,
        MSG_FRAGMENT_RESULT, &m, "a=x", m.status == 200 ? 3 : 0);
}

/* Any message of any role with any body. */
static void anything(struct stage *stage, uint8_t who, struct reader *in)
{
    static uint8_t body[CHAN_BODY_MAX];
    enum msg_type type = (enum msg_type)(reader_u8(in) % MSG_TYPE_COUNT);
    const struct msg_shape *shape = msg_shape(type);
    if (!shape || type == MSG_PUBLISH || type == MSG_SESSION || type == MSG_READY)
        return; /* web's are counted above */
    fill(in, body, sizeof(body));
    if (type == MSG_STATS || type == MSG_INGEST_STATE) {
        const struct publication *p = some(stage, who);
        if (p && type == MSG_INGEST_STATE)
            memcpy(body, &p->session, sizeof(p->session));
    }
    say(stage, who % PLAYERS, type, body, NULL, 0);
}

static void act(struct stage *stage, uint8_t action, struct reader *in)
{
    uint8_t how = reader_u8(in);
    struct publication *p = some(stage, how);
    switch (action % 10) {
    case 0:
        post(stage);
        break;
    case 1:
    case 2:
        grant(stage, how);
        break;
    case 3:
        answer(stage, how);
        break;
    case 4:
    case 5:
        request(stage, how, in);
        break;
    case 6:
        result(stage, how, in);
        break;
    case 7:
        anything(stage, how, in);
        break;
    case 8:
        if (p)
            publication_end(p, how & 2 ? END_REVOKED : END_SILENT);
        break;
    default:
        if (how & 1)
            session_url_on_auth_exit(&stage->sup);
        else if (p && p->ingest)
            publication_on_ingest_exit(p);
        break;
    }
    turn(stage);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct stage stage;
    struct reader in;
    memset(&stage, 0, sizeof(stage));
    open_stage(&stage);
    post(&stage);
    grant(&stage, 0);
    answer(&stage, 0);
    reader_init(&in, data, size);
    for (unsigned i = 0; i < STEPS_MAX && reader_left(&in) > 1; i++) {
        struct reader record;
        uint8_t action = reader_u8(&in);
        size_t len = reader_u8(&in) % 64;
        len = len < reader_left(&in) ? len : reader_left(&in);
        reader_init(&record, reader_bytes(&in, len), len);
        act(&stage, action, &record);
    }
    close_stage(&stage);
    return 0;
}
