/* A control channel: typed messages, with descriptors, over a SOCK_SEQPACKET pair. */
#include "lib/base/chan.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define MESSAGES_PER_TURN 16 /* then the loop serves others */
#define SEND_BUFFER (256 << 10)

_Static_assert(sizeof(struct chan_head) % 16 == 0, "the body is as aligned as the packet");

/* A message that the socket did not take yet; owns its duplicates of the descriptors. */
struct queued {
    struct queued *next;
    size_t len;
    size_t fd_count;
    int fds[CHAN_FDS_MAX];
    uint8_t packet[];
};

struct chan {
    struct loop *loop;
    struct loop_watch watch;
    int fd;
    const struct chan_rule *rules;
    size_t rule_count;
    const struct chan_rule *added; /* chan_add_rules */
    size_t added_count;
    void *added_ctx;
    chan_closed_fn closed;
    void *ctx;
    unsigned phase;
    unsigned busy; /* handlers and callbacks running below us */
    bool freed;    /* chan_free was called while busy */
    struct queued *first;
    struct queued *last;
    size_t queue_count;
    size_t queue_bytes;
};

/* A received packet with its descriptors. */
struct packet {
    _Alignas(16) uint8_t bytes[CHAN_MESSAGE_MAX];
    size_t len;
    int fds[CHAN_FDS_MAX];
    size_t fd_count;
};

/* ---- queue ---- */

static void queued_free(struct queued *q)
{
    fd_close_all(q->fds, q->fd_count);
    secret_wipe(q->packet, q->len);
    free(q);
}

static void queue_pop(struct chan *chan)
{
    struct queued *q = chan->first;
    chan->first = q->next;
    if (!chan->first)
        chan->last = NULL;
    chan->queue_count--;
    chan->queue_bytes -= q->len;
    queued_free(q);
}

static int queue_push(struct chan *chan, const uint8_t *packet, size_t len, const int *fds,
                      size_t fd_count)
{
    if (chan->queue_count >= CHAN_QUEUE_MESSAGES || len > CHAN_QUEUE_BYTES - chan->queue_bytes)
        return -ENOSPC;
    struct queued *q = malloc(sizeof(*q) + len);
    if (!q)
        return -ENOMEM;
    q->next = NULL;
    q->len = len;
    memcpy(q->packet, packet, len);
    for (q->fd_count = 0; q->fd_count < fd_count; q->fd_count++) {
        int fd = fcntl(fds[q->fd_count], F_DUPFD_CLOEXEC, 3);
        if (fd < 0) {
            int rc = -errno;
            queued_free(q);
            return rc;
        }
        q->fds[q->fd_count] = fd;
    }
    if (chan->last)
        chan->last->next = q;
    else
        chan->first = q;
    chan->last = q;
    chan->queue_count++;
    chan->queue_bytes += len;
    return 0;
}

/* ---- life ---- */

/* Out of the loop and closed; nothing is sent or received any more. */
static void shut(struct chan *chan)
{
    if (chan->loop)
        loop_remove(chan->loop, &chan->watch);
    fd_close(&chan->fd);
    while (chan->first)
        queue_pop(chan);
}

static void end(struct chan *chan, int reason)
{
    if (chan->fd < 0)
        return;
    shut(chan);
    chan->closed(chan->ctx, reason);
}

static void enter(struct chan *chan)
{
    chan->busy++;
}

static void leave(struct chan *chan)
{
    if (--chan->busy == 0 && chan->freed)
        free(chan);
}

void chan_free(struct chan *chan)
{
    if (!chan)
        return;
    shut(chan);
    chan->freed = true;
    if (chan->busy == 0)
        free(chan);
}

/* ---- sending ---- */

