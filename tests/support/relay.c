/* A UDP relay between clients and one target, with an imperfect link in each direction. */
#include "tests/support/relay.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define RECEIVE_BUFFER (4 << 20)
#define RECEIVE_TURN 128u /* datagrams taken before others get their turn */

static void on_clock(void *ctx, uint32_t events);
static void on_listener(void *ctx, uint32_t events);
static void on_target(void *ctx, uint32_t events);

/* ---- sockets ---- */

/* As large as allowed: beyond net.core.rmem_max for root only. */
static void widen(int fd)
{
    int size = RECEIVE_BUFFER;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

static int open_socket(const struct addr *bound, const struct addr *peer)
{
    struct sockaddr_storage sa;
    const struct addr *any = bound != NULL ? bound : peer;
    int rc = 0;
    int fd =
        socket(any->family == 6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    widen(fd);
    socklen_t len = addr_to_sockaddr(any, &sa);
    if (bound != NULL)
        rc = bind(fd, (const struct sockaddr *)&sa, len);
    else
        rc = connect(fd, (const struct sockaddr *)&sa, len);
    if (rc < 0) {
        rc = -errno;
        fd_close(&fd);
        return rc;
    }
    return fd;
}

static uint16_t local_port(int fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    struct addr address = {0};
    if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0 ||
        addr_from_sockaddr((const struct sockaddr *)&sa, len, &address) != 0)
        return 0;
    return address.port;
}

static uint64_t kernel_drops(int fd)
{
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t len = sizeof(info);
    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) < 0)
        return 0;
    return info[SK_MEMINFO_DROPS];
}

/* ---- clients ---- */

static void close_client(struct relay_client *client)
{
    int fd = client->watch.fd;
    if (client->serial == 0)
        return;
    client->relay->counts[RELAY_DOWN].kernel_drops += kernel_drops(fd);
    loop_remove(client->relay->loop, &client->watch);
    fd_close(&fd);
    fd_close_all(client->old_fds, RELAY_OLD_SOCKETS);
    client->serial = 0;
}

/* A new socket towards the target. */
static int connect_client(struct relay_client *client)
{
    int fd = open_socket(NULL, &client->relay->target);
    if (fd < 0)
        return fd;
    int rc = loop_add(client->relay->loop, &client->watch, fd, EPOLLIN, on_target, client);
    if (rc != 0)
        fd_close(&fd);
    return rc;
}

static int init_client(struct relay_client *client, struct relay *relay, const struct addr *address,
                       uint64_t now_us)
{
    *client = (struct relay_client){.relay = relay, .address = *address, .used_us = now_us};
    client->watch.fd = -1;
    for (size_t i = 0; i < RELAY_OLD_SOCKETS; i++)
        client->old_fds[i] = -1;
    int rc = connect_client(client);
    if (rc != 0)
        return rc;
    client->serial = ++relay->clients_seen;
    for (unsigned d = 0; d < RELAY_DIRECTIONS; d++)
        relaylink_init(&client->links[d], relay->seed + client->serial * RELAY_DIRECTIONS + d);
    return 0;
}

/* The client of that address, a new one if there is room; NULL otherwise. */
static struct relay_client *find_client(struct relay *relay, const struct addr *address,
                                        uint64_t now_us)
{
    struct relay_client *room = NULL;
    for (size_t i = 0; i < RELAY_CLIENTS_MAX; i++) {
        struct relay_client *client = &relay->clients[i];
        if (client->serial != 0 && addr_equal(&client->address, address))
            return client;
        uint64_t used_us = client->serial != 0 ? client->used_us : 0;
        if (room == NULL || used_us < (room->serial != 0 ? room->used_us : 0))
            room = client;
    }
    if (room->serial != 0 && now_us - room->used_us < RELAY_IDLE_US)
        return NULL;
    close_client(room);
    return init_client(room, relay, address, now_us) == 0 ? room : NULL;
}

/* ---- out ---- */

static void send_slot(struct relay *relay, const struct relayqueue_slot *slot)
{
    struct relay_client *client = &relay->clients[slot->tag.client];
    unsigned direction = slot->tag.direction;
    struct relay_counts *counts = &relay->counts[direction];
    struct sockaddr_storage sa;
    ssize_t sent = -1;
    if (client->serial != slot->tag.serial) {
        counts->send_errors++;
        return;
    }
    if (direction == RELAY_UP) {
        sent = send(client->watch.fd, slot->bytes, slot->len, 0);
        if (sent < 0 && errno == ECONNREFUSED) /* that was an earlier one's error */
            sent = send(client->watch.fd, slot->bytes, slot->len, 0);
    } else {
        socklen_t len = addr_to_sockaddr(&client->address, &sa);
        sent = sendto(relay->listener.fd, slot->bytes, slot->len, 0, (struct sockaddr *)&sa, len);
    }
    if (sent < 0) {
        counts->send_errors++;
        return;
    }
    counts->sent++;
    if (slot->tag.arrival < client->sent_up_to[direction])
        counts->reordered++;
    else
        client->sent_up_to[direction] = slot->tag.arrival;
}

