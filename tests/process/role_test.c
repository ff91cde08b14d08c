/* What all roles share, seen from outside: start, settings, sandbox, heartbeat, end. */
#include "lib/base/escape.h"
#include "lib/base/fd.h"
#include "lib/base/ring.h"
#include "tests/support/peer.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 10000
#define ROLE "tests/proberole"

static const struct settings_common hooked = {.namespaces = 1, .test_hooks = 1};

static int start(struct peer *p, const struct settings_common *settings, const int *fds,
                 size_t fd_count)
{
    return peer_start(p, ROLE, settings, sizeof(*settings), NULL, 0, fds, fd_count);
}

/* One line of /proc/<pid>/status, by its name with colon; 0 when it is not there. */
static unsigned long status_of(pid_t pid, const char *name)
{
    char path[64];
    char line[256];
    unsigned long value = 0;
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtoul(line + strlen(name), NULL, strncmp(name, "Cap", 3) == 0 ? 16 : 10);
    }
    fclose(file);
    return value;
}

static void ready_tells_sandbox_and_descriptors(void **state)
{
    struct peer p;
    (void)state;
    assert_int_equal(start(&p, &hooked, NULL, 0), 0);
    const struct chan_message *m = peer_wait(&p, MSG_READY, WAIT_MS);
    assert_non_null(m);
    const struct msg_ready *ready = m->body;
    assert_int_equal(ready->sandbox.seccomp, 1);
    assert_int_equal(ready->sandbox.no_new_privs, 1);
    assert_int_equal(ready->sandbox.not_dumpable, 1);
    /* 0-2, channel, log, epoll */
    assert_int_equal(ready->fd_count, 6);
    assert_non_null(memmem(m->blob, m->blob_len, "0 /dev/null\n", 12));
    assert_non_null(memmem(m->blob, m->blob_len, "\n3 socket:", 10));
    assert_non_null(memmem(m->blob, m->blob_len, "\n4 pipe:", 8));
    assert_int_equal(status_of(p.pid, "Seccomp:"), 2);
    assert_int_equal(status_of(p.pid, "NoNewPrivs:"), 1);
    assert_int_equal(status_of(p.pid, "CapEff:"), 0);
    assert_int_equal(status_of(p.pid, "CapBnd:"), geteuid() == 0 ? 0 : status_of(p.pid, "CapBnd:"));
    peer_stop(&p);
}

static void role_becomes_its_uid(void **state)
{
    struct peer p;
    (void)state;
    if (geteuid() != 0)
        skip();
    const struct settings_common settings = {.uid = 64321, .namespaces = 1};
    assert_int_equal(start(&p, &settings, NULL, 0), 0);
    const struct chan_message *m = peer_wait(&p, MSG_READY, WAIT_MS);
    assert_non_null(m);
    const struct msg_ready *ready = m->body;
    assert_int_equal(ready->sandbox.own_uid, 1);
    assert_int_equal(status_of(p.pid, "Uid:"), 64321);
    assert_int_equal(status_of(p.pid, "Gid:"), 64321);
    peer_stop(&p);
}

static void role_answers_heartbeat(void **state)
{
    struct peer p;
    (void)state;
    assert_int_equal(start(&p, &hooked, NULL, 0), 0);
    for (uint64_t i = 1; i <= 3; i++) {
        const struct msg_number ping = {.number = i};
        assert_int_equal(peer_send(&p, MSG_PING, &ping, NULL, 0, NULL), 0);
        const struct chan_message *m = peer_wait(&p, MSG_PONG, WAIT_MS);
        assert_non_null(m);
        const struct msg_number *pong = m->body;
        assert_int_equal(pong->number, i);
    }
    peer_stop(&p);
}