static int send_with_fds(int fd, const uint8_t *packet, size_t len, const int *fds, size_t fd_count)
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int) * CHAN_FDS_MAX)] = {0};
    struct iovec part;
    part.iov_len = len;
    memcpy(&part.iov_base, &packet, sizeof(packet)); /* sendmsg only reads through it */
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = CMSG_SPACE(sizeof(int) * fd_count),
    };
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);
    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
    memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * fd_count);
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* 0, -EAGAIN, or another negative errno. A sequenced packet goes whole or not at all. */
static int send_packet(int fd, const uint8_t *packet, size_t len, const int *fds, size_t fd_count)
{
    int rc;
    do {
        if (fd_count > 0)
            rc = send_with_fds(fd, packet, len, fds, fd_count);
        else
            rc = send(fd, packet, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
    } while (rc == -EINTR);
    /* Too many descriptors in flight passes as soon as some receiver takes its own. */
    return rc == -ENOBUFS || rc == -ETOOMANYREFS ? -EAGAIN : rc;
}

/* Sends what the socket takes. 0 also when something is left, or a negative errno. */
static int flush_queue(struct chan *chan)
{
    while (chan->first) {
        struct queued *q = chan->first;
        int rc = send_packet(chan->fd, q->packet, q->len, q->fds, q->fd_count);
        if (rc == -EAGAIN)
            return 0;
        if (rc)
            return rc;
        queue_pop(chan);
    }
    return loop_change(chan->loop, &chan->watch, EPOLLIN);
}

int chan_send(struct chan *chan, uint16_t type, const void *body, size_t body_len, const void *blob,
              size_t blob_len, const int *fds, size_t fd_count)
{
    _Alignas(16) uint8_t packet[CHAN_MESSAGE_MAX];
    struct chan_head head = {.type = type,
                             .fd_count = (uint16_t)fd_count,
                             .body_len = (uint32_t)body_len,
                             .blob_len = (uint32_t)blob_len};
    if (body_len > CHAN_BODY_MAX || blob_len > CHAN_BLOB_MAX || fd_count > CHAN_FDS_MAX)
        return -EMSGSIZE;
    if (chan->fd < 0)
        return -EPIPE;
    size_t len = sizeof(head) + body_len + blob_len;
    memcpy(packet, &head, sizeof(head));
    if (body_len > 0)
        memcpy(packet + sizeof(head), body, body_len);
    if (blob_len > 0)
        memcpy(packet + sizeof(head) + body_len, blob, blob_len);
    int rc = chan->first ? -EAGAIN : send_packet(chan->fd, packet, len, fds, fd_count);
    if (rc == -EAGAIN) {
        bool was_empty = !chan->first;
        rc = queue_push(chan, packet, len, fds, fd_count);
        if (rc == 0 && was_empty)
            rc = loop_change(chan->loop, &chan->watch, EPOLLIN | EPOLLOUT);
    }
    secret_wipe(packet, len);
    return rc == -ECONNRESET ? -EPIPE : rc;
}

/* Waits for events on fd until due_us. 0, -ETIMEDOUT, or a negative errno. */
static int wait_for(int fd, short events, uint64_t due_us)
{
    for (;;) {
        uint64_t now_us = clock_now_us();
        int left_ms = now_us < due_us ? (int)((due_us - now_us) / CLOCK_MS_US + 1) : 0;
        struct pollfd p = {.fd = fd, .events = events};
        int count = poll(&p, 1, left_ms);
        if (count > 0)
            return 0;
        if (count == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

void chan_flush(struct chan *chan, int timeout_ms)
{
    uint64_t due_us = clock_now_us() + (uint64_t)timeout_ms * CLOCK_MS_US;
    while (chan->fd >= 0 && chan->first) {
        if (flush_queue(chan))
            return;
        if (chan->first && wait_for(chan->fd, POLLOUT, due_us))
            return;
    }
}

/* ---- receiving ---- */

static bool rule_allows(const struct chan_rule *rule, unsigned phase, const struct chan_head *head)
{
    if (rule->type != head->type || phase > 31 || !(rule->phases >> phase & 1))
        return false;
    if (rule->body_len != head->body_len || head->blob_len > rule->blob_max)
        return false;
    return rule->fd_count == CHAN_FDS_ANY || rule->fd_count == head->fd_count;
}

int chan_match(const struct chan_rule *rules, size_t rule_count, unsigned phase, const void *packet,
               size_t len, size_t fd_count, const struct chan_rule **out_rule,
               struct chan_message *out_message)
{
    struct chan_head head;
    if (len < sizeof(head))
        return -EBADMSG;
    memcpy(&head, packet, sizeof(head));
    if (head.reserved != 0 || head.fd_count != fd_count || fd_count > CHAN_FDS_MAX)
        return -EBADMSG;
    if (head.body_len > CHAN_BODY_MAX || head.blob_len > CHAN_BLOB_MAX)
        return -EBADMSG;
    if (len != sizeof(head) + head.body_len + head.blob_len)
        return -EBADMSG;
    for (size_t i = 0; i < rule_count; i++) {
        if (!rule_allows(&rules[i], phase, &head))
            continue;
        const uint8_t *body = (const uint8_t *)packet + sizeof(head);
        *out_rule = &rules[i];
        *out_message = (struct chan_message){.type = head.type,
                                             .body = body,
                                             .blob = body + head.body_len,
                                             .blob_len = head.blob_len};
        return 0;
    }
    return -EPROTO;
}

static void take_fds(struct msghdr *message, struct packet *p)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count && p->fd_count < CHAN_FDS_MAX; i++)
            memcpy(&p->fds[p->fd_count++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
    }
}

/* One packet: 0, -EAGAIN, -EPIPE when the peer is gone, -EBADMSG when it was cut, or another
 * negative errno. p->fds belong to the caller also on failure. */
static int receive_packet(int fd, struct packet *p)
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int) * CHAN_FDS_MAX)];
    // cppcheck-suppress ctuuninitvar ; it is filled here
    struct iovec part = {.iov_base = p->bytes, .iov_len = sizeof(p->bytes)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    ssize_t got;
    p->len = 0;
    p->fd_count = 0;
    do
        got = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == ECONNRESET ? -EPIPE : -errno;
    take_fds(&message, p);
    if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
        return -EBADMSG;
    if (got == 0)
        return -EPIPE;
    p->len = (size_t)got;
    return 0;
}

