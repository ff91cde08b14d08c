/* sluice-auth with a scripted supervisor: tokens over control.sock, leases, revocation, kill -9,
 * full disk, sandbox; and sluicectl as its client. */
#include "lib/base/clock.h"
#include "lib/base/escape.h"
#include "lib/base/fd.h"
#include "tests/support/peer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
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
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ROLE "sluice-auth"
#define WAIT_MS 10000
#define TEST_UID 64321u
#define STRANGER_UID 64329u
#define PEPPER_LEN 32
#define ID_MAX 40
#define ANSWER_MAX 65536

/* A state folder with its listening control.sock, as the supervisor keeps it, and a running auth.
 */
struct rig {
    char path[64];
    int dir_fd;
    int listen_fd;
    struct peer peer;
    struct msg_ready ready;
};

struct made {
    char id[ID_MAX];
    char token[STREAM_TOKEN_MAX + 8];
};

/* ---- the rig ---- */

static void start_with(struct rig *r, uint8_t pepper_byte, bool hooks)
{
    struct settings_auth settings = {
        .common = {.uid = geteuid() == 0 ? TEST_UID : 0, .namespaces = 1, .test_hooks = hooks},
        .admin_uid = geteuid()};
    uint8_t pepper[PEPPER_LEN];
    memset(pepper, pepper_byte, sizeof(pepper));
    const int fds[2] = {r->dir_fd, r->listen_fd};
    assert_int_equal(
        peer_start(&r->peer, ROLE, &settings, sizeof(settings), pepper, sizeof(pepper), fds, 2), 0);
    const struct chan_message *ready = peer_wait(&r->peer, MSG_READY, WAIT_MS);
    assert_non_null(ready);
    memcpy(&r->ready, ready->body, sizeof(r->ready));
}

static void start(struct rig *r)
{
    start_with(r, 0xab, true);
}

static void listen_in(struct rig *r)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    r->dir_fd = open(r->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(r->dir_fd >= 0);
    if (geteuid() == 0) /* the role uses it with its own rights alone */
        assert_int_equal(fchown(r->dir_fd, TEST_UID, TEST_UID), 0);
    r->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(r->listen_fd >= 0);
    snprintf(name.sun_path, sizeof(name.sun_path), "%s/control.sock", r->path);
    assert_int_equal(bind(r->listen_fd, (const struct sockaddr *)&name, sizeof(name)), 0);
    assert_int_equal(listen(r->listen_fd, 16), 0);
}

static int make_folder(struct rig *r)
{
    memset(r, 0, sizeof(*r));
    snprintf(r->path, sizeof(r->path), "/tmp/sluice-auth-XXXXXX");
    return mkdtemp(r->path) ? 0 : -1;
}

static int set_up(void **state)
{
    static struct rig r;
    *state = &r;
    if (make_folder(&r) < 0)
        return -1;
    listen_in(&r);
    start(&r);
    return 0;
}

static void stop_and_empty(struct rig *r)
{
    peer_stop(&r->peer);
    DIR *dir = opendir(r->path);
    for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir))
        unlinkat(r->dir_fd, entry->d_name, 0);
    if (dir)
        closedir(dir);
    fd_close(&r->listen_fd);
    fd_close(&r->dir_fd);
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    stop_and_empty(r);
    umount2(r->path, MNT_DETACH); /* only where a test mounted something */
    rmdir(r->path);
    return 0;
}

static void kill_role(struct rig *r)
{
    assert_int_equal(kill(r->peer.pid, SIGKILL), 0);
    assert_int_equal(peer_wait_exit(&r->peer, WAIT_MS, &(int){0}), 0);
    peer_stop(&r->peer);
}

/* ---- control.sock ---- */

static int dial(const struct rig *r)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(name.sun_path, sizeof(name.sun_path), "%s/control.sock", r->path);
    assert_int_equal(connect(fd, (const struct sockaddr *)&name, sizeof(name)), 0);
    return fd;
}

