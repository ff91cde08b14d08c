/* A scripted supervisor for one real role. */
#include "tests/support/peer.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEND_WAIT_MS 5000
#define PATH_LEN 512

struct peer_message {
    struct peer_message *next;
    struct chan_message message;
    int fds[CHAN_FDS_MAX];
    _Alignas(16) uint8_t packet[];
};

static void message_free(struct peer_message *m)
{
    if (!m)
        return;
    fd_close_all(m->fds, m->message.fd_count);
    free(m);
}

/* ---- start ---- */

/* In the child, between fork and exec: only calls that are safe there. */
static void become_role(int channel, int log, const char *path, char *const argv[])
{
    /* above all numbers that are assigned below */
    int high_channel = fcntl(channel, F_DUPFD, 10);
    int high_log = fcntl(log, F_DUPFD, 10);
    int null = open("/dev/null", O_RDWR);
    if (high_channel < 0 || high_log < 0 || null < 0)
        _exit(126);
    for (int fd = 0; fd < 3; fd++) {
        if (dup2(null, fd) < 0)
            _exit(126);
    }
    if (dup2(high_channel, 3) < 0 || dup2(high_log, 4) < 0)
        _exit(126);
    if (syscall(SYS_close_range, 5U, ~0U, 0U) < 0)
        _exit(126);
    execv(path, argv);
    _exit(127);
}

static int start_process(struct peer *p, const char *program, int channel, int log)
{
    char path[PATH_LEN];
    char name[PATH_LEN];
    const char *build = getenv("BUILD");
    int len = snprintf(path, sizeof(path), "%s/%s", build ? build : "build", program);
    if (len < 0 || (size_t)len >= sizeof(path))
        return -ENAMETOOLONG;
    if (access(path, X_OK) < 0)
        return -errno;
    snprintf(name, sizeof(name), "%s", program);
    char *argv[] = {name, NULL};
    p->pid = fork();
    if (p->pid == 0)
        become_role(channel, log, path, argv);
    if (p->pid < 0) {
        p->pid = 0;
        return -errno;
    }
    p->pid_fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
    return p->pid_fd < 0 ? -errno : 0;
}

static int send_head(struct peer *p, struct chan_head head, const void *body, const void *blob,
                     const int *fds)
{
    uint8_t *packet = calloc(1, CHAN_MESSAGE_MAX);
    if (!packet)
        return -ENOMEM;
    size_t len = sizeof(head);
    memcpy(packet, &head, sizeof(head));
    if (head.body_len > 0)
        memcpy(packet + len, body, head.body_len);
    len += head.body_len;
    if (head.blob_len > 0)
        memcpy(packet + len, blob, head.blob_len);
    len += head.blob_len;
    int rc = peer_send_raw(p, packet, len, fds, head.fd_count);
    free(packet);
    return rc;
}

int peer_start(struct peer *p, const char *program, const void *settings, size_t settings_len,
               const void *blob, size_t blob_len, const int *fds, size_t fd_count)
{
    int pair[2] = {-1, -1};
    int log[2] = {-1, -1};
    memset(p, 0, sizeof(*p));
    p->pid_fd = p->fd = p->log_fd = -1;
    if (settings_len > CHAN_BODY_MAX || blob_len > CHAN_BLOB_MAX || fd_count > CHAN_FDS_MAX)
        return -EMSGSIZE;
    int rc = chan_pair(pair);
    if (rc)
        goto out;
    if (pipe2(log, O_CLOEXEC) < 0) {
        rc = -errno;
        goto out;
    }
    rc = start_process(p, program, pair[1], log[1]);
    if (rc)
        goto out;
    p->fd = pair[0];
    p->log_fd = log[0];
    pair[0] = log[0] = -1;
    if (settings) {
        struct chan_head head = {.type = MSG_SETTINGS,
                                 .fd_count = (uint16_t)fd_count,
                                 .body_len = (uint32_t)settings_len,
                                 .blob_len = (uint32_t)blob_len};
        rc = send_head(p, head, settings, blob, fds);
    }
out:
    fd_close_all(pair, 2);
    fd_close_all(log, 2);
    if (rc)
        peer_stop(p);
    return rc;
}

/* ---- sending ---- */

int peer_send_raw(struct peer *p, const void *packet, size_t len, const int *fds, size_t fd_count)
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int) * 253)] = {0};
    struct iovec part = {.iov_len = len};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    memcpy(&part.iov_base, &packet, sizeof(packet)); /* sendmsg only reads through it */
    if (fd_count > 253)
        return -EINVAL;
    if (fd_count > 0) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * fd_count);
    }
    for (;;) {
        if (p->fd < 0)
            return -EPIPE;
        if (sendmsg(p->fd, &message, MSG_NOSIGNAL) >= 0)
            return 0;
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
        struct pollfd wait = {.fd = p->fd, .events = POLLOUT};
        if (poll(&wait, 1, SEND_WAIT_MS) == 0)
            return -ETIMEDOUT;
    }
}

int peer_send(struct peer *p, enum msg_type type, const void *body, const void *blob,
              size_t blob_len, const int *fds)
{
    const struct msg_shape *shape = msg_shape(type);
    if (!shape || shape->fd_count == CHAN_FDS_ANY || blob_len > CHAN_BLOB_MAX)
        return -EINVAL;
    struct chan_head head = {.type = (uint16_t)type,
                             .fd_count = (uint16_t)shape->fd_count,
                             .body_len = (uint32_t)shape->body_len,
                             .blob_len = (uint32_t)blob_len};
    return send_head(p, head, body, blob, fds);
}

/* ---- receiving ---- */

static void keep(struct peer *p, struct peer_message *m)
{
    struct peer_message **end = &p->kept;
    while (*end)
        end = &(*end)->next;
    *end = m;
}

