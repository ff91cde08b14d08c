#include "gateway/edge/outside.h"

#include "gateway/edge/port.h"
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/secret.h"

#include <errno.h>
#include <sys/socket.h>

static void finish(struct outside_question *question, const struct addr *seen)
{
    struct outside *outside = question->outside;
    int fd = question->watch.fd;
    loop_timer_cancel(outside->loop, &question->timer);
    loop_remove(outside->loop, &question->watch);
    fd_close(&fd);
    outside->fn(outside->ctx, &question->local, seen);
}

static void on_timer(void *ctx)
{
    static const struct addr nobody = {0};
    struct outside_question *question = ctx;
    uint8_t request[STUNASK_REQUEST_LEN];
    if (question->tries == OUTSIDE_TRIES) {
        finish(question, &nobody);
        return;
    }
    stunask_request(question->id, request);
    /* what is lost, or answered by an ICMP error, is tried again */
    (void)send(question->watch.fd, request, sizeof(request), MSG_DONTWAIT | MSG_NOSIGNAL);
    uint64_t wait_us = (uint64_t)OUTSIDE_FIRST_US << question->tries;
    question->tries++;
    (void)loop_timer_set(question->outside->loop, &question->timer, clock_now_us() + wait_us,
                         on_timer, question);
}

/* The socket may hold strangers' datagrams from before it was connected. */
static void on_readable(void *ctx, uint32_t events)
{
    struct outside_question *question = ctx;
    uint8_t data[OUTSIDE_DATAGRAM_MAX];
    struct sockaddr_storage sa;
    socklen_t sa_len = sizeof(sa);
    struct addr from = {0}, seen;
    (void)events;
    ssize_t len = recvfrom(question->watch.fd, data, sizeof(data), MSG_DONTWAIT | MSG_TRUNC,
                           (struct sockaddr *)&sa, &sa_len);
    if (len < 0 || (size_t)len > sizeof(data) ||
        addr_from_sockaddr((const struct sockaddr *)&sa, sa_len, &from) != 0 ||
        !addr_equal(&from, &question->outside->server))
        return;
    if (stunask_parse(data, (size_t)len, question->id, &seen) == 0)
        finish(question, &seen);
}

void outside_init(struct outside *outside, struct loop *loop, const struct addr *server,
                  outside_fn fn, void *ctx)
{
    *outside = (struct outside){.loop = loop, .server = *server, .fn = fn, .ctx = ctx};
    for (size_t i = 0; i < STREAM_ADDRESSES_MAX; i++)
        outside->questions[i].watch.fd = -1;
}

void outside_done(struct outside *outside)
{
    for (size_t i = 0; i < outside->count; i++) {
        int fd = outside->questions[i].watch.fd;
        loop_remove(outside->loop, &outside->questions[i].watch);
        fd_close(&fd);
    }
    outside->count = 0;
}

int outside_ask(struct outside *outside, const struct addr *local)
{
    int fd = -1;
    if (local->family != outside->server.family ||
        addr_is_loopback(local) != addr_is_loopback(&outside->server))
        return 0;
    if (outside->count == STREAM_ADDRESSES_MAX)
        return -ENOSPC;
    int rc = port_bind(local, OUTSIDE_RECEIVE_BUFFER, &fd);
    if (rc == 0)
        rc = port_connect(fd, &outside->server);
    struct outside_question *question = &outside->questions[outside->count];
    if (rc == 0) {
        *question =
            (struct outside_question){.outside = outside, .local = *local, .watch = {.fd = -1}};
        secret_random(question->id, sizeof(question->id));
        rc = loop_add(outside->loop, &question->watch, fd, EPOLLIN, on_readable, question);
    }
    if (rc != 0) {
        fd_close(&fd);
        return rc;
    }
    outside->count++;
    on_timer(question);
    return 0;
}