/* Receives one message and gives it to its handler. The same results as receive_packet, the rules'
 * or the handler's. */
static int receive_message(struct chan *chan)
{
    struct packet p; /* not initialised: 66 KiB */
    const struct chan_rule *rule;
    struct chan_message message;
    void *ctx = chan->added_ctx;
    int rc = receive_packet(chan->fd, &p);
    if (rc == 0) {
        rc = chan_match(chan->added, chan->added_count, chan->phase, p.bytes, p.len, p.fd_count,
                        &rule, &message);
        if (rc == -EPROTO) {
            ctx = chan->ctx;
            rc = chan_match(chan->rules, chan->rule_count, chan->phase, p.bytes, p.len, p.fd_count,
                            &rule, &message);
        }
    }
    if (rc == 0) {
        message.fds = p.fds;
        message.fd_count = p.fd_count;
        rc = rule->handle(ctx, &message);
        if (rc == -EAGAIN || rc == -EPIPE)
            rc = -EPROTO; /* those two tell the state of the socket here */
    }
    fd_close_all(p.fds, p.fd_count);
    secret_wipe(p.bytes, p.len);
    return rc;
}

static void on_events(void *ctx, uint32_t events)
{
    struct chan *chan = ctx;
    int rc = 0;
    enter(chan);
    if (events & EPOLLOUT)
        rc = flush_queue(chan);
    /* A peer that is gone may have left messages: read to the end before ending. */
    if (rc == -EPIPE || rc == -ECONNRESET)
        rc = 0;
    for (int i = 0; rc == 0 && chan->fd >= 0 && i < MESSAGES_PER_TURN; i++) {
        rc = receive_message(chan);
        if (rc == -EAGAIN)
            break;
    }
    if (rc == -EPIPE)
        end(chan, 0);
    else if (rc && rc != -EAGAIN)
        end(chan, rc);
    leave(chan);
}

int chan_receive_one(struct chan *chan, int timeout_ms)
{
    uint64_t due_us = clock_now_us() + (uint64_t)timeout_ms * CLOCK_MS_US;
    int rc = -EPIPE;
    enter(chan);
    while (chan->fd >= 0) {
        rc = wait_for(chan->fd, POLLIN, due_us);
        if (rc == 0)
            rc = receive_message(chan);
        if (rc != -EAGAIN)
            break;
    }
    leave(chan);
    return rc;
}

int chan_new(struct loop *loop, int fd, const struct chan_rule *rules, size_t rule_count,
             chan_closed_fn closed, void *ctx, struct chan **out)
{
    struct chan *chan = NULL;
    int rc = fd_nonblock(fd);
    if (rc)
        goto out;
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        rc = -errno;
        goto out;
    }
    rc = -ENOMEM;
    chan = calloc(1, sizeof(*chan));
    if (!chan)
        goto out;
    chan->fd = -1;
    chan->watch.fd = -1;
    chan->loop = loop;
    chan->rules = rules;
    chan->rule_count = rule_count;
    chan->closed = closed;
    chan->ctx = ctx;
    rc = loop_add(loop, &chan->watch, fd, EPOLLIN, on_events, chan);
    if (rc)
        goto out;
    chan->fd = fd;
    fd = -1;
    *out = chan;
    chan = NULL;
out:
    chan_free(chan);
    fd_close(&fd);
    return rc;
}

void chan_add_rules(struct chan *chan, const struct chan_rule *rules, size_t rule_count, void *ctx)
{
    chan->added = rules;
    chan->added_count = rule_count;
    chan->added_ctx = ctx;
}

void chan_set_phase(struct chan *chan, unsigned phase)
{
    chan->phase = phase;
}

unsigned chan_phase(const struct chan *chan)
{
    return chan->phase;
}

int chan_pair(int out_fds[2])
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
        return -errno;
    /* Room for several of the longest messages; what the kernel refuses, the queue holds. */
    const int size = SEND_BUFFER;
    for (int i = 0; i < 2; i++)
        (void)setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    out_fds[0] = fds[0];
    out_fds[1] = fds[1];
    return 0;
}
