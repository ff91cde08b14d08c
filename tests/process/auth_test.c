/* sluice-auth with a scripted supervisor: tokens over control.sock, leases, revocation, kill -9,
 * full disk, sandbox. */
#include "lib/base/clock.h"
#include "lib/base/escape.h"
#include "lib/base/fd.h"
#include "tests/support/authrig.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- tests of the role ---- */

static void AUTH_is_ready_in_its_sandbox(void **state)
{
    struct authrig *r = *state;
    assert_int_equal(r->ready.sandbox.seccomp, 1);
    assert_int_equal(r->ready.sandbox.no_new_privs, 1);
    assert_int_equal(r->ready.sandbox.not_dumpable, 1);
    assert_int_equal(r->ready.memory_locked, 1);
    if (geteuid() == 0) {
        assert_int_equal(r->ready.sandbox.own_uid, 1);
        assert_int_equal(r->ready.sandbox.empty_network, 1);
        assert_int_equal(r->ready.sandbox.empty_files, 1);
    }
}

static void create_ask_release(void **state)
{
    struct authrig *r = *state;
    struct authrig_token m = authrig_create(r, "demo");
    struct grant g = authrig_ask(r, LEASE_PUBLISH, "demo", m.token);
    assert_int_equal(g.verdict, GRANT_OK);
    assert_string_equal(g.token_id, m.id);
    assert_int_equal(authrig_ask(r, LEASE_PUBLISH, "other", m.token).verdict, GRANT_WRONG_STREAM);
    assert_int_equal(authrig_ask(r, LEASE_PUBLISH, "demo", "sluice_wrong").verdict, GRANT_UNKNOWN);
    assert_int_equal(authrig_ask(r, LEASE_IDENTIFY, "", m.token).verdict, GRANT_OK);
    struct msg_lease_release release = {.lease_id = g.lease_id};
    assert_int_equal(peer_send(&r->peer, MSG_LEASE_RELEASE, &release, NULL, 0, NULL), 0);
    char line[200];
    snprintf(line, sizeof(line), "{\"op\":\"token.show\",\"id\":\"%s\"}", m.id);
    assert_int_equal(authrig_ask(r, LEASE_IDENTIFY, "", m.token).verdict,
                     GRANT_OK); /* release is done */
    json_t *answer = authrig_request(r, line);
    assert_int_equal(json_integer_value(json_object_get(answer, "live")), 0);
    json_decref(answer);
}

static void T5_revoke_is_pushed_before_it_is_answered(void **state)
{
    struct authrig *r = *state;
    struct authrig_token m = authrig_create(r, "*");
    uint64_t a = authrig_ask(r, LEASE_PUBLISH, "a", m.token).lease_id;
    uint64_t b = authrig_ask(r, LEASE_PUBLISH, "b", m.token).lease_id;
    uint64_t began_us = clock_now_us();
    json_t *answer = authrig_revoke(r, m.id);
    assert_true(authrig_is_true(answer, "ok") && authrig_is_true(answer, "durable"));
    assert_int_equal(json_integer_value(json_object_get(answer, "ended")), 2);
    json_decref(answer);
    authrig_expect_end(r, a);
    authrig_expect_end(r, b);
    print_message("revoke to both lease_end: %u us\n", (unsigned)(clock_now_us() - began_us));
    assert_int_equal(authrig_ask(r, LEASE_PUBLISH, "a", m.token).verdict, GRANT_UNKNOWN);
}

static void restart_keeps_tokens_and_leases(void **state)
{
    struct authrig *r = *state;
    struct authrig_token good = authrig_create(r, "*");
    struct authrig_token bad = authrig_create(r, "*");
    uint64_t lease = authrig_ask(r, LEASE_PUBLISH, "a", good.token).lease_id;
    uint64_t cut = authrig_ask(r, LEASE_PUBLISH, "b", bad.token).lease_id;
    json_decref(authrig_revoke(r, bad.id));
    authrig_kill(r);
    authrig_start(r);
    struct msg_lease_live live = {.lease_id = lease, .stream = "a"};
    memcpy(live.token_id, good.id, strlen(good.id));
    assert_int_equal(peer_send(&r->peer, MSG_LEASE_LIVE, &live, NULL, 0, NULL), 0);
    live = (struct msg_lease_live){.lease_id = cut, .stream = "b"};
    memcpy(live.token_id, bad.id, strlen(bad.id));
    assert_int_equal(peer_send(&r->peer, MSG_LEASE_LIVE, &live, NULL, 0, NULL), 0);
    authrig_expect_end(r, cut); /* the word that the dead process may not have given */
    assert_int_equal(authrig_ask(r, LEASE_IDENTIFY, "", good.token).verdict, GRANT_OK);
    assert_int_equal(authrig_ask(r, LEASE_IDENTIFY, "", bad.token).verdict, GRANT_UNKNOWN);
    json_decref(authrig_revoke(r, good.id));
    authrig_expect_end(r, lease);
}

