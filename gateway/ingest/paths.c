/* The sockets of one session: receiving in batches, sending, and rest between wake-ups. */
#include "gateway/ingest/paths.h"

#include "gateway/rtc/framing.h"
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BATCHES_MAX 8 /* per path and turn, then the loop serves others */

/* What a TCP path needs besides its socket. */
struct stream {
    struct framing_in in;
    struct framing_out out;
};

/* Invariant: fd is -1 for a free place; resting paths are not in the epoll set. stream exists from
 * the place's first TCP path on, also after it: callbacks may close the path they are called for.
 */
struct path {
    struct paths *owner;
    size_t index;
    int fd;
    enum transport transport;
    struct stream *stream;
    struct loop_watch watch;
    struct addr local;
    struct addr remote;
    bool resting;
};

struct paths {
    struct loop *loop;
    uint32_t coalesce_us;
    bool rest;
    paths_receive_fn receive;
    paths_batch_fn batch;
    paths_closed_fn closed;
    void *ctx;
    struct loop_timer timer;
    uint64_t window_us; /* since when the next two are counted */
    unsigned wakeups;   /* watching: turns in which a socket was readable; resting: reads */
    unsigned useful;    /* resting: reads that found something */
    uint64_t strays;
    struct path paths[STREAM_PATHS_MAX];
    struct mmsghdr headers[PATHS_BATCH];
    struct iovec vectors[PATHS_BATCH];
    struct sockaddr_storage sources[PATHS_BATCH];
    uint8_t datagrams[PATHS_BATCH][STREAM_DATAGRAM_MAX];
};

int paths_new(struct loop *loop, uint32_t coalesce_us, paths_receive_fn receive,
              paths_batch_fn batch, paths_closed_fn closed, void *ctx, struct paths **out)
{
    struct paths *p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    p->loop = loop;
    p->coalesce_us = coalesce_us;
    p->receive = receive;
    p->batch = batch;
    p->closed = closed;
    p->ctx = ctx;
    for (size_t i = 0; i < STREAM_PATHS_MAX; i++)
        p->paths[i] = (struct path){.owner = p, .index = i, .fd = -1, .watch = {.fd = -1}};
    for (size_t i = 0; i < PATHS_BATCH; i++)
        p->vectors[i] =
            (struct iovec){.iov_base = p->datagrams[i], .iov_len = sizeof(p->datagrams[i])};
    *out = p;
    return 0;
}

void paths_free(struct paths *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < STREAM_PATHS_MAX; i++) {
        struct path *path = &p->paths[i];
        fd_close(&path->fd);
        if (path->stream)
            secret_wipe(path->stream, sizeof(*path->stream));
        free(path->stream);
    }
    secret_wipe(p->datagrams, sizeof(p->datagrams));
    free(p);
}

void paths_close(struct paths *p, size_t path)
{
    struct path *at = &p->paths[path];
    loop_remove(p->loop, &at->watch);
    fd_close(&at->fd);
    at->resting = false;
}

/* ---- the rest of a frame ---- */

/* An error shows when the connection is read. */
static void flush(struct path *path)
{
    const uint8_t *rest;
    size_t len = framing_rest(&path->stream->out, &rest);
    if (path->fd < 0 || len == 0)
        return;
    ssize_t sent = send(path->fd, rest, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0)
        framing_sent(&path->stream->out, (size_t)sent);
}

/* ---- receiving ---- */

static void prepare_batch(struct paths *p)
{
    for (size_t i = 0; i < PATHS_BATCH; i++)
        p->headers[i].msg_hdr = (struct msghdr){.msg_iov = &p->vectors[i],
                                                .msg_iovlen = 1,
                                                .msg_name = &p->sources[i],
                                                .msg_namelen = sizeof(p->sources[i])};
}

static bool is_from(const struct path *path, const struct mmsghdr *header)
{
    struct addr source;
    const struct msghdr *m = &header->msg_hdr;
    if (m->msg_flags & MSG_TRUNC) /* longer than any datagram we take (U18) */
        return false;
    return addr_from_sockaddr(m->msg_name, m->msg_namelen, &source) == 0 &&
           addr_equal(&source, &path->remote);
}