static void role_ends_with_its_channel(void **state)
{
    struct peer p;
    int status;
    (void)state;
    assert_int_equal(start(&p, &hooked, NULL, 0), 0);
    assert_non_null(peer_wait(&p, MSG_READY, WAIT_MS));
    fd_close(&p.fd);
    assert_int_equal(peer_wait_exit(&p, WAIT_MS, &status), 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    peer_stop(&p);
}

static void role_may_end_by_itself(void **state)
{
    struct peer p;
    int status;
    (void)state;
    assert_int_equal(start(&p, &hooked, NULL, 0), 0);
    assert_non_null(peer_wait(&p, MSG_READY, WAIT_MS));
    const struct msg_end end = {.reason = END_KICKED};
    assert_int_equal(peer_send(&p, MSG_END, &end, NULL, 0, NULL), 0);
    assert_int_equal(peer_wait_exit(&p, WAIT_MS, &status), 0);
    assert_int_equal(status, 0);
    assert_non_null(strstr(p.log, "info proberole asked-to-end reason=kicked\n"));
    peer_stop(&p);
}

static void role_ignores_interrupt(void **state)
{
    struct peer p;
    (void)state;
    assert_int_equal(start(&p, &hooked, NULL, 0), 0);
    assert_non_null(peer_wait(&p, MSG_READY, WAIT_MS));
    assert_int_equal(kill(p.pid, SIGINT), 0);
    assert_int_equal(kill(p.pid, SIGHUP), 0);
    const struct msg_number ping = {.number = 7};
    assert_int_equal(peer_send(&p, MSG_PING, &ping, NULL, 0, NULL), 0);
    assert_non_null(peer_wait(&p, MSG_PONG, WAIT_MS));
    peer_stop(&p);
}

/* The role must exit with failure and without a word on its channel. */
static void expect_refusal(struct peer *p, const char *log)
{
    int status;
    assert_int_equal(peer_wait_exit(p, WAIT_MS, &status), 0);
    assert_true(WIFEXITED(status));
    assert_int_not_equal(WEXITSTATUS(status), 0);
    assert_true(peer_wait_log(p, log, WAIT_MS));
    peer_stop(p);
}

static void I5_settings_of_wrong_size_end_the_role(void **state)
{
    struct peer p;
    uint8_t settings[sizeof(struct settings_common) + 8] = {0};
    (void)state;
    for (size_t len = 0; len <= sizeof(settings); len += 8) {
        if (len == sizeof(struct settings_common))
            continue;
        assert_int_equal(peer_start(&p, ROLE, settings, len, NULL, 0, NULL, 0), 0);
        expect_refusal(&p, "settings-refused error=EPROTO");
    }
}

static void I5_first_message_must_be_settings(void **state)
{
    struct peer p;
    const struct msg_number ping = {.number = 1};
    (void)state;
    assert_int_equal(peer_start(&p, ROLE, NULL, 0, NULL, 0, NULL, 0), 0);
    assert_int_equal(peer_send(&p, MSG_PING, &ping, NULL, 0, NULL), 0);
    expect_refusal(&p, "settings-refused error=EPROTO");
}

static void I5_unknown_message_ends_the_role(void **state)
{
    struct peer p;
    const struct chan_head head = {.type = 999};
    (void)state;
    assert_int_equal(start(&p, &hooked, NULL, 0), 0);
    assert_non_null(peer_wait(&p, MSG_READY, WAIT_MS));
    assert_int_equal(peer_send_raw(&p, &head, sizeof(head), NULL, 0), 0);
    expect_refusal(&p, "channel-broken error=EPROTO");
}

static void I5_second_settings_end_the_role(void **state)
{
    struct peer p;
    struct {
        struct chan_head head;
        struct settings_common body;
    } again = {.head = {.type = MSG_SETTINGS, .body_len = sizeof(struct settings_common)}};
    (void)state;
    assert_int_equal(start(&p, &hooked, NULL, 0), 0);
    assert_non_null(peer_wait(&p, MSG_READY, WAIT_MS));
    assert_int_equal(peer_send_raw(&p, &again, sizeof(again), NULL, 0), 0);
    expect_refusal(&p, "channel-broken error=EPROTO");
}

static void test_hook_needs_its_setting(void **state)
{
    struct peer p;
    const struct settings_common plain = {.namespaces = 1};
    const struct msg_number test = {.number = ESCAPE_OPEN};
    (void)state;
    assert_int_equal(start(&p, &plain, NULL, 0), 0);
    assert_non_null(peer_wait(&p, MSG_READY, WAIT_MS));
    assert_int_equal(peer_send(&p, MSG_TEST, &test, NULL, 0, NULL), 0);
    expect_refusal(&p, "channel-broken error=EPROTO");
}

/* Runs one attempt in a fresh role that has a sealed ring open. -1: killed by SIGSYS, else the
 * errno that the attempt got, 0 for success. */
static int attempt(uint64_t number, int ring)
{
    struct peer p;
    int status = 0;
    int result = -1;
    const struct msg_number test = {.number = number};
    assert_int_equal(start(&p, &hooked, &ring, 1), 0);
    assert_non_null(peer_wait(&p, MSG_READY, WAIT_MS));
    assert_int_equal(peer_send(&p, MSG_TEST, &test, NULL, 0, NULL), 0);
    const struct chan_message *m = peer_wait(&p, MSG_PONG, WAIT_MS);
    if (m) {
        const struct msg_number *answer = m->body;
        assert_int_equal(answer->number >> 32, number);
        result = (int)(answer->number & UINT32_MAX);
    } else {
        assert_int_equal(peer_wait_exit(&p, WAIT_MS, &status), 0);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGSYS);
    }
    peer_stop(&p);
    return result;
}

