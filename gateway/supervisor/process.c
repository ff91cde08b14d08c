#include "gateway/supervisor/process.h"

#include "gateway/supervisor/broker.h"
#include "gateway/supervisor/settings_load.h"
#include "gateway/supervisor/spawn.h"
#include "gateway/supervisor/supervisor.h"
#include "lib/base/clock.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BACKOFF_FIRST_US 250000u
#define BACKOFF_MAX_US 30000000u
#define BACKOFF_CALM_US 10000000u /* a process that lived this long starts anew at once */

static const char *const names[PROCESS_KIND_COUNT] = {
    [PROCESS_EDGE] = "edge",     [PROCESS_AUTH] = "auth",           [PROCESS_WEB] = "web",
    [PROCESS_INGEST] = "ingest", [PROCESS_TRANSCODE] = "transcode",
};

const char *process_name(enum process_kind kind)
{
    return names[kind];
}

static size_t slot_of(const struct supervisor *sup, const struct process *p)
{
    for (size_t i = 0; i < PROCESS_MAX; i++) {
        if (sup->processes[i] == p)
            return i;
    }
    return PROCESS_MAX;
}

/* Frees what belongs to p; the child itself has gone or was never there. */
static void process_free(struct process *p)
{
    struct supervisor *sup = p->sup;
    size_t slot = slot_of(sup, p);
    int pidfd = p->exit_watch.fd;
    if (slot < PROCESS_MAX)
        sup->processes[slot] = NULL;
    loop_timer_cancel(&sup->loop, &p->kill_timer);
    loop_remove(&sup->loop, &p->exit_watch);
    fd_close(&pidfd);
    logrelay_close(&p->log);
    chan_free(p->chan);
    free(p);
}

void process_kill(struct process *p)
{
    p->killed = true;
    if (p->pid > 0)
        kill(p->pid, SIGKILL); /* not reaped yet, so the number is still its own */
}

static void on_kill_timer(void *ctx)
{
    struct process *p = ctx;
    if (!p->ending)
        log_event(LOG_ERROR, p->ready ? "channel_closed" : "not_ready", "role=%s child=%d",
                  process_name(p->kind), p->pid);
    process_kill(p);
}

void process_end(struct process *p)
{
    if (p->ending)
        return;
    p->ending = true;
    chan_set_phase(p->chan, PHASE_ENDING);
    loop_timer_set(&p->sup->loop, &p->kill_timer, clock_now_us() + PROCESS_KILL_US, on_kill_timer,
                   p);
}

/* The channel's end says nothing that the child's end does not say; a broken rule does. */
static void on_closed(void *ctx, int reason)
{
    struct process *p = ctx;
    if (reason != 0 && reason != -EPIPE && reason != -ECONNRESET) {
        log_event(LOG_ERROR, "broken_rule", "role=%s error=%d", process_name(p->kind), -reason);
        process_kill(p);
    } else if (!p->ending) {
        loop_timer_set(&p->sup->loop, &p->kill_timer, clock_now_us() + PROCESS_KILL_US,
                       on_kill_timer, p);
    }
}

static void log_exit(const struct process *p, const siginfo_t *info)
{
    enum log_level level =
        p->ending && (p->killed || info->si_code == CLD_EXITED) ? LOG_DEBUG : LOG_WARN;
    log_event(level, "exit", "role=%s child=%d %s=%d", process_name(p->kind), p->pid,
              info->si_code == CLD_EXITED ? "status" : "signal", info->si_status);
}

static void pause_start(struct supervisor *sup, const struct process *dead);