static void take_descriptors(struct msghdr *message, struct peer_message *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        m->message.fd_count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(m->fds, CMSG_DATA(c), sizeof(int) * m->message.fd_count);
    }
}

/* Points the message into its packet. False when the packet is none or has another shape than
 * msg.h gives its type. */
static bool interpret(struct peer_message *m, size_t len)
{
    struct chan_head head;
    if (len < sizeof(head))
        return false;
    memcpy(&head, m->packet, sizeof(head));
    const struct msg_shape *shape = msg_shape((enum msg_type)head.type);
    if (!shape || head.body_len != shape->body_len || head.blob_len > shape->blob_max ||
        head.fd_count != m->message.fd_count || head.fd_count != shape->fd_count ||
        len != sizeof(head) + head.body_len + head.blob_len)
        return false;
    m->message.type = head.type;
    m->message.body = m->packet + sizeof(head);
    m->message.blob = m->packet + sizeof(head) + head.body_len;
    m->message.blob_len = head.blob_len;
    m->message.fds = m->fds;
    return true;
}

/* Takes one packet from the channel into the kept ones. */
static void receive(struct peer *p)
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int) * CHAN_FDS_MAX)];
    struct peer_message *m = calloc(1, sizeof(*m) + CHAN_MESSAGE_MAX);
    if (!m)
        return;
    struct iovec part = {.iov_base = m->packet, .iov_len = CHAN_MESSAGE_MAX};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    ssize_t got = recvmsg(p->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            fd_close(&p->fd);
        message_free(m);
        return;
    }
    take_descriptors(&message, m);
    if (interpret(m, (size_t)got)) {
        keep(p, m);
        return;
    }
    fprintf(stderr, "peer: a packet of %zd bytes is no message of msg.h\n", got);
    message_free(m);
}

static void receive_log(struct peer *p)
{
    char text[4096];
    ssize_t got = read(p->log_fd, text, sizeof(text));
    if (got <= 0) {
        if (got == 0 || errno != EINTR)
            fd_close(&p->log_fd);
        return;
    }
    if (getenv("PEER_LOG"))
        fwrite(text, 1, (size_t)got, stderr);
    size_t room = sizeof(p->log) - 1 - p->log_len;
    size_t len = (size_t)got < room ? (size_t)got : room;
    memcpy(p->log + p->log_len, text, len);
    p->log_len += len;
    p->log[p->log_len] = '\0';
}

/* Waits for whatever comes from the role, also its end, until due_us. False when the time is over
 * or nothing can come any more. */
static bool pump(struct peer *p, uint64_t due_us)
{
    struct pollfd wait[3] = {
        {.fd = p->fd, .events = POLLIN},
        {.fd = p->log_fd, .events = POLLIN},
        {.fd = p->reaped ? -1 : p->pid_fd, .events = POLLIN},
    };
    uint64_t now_us = clock_now_us();
    if (wait[0].fd < 0 && wait[1].fd < 0 && wait[2].fd < 0)
        return false;
    int left_ms = now_us < due_us ? (int)((due_us - now_us) / CLOCK_MS_US + 1) : 0;
    int count = poll(wait, 3, left_ms);
    if (count < 0)
        return errno == EINTR;
    if (wait[0].revents)
        receive(p);
    if (wait[1].revents)
        receive_log(p);
    if (wait[2].revents && waitpid(p->pid, &p->status, WNOHANG) == p->pid)
        p->reaped = true;
    return count > 0;
}

static uint64_t due_after(int timeout_ms)
{
    return clock_now_us() + (uint64_t)timeout_ms * CLOCK_MS_US;
}

const struct chan_message *peer_wait(struct peer *p, unsigned type, int timeout_ms)
{
    uint64_t due_us = due_after(timeout_ms);
    message_free(p->current);
    p->current = NULL;
    for (;;) {
        for (struct peer_message **at = &p->kept; *at; at = &(*at)->next) {
            struct peer_message *m = *at;
            if (type != PEER_ANY && m->message.type != type)
                continue;
            *at = m->next;
            p->current = m;
            return &m->message;
        }
        if (p->fd < 0 || !pump(p, due_us))
            return NULL;
    }
}

int peer_take_fd(struct peer *p, size_t index)
{
    if (!p->current || index >= p->current->message.fd_count)
        return -1;
    int fd = p->current->fds[index];
    p->current->fds[index] = -1;
    return fd;
}

bool peer_wait_log(struct peer *p, const char *text, int timeout_ms)
{
    uint64_t due_us = due_after(timeout_ms);
    while (!strstr(p->log, text)) {
        if (p->log_fd < 0 || !pump(p, due_us))
            return strstr(p->log, text) != NULL;
    }
    return true;
}

int peer_wait_exit(struct peer *p, int timeout_ms, int *out_status)
{
    uint64_t due_us = due_after(timeout_ms);
    while (!p->reaped) {
        if (!pump(p, due_us) && !p->reaped)
            return -ETIMEDOUT;
    }
    /* its last words */
    while ((p->fd >= 0 || p->log_fd >= 0) && pump(p, due_us))
        continue;
    *out_status = p->status;
    return 0;
}

void peer_stop(struct peer *p)
{
    if (p->pid > 0 && !p->reaped) {
        (void)kill(p->pid, SIGKILL);
        (void)waitpid(p->pid, &p->status, 0);
    }
    message_free(p->current);
    p->current = NULL;
    while (p->kept) {
        struct peer_message *m = p->kept;
        p->kept = m->next;
        message_free(m);
    }
    fd_close(&p->fd);
    fd_close(&p->log_fd);
    fd_close(&p->pid_fd);
    p->pid = 0;
    p->reaped = true;
}
