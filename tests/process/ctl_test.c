/* sluicectl against a real sluice-auth whose supervisor is scripted. */
#include "lib/base/fd.h"
#include "tests/support/authrig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define STRANGER_UID 64329u

/* A running sluicectl whose output comes through fd. */
struct command {
    pid_t pid;
    int fd;
};

static struct command ctl_start(const struct authrig *r, uid_t uid, const char *const *words)
{
    const char *argv[16] = {"sluicectl", "--state", r->path};
    char path[512];
    const char *build = getenv("BUILD");
    struct command c;
    int ends[2];
    for (size_t i = 3; i < 15 && words[i - 3]; i++)
        argv[i] = words[i - 3];
    snprintf(path, sizeof(path), "%s/sluicectl", build ? build : "build");
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    c.pid = fork();
    if (c.pid == 0) {
        if (dup2(ends[1], 1) < 0 || dup2(ends[1], 2) < 0 || (uid != 0 && setuid(uid) < 0))
            _exit(126);
        execv(path, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    assert_true(c.pid > 0);
    fd_close(&ends[1]);
    c.fd = ends[0];
    return c;
}

/* Its exit status; text gets what it printed. */
static int ctl_finish(struct command *c, char *text, size_t cap)
{
    size_t len = 0;
    int status = 0;
    ssize_t got = 1;
    while (got > 0 && len < cap - 1) {
        struct pollfd wait = {.fd = c->fd, .events = POLLIN};
        assert_int_equal(poll(&wait, 1, AUTHRIG_WAIT_MS), 1);
        got = read(c->fd, text + len, cap - 1 - len);
        len += got > 0 ? (size_t)got : 0;
    }
    text[len] = '\0';
    fd_close(&c->fd);
    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int ctl(const struct authrig *r, char *text, const char *const *words)
{
    struct command c = ctl_start(r, 0, words);
    return ctl_finish(&c, text, AUTHRIG_ANSWER_MAX);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void CTL_create_list_show_revoke(void **state)
{
    struct authrig *r = *state;
    static char text[AUTHRIG_ANSWER_MAX];
    char id[AUTHRIG_ID_MAX];
    assert_int_equal(ctl(r, text,
                         WORDS("token", "create", "--stream", "*", "--max-duration", "1h",
                               "--expires", "2h", "--json")),
                     0);
    json_t *made = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_true(json_is_object(made));
    snprintf(id, sizeof(id), "%s", authrig_text_of(made, "id"));
    struct grant g = authrig_ask(r, LEASE_PUBLISH, "any", authrig_text_of(made, "token"));
    json_decref(made);
    assert_int_equal(g.verdict, GRANT_OK);
    assert_true(g.remaining_us == 3600000000u);

    assert_int_equal(ctl(r, text, WORDS("token", "list")), 0);
    assert_non_null(strstr(text, id));
    assert_non_null(strstr(text, "active"));
    assert_int_equal(ctl(r, text, WORDS("--json", "token", "show", id)), 0);
    assert_non_null(strstr(text, "\"live\":1"));
    assert_int_equal(ctl(r, text, WORDS("token", "revoke", id)), 0);
    assert_non_null(strstr(text, "revoked"));
    authrig_expect_end(r, g.lease_id);
    assert_int_equal(ctl(r, text, WORDS("token", "revoke", "t_0000000000")), 1);
    assert_non_null(strstr(text, "token list"));
    assert_int_equal(ctl(r, text, WORDS("token", "create")), 2);
    assert_non_null(strstr(text, "--stream"));
}

static void CTL_lists_more_than_a_page(void **state)
{
    struct authrig *r = *state;
    static char text[AUTHRIG_ANSWER_MAX];
    for (int i = 0; i < 120; i++)
        authrig_create(r, "demo");
    assert_int_equal(ctl(r, text, WORDS("token", "list", "--json")), 0);
    json_t *list = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(json_array_size(json_object_get(list, "tokens")), 120);
    json_decref(list);
}

static void answer_ctl(struct authrig *r, uint32_t op, uint32_t ready)
{
    const struct chan_message *message = peer_wait(&r->peer, MSG_CTL, AUTHRIG_WAIT_MS);
    assert_non_null(message);
    const struct msg_ctl *asked = message->body;
    assert_int_equal(asked->op, op);
    struct msg_ctl_row row = {
        .request = asked->request, .name = "web", .pid_ingest = 4242, .state = ready};
    struct msg_ctl_done done = {.request = asked->request, .ready = ready};
    assert_int_equal(peer_send(&r->peer, MSG_CTL_ROW, &row, NULL, 0, NULL), 0);
    assert_int_equal(peer_send(&r->peer, MSG_CTL_DONE, &done, NULL, 0, NULL), 0);
}

static void CTL_waits_until_ready(void **state)
{
    struct authrig *r = *state;
    static char text[AUTHRIG_ANSWER_MAX];
    authrig_kill(r);
    struct command c = ctl_start(r, 0, WORDS("status", "--wait", "10"));
    authrig_start(r);
    answer_ctl(r, CTL_STATUS, 0);
    answer_ctl(r, CTL_STATUS, 1); /* it looked again */
    answer_ctl(r, CTL_STATUS, 1); /* the command itself */
    assert_int_equal(ctl_finish(&c, text, sizeof(text)), 0);
    assert_non_null(strstr(text, "4242"));
    c = ctl_start(r, 0, WORDS("status"));
    answer_ctl(r, CTL_STATUS, 0);
    assert_int_equal(ctl_finish(&c, text, sizeof(text)), 1);
}

static void CTL_without_a_gateway_is_3(void **state)
{
    struct authrig *r = *state;
    static char text[AUTHRIG_ANSWER_MAX];
    authrig_kill(r);
    fd_close(&r->listen_fd);
    assert_int_equal(ctl(r, text, WORDS("token", "list")), 3);
    assert_non_null(strstr(text, "stopped"));
    assert_int_equal(unlinkat(r->dir_fd, "control.sock", 0), 0);
    assert_int_equal(ctl(r, text, WORDS("token", "list")), 3);
    assert_non_null(strstr(text, "--state"));
}

static void CTL_strangers_are_refused(void **state)
{
    struct authrig *r = *state;
    static char text[AUTHRIG_ANSWER_MAX];
    char name[100];
    if (geteuid() != 0)
        skip();
    snprintf(name, sizeof(name), "%s/control.sock", r->path);
    assert_int_equal(fchmod(r->dir_fd, 0755), 0);
    struct command c = ctl_start(r, STRANGER_UID, WORDS("token", "list"));
    assert_int_equal(ctl_finish(&c, text, sizeof(text)), 3); /* by the socket's mode */
    assert_int_equal(chmod(name, 0777), 0);
    c = ctl_start(r, STRANGER_UID, WORDS("token", "list"));
    assert_int_equal(ctl_finish(&c, text, sizeof(text)), 1); /* by peer credentials */
    assert_non_null(strstr(text, "only root"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, authrig_set_up, authrig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(CTL_create_list_show_revoke), TEST(CTL_lists_more_than_a_page),
        TEST(CTL_waits_until_ready),       TEST(CTL_without_a_gateway_is_3),
        TEST(CTL_strangers_are_refused),
    };
    return cmocka_run_group_tests_name("ctl", tests, NULL, NULL);
}