static void on_child_exit(void *ctx, uint32_t events)
{
    struct process *p = ctx;
    struct supervisor *sup = p->sup;
    siginfo_t info = {0};
    (void)events;
    if (waitid(P_PIDFD, (id_t)p->exit_watch.fd, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
        return;
    log_exit(p, &info);
    p->pid = 0;
    /* A publisher may have brought down its own worker: the others' pool must not pause for it.
     * Asked now, because whoever owned it lets go of it below. */
    bool bound_worker = p->owner && (p->kind == PROCESS_INGEST || p->kind == PROCESS_TRANSCODE);
    if (p->kind == PROCESS_INGEST && p->owner)
        publication_on_ingest_exit(p->owner);
    if (p->kind == PROCESS_TRANSCODE && p->owner)
        playback_on_transcode_exit(p->owner, p, p->ending);
    if (p->kind == PROCESS_WEB) {
        session_url_on_web_exit(sup, p);
        publication_on_web_exit(sup, p);
    }
    if (p->kind == PROCESS_AUTH) {
        session_url_on_auth_exit(sup);
        publication_on_auth_exit(sup);
    }
    if (!p->ending && !bound_worker)
        pause_start(sup, p);
    process_free(p);
    if (sup->stopping)
        return;
    process_fill(sup);
    process_tell_serving(sup);
}

static void on_pause_over(void *ctx)
{
    struct process_backoff *b = ctx;
    process_fill(b->sup);
}

/* At once after a calm life, then 0.25 s doubling to 30 s. */
static void pause_start(struct supervisor *sup, const struct process *dead)
{
    struct process_backoff *b = &sup->backoff[dead->kind];
    uint64_t now = clock_now_us();
    if (dead->ready && now - dead->started_us > BACKOFF_CALM_US)
        b->pause_us = 0;
    uint64_t pause = b->pause_us;
    b->pause_us =
        pause == 0 ? BACKOFF_FIRST_US : (pause * 2 < BACKOFF_MAX_US ? pause * 2 : BACKOFF_MAX_US);
    b->sup = sup;
    b->kind = dead->kind;
    if (pause > 0)
        loop_timer_set(&sup->loop, &b->timer, now + pause, on_pause_over, b);
}

/* What could not even be started has no end that would make us try again. */
static int retry_later(struct supervisor *sup, enum process_kind kind, int rc)
{
    struct process_backoff *b = &sup->backoff[kind];
    log_event(LOG_ERROR, "start_failed", "role=%s error=%d", process_name(kind), -rc);
    b->sup = sup;
    b->kind = kind;
    if (b->timer.slot == 0)
        loop_timer_set(&sup->loop, &b->timer, clock_now_us() + BACKOFF_FIRST_US, on_pause_over, b);
    return rc;
}

/* Takes over pidfd. A child that cannot be watched is not kept. */
static int watch_child(struct process *p, int pidfd)
{
    int rc = loop_add(&p->sup->loop, &p->exit_watch, pidfd, EPOLLIN, on_child_exit, p);
    if (rc == 0)
        return 0;
    process_kill(p);
    (void)waitpid(p->pid, NULL, 0);
    p->pid = 0;
    fd_close(&pidfd);
    return rc;
}

/* The parent's ends of channel and log; the child's are closed after the fork. */
static int start_child(struct process *p)
{
    struct supervisor *sup = p->sup;
    int pair[2] = {-1, -1}, pipe_fds[2] = {-1, -1}, pidfd = -1;
    char program[CONF_PATH_MAX + 32];
    size_t rule_count = broker_rules(p->kind, p->rules, PROCESS_RULES_MAX);
    snprintf(program, sizeof(program), "%s/sluice-%s", sup->libexec, process_name(p->kind));
    int rc = chan_pair(pair);
    if (rc == 0 && pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
        rc = -errno;
    if (rc == 0)
        rc = spawn_role(program, pair[1], pipe_fds[1], &p->pid, &pidfd);
    if (rc == 0)
        rc = watch_child(p, pidfd);
    if (rc == 0) {
        rc = logrelay_open(&p->log, &sup->loop, pipe_fds[0], (uint32_t)p->pid);
        pipe_fds[0] = -1;
    }
    if (rc == 0) {
        rc = chan_new(&sup->loop, pair[0], p->rules, rule_count, on_closed, p, &p->chan);
        pair[0] = -1;
    }
    fd_close_all(pair, 2);
    fd_close_all(pipe_fds, 2);
    return rc;
}

static size_t count_alive(const struct supervisor *sup)
{
    size_t count = 0;
    for (size_t i = 0; i < PROCESS_MAX; i++)
        count += sup->processes[i] != NULL;
    return count;
}

static int process_start(struct supervisor *sup, enum process_kind kind)
{
    bool worker = kind == PROCESS_INGEST || kind == PROCESS_TRANSCODE;
    bool full = worker && count_alive(sup) >= PROCESS_MAX - PROCESS_RESERVED;
    size_t slot = full ? PROCESS_MAX : slot_of(sup, NULL);
    struct process *p = slot < PROCESS_MAX ? calloc(1, sizeof(*p)) : NULL;
    if (!p)
        return retry_later(sup, kind, slot < PROCESS_MAX ? -ENOMEM : -ENOSPC);
    p->sup = sup;
    p->kind = kind;
    p->number = ++sup->next_number;
    p->exit_watch.fd = -1;
    p->log.watch.fd = -1;
    p->started_us = clock_now_us();
    sup->processes[slot] = p;
    int rc = start_child(p);
    if (rc == 0)
        rc = settings_send(p);
    if (rc == 0)
        rc = loop_timer_set(&sup->loop, &p->kill_timer, p->started_us + PROCESS_START_US,
                            on_kill_timer, p);
    if (rc == 0)
        return 0;
    pause_start(sup, p);
    if (p->exit_watch.fd >= 0) {
        process_kill(p); /* reaped through its pidfd */
        p->ending = true;
    } else {
        process_free(p);
    }
    return retry_later(sup, kind, rc);
}

static size_t count_free(const struct supervisor *sup, enum process_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < PROCESS_MAX; i++) {
        const struct process *p = sup->processes[i];
        if (p && p->kind == kind && !p->owner && !p->ending)
            count++;
    }
    return count;
}

void process_fill(struct supervisor *sup)
{
    const size_t wanted[PROCESS_KIND_COUNT] = {
        [PROCESS_EDGE] = 1,
        [PROCESS_AUTH] = 1,
        [PROCESS_WEB] = sup->conf.web_processes,
        [PROCESS_INGEST] = sup->conf.warm_ingest,
        [PROCESS_TRANSCODE] = sup->conf.warm_transcode,
    };
    if (sup->stopping)
        return;
    for (enum process_kind kind = 0; kind < PROCESS_KIND_COUNT; kind++) {
        if (sup->backoff[kind].timer.slot != 0)
            continue;
        for (size_t have = count_free(sup, kind); have < wanted[kind]; have++) {
            if (process_start(sup, kind) != 0)
                break;
        }
    }
}

struct process *process_take(struct supervisor *sup, enum process_kind kind, void *owner)
{
    for (size_t i = 0; i < PROCESS_MAX; i++) {
        struct process *p = sup->processes[i];
        if (!p || p->kind != kind || !p->ready || p->owner || p->ending)
            continue;
        p->owner = owner;
        chan_set_phase(p->chan, PHASE_BOUND);
        process_fill(sup);
        return p;
    }
    return NULL;
}

struct process *process_find(struct supervisor *sup, enum process_kind kind)
{
    for (size_t i = 0; i < PROCESS_MAX; i++) {
        struct process *p = sup->processes[i];
        if (p && p->kind == kind && p->ready && !p->ending)
            return p;
    }
    return NULL;
}

void process_each_web(struct supervisor *sup, void (*fn)(struct process *web, void *arg), void *arg)
{
    for (size_t i = 0; i < PROCESS_MAX; i++) {
        struct process *p = sup->processes[i];
        if (p && p->kind == PROCESS_WEB && p->ready && !p->ending)
            fn(p, arg);
    }
}

bool process_all_ready(const struct supervisor *sup)
{
    uint32_t ready[PROCESS_KIND_COUNT] = {0};
    for (size_t i = 0; i < PROCESS_MAX; i++) {
        const struct process *p = sup->processes[i];
        if (p && p->ready && !p->ending)
            ready[p->kind]++;
    }
    /* bound workers say nothing about the next publisher's when their kind fails to start */
    if (sup->backoff[PROCESS_INGEST].timer.slot || sup->backoff[PROCESS_TRANSCODE].timer.slot)
        return false;
    return ready[PROCESS_EDGE] && ready[PROCESS_AUTH] && ready[PROCESS_INGEST] &&
           ready[PROCESS_TRANSCODE] && ready[PROCESS_WEB] >= sup->conf.web_processes;
}

static void tell_serving(struct process *web, void *arg)
{
    (void)process_send(web, MSG_SERVING, arg, NULL, 0, NULL);
}

void process_tell_serving(struct supervisor *sup)
{
    struct msg_number serving = {.number = process_all_ready(sup)};
    process_each_web(sup, tell_serving, &serving);
}

int process_try_send(struct process *p, enum msg_type type, const void *body, const void *blob,
                     size_t blob_len, const int *fds)
{
    if (!p || !p->chan)
        return -ENOTCONN;
    const struct msg_shape *shape = msg_shape(type);
    return chan_send(p->chan, (uint16_t)type, body, shape->body_len, blob, blob_len, fds,
                     shape->fd_count);
}

int process_send(struct process *p, enum msg_type type, const void *body, const void *blob,
                 size_t blob_len, const int *fds)
{
    int rc = process_try_send(p, type, body, blob, blob_len, fds);
    if (rc == -ENOSPC) {
        log_event(LOG_ERROR, "stuck", "role=%s child=%d", process_name(p->kind), p->pid);
        process_kill(p);
    }
    return rc;
}

/* edge and web must reach the network; every other layer is for everybody. */
static bool has_every_layer(const struct process *p)
{
    const struct sandbox_report *s = &p->sandbox;
    bool networked = p->kind == PROCESS_EDGE || p->kind == PROCESS_WEB;
    return s->landlock_abi > 0 && s->empty_files && (networked || s->empty_network);
}

int process_on_ready(struct process *p, const struct msg_ready *ready)
{
    const struct sandbox_report *s = &ready->sandbox;
    if (p->ready)
        return -EPROTO;
    p->sandbox = *s;
    log_event(LOG_INFO, "role_ready",
              "role=%s child=%d after_ms=%llu seccomp=%u no_new_privs=%u not_dumpable=%u "
              "own_uid=%u empty_network=%u empty_files=%u landlock_abi=%u locked=%u fds=%u",
              process_name(p->kind), p->pid,
              (unsigned long long)((clock_now_us() - p->started_us) / 1000), s->seccomp,
              s->no_new_privs, s->not_dumpable, s->own_uid, s->empty_network, s->empty_files,
              s->landlock_abi, ready->memory_locked, ready->fd_count);
    if (!s->seccomp || !s->no_new_privs || !s->not_dumpable)
        return -EPERM;
    if (p->sup->conf.sandbox_required && !has_every_layer(p)) {
        log_event(LOG_ERROR, "layer_missing",
                  "role=%s why=\"sandbox = required and a layer is absent: see role_ready\"",
                  process_name(p->kind));
        return -EPERM;
    }
    p->ready = true;
    loop_timer_cancel(&p->sup->loop, &p->kill_timer);
    chan_set_phase(p->chan, PHASE_WARM);
    return 0;
}

void process_on_pong(struct process *p, uint64_t number)
{
    if (number <= p->ping_sent)
        p->ping_seen = number;
}

uint64_t process_ping(struct process *p)
{
    struct msg_number ping = {.number = ++p->ping_sent};
    (void)process_send(p, MSG_PING, &ping, NULL, 0, NULL); /* a failure shows as its end */
    return ping.number;
}

void process_heartbeat(struct supervisor *sup)
{
    for (size_t i = 0; i < PROCESS_MAX; i++) {
        struct process *p = sup->processes[i];
        if (!p || !p->ready || p->ending)
            continue;
        p->misses = p->ping_seen == p->ping_sent ? 0 : p->misses + 1;
        if (p->misses >= PROCESS_HEARTBEAT_MISSES) {
            log_event(LOG_ERROR, "hung", "role=%s child=%d", process_name(p->kind), p->pid);
            process_kill(p);
            continue;
        }
        (void)process_ping(p);
    }
}

/* Roles exit when their channel ends. */
void process_stop_all(struct supervisor *sup)
{
    sup->stopping = true;
    for (size_t i = 0; i < PROCESS_MAX; i++) {
        struct process *p = sup->processes[i];
        if (!p)
            continue;
        p->ending = true;
        chan_free(p->chan);
        p->chan = NULL;
    }
    uint64_t until = clock_now_us() + CLOCK_SECOND_US;
    while (count_alive(sup) > 0 && clock_now_us() < until)
        loop_turn(&sup->loop, 50);
    for (size_t i = 0; i < PROCESS_MAX; i++) {
        if (sup->processes[i])
            process_kill(sup->processes[i]);
    }
    until += CLOCK_SECOND_US;
    while (count_alive(sup) > 0 && clock_now_us() < until)
        loop_turn(&sup->loop, 50);
}