/* Sends what is due and sets the clock to what comes next. */
static void drain(struct relay *relay)
{
    const struct relayqueue_slot *slot;
    while ((slot = relayqueue_first(&relay->queue)) != NULL) {
        uint64_t now_us = clock_now_us();
        if (slot->tag.due_us > now_us)
            break;
        struct relay_counts *counts = &relay->counts[slot->tag.direction];
        uint64_t late_us = now_us - slot->tag.due_us;
        counts->late_us += late_us;
        if (late_us > counts->late_max_us)
            counts->late_max_us = late_us;
        send_slot(relay, slot);
        relayqueue_drop(&relay->queue);
    }
    uint64_t due_us = slot != NULL ? slot->tag.due_us : 0; /* 0 disarms */
    if (due_us == relay->clock_due_us)
        return;
    struct itimerspec spec = {
        .it_value = {.tv_sec = (time_t)(due_us / CLOCK_SECOND_US),
                     .tv_nsec = (long)(due_us % CLOCK_SECOND_US) * 1000},
    };
    if (timerfd_settime(relay->clock.fd, TFD_TIMER_ABSTIME, &spec, NULL) == 0)
        relay->clock_due_us = due_us;
}

static void on_clock(void *ctx, uint32_t events)
{
    struct relay *relay = ctx;
    uint64_t expirations;
    (void)events;
    if (read(relay->clock.fd, &expirations, sizeof(expirations)) > 0)
        relay->clock_due_us = 0;
    drain(relay);
}

/* ---- in ---- */

static void count_verdict(struct relay_counts *counts, const struct relaylink_verdict *verdict)
{
    counts->lost += verdict->fate == RELAYLINK_LOST;
    counts->blocked += verdict->fate == RELAYLINK_BLOCKED;
    counts->queue_drops += verdict->fate == RELAYLINK_QUEUE_DROP;
    counts->duplicated += verdict->copies > 1;
    counts->flipped += verdict->copies > 0 && verdict->flip;
}

static void take(struct relay *relay, struct relay_client *client, enum relay_direction direction,
                 uint8_t *data, size_t len, uint64_t now_us)
{
    struct relay_counts *counts = &relay->counts[direction];
    struct relaylink_verdict verdict =
        relaylink_decide(&client->links[direction], &relay->configs[direction], len, now_us);
    struct relayqueue_tag tag = {
        .arrival = client->arrivals[direction]++,
        .client = (size_t)(client - relay->clients),
        .serial = client->serial,
        .direction = direction,
    };
    client->used_us = now_us;
    count_verdict(counts, &verdict);
    if (verdict.flip)
        data[verdict.flip_bit / 8] ^= (uint8_t)(1u << verdict.flip_bit % 8);
    for (unsigned i = 0; i < verdict.copies; i++) {
        tag.due_us = verdict.due_us[i];
        if (relayqueue_push(&relay->queue, &tag, data, len) != 0)
            counts->queue_drops++;
    }
}

/* One datagram of fd: its length, larger than the buffer when cut; -errno. */
static ssize_t receive(int fd, uint8_t data[RELAYQUEUE_LEN_MAX], struct addr *out_from)
{
    struct sockaddr_storage sa;
    socklen_t sa_len = sizeof(sa);
    ssize_t len =
        recvfrom(fd, data, RELAYQUEUE_LEN_MAX, MSG_TRUNC, (struct sockaddr *)&sa, &sa_len);
    if (len < 0)
        return -errno;
    int rc = addr_from_sockaddr((const struct sockaddr *)&sa, sa_len, out_from);
    return rc != 0 ? rc : len;
}

static void on_listener(void *ctx, uint32_t events)
{
    struct relay *relay = ctx;
    struct relay_counts *counts = &relay->counts[RELAY_UP];
    uint8_t data[RELAYQUEUE_LEN_MAX];
    struct addr from = {0};
    (void)events;
    for (unsigned i = 0; i < RECEIVE_TURN; i++) {
        ssize_t len = receive(relay->listener.fd, data, &from);
        if (len < 0)
            break;
        uint64_t now_us = clock_now_us();
        struct relay_client *client = find_client(relay, &from, now_us);
        counts->received++;
        if (client == NULL || len > (ssize_t)sizeof(data))
            counts->refused++;
        else
            take(relay, client, RELAY_UP, data, (size_t)len, now_us);
    }
    drain(relay);
}