static void D2_killed_right_after_each_answer_loses_nothing(void **state)
{
    struct authrig *r = *state;
    struct authrig_token all[20];
    for (size_t i = 0; i < 20; i++) {
        all[i] = authrig_create(r, "demo");
        authrig_kill(r);
        authrig_start(r);
        for (size_t k = 0; k <= i; k++)
            assert_int_equal(authrig_ask(r, LEASE_IDENTIFY, "", all[k].token).verdict,
                             k % 2 == 0 && k < i ? GRANT_UNKNOWN : GRANT_OK);
        if (i % 2 == 0) {
            json_decref(authrig_revoke(r, all[i].id));
            authrig_kill(r);
            authrig_start(r);
        }
    }
}

static void D1_another_pepper_knows_no_token(void **state)
{
    struct authrig *r = *state;
    struct authrig_token m = authrig_create(r, "demo");
    authrig_kill(r);
    authrig_start_with(r, 0xac, true);
    assert_int_equal(authrig_ask(r, LEASE_IDENTIFY, "", m.token).verdict, GRANT_UNKNOWN);
    DIR *dir = opendir(r->path);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        static char content[8 << 20];
        int fd = openat(r->dir_fd, entry->d_name, O_RDONLY | O_CLOEXEC);
        ssize_t len = fd < 0 ? 0 : read(fd, content, sizeof(content));
        if (len > 0)
            assert_null(memmem(content, (size_t)len, m.token, strlen(m.token)));
        fd_close(&fd);
    }
    closedir(dir);
}

/* Whoever else opens the file waits in vain, and cannot make a revocation wait. */
static void D5_other_programs_are_kept_out(void **state)
{
    struct authrig *r = *state;
    struct authrig second = *r;
    struct authrig_token m = authrig_create(r, "demo");
    memset(&second.peer, 0, sizeof(second.peer));
    authrig_start(&second);
    assert_true(peer_wait_log(&second.peer, "store-closed error=EBUSY", AUTHRIG_WAIT_MS));
    assert_int_equal(authrig_ask(&second, LEASE_IDENTIFY, "", m.token).verdict, GRANT_UNAVAILABLE);
    peer_stop(&second.peer);
    json_t *answer = authrig_revoke(r, m.id);
    assert_true(authrig_is_true(answer, "durable"));
    json_decref(answer);
}

static void D4_damaged_database_refuses_but_runs(void **state)
{
    struct authrig *r = *state;
    struct authrig_token m = authrig_create(r, "demo");
    authrig_kill(r);
    assert_int_equal(unlinkat(r->dir_fd, "sluice.db-wal", 0), 0);
    int fd = openat(r->dir_fd, "sluice.db", O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "no database at all", 18, 0), 18);
    fd_close(&fd);
    authrig_start(r);
    assert_int_equal(authrig_ask(r, LEASE_PUBLISH, "demo", m.token).verdict, GRANT_UNAVAILABLE);
    json_t *answer = authrig_request(r, "{\"op\":\"token.list\"}");
    assert_string_equal(authrig_text_of(answer, "error"), "unavailable");
    json_decref(answer);
}

static void streams_and_status_go_through_the_supervisor(void **state)
{
    struct authrig *r = *state;
    int fd = authrig_dial(r);
    authrig_say(fd, "{\"op\":\"stream.list\"}");
    const struct chan_message *message = peer_wait(&r->peer, MSG_CTL, AUTHRIG_WAIT_MS);
    assert_non_null(message);
    const struct msg_ctl *ctl = message->body;
    assert_int_equal(ctl->op, CTL_STREAMS);
    struct msg_ctl_row row = {.request = ctl->request, .name = "demo", .token_id = "t_0123456789"};
    struct msg_ctl_done done = {.request = ctl->request};
    assert_int_equal(peer_send(&r->peer, MSG_CTL_ROW, &row, NULL, 0, NULL), 0);
    assert_int_equal(peer_send(&r->peer, MSG_CTL_DONE, &done, NULL, 0, NULL), 0);
    json_t *answer = authrig_hear(fd);
    const json_t *stream = json_array_get(json_object_get(answer, "streams"), 0);
    assert_string_equal(authrig_text_of(stream, "stream"), "demo");
    json_decref(answer);

    authrig_say(fd, "{\"op\":\"stream.kick\",\"stream\":\"gone\"}");
    message = peer_wait(&r->peer, MSG_CTL, AUTHRIG_WAIT_MS);
    assert_non_null(message);
    ctl = message->body;
    assert_int_equal(ctl->op, CTL_KICK);
    assert_string_equal(ctl->stream, "gone");
    done = (struct msg_ctl_done){.request = ctl->request, .result = -ENOENT};
    assert_int_equal(peer_send(&r->peer, MSG_CTL_DONE, &done, NULL, 0, NULL), 0);
    answer = authrig_hear(fd);
    assert_string_equal(authrig_text_of(answer, "error"), "not_found");
    json_decref(answer);
    fd_close(&fd);
}

