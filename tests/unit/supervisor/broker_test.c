/* What edge may say about paths and addresses. */
#include "gateway/supervisor/broker.h"

#include "gateway/supervisor/supervisor.h"
#include "lib/base/fd.h"
#include "lib/proto/msg.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

/* A supervisor with nothing but an edge, whose end of the channel is ours. */
struct stage {
    struct supervisor sup;
    struct process edge;
    int fd;
    int ended; /* the reason, 1 while it has not */
};

static void on_ended(void *ctx, int reason)
{
    struct process *edge = ctx;
    struct stage *stage = (struct stage *)(void *)((char *)edge - offsetof(struct stage, edge));
    stage->ended = reason;
}

static int setup(void **state)
{
    int pair[2];
    struct stage *stage = calloc(1, sizeof(*stage));
    assert_non_null(stage);
    struct process *edge = &stage->edge;
    edge->sup = &stage->sup;
    edge->kind = PROCESS_EDGE;
    stage->ended = 1;
    conf_init(&stage->sup.conf);
    listeners_init(&stage->sup.listeners);
    assert_int_equal(loop_init(&stage->sup.loop), 0);
    assert_int_equal(chan_pair(pair), 0);
    size_t count = broker_rules(PROCESS_EDGE, edge->rules, PROCESS_RULES_MAX);
    assert_int_equal(
        chan_new(&stage->sup.loop, pair[0], edge->rules, count, on_ended, edge, &edge->chan), 0);
    chan_set_phase(edge->chan, PHASE_WARM);
    stage->fd = pair[1];
    *state = stage;
    return 0;
}

static int teardown(void **state)
{
    struct stage *stage = *state;
    chan_free(stage->edge.chan);
    fd_close(&stage->fd);
    loop_done(&stage->sup.loop);
    free(stage);
    return 0;
}

static void say(struct stage *stage, enum msg_type type, const void *body)
{
    uint8_t packet[sizeof(struct chan_head) + CHAN_BODY_MAX];
    const struct chan_head head = {.type = (uint16_t)type,
                                   .body_len = (uint32_t)msg_shape(type)->body_len};
    memcpy(packet, &head, sizeof(head));
    memcpy(packet + sizeof(head), body, head.body_len);
    size_t len = sizeof(head) + head.body_len;
    assert_int_equal(send(stage->fd, packet, len, MSG_DONTWAIT), len);
    assert_int_equal(loop_turn(&stage->sup.loop, 0), 0);
}

static void ICE_09_a_seen_address_goes_to_the_one_that_asked(void **state)
{
    struct stage *stage = *state;
    struct listeners *l = &stage->sup.listeners;
    struct msg_seen_address found = {.local = {.family = 4, .port = 99, .ip = {10, 0, 0, 2}},
                                     .seen = {.family = 4, .port = 1, .ip = {203, 0, 113, 9}}};
    stage->sup.conf.stun_server = (struct addr){.family = 4, .port = 3478, .ip = {127, 0, 0, 1}};
    l->media_count = 2;
    l->media[0] = (struct addr){.family = 4, .port = 99, .ip = {10, 0, 0, 1}};
    l->media[1] = (struct addr){.family = 4, .port = 99, .ip = {10, 0, 0, 2}};
    say(stage, MSG_SEEN_ADDRESS, &found);
    assert_int_equal(stage->ended, 1);
    assert_int_equal(l->seen[0].family, 0);
    assert_true(addr_same_host(&l->seen[1], &found.seen));
    found.seen.ip[0] = 198; /* a second report for the same address: not its to change any more */
    say(stage, MSG_SEEN_ADDRESS, &found);
    assert_int_equal(stage->ended, -EPROTO);
    assert_int_equal(l->seen[1].ip[0], 203);
}

static void I5_a_seen_address_of_another_family_ends_edge(void **state)
{
    struct stage *stage = *state;
    struct listeners *l = &stage->sup.listeners;
    const struct msg_seen_address found = {.local = {.family = 4, .port = 99, .ip = {10, 0, 0, 1}},
                                           .seen = {.family = 6, .ip = {0x20, 1}}};
    stage->sup.conf.stun_server = (struct addr){.family = 4, .port = 3478, .ip = {127, 0, 0, 1}};
    l->media_count = 1;
    l->media[0] = (struct addr){.family = 4, .port = 99, .ip = {10, 0, 0, 1}};
    say(stage, MSG_SEEN_ADDRESS, &found);
    assert_int_equal(stage->ended, -EPROTO);
    assert_int_equal(l->seen[0].family, 0);
}

static void I5_a_seen_address_nobody_asked_for_ends_edge(void **state)
{
    struct stage *stage = *state;
    const struct msg_seen_address found = {.seen = {.family = 4, .ip = {203, 0, 113, 9}}};
    say(stage, MSG_SEEN_ADDRESS, &found);
    assert_int_equal(stage->ended, -EBADMSG);
}

static void I5_an_address_of_no_family_ends_edge(void **state)
{
    struct stage *stage = *state;
    const struct msg_seen_address found = {.seen = {.family = 9}};
    say(stage, MSG_SEEN_ADDRESS, &found);
    assert_int_equal(stage->ended, -EBADMSG);
}

static void I5_bytes_of_a_tcp_path_end_edge(void **state)
{
    struct stage *stage = *state;
    const struct msg_path path = {.session = 5, .transport = TRANSPORT_TCP};
    say(stage, MSG_PATH_BYTES, &path);
    assert_int_equal(stage->ended, -EBADMSG);
}

static void I5_bytes_of_an_ended_session_are_nothing(void **state)
{
    struct stage *stage = *state;
    const struct msg_path path = {.session = 5, .transport = TRANSPORT_UDP};
    say(stage, MSG_PATH_BYTES, &path);
    assert_int_equal(stage->ended, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(ICE_09_a_seen_address_goes_to_the_one_that_asked),
        CASE(I5_a_seen_address_of_another_family_ends_edge),
        CASE(I5_a_seen_address_nobody_asked_for_ends_edge),
        CASE(I5_an_address_of_no_family_ends_edge),
        CASE(I5_bytes_of_a_tcp_path_end_edge),
        CASE(I5_bytes_of_an_ended_session_are_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
