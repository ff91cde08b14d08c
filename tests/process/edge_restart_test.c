/* sluice-edge during an ICE restart: the pair before and the new one of a live session. */
#include "lib/base/fd.h"
#include "tests/support/rawedge.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>

#include <cmocka.h>

#define NEW_UFRAG "edgeUfr2"
#define NEW_USERNAME NEW_UFRAG ":peer"
#define NEW_PWD "edgeSecondPassword012345"

static void check_as(const struct rawedge *rig, int client, const char *username, const char *pwd)
{
    struct rawstun_request request = rawedge_request();
    request.username = username;
    request.password = pwd;
    rawedge_send_request(rig, client, &request);
}

/* A new client whose check with that pair opens a path. */
static void opens(struct rawedge *rig, const char *username, const char *pwd)
{
    int client = rawedge_client(rig);
    check_as(rig, client, username, pwd);
    int path = rawedge_take_path(rig, client, RAWEDGE_SESSION);
    fd_close(&path);
    fd_close(&client);
}

static void WHIP_61_both_pairs_count_until_the_first_check_with_the_new_one(void **state)
{
    struct rawedge rig;
    (void)state;
    rawedge_open_expecting(&rig, AF_INET);
    opens(&rig, RAWEDGE_USERNAME, RAWEDGE_PWD);
    rawedge_expect(&rig, RAWEDGE_SESSION, NEW_UFRAG, NEW_PWD);
    rawedge_settle(&rig);
    opens(&rig, RAWEDGE_USERNAME, RAWEDGE_PWD);
    opens(&rig, NEW_USERNAME, NEW_PWD);
    int late = rawedge_client(&rig), current = rawedge_client(&rig);
    rawedge_check(&rig, late); /* nothing comes of it: the next path is the other one's */
    check_as(&rig, current, NEW_USERNAME, NEW_PWD);
    int path = rawedge_take_path(&rig, current, RAWEDGE_SESSION);
    fd_close(&path);
    fd_close(&late);
    fd_close(&current);
    rawedge_close(&rig);
}

/* As the supervisor tells it: the old pair first, the new one last. */
static void WHIP_61_a_restarted_edge_lets_both_pairs_in(void **state)
{
    struct rawedge rig;
    int status = 0;
    (void)state;
    rawedge_open_expecting(&rig, AF_INET);
    assert_int_equal(kill(rig.peer.pid, SIGKILL), 0);
    assert_int_equal(peer_wait_exit(&rig.peer, RAWEDGE_WAIT_MS, &status), 0);
    peer_stop(&rig.peer);
    rawedge_start(&rig, &rawedge_plain);
    assert_non_null(peer_wait(&rig.peer, MSG_READY, RAWEDGE_WAIT_MS));
    rawedge_expect(&rig, RAWEDGE_SESSION, RAWEDGE_UFRAG, RAWEDGE_PWD);
    rawedge_expect(&rig, RAWEDGE_SESSION, NEW_UFRAG, NEW_PWD);
    rawedge_settle(&rig);
    opens(&rig, RAWEDGE_USERNAME, RAWEDGE_PWD);
    opens(&rig, NEW_USERNAME, NEW_PWD);
    rawedge_close(&rig);
}

/* The password of the one pair with the name of the other is nobody's. */
static void U2_a_mixed_pair_opens_nothing(void **state)
{
    struct rawedge rig;
    (void)state;
    rawedge_open_expecting(&rig, AF_INET);
    rawedge_expect(&rig, RAWEDGE_SESSION, NEW_UFRAG, NEW_PWD);
    rawedge_settle(&rig);
    int mixed = rawedge_client(&rig);
    check_as(&rig, mixed, NEW_USERNAME, RAWEDGE_PWD);
    check_as(&rig, mixed, RAWEDGE_USERNAME, NEW_PWD);
    rawedge_nothing_came(&rig);
    fd_close(&mixed);
    rawedge_close(&rig);
}

static void WHIP_39_forget_ends_both_pairs(void **state)
{
    struct rawedge rig;
    const struct msg_number session = {.number = RAWEDGE_SESSION};
    (void)state;
    rawedge_open_expecting(&rig, AF_INET);
    rawedge_expect(&rig, RAWEDGE_SESSION, NEW_UFRAG, NEW_PWD);
    assert_int_equal(peer_send(&rig.peer, MSG_FORGET, &session, NULL, 0, NULL), 0);
    rawedge_expect(&rig, RAWEDGE_SESSION + 1, "edgeUfr3", RAWEDGE_PWD);
    rawedge_settle(&rig);
    int old = rawedge_client(&rig);
    rawedge_check(&rig, old);
    check_as(&rig, old, NEW_USERNAME, NEW_PWD);
    rawedge_nothing_came_but(&rig, RAWEDGE_SESSION + 1, "edgeUfr3:peer");
    fd_close(&old);
    rawedge_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(WHIP_61_both_pairs_count_until_the_first_check_with_the_new_one),
        cmocka_unit_test(WHIP_61_a_restarted_edge_lets_both_pairs_in),
        cmocka_unit_test(U2_a_mixed_pair_opens_nothing),
        cmocka_unit_test(WHIP_39_forget_ends_both_pairs),
    };
    return cmocka_run_group_tests_name("edge_restart", tests, NULL, NULL);
}