static void H8_flood_of_wrong_tokens(void **state)
{
    struct authrig *r = *state;
    struct authrig_token m = authrig_create(r, "demo");
    unsigned busy = 0;
    for (int i = 0; i < 2000; i++)
        busy += authrig_ask(r, LEASE_PUBLISH, "demo", "sluice_guess").verdict == GRANT_BUSY;
    assert_int_equal(busy, 1990);
    assert_int_equal(authrig_ask(r, LEASE_PUBLISH, "demo", m.token).verdict, GRANT_OK);
}

static void S5_log_has_no_token(void **state)
{
    struct authrig *r = *state;
    struct authrig_token m = authrig_create(r, "demo");
    authrig_ask(r, LEASE_PUBLISH, "demo", m.token);
    assert_true(peer_wait_log(&r->peer, m.id, AUTHRIG_WAIT_MS));
    assert_null(strstr(r->peer.log, m.token + 7));
    assert_null(strstr(r->peer.log, "127.0.0.1"));
}

static void I5_hostile_messages_end_auth(void **state)
{
    struct authrig *r = *state;
    struct msg_lease_ask bad = {.purpose = LEASE_PUBLISH, .stream = "../x", .token = "x"};
    struct msg_ctl_row row = {.request = 1, .name = "a b"};
    int status = 0;
    assert_int_equal(peer_send(&r->peer, MSG_LEASE_ASK, &bad, NULL, 0, NULL), 0);
    assert_int_equal(peer_wait_exit(&r->peer, AUTHRIG_WAIT_MS, &status), 0);
    assert_true(WIFEXITED(status));
    peer_stop(&r->peer);
    authrig_start(r);
    assert_int_equal(peer_send(&r->peer, MSG_CTL_ROW, &row, NULL, 0, NULL), 0);
    assert_int_equal(peer_wait_exit(&r->peer, AUTHRIG_WAIT_MS, &status), 0);
    assert_true(WIFEXITED(status));
    peer_stop(&r->peer);
    authrig_start(r);
    assert_int_equal(peer_send(&r->peer, MSG_OFFER, &(struct msg_number){1}, NULL, 0, NULL), 0);
    assert_int_equal(peer_wait_exit(&r->peer, AUTHRIG_WAIT_MS, &status), 0);
    assert_true(WIFEXITED(status));
}

static void I5_wrong_settings_end_auth(void **state)
{
    struct authrig *r = *state;
    struct settings_auth settings = {.admin_uid = 0};
    uint8_t pepper[AUTHRIG_PEPPER_LEN] = {0};
    const int fds[2] = {r->dir_fd, r->listen_fd};
    int status = 0;
    authrig_kill(r);
    assert_int_equal(
        peer_start(&r->peer, AUTHRIG_ROLE, &settings, sizeof(settings), pepper, 31, fds, 2), 0);
    assert_int_equal(peer_wait_exit(&r->peer, AUTHRIG_WAIT_MS, &status), 0);
    assert_int_equal(status, EXIT_FAILURE << 8);
    peer_stop(&r->peer);
    assert_int_equal(
        peer_start(&r->peer, AUTHRIG_ROLE, &settings, sizeof(settings), pepper, 32, fds, 1), 0);
    assert_int_equal(peer_wait_exit(&r->peer, AUTHRIG_WAIT_MS, &status), 0);
    assert_int_equal(status, EXIT_FAILURE << 8);
    peer_stop(&r->peer);
}

/* ---- sandbox ---- */

