/* A running sluice-auth for process tests. */
#include "tests/support/authrig.h"

#include "lib/base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the rig ---- */

void authrig_start_with(struct authrig *r, uint8_t pepper_byte, bool hooks)
{
    struct settings_auth settings = {
        .common = {.uid = geteuid() == 0 ? AUTHRIG_UID : 0, .namespaces = 1, .test_hooks = hooks},
        .admin_uid = geteuid()};
    uint8_t pepper[AUTHRIG_PEPPER_LEN];
    memset(pepper, pepper_byte, sizeof(pepper));
    const int fds[2] = {r->dir_fd, r->listen_fd};
    assert_int_equal(peer_start(&r->peer, AUTHRIG_ROLE, &settings, sizeof(settings), pepper,
                                sizeof(pepper), fds, 2),
                     0);
    const struct chan_message *ready = peer_wait(&r->peer, MSG_READY, AUTHRIG_WAIT_MS);
    assert_non_null(ready);
    memcpy(&r->ready, ready->body, sizeof(r->ready));
}

void authrig_start(struct authrig *r)
{
    authrig_start_with(r, 0xab, true);
}

void authrig_listen(struct authrig *r)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    r->dir_fd = open(r->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(r->dir_fd >= 0);
    if (geteuid() == 0) /* the role uses it with its own rights alone */
        assert_int_equal(fchown(r->dir_fd, AUTHRIG_UID, AUTHRIG_UID), 0);
    r->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(r->listen_fd >= 0);
    snprintf(name.sun_path, sizeof(name.sun_path), "%s/control.sock", r->path);
    assert_int_equal(bind(r->listen_fd, (const struct sockaddr *)&name, sizeof(name)), 0);
    assert_int_equal(listen(r->listen_fd, 16), 0);
}

static int make_folder(struct authrig *r)
{
    memset(r, 0, sizeof(*r));
    snprintf(r->path, sizeof(r->path), "/tmp/sluice-auth-XXXXXX");
    return mkdtemp(r->path) ? 0 : -1;
}

int authrig_set_up(void **state)
{
    static struct authrig r;
    *state = &r;
    if (make_folder(&r) < 0)
        return -1;
    authrig_listen(&r);
    authrig_start(&r);
    return 0;
}

void authrig_stop_and_empty(struct authrig *r)
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

int authrig_tear_down(void **state)
{
    struct authrig *r = *state;
    authrig_stop_and_empty(r);
    umount2(r->path, MNT_DETACH); /* only where a test mounted something */
    rmdir(r->path);
    return 0;
}

void authrig_kill(struct authrig *r)
{
    assert_int_equal(kill(r->peer.pid, SIGKILL), 0);
    assert_int_equal(peer_wait_exit(&r->peer, AUTHRIG_WAIT_MS, &(int){0}), 0);
    peer_stop(&r->peer);
}

/* ---- control.sock ---- */

int authrig_dial(const struct authrig *r)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(name.sun_path, sizeof(name.sun_path), "%s/control.sock", r->path);
    assert_int_equal(connect(fd, (const struct sockaddr *)&name, sizeof(name)), 0);
    return fd;
}

/* The next line, as JSON; NULL for the end. */
json_t *authrig_hear(int fd)
{
    static char text[AUTHRIG_ANSWER_MAX];
    size_t len = 0;
    while (len < sizeof(text)) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&wait, 1, AUTHRIG_WAIT_MS), 1);
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

void authrig_say(int fd, const char *line)
{
    assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL), strlen(line));
    assert_int_equal(send(fd, "\n", 1, MSG_NOSIGNAL), 1);
}

json_t *authrig_request(const struct authrig *r, const char *line)
{
    int fd = authrig_dial(r);
    authrig_say(fd, line);
    json_t *answer = authrig_hear(fd);
    assert_non_null(answer);
    fd_close(&fd);
    return answer;
}

const char *authrig_text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    assert_non_null(text);
    return text;
}

bool authrig_is_true(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

struct authrig_token authrig_create(const struct authrig *r, const char *stream)
{
    struct authrig_token m;
    char line[200];
    snprintf(line, sizeof(line), "{\"op\":\"token.create\",\"stream\":\"%s\"}", stream);
    json_t *answer = authrig_request(r, line);
    assert_true(authrig_is_true(answer, "ok"));
    snprintf(m.id, sizeof(m.id), "%s", authrig_text_of(answer, "id"));
    snprintf(m.token, sizeof(m.token), "%s", authrig_text_of(answer, "token"));
    json_decref(answer);
    return m;
}

json_t *authrig_revoke(const struct authrig *r, const char *id)
{
    char line[200];
    snprintf(line, sizeof(line), "{\"op\":\"token.revoke\",\"id\":\"%.40s\"}", id);
    return authrig_request(r, line);
}

/* ---- leases ---- */

struct grant authrig_ask(struct authrig *r, uint32_t purpose, const char *stream, const char *token)
{
    struct msg_lease_ask m = {
        .request = 4711, .purpose = purpose, .peer = {.family = 4, .ip = {127, 0, 0, 1}}};
    snprintf(m.stream, sizeof(m.stream), "%s", stream);
    snprintf(m.token, sizeof(m.token), "%s", token);
    assert_int_equal(peer_send(&r->peer, MSG_LEASE_ASK, &m, NULL, 0, NULL), 0);
    const struct chan_message *answer = peer_wait(&r->peer, MSG_LEASE_GRANT, AUTHRIG_WAIT_MS);
    assert_non_null(answer);
    struct msg_lease_grant grant;
    memcpy(&grant, answer->body, sizeof(grant));
    assert_int_equal(grant.request, 4711);
    return grant.grant;
}

void authrig_expect_end(struct authrig *r, uint64_t lease_id)
{
    const struct chan_message *message = peer_wait(&r->peer, MSG_LEASE_END, AUTHRIG_WAIT_MS);
    assert_non_null(message);
    const struct msg_lease_end *end = message->body;
    assert_true(end->lease_id == lease_id);
    assert_int_equal(end->reason, END_REVOKED);
}
