#include "tests/support/rawtcp.h"

#include "lib/base/fd.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define PACKETS_PER_TURN 64

static void on_tcp(void *ctx, uint32_t events);
static void on_pair(void *ctx, uint32_t events);

/* False while the connection does not take it all. */
static bool flush(struct rawtcp *t)
{
    while (t->out_sent < t->out_len) {
        ssize_t n = send(t->tcp.fd, t->out + t->out_sent, t->out_len - t->out_sent,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        t->out_sent += (size_t)n;
    }
    return true;
}

static void on_pair(void *ctx, uint32_t events)
{
    struct rawtcp *t = ctx;
    (void)events;
    for (int i = 0; i < PACKETS_PER_TURN && flush(t); i++) {
        ssize_t n = recv(t->pair.fd, t->out + 2, sizeof(t->out) - 2, MSG_DONTWAIT);
        if (n < 0)
            break;
        if (n == 0) { /* the other end is closed */
            rawtcp_close(t);
            return;
        }
        t->out[0] = (uint8_t)(n >> 8);
        t->out[1] = (uint8_t)n;
        t->out_len = 2 + (size_t)n;
        t->out_sent = 0;
    }
    bool stuck = !flush(t);
    (void)loop_change(t->loop, &t->tcp, stuck ? EPOLLIN | EPOLLOUT : EPOLLIN);
    (void)loop_change(t->loop, &t->pair, stuck ? 0 : EPOLLIN);
}

static void take_frames(struct rawtcp *t)
{
    size_t pos = 0;
    while (t->in_len - pos >= 2) {
        size_t len = (size_t)t->in[pos] << 8 | t->in[pos + 1];
        if (t->in_len - pos < 2 + len)
            break;
        if (len > 0)
            (void)send(t->pair.fd, t->in + pos + 2, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        pos += 2 + len;
    }
    memmove(t->in, t->in + pos, t->in_len - pos);
    t->in_len -= pos;
}

static void on_tcp(void *ctx, uint32_t events)
{
    struct rawtcp *t = ctx;
    if ((events & EPOLLOUT) != 0)
        on_pair(t, 0);
    if (t->tcp.fd < 0)
        return;
    ssize_t n = recv(t->tcp.fd, t->in + t->in_len, sizeof(t->in) - t->in_len, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        rawtcp_close(t);
        return;
    }
    t->in_len += (size_t)n;
    take_frames(t);
}

static int connect_to(const struct addr *to, const struct addr *source, int *out_fd)
{
    struct sockaddr_storage there, here;
    int on = 1, rc = 0;
    socklen_t len = addr_to_sockaddr(to, &there);
    int fd = socket(there.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (source->family != 0 &&
        bind(fd, (const struct sockaddr *)&here, addr_to_sockaddr(source, &here)) < 0)
        rc = -errno;
    if (rc == 0 && connect(fd, (const struct sockaddr *)&there, len) < 0)
        rc = -errno;
    if (rc != 0) {
        fd_close(&fd);
        return rc;
    }
    *out_fd = fd;
    return 0;
}

int rawtcp_open(struct rawtcp *t, struct loop *loop, const struct addr *to,
                const struct addr *source, int *out_fd)
{
    int pair[2] = {-1, -1}, tcp = -1;
    *t = (struct rawtcp){.loop = loop, .tcp = {.fd = -1}, .pair = {.fd = -1}};
    int rc = connect_to(to, source, &tcp);
    if (rc == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        rc = -errno;
    if (rc == 0)
        rc = loop_add(loop, &t->tcp, tcp, EPOLLIN, on_tcp, t);
    if (rc == 0)
        rc = loop_add(loop, &t->pair, pair[0], EPOLLIN, on_pair, t);
    if (rc != 0) {
        loop_remove(loop, &t->tcp);
        fd_close(&tcp);
        fd_close(&pair[0]);
        fd_close(&pair[1]);
        return rc;
    }
    *out_fd = pair[1];
    return 0;
}

void rawtcp_close(struct rawtcp *t)
{
    int tcp = t->tcp.fd, pair = t->pair.fd;
    if (t->loop == NULL)
        return;
    loop_remove(t->loop, &t->tcp);
    loop_remove(t->loop, &t->pair);
    fd_close(&tcp);
    fd_close(&pair);
}