/* -1 when the role was ended, else the errno of the call. */
static int attempt(struct authrig *r, uint64_t number)
{
    struct msg_number test = {.number = number};
    int status = 0;
    int result = -1;
    assert_int_equal(peer_send(&r->peer, MSG_TEST, &test, NULL, 0, NULL), 0);
    const struct chan_message *pong = peer_wait(&r->peer, MSG_PONG, AUTHRIG_WAIT_MS);
    if (pong) {
        const struct msg_number *answer = pong->body;
        assert_true(answer->number >> 32 == number);
        return (int)(uint32_t)answer->number;
    }
    assert_int_equal(peer_wait_exit(&r->peer, AUTHRIG_WAIT_MS, &status), 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    peer_stop(&r->peer);
    authrig_start(r);
    return result;
}

static void M6_every_escape_is_denied(void **state)
{
    struct authrig *r = *state;
    for (uint64_t i = 0; i < ESCAPE_COUNT; i++) {
        int result = attempt(r, i);
        if (result != -1)
            print_message("%s: %s\n", escape_name(i), strerrorname_np(result));
        assert_int_not_equal(result, 0);
    }
}

/* ---- a full disk ---- */

/* A small file system of its own for the folder. False where that is not allowed. */
static bool mount_small(struct authrig *r, const char *options)
{
    authrig_stop_and_empty(r);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", r->path, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
        return false;
    authrig_listen(r);
    authrig_start(r);
    return true;
}

static void fill_disk(struct authrig *r)
{
    static const char junk[4096];
    int fd = openat(r->dir_fd, "filler", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    while (write(fd, junk, sizeof(junk)) > 0)
        ;
    assert_int_equal(errno, ENOSPC);
    fd_close(&fd);
}

static void D3_revoke_on_a_full_disk_acts_and_is_saved_later(void **state)
{
    struct authrig *r = *state;
    if (geteuid() != 0 || !mount_small(r, "size=400k"))
        skip();
    struct authrig_token m = authrig_create(r, "demo");
    uint64_t lease = authrig_ask(r, LEASE_PUBLISH, "demo", m.token).lease_id;
    fill_disk(r);
    json_t *answer = authrig_request(r, "{\"op\":\"token.create\",\"stream\":\"x\"}");
    assert_string_equal(authrig_text_of(answer, "error"), "disk_full");
    json_decref(answer);
    answer = authrig_revoke(r, m.id);
    assert_true(authrig_is_true(answer, "ok"));
    assert_false(authrig_is_true(answer, "durable"));
    json_decref(answer);
    authrig_expect_end(r, lease);
    assert_int_equal(authrig_ask(r, LEASE_PUBLISH, "demo", m.token).verdict, GRANT_UNKNOWN);
    assert_int_equal(unlinkat(r->dir_fd, "filler", 0), 0);
    assert_true(peer_wait_log(&r->peer, "revocations-saved", AUTHRIG_WAIT_MS));
    authrig_kill(r);
    authrig_start(r);
    assert_int_equal(authrig_ask(r, LEASE_PUBLISH, "demo", m.token).verdict, GRANT_UNKNOWN);
}

static void D3_reserve_makes_a_revoke_durable(void **state)
{
    struct authrig *r = *state;
    if (geteuid() != 0 || !mount_small(r, "size=6m"))
        skip();
    struct authrig_token m = authrig_create(r, "demo");
    fill_disk(r);
    json_t *answer = authrig_revoke(r, m.id);
    assert_true(authrig_is_true(answer, "ok") && authrig_is_true(answer, "durable"));
    json_decref(answer);
    authrig_kill(r);
    authrig_start(r); /* on a full disk */
    assert_int_equal(authrig_ask(r, LEASE_PUBLISH, "demo", m.token).verdict, GRANT_UNKNOWN);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, authrig_set_up, authrig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(AUTH_is_ready_in_its_sandbox),
        TEST(create_ask_release),
        TEST(T5_revoke_is_pushed_before_it_is_answered),
        TEST(restart_keeps_tokens_and_leases),
        TEST(D2_killed_right_after_each_answer_loses_nothing),
        TEST(D1_another_pepper_knows_no_token),
        TEST(D4_damaged_database_refuses_but_runs),
        TEST(D5_other_programs_are_kept_out),
        TEST(streams_and_status_go_through_the_supervisor),
        TEST(H8_flood_of_wrong_tokens),
        TEST(S5_log_has_no_token),
        TEST(I5_hostile_messages_end_auth),
        TEST(I5_wrong_settings_end_auth),
        TEST(M6_every_escape_is_denied),
        TEST(D3_revoke_on_a_full_disk_acts_and_is_saved_later),
        TEST(D3_reserve_makes_a_revoke_durable),
    };
    return cmocka_run_group_tests_name("auth", tests, NULL, NULL);
}