/* The next line, as JSON; NULL for the end. */
static json_t *hear(int fd)
{
    static char text[ANSWER_MAX];
    size_t len = 0;
    while (len < sizeof(text)) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&wait, 1, WAIT_MS), 1);
        ssize_t got = recv(fd, text + len, sizeof(text) - len, 0);
        if (got <= 0)
            return NULL;
        len += (size_t)got;
        if (text[len - 1] == '\n')
            break;
    }
    json_t *answer = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    assert_true(json_is_object(answer));
    return answer;
}

static void say(int fd, const char *line)
{
    assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL), strlen(line));
    assert_int_equal(send(fd, "\n", 1, MSG_NOSIGNAL), 1);
}

static json_t *request(const struct rig *r, const char *line)
{
    int fd = dial(r);
    say(fd, line);
    json_t *answer = hear(fd);
    assert_non_null(answer);
    fd_close(&fd);
    return answer;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    assert_non_null(text);
    return text;
}

static bool is_true(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

static struct made create(const struct rig *r, const char *stream)
{
    struct made m;
    char line[200];
    snprintf(line, sizeof(line), "{\"op\":\"token.create\",\"stream\":\"%s\"}", stream);
    json_t *answer = request(r, line);
    assert_true(is_true(answer, "ok"));
    snprintf(m.id, sizeof(m.id), "%s", text_of(answer, "id"));
    snprintf(m.token, sizeof(m.token), "%s", text_of(answer, "token"));
    json_decref(answer);
    return m;
}

static json_t *revoke_token(const struct rig *r, const char *id)
{
    char line[200];
    snprintf(line, sizeof(line), "{\"op\":\"token.revoke\",\"id\":\"%.40s\"}", id);
    return request(r, line);
}

/* ---- leases ---- */

static struct grant ask(struct rig *r, uint32_t purpose, const char *stream, const char *token)
{
    struct msg_lease_ask m = {
        .request = 4711, .purpose = purpose, .peer = {.family = 4, .ip = {127, 0, 0, 1}}};
    snprintf(m.stream, sizeof(m.stream), "%s", stream);
    snprintf(m.token, sizeof(m.token), "%s", token);
    assert_int_equal(peer_send(&r->peer, MSG_LEASE_ASK, &m, NULL, 0, NULL), 0);
    const struct chan_message *answer = peer_wait(&r->peer, MSG_LEASE_GRANT, WAIT_MS);
    assert_non_null(answer);
    struct msg_lease_grant grant;
    memcpy(&grant, answer->body, sizeof(grant));
    assert_int_equal(grant.request, 4711);
    return grant.grant;
}

static void expect_end(struct rig *r, uint64_t lease_id)
{
    const struct chan_message *message = peer_wait(&r->peer, MSG_LEASE_END, WAIT_MS);
    assert_non_null(message);
    const struct msg_lease_end *end = message->body;
    assert_true(end->lease_id == lease_id);
    assert_int_equal(end->reason, END_REVOKED);
}

/* ---- tests of the role ---- */

static void AUTH_is_ready_in_its_sandbox(void **state)
{
    struct rig *r = *state;
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
    struct rig *r = *state;
    struct made m = create(r, "demo");
    struct grant g = ask(r, LEASE_PUBLISH, "demo", m.token);
    assert_int_equal(g.verdict, GRANT_OK);
    assert_string_equal(g.token_id, m.id);
    assert_int_equal(ask(r, LEASE_PUBLISH, "other", m.token).verdict, GRANT_WRONG_STREAM);
    assert_int_equal(ask(r, LEASE_PUBLISH, "demo", "sluice_wrong").verdict, GRANT_UNKNOWN);
    assert_int_equal(ask(r, LEASE_IDENTIFY, "", m.token).verdict, GRANT_OK);
    struct msg_lease_release release = {.lease_id = g.lease_id};
    assert_int_equal(peer_send(&r->peer, MSG_LEASE_RELEASE, &release, NULL, 0, NULL), 0);
    char line[200];
    snprintf(line, sizeof(line), "{\"op\":\"token.show\",\"id\":\"%s\"}", m.id);
    assert_int_equal(ask(r, LEASE_IDENTIFY, "", m.token).verdict, GRANT_OK); /* release is done */
    json_t *answer = request(r, line);
    assert_int_equal(json_integer_value(json_object_get(answer, "live")), 0);
    json_decref(answer);
}

static void T5_revoke_is_pushed_before_it_is_answered(void **state)
{
    struct rig *r = *state;
    struct made m = create(r, "*");
    uint64_t a = ask(r, LEASE_PUBLISH, "a", m.token).lease_id;
    uint64_t b = ask(r, LEASE_PUBLISH, "b", m.token).lease_id;
    uint64_t began_us = clock_now_us();
    json_t *answer = revoke_token(r, m.id);
    assert_true(is_true(answer, "ok") && is_true(answer, "durable"));
    assert_int_equal(json_integer_value(json_object_get(answer, "ended")), 2);
    json_decref(answer);
    expect_end(r, a);
    expect_end(r, b);
    print_message("revoke to both lease_end: %u us\n", (unsigned)(clock_now_us() - began_us));
    assert_int_equal(ask(r, LEASE_PUBLISH, "a", m.token).verdict, GRANT_UNKNOWN);
}

static void restart_keeps_tokens_and_leases(void **state)
{
    struct rig *r = *state;
    struct made good = create(r, "*");
    struct made bad = create(r, "*");
    uint64_t lease = ask(r, LEASE_PUBLISH, "a", good.token).lease_id;
    uint64_t cut = ask(r, LEASE_PUBLISH, "b", bad.token).lease_id;
    json_decref(revoke_token(r, bad.id));
    kill_role(r);
    start(r);
    struct msg_lease_live live = {.lease_id = lease, .stream = "a"};
    memcpy(live.token_id, good.id, strlen(good.id));
    assert_int_equal(peer_send(&r->peer, MSG_LEASE_LIVE, &live, NULL, 0, NULL), 0);
    live = (struct msg_lease_live){.lease_id = cut, .stream = "b"};
    memcpy(live.token_id, bad.id, strlen(bad.id));
    assert_int_equal(peer_send(&r->peer, MSG_LEASE_LIVE, &live, NULL, 0, NULL), 0);
    expect_end(r, cut); /* the word that the dead process may not have given */
    assert_int_equal(ask(r, LEASE_IDENTIFY, "", good.token).verdict, GRANT_OK);
    assert_int_equal(ask(r, LEASE_IDENTIFY, "", bad.token).verdict, GRANT_UNKNOWN);
    json_decref(revoke_token(r, good.id));
    expect_end(r, lease);
}

static void D2_killed_right_after_each_answer_loses_nothing(void **state)
{
    struct rig *r = *state;
    struct made all[20];
    for (size_t i = 0; i < 20; i++) {
        all[i] = create(r, "demo");
        kill_role(r);
        start(r);
        for (size_t k = 0; k <= i; k++)
            assert_int_equal(ask(r, LEASE_IDENTIFY, "", all[k].token).verdict,
                             k % 2 == 0 && k < i ? GRANT_UNKNOWN : GRANT_OK);
        if (i % 2 == 0) {
            json_decref(revoke_token(r, all[i].id));
            kill_role(r);
            start(r);
        }
    }
}

static void D1_another_pepper_knows_no_token(void **state)
{
    struct rig *r = *state;
    struct made m = create(r, "demo");
    kill_role(r);
    start_with(r, 0xac, true);
    assert_int_equal(ask(r, LEASE_IDENTIFY, "", m.token).verdict, GRANT_UNKNOWN);
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

static void D4_damaged_database_refuses_but_runs(void **state)
{
    struct rig *r = *state;
    struct made m = create(r, "demo");
    kill_role(r);
    assert_int_equal(unlinkat(r->dir_fd, "sluice.db-wal", 0), 0);
    int fd = openat(r->dir_fd, "sluice.db", O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "no database at all", 18, 0), 18);
    fd_close(&fd);
    start(r);
    assert_int_equal(ask(r, LEASE_PUBLISH, "demo", m.token).verdict, GRANT_UNAVAILABLE);
    json_t *answer = request(r, "{\"op\":\"token.list\"}");
    assert_string_equal(text_of(answer, "error"), "unavailable");
    json_decref(answer);
}

static void streams_and_status_go_through_the_supervisor(void **state)
{
    struct rig *r = *state;
    int fd = dial(r);
    say(fd, "{\"op\":\"stream.list\"}");
    const struct chan_message *message = peer_wait(&r->peer, MSG_CTL, WAIT_MS);
    assert_non_null(message);
    const struct msg_ctl *ctl = message->body;
    assert_int_equal(ctl->op, CTL_STREAMS);
    struct msg_ctl_row row = {.request = ctl->request, .name = "demo", .token_id = "t_0123456789"};
    struct msg_ctl_done done = {.request = ctl->request};
    assert_int_equal(peer_send(&r->peer, MSG_CTL_ROW, &row, NULL, 0, NULL), 0);
    assert_int_equal(peer_send(&r->peer, MSG_CTL_DONE, &done, NULL, 0, NULL), 0);
    json_t *answer = hear(fd);
    const json_t *stream = json_array_get(json_object_get(answer, "streams"), 0);
    assert_string_equal(text_of(stream, "stream"), "demo");
    json_decref(answer);

    say(fd, "{\"op\":\"stream.kick\",\"stream\":\"gone\"}");
    message = peer_wait(&r->peer, MSG_CTL, WAIT_MS);
    assert_non_null(message);
    ctl = message->body;
    assert_int_equal(ctl->op, CTL_KICK);
    assert_string_equal(ctl->stream, "gone");
    done = (struct msg_ctl_done){.request = ctl->request, .result = -ENOENT};
    assert_int_equal(peer_send(&r->peer, MSG_CTL_DONE, &done, NULL, 0, NULL), 0);
    answer = hear(fd);
    assert_string_equal(text_of(answer, "error"), "not_found");
    json_decref(answer);
    fd_close(&fd);
}

static void H8_flood_of_wrong_tokens(void **state)
{
    struct rig *r = *state;
    struct made m = create(r, "demo");
    unsigned busy = 0;
    for (int i = 0; i < 2000; i++)
        busy += ask(r, LEASE_PUBLISH, "demo", "sluice_guess").verdict == GRANT_BUSY;
    assert_int_equal(busy, 1990);
    assert_int_equal(ask(r, LEASE_PUBLISH, "demo", m.token).verdict, GRANT_OK);
}

static void S5_log_has_no_token(void **state)
{
    struct rig *r = *state;
    struct made m = create(r, "demo");
    ask(r, LEASE_PUBLISH, "demo", m.token);
    assert_true(peer_wait_log(&r->peer, m.id, WAIT_MS));
    assert_null(strstr(r->peer.log, m.token + 7));
    assert_null(strstr(r->peer.log, "127.0.0.1"));
}

static void I5_hostile_messages_end_auth(void **state)
{
    struct rig *r = *state;
    struct msg_lease_ask bad = {.purpose = LEASE_PUBLISH, .stream = "../x", .token = "x"};
    struct msg_ctl_row row = {.request = 1, .name = "a b"};
    int status = 0;
    assert_int_equal(peer_send(&r->peer, MSG_LEASE_ASK, &bad, NULL, 0, NULL), 0);
    assert_int_equal(peer_wait_exit(&r->peer, WAIT_MS, &status), 0);
    assert_true(WIFEXITED(status));
    peer_stop(&r->peer);
    start(r);
    assert_int_equal(peer_send(&r->peer, MSG_CTL_ROW, &row, NULL, 0, NULL), 0);
    assert_int_equal(peer_wait_exit(&r->peer, WAIT_MS, &status), 0);
    assert_true(WIFEXITED(status));
    peer_stop(&r->peer);
    start(r);
    assert_int_equal(peer_send(&r->peer, MSG_OFFER, &(struct msg_number){1}, NULL, 0, NULL), 0);
    assert_int_equal(peer_wait_exit(&r->peer, WAIT_MS, &status), 0);
    assert_true(WIFEXITED(status));
}

static void I5_wrong_settings_end_auth(void **state)
{
    struct rig *r = *state;
    struct settings_auth settings = {.admin_uid = 0};
    uint8_t pepper[PEPPER_LEN] = {0};
    const int fds[2] = {r->dir_fd, r->listen_fd};
    int status = 0;
    kill_role(r);
    assert_int_equal(peer_start(&r->peer, ROLE, &settings, sizeof(settings), pepper, 31, fds, 2),
                     0);
    assert_int_equal(peer_wait_exit(&r->peer, WAIT_MS, &status), 0);
    assert_int_equal(status, EXIT_FAILURE << 8);
    peer_stop(&r->peer);
    assert_int_equal(peer_start(&r->peer, ROLE, &settings, sizeof(settings), pepper, 32, fds, 1),
                     0);
    assert_int_equal(peer_wait_exit(&r->peer, WAIT_MS, &status), 0);
    assert_int_equal(status, EXIT_FAILURE << 8);
    peer_stop(&r->peer);
}

/* ---- sandbox ---- */

/* -1 when the role was ended, else the errno of the call. */
static int attempt(struct rig *r, uint64_t number)
{
    struct msg_number test = {.number = number};
    int status = 0;
    int result = -1;
    assert_int_equal(peer_send(&r->peer, MSG_TEST, &test, NULL, 0, NULL), 0);
    const struct chan_message *pong = peer_wait(&r->peer, MSG_PONG, WAIT_MS);
    if (pong) {
        const struct msg_number *answer = pong->body;
        assert_true(answer->number >> 32 == number);
        return (int)(uint32_t)answer->number;
    }
    assert_int_equal(peer_wait_exit(&r->peer, WAIT_MS, &status), 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    peer_stop(&r->peer);
    start(r);
    return result;
}

static void M6_every_escape_is_denied(void **state)
{
    struct rig *r = *state;
    for (uint64_t i = 0; i < ESCAPE_COUNT; i++) {
        int result = attempt(r, i);
        if (result != -1)
            print_message("%s: %s\n", escape_name(i), strerrorname_np(result));
        assert_int_not_equal(result, 0);
    }
}

/* ---- a full disk ---- */

/* A small file system of its own for the folder. False where that is not allowed. */
static bool mount_small(struct rig *r, const char *options)
{
    stop_and_empty(r);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", r->path, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
        return false;
    listen_in(r);
    start(r);
    return true;
}

static void fill_disk(struct rig *r)
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
    struct rig *r = *state;
    if (geteuid() != 0 || !mount_small(r, "size=400k"))
        skip();
    struct made m = create(r, "demo");
    uint64_t lease = ask(r, LEASE_PUBLISH, "demo", m.token).lease_id;
    fill_disk(r);
    json_t *answer = request(r, "{\"op\":\"token.create\",\"stream\":\"x\"}");
    assert_string_equal(text_of(answer, "error"), "disk_full");
    json_decref(answer);
    answer = revoke_token(r, m.id);
    assert_true(is_true(answer, "ok"));
    assert_false(is_true(answer, "durable"));
    json_decref(answer);
    expect_end(r, lease);
    assert_int_equal(ask(r, LEASE_PUBLISH, "demo", m.token).verdict, GRANT_UNKNOWN);
    assert_int_equal(unlinkat(r->dir_fd, "filler", 0), 0);
    assert_true(peer_wait_log(&r->peer, "revocations-saved", WAIT_MS));
    kill_role(r);
    start(r);
    assert_int_equal(ask(r, LEASE_PUBLISH, "demo", m.token).verdict, GRANT_UNKNOWN);
}

static void D3_reserve_makes_a_revoke_durable(void **state)
{
    struct rig *r = *state;
    if (geteuid() != 0 || !mount_small(r, "size=6m"))
        skip();
    struct made m = create(r, "demo");
    fill_disk(r);
    json_t *answer = revoke_token(r, m.id);
    assert_true(is_true(answer, "ok") && is_true(answer, "durable"));
    json_decref(answer);
    kill_role(r);
    start(r); /* on a full disk */
    assert_int_equal(ask(r, LEASE_PUBLISH, "demo", m.token).verdict, GRANT_UNKNOWN);
}

/* ---- sluicectl ---- */

/* A running sluicectl whose output comes through fd. */
struct command {
    pid_t pid;
    int fd;
};

static struct command ctl_start(const struct rig *r, uid_t uid, const char *const *words)
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
        assert_int_equal(poll(&wait, 1, WAIT_MS), 1);
        got = read(c->fd, text + len, cap - 1 - len);
        len += got > 0 ? (size_t)got : 0;
    }
    text[len] = '\0';
    fd_close(&c->fd);
    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int ctl(const struct rig *r, char *text, const char *const *words)
{
    struct command c = ctl_start(r, 0, words);
    return ctl_finish(&c, text, ANSWER_MAX);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void CTL_create_list_show_revoke(void **state)
{
    struct rig *r = *state;
    static char text[ANSWER_MAX];
    char id[ID_MAX];
    assert_int_equal(ctl(r, text,
                         WORDS("token", "create", "--stream", "*", "--max-duration", "1h",
                               "--expires", "2h", "--json")),
                     0);
    json_t *made = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_true(json_is_object(made));
    snprintf(id, sizeof(id), "%s", text_of(made, "id"));
    struct grant g = ask(r, LEASE_PUBLISH, "any", text_of(made, "token"));
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
    expect_end(r, g.lease_id);
    assert_int_equal(ctl(r, text, WORDS("token", "revoke", "t_0000000000")), 1);
    assert_non_null(strstr(text, "token list"));
    assert_int_equal(ctl(r, text, WORDS("token", "create")), 2);
    assert_non_null(strstr(text, "--stream"));
}

static void CTL_lists_more_than_a_page(void **state)
{
    struct rig *r = *state;
    static char text[ANSWER_MAX];
    for (int i = 0; i < 120; i++)
        create(r, "demo");
    assert_int_equal(ctl(r, text, WORDS("token", "list", "--json")), 0);
    json_t *list = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(json_array_size(json_object_get(list, "tokens")), 120);
    json_decref(list);
}

static void answer_ctl(struct rig *r, uint32_t op, uint32_t ready)
{
    const struct chan_message *message = peer_wait(&r->peer, MSG_CTL, WAIT_MS);
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
    struct rig *r = *state;
    static char text[ANSWER_MAX];
    kill_role(r);
    struct command c = ctl_start(r, 0, WORDS("status", "--wait", "10"));
    start(r);
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
    struct rig *r = *state;
    static char text[ANSWER_MAX];
    kill_role(r);
    fd_close(&r->listen_fd);
    assert_int_equal(ctl(r, text, WORDS("token", "list")), 3);
    assert_non_null(strstr(text, "stopped"));
    assert_int_equal(unlinkat(r->dir_fd, "control.sock", 0), 0);
    assert_int_equal(ctl(r, text, WORDS("token", "list")), 3);
    assert_non_null(strstr(text, "--state"));
}

static void CTL_strangers_are_refused(void **state)
{
    struct rig *r = *state;
    static char text[ANSWER_MAX];
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(AUTH_is_ready_in_its_sandbox),
        TEST(create_ask_release),
        TEST(T5_revoke_is_pushed_before_it_is_answered),
        TEST(restart_keeps_tokens_and_leases),
        TEST(D2_killed_right_after_each_answer_loses_nothing),
        TEST(D1_another_pepper_knows_no_token),
        TEST(D4_damaged_database_refuses_but_runs),
        TEST(streams_and_status_go_through_the_supervisor),
        TEST(H8_flood_of_wrong_tokens),
        TEST(S5_log_has_no_token),
        TEST(I5_hostile_messages_end_auth),
        TEST(I5_wrong_settings_end_auth),
        TEST(M6_every_escape_is_denied),
        TEST(D3_revoke_on_a_full_disk_acts_and_is_saved_later),
        TEST(D3_reserve_makes_a_revoke_durable),
        TEST(CTL_create_list_show_revoke),
        TEST(CTL_lists_more_than_a_page),
        TEST(CTL_waits_until_ready),
        TEST(CTL_without_a_gateway_is_3),
        TEST(CTL_strangers_are_refused),
    };
    return cmocka_run_group_tests_name("auth", tests, NULL, NULL);
}