static void M6_every_escape_is_denied(void **state)
{
    int ring = -1;
    (void)state;
    assert_int_equal(ring_create(RING_SIZE_MIN, &ring), 0);
    struct ring_writer *writer;
    assert_int_equal(ring_writer_new(ring, &writer, NULL), 0);
    assert_int_equal(ring_seal(ring), 0);
    for (uint64_t i = 0; i < ESCAPE_COUNT; i++) {
        int result = attempt(i, ring);
        /* these two are legal calls that the descriptors must refuse; all others kill */
        if (i == ESCAPE_MAP_SHARED || i == ESCAPE_MAP_WRITE)
            assert_int_not_equal(result, 0);
        else
            assert_int_equal(result, -1);
        if (i == ESCAPE_MAP_SHARED)
            assert_true(result == EPERM || result == EACCES);
    }
    assert_int_equal(attempt(ESCAPE_COUNT, ring), EINVAL);
    ring_writer_free(writer);
    fd_close(&ring);
}

static void I2_role_refuses_a_ring_without_seals(void **state)
{
    struct peer p;
    int ring = -1;
    struct ring_writer *writer;
    (void)state;
    assert_int_equal(ring_create(RING_SIZE_MIN, &ring), 0);
    assert_int_equal(ring_writer_new(ring, &writer, NULL), 0);
    assert_int_equal(start(&p, &hooked, &ring, 1), 0);
    expect_refusal(&p, "settings-refused error=EACCES");
    ring_writer_free(writer);
    fd_close(&ring);
}

static void peer_wait_times_out_and_keeps_order(void **state)
{
    struct peer p;
    (void)state;
    assert_int_equal(start(&p, &hooked, NULL, 0), 0);
    const struct msg_number ping = {.number = 3};
    assert_int_equal(peer_send(&p, MSG_PING, &ping, NULL, 0, NULL), 0);
    assert_non_null(peer_wait(&p, MSG_PONG, WAIT_MS));
    const struct chan_message *m = peer_wait(&p, PEER_ANY, WAIT_MS); /* kept meanwhile */
    assert_non_null(m);
    assert_int_equal(m->type, MSG_READY);
    assert_int_equal(peer_take_fd(&p, 0), -1);
    assert_null(peer_wait(&p, PEER_ANY, 0));
    int status;
    assert_int_equal(peer_wait_exit(&p, 0, &status), -ETIMEDOUT);
    peer_stop(&p);
    assert_int_equal(peer_start(&p, "sluice-nothing", NULL, 0, NULL, 0, NULL, 0), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ready_tells_sandbox_and_descriptors),
        cmocka_unit_test(role_becomes_its_uid),
        cmocka_unit_test(role_answers_heartbeat),
        cmocka_unit_test(role_ends_with_its_channel),
        cmocka_unit_test(role_may_end_by_itself),
        cmocka_unit_test(role_ignores_interrupt),
        cmocka_unit_test(I5_settings_of_wrong_size_end_the_role),
        cmocka_unit_test(I5_first_message_must_be_settings),
        cmocka_unit_test(I5_unknown_message_ends_the_role),
        cmocka_unit_test(I5_second_settings_end_the_role),
        cmocka_unit_test(test_hook_needs_its_setting),
        cmocka_unit_test(M6_every_escape_is_denied),
        cmocka_unit_test(I2_role_refuses_a_ring_without_seals),
        cmocka_unit_test(peer_wait_times_out_and_keeps_order),
    };
    return cmocka_run_group_tests_name("role", tests, NULL, NULL);
}
