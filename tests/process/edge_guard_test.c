/* The real edge against strangers: silence, floods, hostile messages, attempts to escape. */
#include "lib/base/clock.h"
#include "lib/base/escape.h"
#include "lib/base/fd.h"
#include "tests/support/rawedge.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const struct settings_common hooked = {.namespaces = 1, .test_hooks = 1};

static void U1_U2_wrong_checks_get_no_byte_and_no_message(void **state)
{
    struct rawedge rig;
    (void)state;
    rawedge_open_expecting(&rig, AF_INET);
    int client = rawedge_client(&rig);
    struct rawstun_request wrong[8];
    for (size_t i = 0; i < 8; i++)
        wrong[i] = rawedge_request();
    wrong[0].username = NULL; /* bare */
    wrong[0].password = NULL;
    wrong[1].password = NULL;
    wrong[2].password = "edgePasswordOf24Letters2";
    wrong[3].username = "edgeUfr2:peer";
    wrong[4].username = RAWEDGE_UFRAG;
    wrong[5].no_fingerprint = true;
    wrong[6].wrong_fingerprint = true;
    wrong[7].username = "";
    for (size_t i = 0; i < 8; i++)
        rawedge_send_request(&rig, client, &wrong[i]);
    rawedge_nothing_came(&rig);
    assert_false(rawedge_readable(client, 0));
    rawedge_check(&rig, client); /* and nobody is locked out by them */
    int path = rawedge_take_path(&rig, client, RAWEDGE_SESSION);
    fd_close(&path);
    fd_close(&client);
    rawedge_close(&rig);
}

static void U1_U18_anything_else_gets_no_byte_and_no_message(void **state)
{
    struct rawedge rig;
    static const uint8_t firsts[] = {0, 1, 2, 19, 20, 22, 63, 64, 79, 80, 127, 128, 191, 192, 255};
    uint8_t data[1600];
    (void)state;
    rawedge_open_expecting(&rig, AF_INET);
    int client = rawedge_client(&rig);
    for (size_t i = 0; i < sizeof(firsts); i++) {
        memset(data, 0x41, sizeof(data));
        data[0] = firsts[i];
        data[1] = 1;
        for (size_t len = 0; len <= sizeof(data); len += len < 32 ? 1 : 97)
            rawedge_send(&rig, client, data, len);
        rawedge_nothing_came(&rig);
    }
    for (size_t len = 0; len <= sizeof(data); len++) { /* a right check, cut or with a tail */
        const struct rawstun_request request = rawedge_request();
        size_t whole = rawstun_request(&request, data);
        if (len == whole)
            continue;
        rawedge_send(&rig, client, data, len);
        if (len % 64 == 0)
            rawedge_nothing_came(&rig);
    }
    rawedge_nothing_came(&rig);
    assert_false(rawedge_readable(client, 0));
    fd_close(&client);
    rawedge_close(&rig);
}

static void U13_flood_of_a_known_flow_is_bounded(void **state)
{
    struct rawedge rig;
    uint8_t data[200] = {0x80, 111};
    (void)state;
    rawedge_open_expecting(&rig, AF_INET);
    int client = rawedge_client(&rig);
    rawedge_check(&rig, client);
    int path = rawedge_take_path(&rig, client, RAWEDGE_SESSION);
    fd_close(&path);
    uint64_t start_us = clock_now_us();
    for (size_t i = 0; i < 3000; i++)
        rawedge_send(&rig, client, data, sizeof(data));
    size_t count = rawedge_count_until_next(&rig, MSG_PATH_BYTES);
    uint64_t took_us = clock_now_us() - start_us;
    assert_in_range(count, 1, 64 + 100 * (took_us / CLOCK_SECOND_US + 1));
    fd_close(&client);
    rawedge_close(&rig);
}

static void EDGE_counts_in_at_most_one_line_a_second(void **state)
{
    struct rawedge rig;
    (void)state;
    rawedge_open_expecting(&rig, AF_INET);
    int client = rawedge_client(&rig);
    for (size_t i = 0; i < 200; i++)
        rawedge_send(&rig, client, "\x80nothing of ours", 16);
    assert_true(peer_wait_log(&rig.peer, "strange=200", RAWEDGE_WAIT_MS));
    size_t lines = 0;
    for (const char *at = rig.peer.log; (at = strstr(at, "datagrams ")) != NULL; at++)
        lines++;
    assert_int_equal(lines, 1);
    assert_null(strstr(rig.peer.log, RAWEDGE_PWD));
    fd_close(&client);
    rawedge_close(&rig);
}

