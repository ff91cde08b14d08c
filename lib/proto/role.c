/* The start that all roles share, and their side of the control channel. */
#include "lib/proto/role.h"

#include "lib/base/escape.h"
#include "lib/base/log.h"
#include "lib/base/writer.h"

#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SETTINGS_WAIT_MS 10000
#define FLUSH_MS 200
#define PHASE_SETTINGS 31u /* no role uses it */
#define READY_TABLE_MAX 8192u

static void on_closed(void *ctx, int reason)
{
    struct role *role = ctx;
    chan_free(role->chan);
    role->chan = NULL;
    if (reason) {
        log_event(LOG_ERROR, "channel-broken", "error=%s", strerrorname_np(-reason));
        role->status = EXIT_FAILURE;
    }
    loop_stop(&role->loop);
}

static int on_settings(void *ctx, const struct chan_message *message)
{
    struct role *role = ctx;
    memcpy(&role->common, message->body, sizeof(role->common));
    enum log_level level = LOG_INFO;
    if (role->common.log_level <= LOG_ERROR)
        level = (enum log_level)role->common.log_level;
    log_open(LOG_FD, role->name, level);
    return role->settings_fn(role->ctx, message);
}

static int on_ping(void *ctx, const struct chan_message *message)
{
    struct role *role = ctx;
    (void)role_send(role, MSG_PONG, message->body, NULL, 0, NULL);
    return 0;
}

static int on_test(void *ctx, const struct chan_message *message)
{
    struct role *role = ctx;
    const struct msg_number *test = message->body;
    if (role->common.test_hooks != 1)
        return -EPROTO;
    struct msg_number answer = {
        .number = ESCAPE_ANSWER(test->number, -escape_try(test->number, CHAN_CONTROL_FD))};
    (void)role_send(role, MSG_PONG, &answer, NULL, 0, NULL);
    return 0;
}

/* Signals as every role has them, whatever the supervisor had when it forked. */
static int set_up_process(void)
{
    sigset_t none;
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
        return -errno;
    if (signal(SIGINT, SIG_IGN) == SIG_ERR || signal(SIGHUP, SIG_IGN) == SIG_ERR ||
        signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return -errno;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return -errno;
    (void)mallopt(M_ARENA_MAX, 2);
    return 0;
}

static void done(struct role *role)
{
    chan_free(role->chan);
    role->chan = NULL;
    loop_done(&role->loop);
}

static int fail(const char *event, int rc)
{
    log_event(LOG_ERROR, event, "error=%s", strerrorname_np(-rc));
    return rc;
}

int role_start(struct role *role, const char *name, size_t settings_len, role_settings_fn fn,
               const struct chan_rule *rules, size_t rule_count, void *ctx)
{
    const size_t number_len = sizeof(struct msg_number);
    *role = (struct role){
        .name = name,
        .own_rules =
            {
                {MSG_SETTINGS, 1u << PHASE_SETTINGS, settings_len, CHAN_BLOB_MAX, CHAN_FDS_ANY,
                 on_settings},
                {MSG_PING, ~(1u << PHASE_SETTINGS), number_len, 0, 0, on_ping},
                {MSG_TEST, ~(1u << PHASE_SETTINGS), number_len, 0, 0, on_test},
            },
        .settings_fn = fn,
        .ctx = ctx,
    };
    log_open(LOG_FD, name, LOG_INFO);
    int rc = set_up_process();
    if (rc)
        return fail("start-failed", rc);
    rc = loop_init(&role->loop);
    if (rc)
        return fail("start-failed", rc);
    rc = chan_new(&role->loop, CHAN_CONTROL_FD, role->own_rules, 3, on_closed, role, &role->chan);
    if (rc == 0) {
        chan_set_phase(role->chan, PHASE_SETTINGS);
        rc = chan_receive_one(role->chan, SETTINGS_WAIT_MS);
    }
    if (rc) {
        done(role);
        return fail("settings-refused", rc);
    }
    chan_add_rules(role->chan, rules, rule_count, ctx);
    chan_set_phase(role->chan, 0);
    return 0;
}

/* One line per descriptor: number, blank, what it is. Before the sandbox: it needs /proc. */
static uint32_t list_fds(struct writer *table)
{
    uint32_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return 0;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        uint32_t fd;
        char target[128];
        if (text_parse_u32(slice_of(entry->d_name), INT32_MAX, &fd) || (int)fd == dirfd(dir))
            continue;
        ssize_t len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target));
        if (len < 0)
            continue;
        count++;
        /* a table that is cut still ends with a whole line */
        struct writer line = *table;
        writer_text(&line, "%u %.*s\n", fd, (int)len, target);
        if (writer_ok(&line))
            *table = line;
    }
    (void)closedir(dir);
    return count;
}

int role_enter(struct role *role, struct sandbox_spec *spec)
{
    char text[READY_TABLE_MAX];
    struct writer table;
    struct msg_ready ready = {.memory_locked = role->memory_locked};
    if (!role->chan)
        return -EPIPE;
    writer_init(&table, text, sizeof(text));
    ready.fd_count = list_fds(&table);
    spec->uid = role->common.uid;
    spec->empty_network = spec->empty_network && role->common.namespaces;
    spec->empty_files = spec->empty_files && role->common.namespaces;
    int rc = sandbox_enter(spec, &ready.sandbox);
    if (rc)
        return fail("sandbox-failed", rc);
    const struct sandbox_report *s = &ready.sandbox;
    log_event(LOG_DEBUG, "ready", "fds=%u own_uid=%u userns=%u netns=%u mountns=%u landlock=%u",
              ready.fd_count, s->own_uid, s->user_namespace, s->empty_network, s->empty_files,
              s->landlock_abi);
    return role_send(role, MSG_READY, &ready, text, table.len, NULL);
}

int role_run(struct role *role)
{
    int rc = role->chan ? loop_run(&role->loop) : 0;
    if (rc) {
        (void)fail("loop-failed", rc);
        role->status = EXIT_FAILURE;
    }
    if (role->chan)
        chan_flush(role->chan, FLUSH_MS);
    done(role);
    return role->status;
}

int role_send(struct role *role, enum msg_type type, const void *body, const void *blob,
              size_t blob_len, const int *fds)
{
    const struct msg_shape *shape = msg_shape(type);
    if (!shape || shape->fd_count == CHAN_FDS_ANY)
        return -EINVAL;
    if (!role->chan)
        return -EPIPE;
    int rc = blob_len > shape->blob_max
                 ? -EMSGSIZE
                 : chan_send(role->chan, (uint16_t)type, body, shape->body_len, blob, blob_len, fds,
                             shape->fd_count);
    if (rc && rc != -EPIPE)
        log_event(LOG_ERROR, "send-failed", "type=%s error=%s", shape->name, strerrorname_np(-rc));
    if (rc == -ENOSPC) {
        role->status = EXIT_FAILURE;
        loop_stop(&role->loop);
    }
    return rc;
}
