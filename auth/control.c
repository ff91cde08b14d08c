/* The listening control.sock: connections of administrators, lines in, lines out. */
#include "auth/control.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Free while fd is -1. Invariant: line_len <= CONTROL_LINE_MAX + 1; answer is NULL or answer_sent <
 * answer_len. */
struct connection {
    struct control *owner;
    uint64_t number;
    int fd;
    struct loop_watch watch;
    struct loop_timer idle;
    bool asked; /* a line was handed out, its answer is not there yet */
    char *answer;
    size_t answer_len;
    size_t answer_sent;
    size_t line_len;
    char line[CONTROL_LINE_MAX + 1]; /* with its line end */
};

struct control {
    struct loop *loop;
    struct loop_watch listener;
    uint32_t admin_uid;
    control_line_fn fn;
    void *ctx;
    uint64_t last_number;
    struct connection connections[CONTROL_CONNECTIONS_MAX];
};

static void drop_answer(struct connection *c)
{
    if (c->answer)
        secret_wipe(c->answer, c->answer_len); /* it may be a created token */
    free(c->answer);
    c->answer = NULL;
}

static void connection_close(struct connection *c)
{
    loop_remove(c->owner->loop, &c->watch);
    loop_timer_cancel(c->owner->loop, &c->idle);
    fd_close(&c->fd);
    drop_answer(c);
    c->asked = false;
    c->line_len = 0;
    c->number = 0;
}

static void on_idle(void *ctx)
{
    connection_close(ctx);
}

static void note_progress(struct connection *c)
{
    loop_timer_set(c->owner->loop, &c->idle, clock_now_us() + CONTROL_IDLE_US, on_idle, c);
}

/* Hands out the first whole line, if there is one and no question is open. */
static void take_line(struct connection *c)
{
    char *end = memchr(c->line, '\n', c->line_len);
    if (c->asked || c->answer || !end)
        return;
    size_t len = (size_t)(end - c->line);
    char line[CONTROL_LINE_MAX];
    memcpy(line, c->line, len);
    c->line_len -= len + 1;
    memmove(c->line, end + 1, c->line_len);
    c->asked = true;
    c->owner->fn(c->owner->ctx, c->number, line, len);
}

/* Waits for room while an answer is unsent, for bytes while no question is open, else only for the
 * end (hang-ups are always reported). */
static void watch_what_is_due(struct connection *c)
{
    uint32_t events = 0;
    if (c->answer)
        events = EPOLLOUT;
    else if (!c->asked)
        events = EPOLLIN;
    loop_change(c->owner->loop, &c->watch, events);
}

static void receive(struct connection *c)
{
    size_t room = sizeof(c->line) - c->line_len;
    ssize_t got = recv(c->fd, c->line + c->line_len, room, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        connection_close(c);
        return;
    }
    c->line_len += (size_t)got;
    note_progress(c);
    if (c->line_len == sizeof(c->line) && !memchr(c->line, '\n', c->line_len)) {
        log_event(LOG_WARN, "control-line-too-long", NULL);
        connection_close(c);
    }
}

static void transmit(struct connection *c)
{
    ssize_t sent = send(c->fd, c->answer + c->answer_sent, c->answer_len - c->answer_sent,
                        MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (sent < 0) {
        connection_close(c);
        return;
    }
    c->answer_sent += (size_t)sent;
    note_progress(c);
    if (c->answer_sent == c->answer_len)
        drop_answer(c);
}

static void on_connection(void *ctx, uint32_t events)
{
    struct connection *c = ctx;
    if (events & EPOLLERR || (events & EPOLLHUP && !(events & EPOLLIN))) {
        connection_close(c);
        return;
    }
    if (events & EPOLLOUT && c->answer)
        transmit(c);
    if (events & EPOLLIN && c->fd >= 0 && !c->asked && !c->answer)
        receive(c);
    uint64_t number = c->number;
    if (c->fd >= 0)
        take_line(c);
    if (c->fd >= 0 && c->number == number)
        watch_what_is_due(c);
}

static bool peer_allowed(const struct control *control, int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return false;
    if (peer.uid == 0 || peer.uid == control->admin_uid)
        return true;
    log_event(LOG_WARN, "control-refused", "uid=%u", (unsigned)peer.uid);
    return false;
}

static struct connection *free_connection(struct control *control)
{
    for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        if (control->connections[i].fd < 0)
            return &control->connections[i];
    }
    return NULL;
}

/* Last words to somebody who is not served; whether they arrive does not matter. */
static void refuse(int *fd, const char *text)
{
    ssize_t sent = send(*fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent;
    fd_close(fd);
}

static void on_listener(void *ctx, uint32_t events)
{
    struct control *control = ctx;
    (void)events;
    int fd = accept4(control->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (!peer_allowed(control, fd)) {
        refuse(&fd, "{\"ok\":false,\"error\":\"forbidden\",\"message\":\"only root and the user "
                    "who runs the gateway may use control.sock\"}\n");
        return;
    }
    struct connection *c = free_connection(control);
    if (!c) {
        refuse(&fd, "{\"ok\":false,\"error\":\"busy\",\"message\":\"all connections of "
                    "control.sock are in use; try again\"}\n");
        return;
    }
    int rc = loop_add(control->loop, &c->watch, fd, EPOLLIN, on_connection, c);
    if (rc < 0) {
        fd_close(&fd);
        return;
    }
    c->fd = fd;
    control->last_number++;
    c->number = control->last_number;
    note_progress(c);
}

int control_new(struct loop *loop, int listen_fd, uint32_t admin_uid, control_line_fn fn, void *ctx,
                struct control **out)
{
    struct control *control = calloc(1, sizeof(*control));
    if (!control)
        return -ENOMEM;
    control->loop = loop;
    control->admin_uid = admin_uid;
    control->fn = fn;
    control->ctx = ctx;
    control->listener.fd = -1;
    for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        control->connections[i].owner = control;
        control->connections[i].fd = -1;
        control->connections[i].watch.fd = -1;
    }
    int rc = loop_add(loop, &control->listener, listen_fd, EPOLLIN, on_listener, control);
    if (rc < 0) {
        free(control);
        return rc;
    }
    *out = control;
    return 0;
}

void control_free(struct control *control)
{
    if (!control)
        return;
    loop_remove(control->loop, &control->listener);
    for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
        connection_close(&control->connections[i]);
    free(control);
}

int control_answer(struct control *control, uint64_t conn, const char *text, size_t len)
{
    struct connection *c = NULL;
    for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        if (control->connections[i].fd >= 0 && control->connections[i].number == conn)
            c = &control->connections[i];
    }
    if (!c || !c->asked)
        return -ENOENT;
    c->asked = false;
    c->answer = len < CONTROL_ANSWER_MAX ? malloc(len + 1) : NULL;
    if (!c->answer) {
        connection_close(c);
        return len < CONTROL_ANSWER_MAX ? -ENOMEM : -EMSGSIZE;
    }
    memcpy(c->answer, text, len);
    c->answer[len] = '\n';
    c->answer_len = len + 1;
    c->answer_sent = 0;
    note_progress(c);
    watch_what_is_due(c);
    return 0;
}
