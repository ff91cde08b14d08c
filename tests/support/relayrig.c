/* A running relay with a client and its target. */
#include "tests/support/relayrig.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define RECEIVE_BUFFER (1 << 20)

/* ---- sockets ---- */

struct addr relayrig_address(int fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    struct addr address = {0};
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    assert_int_equal(addr_from_sockaddr((const struct sockaddr *)&sa, len, &address), 0);
    return address;
}

int relayrig_socket(int family)
{
    struct sockaddr_storage sa;
    struct addr address = {0};
    int size = RECEIVE_BUFFER;
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(addr_parse(slice_of(family == AF_INET6 ? "::1" : "127.0.0.1"), &address), 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    assert_int_equal(bind(fd, (const struct sockaddr *)&sa, addr_to_sockaddr(&address, &sa)), 0);
    return fd;
}

void relayrig_send(const struct relayrig *rig, int client, const void *data, size_t len)
{
    struct sockaddr_storage sa;
    socklen_t sa_len = addr_to_sockaddr(&rig->relay, &sa);
    assert_int_equal(sendto(client, data, len, 0, (const struct sockaddr *)&sa, sa_len), len);
}

ssize_t relayrig_receive(int fd, void *data, size_t cap, struct addr *out_from, int timeout_ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    struct sockaddr_storage sa;
    socklen_t sa_len = sizeof(sa);
    if (poll(&wait, 1, timeout_ms) != 1)
        return -1;
    ssize_t len = recvfrom(fd, data, cap, 0, (struct sockaddr *)&sa, &sa_len);
    assert_true(len >= 0);
    if (out_from != NULL)
        assert_int_equal(addr_from_sockaddr((const struct sockaddr *)&sa, sa_len, out_from), 0);
    return len;
}

/* ---- the process ---- */

static void spawn(const char *const *words, int input, int output, int errors, pid_t *out_pid)
{
    const char *build = getenv("BUILD");
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/tests/relay", build != NULL ? build : "build");
    *out_pid = fork();
    if (*out_pid == 0) {
        if (dup2(input, 0) < 0 || dup2(output, 1) < 0 || (errors >= 0 && dup2(errors, 2) < 0))
            _exit(126);
        execv(path, (char *const *)(uintptr_t)words); /* execv changes no word */
        _exit(127);
    }
    assert_true(*out_pid > 0);
}

static int wait_status(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

int relayrig_status_of(const char *const *words)
{
    pid_t pid = 0;
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_true(null_fd >= 0);
    spawn(words, null_fd, null_fd, null_fd, &pid);
    fd_close(&null_fd);
    return wait_status(pid);
}

void relayrig_start(struct relayrig *rig, int family, const char *const *words)
{
    char target[ADDR_TEXT_MAX + 16];
    const char *host = family == AF_INET6 ? "[::1]" : "127.0.0.1";
    char listen[ADDR_TEXT_MAX];
    const char *argv[RELAYRIG_WORDS_MAX + 8] = {"relay", "--listen",  listen,  "--target",
                                                target,  "--control", "--json"};
    int input[2], output[2];
    *rig = (struct relayrig){.to_fd = -1, .from_fd = -1};
    rig->target = relayrig_socket(family);
    rig->client = relayrig_socket(family);
    (void)snprintf(listen, sizeof(listen), "%s:0", host);
    (void)snprintf(target, sizeof(target), "%s:%u", host, relayrig_address(rig->target).port);
    for (size_t i = 0; i < RELAYRIG_WORDS_MAX && words[i] != NULL; i++)
        argv[7 + i] = words[i];
    assert_int_equal(pipe2(input, O_CLOEXEC), 0);
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    spawn(argv, input[0], output[1], -1, &rig->pid);
    fd_close(&input[0]);
    fd_close(&output[1]);
    rig->to_fd = input[1];
    rig->from_fd = output[0];
    json_t *line = relayrig_line(rig);
    assert_string_equal(json_string_value(json_object_get(line, "event")), "listening");
    rig->relay = relayrig_address(rig->client); /* for the host */
    rig->relay.port = (uint16_t)json_integer_value(json_object_get(line, "port"));
    json_decref(line);
}

/* ---- lines ---- */

/* A line from rest, NULL when there is no whole one. */
static json_t *cut_line(struct relayrig *rig)
{
    char *end = memchr(rig->rest, '\n', rig->rest_len);
    if (end == NULL)
        return NULL;
    size_t len = (size_t)(end - rig->rest);
    json_t *line = json_loadb(rig->rest, len, 0, NULL);
    assert_non_null(line);
    rig->rest_len -= len + 1;
    memmove(rig->rest, end + 1, rig->rest_len);
    return line;
}

json_t *relayrig_line(struct relayrig *rig)
{
    json_t *line;
    while ((line = cut_line(rig)) == NULL) {
        struct pollfd wait = {.fd = rig->from_fd, .events = POLLIN};
        assert_int_equal(poll(&wait, 1, RELAYRIG_WAIT_MS), 1);
        ssize_t len =
            read(rig->from_fd, rig->rest + rig->rest_len, sizeof(rig->rest) - rig->rest_len);
        assert_true(len > 0);
        rig->rest_len += (size_t)len;
    }
    return line;
}

json_t *relayrig_command(struct relayrig *rig, const char *command, const char *event)
{
    char text[512];
    int len = snprintf(text, sizeof(text), "%s\n", command);
    assert_int_equal(write(rig->to_fd, text, (size_t)len), len);
    json_t *line = relayrig_line(rig);
    assert_string_equal(json_string_value(json_object_get(line, "event")), event);
    return line;
}

static uint64_t count_in(const json_t *stats, const char *direction, const char *name)
{
    const json_t *value = json_object_get(json_object_get(stats, direction), name);
    assert_true(json_is_integer(value));
    return (uint64_t)json_integer_value(value);
}

uint64_t relayrig_count(struct relayrig *rig, const char *direction, const char *name)
{
    json_t *stats = relayrig_command(rig, "stats", "stats");
    uint64_t count = count_in(stats, direction, name);
    json_decref(stats);
    return count;
}

void relayrig_settle(struct relayrig *rig, const char *direction, uint64_t received)
{
    uint64_t limit_us = clock_now_us() + RELAYRIG_WAIT_MS * CLOCK_MS_US;
    for (bool settled = false; !settled;) {
        json_t *stats = relayrig_command(rig, "stats", "stats");
        settled = count_in(stats, direction, "received") >= received &&
                  json_integer_value(json_object_get(stats, "queued")) == 0;
        json_decref(stats);
        assert_true(settled || clock_now_us() < limit_us);
    }
}

/* ---- the end ---- */

json_t *relayrig_finish(struct relayrig *rig)
{
    fd_close(&rig->to_fd);
    json_t *line = relayrig_line(rig);
    assert_string_equal(json_string_value(json_object_get(line, "event")), "stats");
    assert_int_equal(wait_status(rig->pid), 0);
    rig->pid = 0;
    return line;
}

void relayrig_stop(struct relayrig *rig)
{
    if (rig->pid != 0) {
        (void)kill(rig->pid, SIGKILL);
        (void)waitpid(rig->pid, NULL, 0);
        rig->pid = 0;
    }
    fd_close(&rig->to_fd);
    fd_close(&rig->from_fd);
    fd_close(&rig->target);
    fd_close(&rig->client);
}
