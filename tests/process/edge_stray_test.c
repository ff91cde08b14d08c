/* The real edge and media from unknown ports (threats.md U17): who gets to see it, and which socket
 * the worker may ask for. */
#include "gateway/edge/stray.h"
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "tests/support/rawedge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const uint8_t media[100] = {0x80, 111, 0, 1};

static void want(struct rawedge *rig, const struct addr *remote, uint64_t session)
{
    const struct msg_path path = {.session = session, .local = rig->local, .remote = *remote};
    assert_int_equal(peer_send(&rig->peer, MSG_PATH_WANT, &path, NULL, 0, NULL), 0);
    rawedge_settle(rig);
}

static void expect_stray(struct rawedge *rig, int client, uint64_t session)
{
    const struct chan_message *m = peer_wait(&rig->peer, PEER_ANY, RAWEDGE_WAIT_MS);
    const struct addr remote = rawedge_address(client);
    assert_non_null(m);
    assert_int_equal(m->type, MSG_STRAY);
    const struct msg_path *path = m->body;
    assert_int_equal(path->session, session);
    assert_true(addr_equal(&path->remote, &remote));
    assert_true(addr_equal(&path->local, &rig->local));
    assert_int_equal(m->blob_len, sizeof(media));
    assert_memory_equal(m->blob, media, sizeof(media));
}

static void U17_the_worker_gets_the_socket_it_wants(void **state)
{
    struct rawedge rig;
    uint8_t data[200];
    (void)state;
    rawedge_open_expecting(&rig, AF_INET);
    int client = rawedge_client(&rig), moved = rawedge_client(&rig);
    rawedge_check(&rig, client);
    int path = rawedge_take_path(&rig, client, RAWEDGE_SESSION);
    rawedge_send(&rig, moved, media, sizeof(media));
    expect_stray(&rig, moved, RAWEDGE_SESSION);
    const struct addr remote = rawedge_address(moved);
    want(&rig, &remote, RAWEDGE_SESSION);
    const struct chan_message *m = peer_wait(&rig.peer, PEER_ANY, RAWEDGE_WAIT_MS);
    assert_non_null(m);
    assert_int_equal(m->type, MSG_PATH);
    assert_int_equal(m->blob_len, 0);
    assert_true(addr_equal(&((const struct msg_path *)m->body)->remote, &remote));
    int other = peer_take_fd(&rig.peer, 0);
    m = peer_wait(&rig.peer, PEER_ANY, RAWEDGE_WAIT_MS); /* what came meanwhile follows */
    assert_non_null(m);
    assert_int_equal(m->type, MSG_PATH_BYTES);
    assert_memory_equal(m->blob, media, sizeof(media));
    rawedge_send(&rig, moved, media, sizeof(media)); /* straight to the worker from now on */
    assert_true(rawedge_readable(other, RAWEDGE_WAIT_MS));
    assert_int_equal(recv(other, data, sizeof(data), 0), sizeof(media));
    rawedge_check(&rig, moved); /* its check goes there too */
    assert_true(rawedge_readable(other, RAWEDGE_WAIT_MS));
    rawedge_nothing_came(&rig);
    assert_false(rawedge_readable(moved, 0));
    assert_false(rawedge_readable(client, 0));
    fd_close(&other);
    fd_close(&path);
    fd_close(&client);
    fd_close(&moved);
    rawedge_close(&rig);
}