static void I5_hostile_messages_end_edge(void **state)
{
    struct rawedge rig;
    struct msg_expect bodies[3] = {{.ufrag = RAWEDGE_UFRAG},
                                   {.pwd = RAWEDGE_PWD},
                                   {.ufrag = RAWEDGE_UFRAG, .pwd = RAWEDGE_PWD}};
    (void)state;
    memset(bodies[2].ufrag, 'a', sizeof(bodies[2].ufrag)); /* no NUL */
    for (size_t i = 0; i < 3; i++) {
        rawedge_open_expecting(&rig, AF_INET);
        assert_int_equal(peer_send(&rig.peer, MSG_EXPECT, &bodies[i], NULL, 0, NULL), 0);
        rawedge_fails(&rig);
    }
    const struct msg_path gone = {.session = RAWEDGE_SESSION, .transport = TRANSPORT_COUNT};
    rawedge_open_expecting(&rig, AF_INET);
    assert_int_equal(peer_send(&rig.peer, MSG_PATH_GONE, &gone, NULL, 0, NULL), 0);
    rawedge_fails(&rig); /* of no known transport */
    const struct msg_number session = {.number = RAWEDGE_SESSION};
    rawedge_open_expecting(&rig, AF_INET);
    assert_int_equal(peer_send(&rig.peer, MSG_TEST, &session, NULL, 0, NULL), 0);
    rawedge_fails(&rig); /* without test_hooks */
    rawedge_open_expecting(&rig, AF_INET);
    assert_int_equal(peer_send(&rig.peer, MSG_RING_MAPPED, &session, NULL, 0, NULL), 0);
    rawedge_fails(&rig); /* another role's message */
}

static void I5_wrong_settings_end_edge(void **state)
{
    struct rawedge rig;
    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        rig.listener = rawedge_bind(AF_INET, SOCK_DGRAM, 1);
        rig.tcp = rawedge_bind(AF_INET, SOCK_STREAM, 0);
        rig.local = rawedge_address(rig.listener);
        struct settings_edge settings = {
            .common = rawedge_plain, .udp_count = 1, .tcp_count = 1, .udp = {rig.local}};
        const int fds[2] = {rig.listener, rig.tcp};
        settings.udp_count = i == 0 ? 0 : i == 1 ? 2 : 1;
        settings.tcp_count = i == 2 ? UINT32_MAX : 1;
        settings.udp[0].port ^= i == 3 ? 1 : 0; /* not what the socket is bound to */
        assert_int_equal(
            peer_start(&rig.peer, RAWEDGE_ROLE, &settings, sizeof(settings), NULL, 0, fds, 2), 0);
        rawedge_fails(&rig);
    }
}

/* -1: killed by SIGSYS, else the errno that the attempt got, 0 for success. */
static int attempt(uint64_t number)
{
    struct rawedge rig;
    int status = 0, result = -1;
    const struct msg_number test = {.number = number};
    rawedge_open(&rig, AF_INET, &hooked);
    assert_non_null(peer_wait(&rig.peer, MSG_READY, RAWEDGE_WAIT_MS));
    assert_int_equal(peer_send(&rig.peer, MSG_TEST, &test, NULL, 0, NULL), 0);
    const struct chan_message *m = peer_wait(&rig.peer, MSG_PONG, RAWEDGE_WAIT_MS);
    if (m != NULL) {
        const struct msg_number *answer = m->body;
        result = (int)(answer->number - ESCAPE_SURVIVED);
    } else {
        assert_int_equal(peer_wait_exit(&rig.peer, RAWEDGE_WAIT_MS, &status), 0);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGSYS);
    }
    rawedge_close(&rig);
    return result;
}

static void EDGE_every_escape_is_denied(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < ESCAPE_COUNT; i++) {
        if (i == ESCAPE_CONNECT || i == ESCAPE_SETSOCKOPT) /* its trade, on UDP sockets */
            continue;
        int result = attempt(i);
        if (result != -1)
            print_message("%s: errno %d\n", escape_name(i), result);
        if (i == ESCAPE_MAP_WRITE || i == ESCAPE_MAP_SHARED) /* allowed calls that get nothing */
            assert_int_not_equal(result, 0);
        else
            assert_int_equal(result, -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(U1_U2_wrong_checks_get_no_byte_and_no_message),
        cmocka_unit_test(U1_U18_anything_else_gets_no_byte_and_no_message),
        cmocka_unit_test(U13_flood_of_a_known_flow_is_bounded),
        cmocka_unit_test(EDGE_counts_in_at_most_one_line_a_second),
        cmocka_unit_test(I5_hostile_messages_end_edge),
        cmocka_unit_test(I5_wrong_settings_end_edge),
        cmocka_unit_test(EDGE_every_escape_is_denied),
    };
    return cmocka_run_group_tests_name("edge guard", tests, NULL, NULL);
}