static void on_target(void *ctx, uint32_t events)
{
    struct relay_client *client = ctx;
    struct relay *relay = client->relay;
    struct relay_counts *counts = &relay->counts[RELAY_DOWN];
    uint8_t data[RELAYQUEUE_LEN_MAX];
    struct addr from = {0};
    (void)events;
    for (unsigned i = 0; i < RECEIVE_TURN; i++) {
        ssize_t len = receive(client->watch.fd, data, &from);
        if (len < 0) /* also ECONNREFUSED, of a target that is not there and may come */
            break;
        counts->received++;
        if (len > (ssize_t)sizeof(data))
            counts->refused++;
        else
            take(relay, client, RELAY_DOWN, data, (size_t)len, clock_now_us());
    }
    drain(relay);
}

/* ---- the whole ---- */

int relay_open(struct relay *relay, struct loop *loop, const struct addr *listen,
               const struct addr *target, uint64_t seed)
{
    int timer_fd = -1, fd = -1;
    relay->loop = loop;
    relay->target = *target;
    relay->seed = seed;
    relay->listener.fd = relay->clock.fd = -1;
    int rc = relayqueue_init(&relay->queue);
    if (rc != 0)
        return rc;
    fd = open_socket(listen, NULL);
    if (fd < 0)
        return fd;
    rc = loop_add(loop, &relay->listener, fd, EPOLLIN, on_listener, relay);
    if (rc != 0) {
        fd_close(&fd);
        return rc;
    }
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (timer_fd < 0)
        return -errno;
    rc = loop_add(loop, &relay->clock, timer_fd, EPOLLIN, on_clock, relay);
    if (rc != 0)
        fd_close(&timer_fd);
    return rc;
}

void relay_close(struct relay *relay)
{
    int fds[] = {relay->listener.fd, relay->clock.fd};
    for (size_t i = 0; i < RELAY_CLIENTS_MAX; i++)
        close_client(&relay->clients[i]);
    loop_remove(relay->loop, &relay->listener);
    loop_remove(relay->loop, &relay->clock);
    fd_close_all(fds, sizeof(fds) / sizeof(fds[0]));
    relayqueue_done(&relay->queue);
}

int relay_port(const struct relay *relay)
{
    return local_port(relay->listener.fd);
}

/* The old socket stays open and unread: closed, its port would answer with ICMP errors, which no
 * NAT does. */
static int rebind_client(struct relay_client *client)
{
    int old_fd = client->watch.fd;
    client->relay->counts[RELAY_DOWN].kernel_drops += kernel_drops(old_fd);
    loop_remove(client->relay->loop, &client->watch);
    int rc = connect_client(client);
    if (rc != 0) { /* then it is the old one again */
        (void)loop_add(client->relay->loop, &client->watch, old_fd, EPOLLIN, on_target, client);
        return rc;
    }
    fd_close(&client->old_fds[RELAY_OLD_SOCKETS - 1]);
    memmove(&client->old_fds[1], &client->old_fds[0],
            (RELAY_OLD_SOCKETS - 1) * sizeof(client->old_fds[0]));
    client->old_fds[0] = old_fd;
    return 0;
}

int relay_rebind(struct relay *relay, uint16_t *out_port)
{
    int rc = 0;
    uint16_t port = 0;
    for (size_t i = 0; i < RELAY_CLIENTS_MAX && rc == 0; i++) {
        struct relay_client *client = &relay->clients[i];
        if (client->serial == 0)
            continue;
        rc = rebind_client(client);
        if (rc == 0 && port == 0)
            port = local_port(client->watch.fd);
    }
    if (rc == 0)
        *out_port = port;
    return rc;
}

size_t relay_client_count(const struct relay *relay)
{
    size_t count = 0;
    for (size_t i = 0; i < RELAY_CLIENTS_MAX; i++)
        count += relay->clients[i].serial != 0;
    return count;
}

struct relay_counts relay_count(const struct relay *relay, enum relay_direction direction)
{
    struct relay_counts counts = relay->counts[direction];
    if (direction == RELAY_UP) {
        counts.kernel_drops += kernel_drops(relay->listener.fd);
        return counts;
    }
    for (size_t i = 0; i < RELAY_CLIENTS_MAX; i++) {
        if (relay->clients[i].serial != 0)
            counts.kernel_drops += kernel_drops(relay->clients[i].watch.fd);
    }
    return counts;
}