/* A worker that was broken into gets no socket to anywhere but where its publisher sends from. */
static void W8_nobody_gets_a_socket_to_elsewhere(void **state)
{
    struct rawedge rig;
    (void)state;
    rawedge_open_expecting(&rig, AF_INET);
    int client = rawedge_client(&rig), moved = rawedge_client(&rig), silent = rawedge_client(&rig);
    struct addr remote = rawedge_address(moved), never = rawedge_address(silent);
    rawedge_check(&rig, client);
    int path = rawedge_take_path(&rig, client, RAWEDGE_SESSION);
    rawedge_send(&rig, moved, media, sizeof(media));
    expect_stray(&rig, moved, RAWEDGE_SESSION);
    want(&rig, &never, RAWEDGE_SESSION);
    never = (struct addr){.family = 4, .port = 53, .ip = {192, 0, 2, 1}};
    want(&rig, &never, RAWEDGE_SESSION);
    want(&rig, &remote, RAWEDGE_SESSION + 1);
    rawedge_nothing_came(&rig);
    fd_close(&path);
    fd_close(&client);
    fd_close(&moved);
    fd_close(&silent);
    rawedge_close(&rig);
}

static void U13_strangers_on_the_host_get_nothing_and_cost_little(void **state)
{
    struct rawedge rig;
    uint8_t data[200] = {0x90, 96};
    (void)state;
    rawedge_open_expecting(&rig, AF_INET);
    int client = rawedge_client(&rig);
    rawedge_check(&rig, client);
    int path = rawedge_take_path(&rig, client, RAWEDGE_SESSION);
    int strangers[16];
    uint64_t start_us = clock_now_us();
    for (size_t i = 0; i < 16; i++)
        strangers[i] = rawedge_client(&rig);
    for (size_t i = 0; i < 4000; i++) {
        data[2] = (uint8_t)(i >> 8);
        data[3] = (uint8_t)i;
        rawedge_send(&rig, strangers[i % 16], data, 12 + i % 180);
    }
    size_t shown = rawedge_count_until_next(&rig, MSG_STRAY);
    uint64_t took_us = clock_now_us() - start_us;
    assert_in_range(shown, 1,
                    STRAY_SESSION_BURST + STRAY_SESSION_RATE * (took_us / CLOCK_SECOND_US + 1));
    for (size_t i = 0; i < 16; i++)
        assert_false(rawedge_readable(strangers[i], 0));
    fd_close_all(strangers, 16);
    fd_close(&path);
    fd_close(&client);
    rawedge_close(&rig);
}

static void U17_a_restarted_edge_knows_the_hosts_it_is_told(void **state)
{
    struct rawedge rig;
    (void)state;
    rawedge_open_expecting(&rig, AF_INET);
    int client = rawedge_client(&rig), moved = rawedge_client(&rig);
    const struct msg_path held = {
        .session = RAWEDGE_SESSION, .local = rig.local, .remote = rawedge_address(client)};
    rawedge_send(&rig, moved, media, sizeof(media)); /* a stranger */
    rawedge_nothing_came(&rig);
    assert_int_equal(peer_send(&rig.peer, MSG_PATH_HELD, &held, NULL, 0, NULL), 0);
    rawedge_settle(&rig);
    rawedge_send(&rig, moved, media, sizeof(media));
    expect_stray(&rig, moved, RAWEDGE_SESSION);
    fd_close(&client);
    fd_close(&moved);
    rawedge_close(&rig);
}

static void I5_a_want_of_a_tcp_path_ends_the_role(void **state)
{
    struct rawedge rig;
    (void)state;
    rawedge_open_expecting(&rig, AF_INET);
    const struct msg_path path = {.session = RAWEDGE_SESSION, .transport = TRANSPORT_TCP};
    assert_int_equal(peer_send(&rig.peer, MSG_PATH_WANT, &path, NULL, 0, NULL), 0);
    rawedge_fails(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(U17_the_worker_gets_the_socket_it_wants),
        cmocka_unit_test(W8_nobody_gets_a_socket_to_elsewhere),
        cmocka_unit_test(U13_strangers_on_the_host_get_nothing_and_cost_little),
        cmocka_unit_test(U17_a_restarted_edge_knows_the_hosts_it_is_told),
        cmocka_unit_test(I5_a_want_of_a_tcp_path_ends_the_role),
    };
    return cmocka_run_group_tests_name("edge stray", tests, NULL, NULL);
}
