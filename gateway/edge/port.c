#include "gateway/edge/port.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define ERRORS_SKIPPED                                                                             \
    4 /* a pending ICMP error is reported once, before what is queued behind it */

/* ---- sockets ---- */

static int set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int bind_beside(int fd, const struct addr *local, uint32_t receive_buffer_bytes)
{
    struct sockaddr_storage here;
    socklen_t len = addr_to_sockaddr(local, &here);
    int rc = set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (rc == 0 && local->family == 6)
        rc = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (rc == 0)
        rc = set_option(fd, SOL_SOCKET, SO_RCVBUF, (int)receive_buffer_bytes);
    if (rc == 0 && bind(fd, (const struct sockaddr *)&here, len) < 0)
        rc = -errno;
    return rc;
}

int port_bind(const struct addr *local, uint32_t receive_buffer_bytes, int *out_fd)
{
    int family = local->family == 6 ? AF_INET6 : AF_INET;
    if (local->family == 0)
        return -EAFNOSUPPORT;
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int rc = bind_beside(fd, local, receive_buffer_bytes);
    if (rc != 0) {
        fd_close(&fd);
        return rc;
    }
    *out_fd = fd;
    return 0;
}

int port_connect(int fd, const struct addr *remote)
{
    struct sockaddr_storage there;
    socklen_t len = addr_to_sockaddr(remote, &there);
    return connect(fd, (const struct sockaddr *)&there, len) < 0 ? -errno : 0;
}

/* ---- receiving ---- */

/* Reads what is there, at most a batch. The count, 0 when there is nothing. */
static size_t batch_receive(struct port_batch *batch, int fd)
{
    for (size_t i = 0; i < PORT_BATCH; i++) {
        batch->parts[i] = (struct iovec){batch->bytes[i], PORT_BUFFER};
        batch->headers[i].msg_hdr = (struct msghdr){
            .msg_name = &batch->from[i],
            .msg_namelen = sizeof(batch->from[i]),
            .msg_iov = &batch->parts[i],
            .msg_iovlen = 1,
        };
    }
    int count = -1;
    for (int i = 0; i < ERRORS_SKIPPED && count < 0; i++) {
        count = recvmmsg(fd, batch->headers, PORT_BATCH, MSG_DONTWAIT, NULL);
        if (count < 0 && errno == EAGAIN)
            break;
    }
    return count > 0 ? (size_t)count : 0;
}

/* Sender and length of datagram i of a batch. */
static struct addr batch_from(const struct port_batch *batch, size_t i, size_t *out_len)
{
    struct addr remote = {0};
    const struct msghdr *header = &batch->headers[i].msg_hdr;
    (void)addr_from_sockaddr((const struct sockaddr *)&batch->from[i], header->msg_namelen,
                             &remote);
    *out_len = batch->headers[i].msg_len;
    return remote;
}

/* Copies a datagram into a bounded list. */
static void keep(struct port *port, struct port_datagram *list, size_t *count, size_t max,
                 size_t listener, const struct addr *remote, const uint8_t *data, size_t len)
{
    if (*count == max || len > STREAM_DATAGRAM_MAX) {
        port->counters.lost++;
        return;
    }
    struct port_datagram *d = &list[(*count)++];
    d->listener = listener;
    d->remote = *remote;
    d->len = len;
    memcpy(d->bytes, data, len);
}

/* ---- opening a flow ---- */

/* Media of an unknown port of a known host: any of these sessions may know it (stray.h). */
static void show_stray(struct port *port, const struct addr *local, const struct addr *remote,
                       const uint8_t *data, size_t len)
{
    uint64_t sessions[STRAY_SESSIONS_MAX], now_us = clock_now_us();
    size_t count = door_judge_stray(port->door, local, remote, now_us, sessions);
    held_keep(&port->held, local, remote, data, len, now_us);
    for (size_t i = 0; i < count; i++)
        port->sink.stray(port->sink.ctx, sessions[i], local, remote, data, len);
}

/* A datagram of another flow that the new socket had caught. An opening must wait for its turn, so
 * that one opening never runs inside another. */
static void on_stray(struct port *port, size_t listener, const struct addr *remote,
                     const uint8_t *data, size_t len)
{
    uint64_t session = 0;
    const struct addr *local = &port->listeners[listener].local;
    port->counters.strays++;
    switch (door_judge(port->door, local, remote, data, len, clock_now_us(), &session)) {
    case DOOR_OPEN:
        keep(port, port->waiting, &port->waiting_count, PORT_WAITING_MAX, listener, remote, data,
             len);
        break;
    case DOOR_PASS:
        port->sink.bytes(port->sink.ctx, session, local, remote, data, len);
        break;
    case DOOR_STRAY:
        show_stray(port, local, remote, data, len);
        break;
    case DOOR_DROP:
        break;
    }
}

/* Reads the new socket empty. Its own datagrams are kept, the others treated at once. */
static void drain(struct port *port, size_t listener, const struct addr *remote, int fd)
{
    port->own_count = 0;
    for (size_t chunk = 0; chunk < PORT_DRAIN_CHUNK; chunk++) {
        size_t count = batch_receive(&port->drain, fd);
        for (size_t i = 0; i < count; i++) {
            size_t len = 0;
            struct addr from = batch_from(&port->drain, i, &len);
            if (addr_equal(&from, remote))
                keep(port, port->own, &port->own_count, PORT_OWN_MAX, listener, remote,
                     port->drain.bytes[i], len);
            else
                on_stray(port, listener, &from, port->drain.bytes[i], len);
        }
        if (count < PORT_BATCH)
            return;
    }
}