static int receive_batch(struct paths *p, struct path *path, uint64_t now_us)
{
    prepare_batch(p);
    int count = recvmmsg(path->fd, p->headers, PATHS_BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++) {
        if (path->fd < 0) /* closed by a datagram before */
            break;
        if (is_from(path, &p->headers[i]))
            p->receive(p->ctx, path->index, p->datagrams[i], p->headers[i].msg_len, now_us);
        else
            p->strays++;
    }
    return count;
}

/* The same for a connection. Reading less than half of the room means, most likely, that this was
 * all; if not, the loop tells again. */
static bool receive_stream(struct paths *p, struct path *path, uint64_t now_us)
{
    struct framing_in *in = &path->stream->in;
    bool any = false;
    ssize_t count = FRAMING_IN_MAX;
    for (int i = 0; i < BATCHES_MAX && path->fd >= 0 && count >= FRAMING_IN_MAX / 2; i++) {
        uint8_t *data;
        size_t len;
        uint8_t *room = framing_room(in, &len);
        count = recv(path->fd, room, len, MSG_DONTWAIT);
        if (count < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        any = true;
        if (count <= 0) {
            p->closed(p->ctx, path->index);
            break;
        }
        framing_filled(in, (size_t)count);
        while (path->fd >= 0 && framing_next(in, &data, &len))
            p->receive(p->ctx, path->index, data, len, now_us);
        p->strays += in->oversized;
        in->oversized = 0;
    }
    flush(path);
    return any;
}

/* Reads all that is there, within bounds; true when there was something. An ICMP error
 * (ECONNREFUSED) is consumed by the call that reports it and means nothing. */
static bool receive_all(struct paths *p, struct path *path, uint64_t now_us)
{
    bool any = false;
    if (path->transport == TRANSPORT_TCP)
        return receive_stream(p, path, now_us);
    for (int i = 0; i < BATCHES_MAX && path->fd >= 0; i++) {
        int count = receive_batch(p, path, now_us);
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        any = any || count > 0;
        if (count >= 0 && count < (int)PATHS_BATCH)
            break;
    }
    return any;
}

static void on_readable(void *ctx, uint32_t events);
static void on_rest_over(void *ctx);

static void start_window(struct paths *p, uint64_t now_us)
{
    p->window_us = now_us;
    p->wakeups = 0;
    p->useful = 0;
}

/* While watching: whether reading every coalesce_us would take fewer wake-ups. */
static bool should_rest(struct paths *p, uint64_t now_us)
{
    uint64_t passed_us = now_us - p->window_us;
    if (passed_us < PATHS_WINDOW_US)
        return false;
    bool busy = (uint64_t)p->wakeups * p->coalesce_us > passed_us;
    start_window(p, now_us);
    return busy && p->rest;
}

/* While resting: whether watching would take fewer. */
static bool should_watch(struct paths *p, uint64_t now_us)
{
    if (now_us - p->window_us < PATHS_WINDOW_US)
        return false;
    bool idle = p->useful * 10 < p->wakeups * PATHS_USEFUL_TENTHS;
    start_window(p, now_us);
    return idle || !p->rest;
}

static void go_resting(struct paths *p, uint64_t now_us)
{
    for (size_t i = 0; i < STREAM_PATHS_MAX; i++) {
        struct path *path = &p->paths[i];
        if (path->fd < 0)
            continue;
        path->resting = true;
        loop_remove(p->loop, &path->watch);
    }
    (void)loop_timer_set(p->loop, &p->timer, now_us + p->coalesce_us, on_rest_over, p);
}

static void go_watching(struct paths *p)
{
    for (size_t i = 0; i < STREAM_PATHS_MAX; i++) {
        struct path *path = &p->paths[i];
        if (!path->resting)
            continue;
        path->resting = false;
        (void)loop_add(p->loop, &path->watch, path->fd, EPOLLIN, on_readable, path);
    }
}

static void on_rest_over(void *ctx)
{
    struct paths *p = ctx;
    uint64_t now_us = clock_now_us();
    bool any = false;
    for (size_t i = 0; i < STREAM_PATHS_MAX; i++) {
        struct path *path = &p->paths[i];
        if (path->resting)
            any = receive_all(p, path, now_us) || any;
    }
    p->wakeups++;
    p->useful += any ? 1 : 0;
    if (should_watch(p, now_us))
        go_watching(p);
    else
        (void)loop_timer_set(p->loop, &p->timer, now_us + p->coalesce_us, on_rest_over, p);
    p->batch(p->ctx, now_us);
}

static void on_readable(void *ctx, uint32_t events)
{
    struct path *path = ctx;
    struct paths *p = path->owner;
    uint64_t now_us = clock_now_us();
    (void)events;
    (void)receive_all(p, path, now_us);
    p->wakeups++;
    if (should_rest(p, now_us))
        go_resting(p, now_us);
    p->batch(p->ctx, now_us);
}

void paths_read(struct paths *p, uint64_t now_us)
{
    for (size_t i = 0; i < STREAM_PATHS_MAX; i++)
        if (p->paths[i].fd >= 0)
            (void)receive_all(p, &p->paths[i], now_us);
}

void paths_rest(struct paths *p, bool on)
{
    p->rest = on && p->coalesce_us > 0;
}

/* ---- places ---- */

int paths_find(const struct paths *p, enum transport transport, const struct addr *local,
               const struct addr *remote, size_t *out_path)
{
    for (size_t i = 0; i < STREAM_PATHS_MAX; i++) {
        const struct path *path = &p->paths[i];
        if (path->fd < 0 || path->transport != transport || !addr_equal(&path->remote, remote) ||
            !addr_equal(&path->local, local))
            continue;
        *out_path = i;
        return 0;
    }
    return -ENOENT;
}

static int make_stream(struct path *path)
{
    if (!path->stream)
        path->stream = calloc(1, sizeof(*path->stream));
    if (!path->stream)
        return -ENOMEM;
    framing_in_reset(&path->stream->in);
    framing_out_reset(&path->stream->out);
    return 0;
}

int paths_add(struct paths *p, int fd, enum transport transport, const struct addr *local,
              const struct addr *remote, size_t *out_path)
{
    size_t at = 0;
    if (paths_find(p, transport, local, remote, &at) < 0)
        while (at < STREAM_PATHS_MAX && p->paths[at].fd >= 0)
            at++;
    if (at == STREAM_PATHS_MAX)
        return -ENOSPC;
    paths_close(p, at);
    struct path *path = &p->paths[at];
    int rc = transport == TRANSPORT_TCP ? make_stream(path) : 0;
    if (rc == 0)
        rc = loop_add(p->loop, &path->watch, fd, EPOLLIN, on_readable, path);
    if (rc < 0)
        return rc;
    path->fd = fd;
    path->transport = transport;
    path->local = *local;
    path->remote = *remote;
    *out_path = at;
    return 0;
}

enum transport paths_transport(const struct paths *p, size_t path)
{
    return p->paths[path].transport;
}

const struct addr *paths_local(const struct paths *p, size_t path)
{
    return &p->paths[path].local;
}

const struct addr *paths_remote(const struct paths *p, size_t path)
{
    return &p->paths[path].remote;
}

void paths_send(struct paths *p, size_t path, const uint8_t *data, size_t len)
{
    if (path >= STREAM_PATHS_MAX || p->paths[path].fd < 0)
        return;
    if (p->paths[path].transport == TRANSPORT_TCP) {
        flush(&p->paths[path]);
        if (framing_put(&p->paths[path].stream->out, data, len) == 0)
            flush(&p->paths[path]);
        return;
    }
    /* the socket is connected; the sandbox allows no address here (findings/ingest.md 1) */
    ssize_t sent = send(p->paths[path].fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent;
}

uint64_t paths_strays(const struct paths *p)
{
    return p->strays;
}