/* A datagram of a flow that was just opened. */
static void pass(struct port *port, const struct addr *local, const struct addr *remote,
                 const uint8_t *data, size_t len)
{
    uint64_t session = 0;
    if (door_judge(port->door, local, remote, data, len, clock_now_us(), &session) == DOOR_PASS)
        port->sink.bytes(port->sink.ctx, session, local, remote, data, len);
}

/* The datagrams that the flow sent before and meanwhile follow its first one. */
static void pass_own(struct port *port, const struct addr *local, const struct addr *remote)
{
    size_t len = 0;
    const struct held_packet *held = held_take(&port->held, local, remote, clock_now_us(), &len);
    for (; held != NULL; held = held_take(&port->held, local, remote, clock_now_us(), &len))
        pass(port, local, remote, held->bytes, len);
    for (size_t i = 0; i < port->own_count; i++)
        pass(port, local, remote, port->own[i].bytes, port->own[i].len);
}

void port_admit(struct port *port, uint64_t session, size_t listener, const struct addr *remote,
                const uint8_t *data, size_t len, int fd)
{
    drain(port, listener, remote, fd);
    port->sink.opened(port->sink.ctx, session, &port->listeners[listener].local, remote, data, len,
                      fd);
    pass_own(port, &port->listeners[listener].local, remote);
}

/* The door knows the flow already. len is 0 without a first datagram. */
static void open_flow(struct port *port, uint64_t session, size_t listener,
                      const struct addr *remote, const uint8_t *data, size_t len)
{
    const struct addr *local = &port->listeners[listener].local;
    int fd = -1;
    int rc = port_bind(local, port->receive_buffer_bytes, &fd);
    if (rc == 0)
        rc = port_connect(fd, remote);
    if (rc == 0) {
        port_admit(port, session, listener, remote, data, len, fd);
    } else {
        port->counters.failed++;
        door_remove_path(port->door, session, local, remote);
    }
    fd_close(&fd);
}

static void on_datagram(struct port *port, size_t listener, const struct addr *remote,
                        const uint8_t *data, size_t len)
{
    uint64_t session = 0;
    const struct addr *local = &port->listeners[listener].local;
    switch (door_judge(port->door, local, remote, data, len, clock_now_us(), &session)) {
    case DOOR_OPEN:
        if (door_add_path(port->door, session, local, remote) == 0)
            open_flow(port, session, listener, remote, data, len);
        break;
    case DOOR_PASS:
        port->sink.bytes(port->sink.ctx, session, local, remote, data, len);
        break;
    case DOOR_STRAY:
        show_stray(port, local, remote, data, len);
        break;
    case DOOR_DROP:
        break;
    }
}

/* Each opening may catch more first checks; flows are bounded by the door, so this ends. */
static void serve_waiting(struct port *port)
{
    while (port->waiting_count > 0) {
        const struct port_datagram d = port->waiting[--port->waiting_count];
        on_datagram(port, d.listener, &d.remote, d.bytes, d.len);
    }
}

int port_want(struct port *port, uint64_t session, const struct addr *local,
              const struct addr *remote)
{
    size_t at = 0;
    while (at < port->listener_count && !addr_equal(&port->listeners[at].local, local))
        at++;
    if (at == port->listener_count)
        return -ENOENT;
    int rc = door_want_path(port->door, session, local, remote, clock_now_us());
    if (rc != 0)
        return rc;
    open_flow(port, session, at, remote, NULL, 0);
    serve_waiting(port);
    return 0;
}

static void on_readable(void *ctx, uint32_t events)
{
    struct port_listener *listener = ctx;
    struct port *port = listener->port;
    size_t index = (size_t)(listener - port->listeners);
    (void)events;
    for (size_t turn = 0; turn < PORT_TURN_BATCHES; turn++) {
        size_t count = batch_receive(&port->batch, listener->watch.fd);
        for (size_t i = 0; i < count; i++) {
            size_t len = 0;
            struct addr from = batch_from(&port->batch, i, &len);
            on_datagram(port, index, &from, port->batch.bytes[i], len);
            serve_waiting(port);
        }
        if (count < PORT_BATCH)
            break;
    }
    port->sink.turn(port->sink.ctx);
}

/* ---- life ---- */

void port_init(struct port *port, struct door *door, struct loop *loop,
               const struct port_sink *sink, uint32_t receive_buffer_bytes)
{
    *port = (struct port){
        .door = door, .loop = loop, .sink = *sink, .receive_buffer_bytes = receive_buffer_bytes};
}

void port_done(struct port *port)
{
    for (size_t i = 0; i < port->listener_count; i++) {
        int fd = port->listeners[i].watch.fd;
        loop_remove(port->loop, &port->listeners[i].watch);
        fd_close(&fd);
    }
    port->listener_count = 0;
}

static int check_bound(int fd, const struct addr *local)
{
    struct sockaddr_storage bound;
    socklen_t len = sizeof(bound);
    struct addr is = {0};
    if (getsockname(fd, (struct sockaddr *)&bound, &len) < 0)
        return -errno;
    int rc = addr_from_sockaddr((const struct sockaddr *)&bound, len, &is);
    return rc != 0 ? rc : (addr_equal(&is, local) ? 0 : -EINVAL);
}

int port_listen(struct port *port, int fd, const struct addr *local)
{
    int rc = port->listener_count < PORT_LISTENERS_MAX ? check_bound(fd, local) : -ENOSPC;
    if (rc == 0)
        rc = fd_nonblock(fd);
    if (rc == 0) {
        struct port_listener *listener = &port->listeners[port->listener_count];
        *listener = (struct port_listener){.port = port, .local = *local, .watch = {.fd = -1}};
        rc = loop_add(port->loop, &listener->watch, fd, EPOLLIN, on_readable, listener);
    }
    if (rc != 0) {
        fd_close(&fd);
        return rc;
    }
    port->listener_count++;
    return 0;
}
