/* The least that receiving costs: connected sockets, epoll, recvmmsg and the rests of an ingest
 * worker; what it reads is thrown away. The bench divides by it. */
#include "lib/base/addr.h"
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/loop.h"
#include "lib/base/text.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOCKETS_MAX 256u
#define BATCH 32u
#define BATCHES_MAX 8
#define DATAGRAM_MAX 2048u
#define WINDOW_US 250000u /* as ingest: counted so long before the manner of reading changes */
#define USEFUL_TENTHS 6u
#define PORT_TRIES 64
#define PORT_FIRST 33000u
#define PORT_RANGE 20000u

static const char usage[] =
    "usage: floor [--sockets N] [--coalesce MS] [--processes]\n"
    "Receives on N UDP ports of 127.0.0.1 in a row and discards, until SIGINT. Each socket is\n"
    "connected to whom it hears first. The first line it prints is {\"port\",\"pids\"}, the last\n"
    "of each process {\"packets\",\"bytes\",\"wakeups\"}.\n"
    "\n"
    "  --sockets N     default 1, at most 256\n"
    "  --coalesce MS   pause between receiving rounds, as coalesce_ms of gateway.conf (default 5)\n"
    "  --processes     a process for each socket\n";

struct source {
    struct floor *owner;
    int fd;
    bool connected;
    struct loop_watch watch;
};

/* A process's state. Resting: no socket is in the epoll set, all are read at the timer's pace. */
struct floor {
    struct loop loop;
    struct loop_timer timer;
    uint32_t coalesce_us;
    bool resting;
    size_t count;
    struct source sources[SOCKETS_MAX];
    uint64_t window_us;
    uint32_t rounds;
    uint32_t useful;
    uint64_t packets;
    uint64_t bytes;
    uint64_t wakeups;
    struct mmsghdr headers[BATCH];
    struct iovec parts[BATCH];
    struct sockaddr_storage peers[BATCH];
    uint8_t datagrams[BATCH][DATAGRAM_MAX];
};

/* ---- receiving ---- */

static int receive_batch(struct floor *f, struct source *source)
{
    for (size_t i = 0; i < BATCH; i++) {
        f->parts[i] = (struct iovec){f->datagrams[i], DATAGRAM_MAX};
        f->headers[i].msg_hdr = (struct msghdr){.msg_iov = &f->parts[i],
                                                .msg_iovlen = 1,
                                                .msg_name = &f->peers[i],
                                                .msg_namelen = sizeof(f->peers[i])};
    }
    int count = recvmmsg(source->fd, f->headers, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++)
        f->bytes += f->headers[i].msg_len;
    f->packets += count > 0 ? (uint64_t)count : 0;
    if (count > 0 && !source->connected)
        source->connected = connect(source->fd, (const struct sockaddr *)&f->peers[0],
                                    f->headers[0].msg_hdr.msg_namelen) == 0;
    return count;
}

static bool receive_all(struct floor *f, struct source *source)
{
    int count = (int)BATCH;
    bool any = false;
    for (int i = 0; i < BATCHES_MAX && count == (int)BATCH; i++) {
        count = receive_batch(f, source);
        any = any || count > 0;
    }
    return any;
}

static void on_readable(void *ctx, uint32_t events);
static void on_rest_over(void *ctx);

static void arm(struct floor *f, uint64_t now_us)
{
    (void)loop_timer_set(&f->loop, &f->timer, now_us + f->coalesce_us, on_rest_over, f);
}

static void set_resting(struct floor *f, bool resting, uint64_t now_us)
{
    for (size_t i = 0; i < f->count; i++) {
        struct source *source = &f->sources[i];
        if (resting)
            loop_remove(&f->loop, &source->watch);
        else
            (void)loop_add(&f->loop, &source->watch, source->fd, EPOLLIN, on_readable, source);
    }
    f->resting = resting;
    if (resting)
        arm(f, now_us);
}

/* After WINDOW_US: the manner of reading that takes fewer wake-ups. */
static void choose(struct floor *f, uint64_t now_us)
{
    uint64_t passed_us = now_us - f->window_us;
    if (passed_us < WINDOW_US)
        return;
    bool busy = f->resting ? f->useful * 10 >= f->rounds * USEFUL_TENTHS
                           : (uint64_t)f->rounds * f->coalesce_us > passed_us;
    f->window_us = now_us;
    f->rounds = 0;
    f->useful = 0;
    if (busy != f->resting)
        set_resting(f, busy, now_us);
}

static void on_rest_over(void *ctx)
{
    struct floor *f = ctx;
    uint64_t now_us = clock_now_us();
    bool any = false;
    for (size_t i = 0; i < f->count; i++)
        any = receive_all(f, &f->sources[i]) || any;
    f->rounds++;
    f->useful += any;
    choose(f, now_us);
    if (f->resting)
        arm(f, now_us);
}

static void on_readable(void *ctx, uint32_t events)
{
    struct source *source = ctx;
    struct floor *f = source->owner;
    (void)events;
    (void)receive_all(f, source);
    f->rounds++;
    choose(f, clock_now_us());
}

static void on_signal(void *ctx, const struct signalfd_siginfo *info)
{
    struct floor *f = ctx;
    (void)info;
    loop_stop(&f->loop);
}

/* Serves sources[first..first + count) until a signal. */
static int serve(struct floor *f, size_t first, size_t count)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    memmove(f->sources, f->sources + first, count * sizeof(f->sources[0]));
    f->count = count;
    f->window_us = clock_now_us();
    int rc = loop_init(&f->loop);
    if (rc == 0)
        rc = loop_signals(&f->loop, &set, on_signal, f);
    if (rc != 0)
        return rc;
    set_resting(f, false, f->window_us);
    while (!f->loop.stopping && rc >= 0) {
        rc = loop_turn(&f->loop, -1);
        f->wakeups++;
    }
    (void)printf("{\"packets\":%llu,\"bytes\":%llu,\"wakeups\":%llu}\n",
                 (unsigned long long)f->packets, (unsigned long long)f->bytes,
                 (unsigned long long)f->wakeups);
    loop_done(&f->loop);
    return rc < 0 ? rc : 0;
}

/* ---- start ---- */

static int open_port(struct source *source, uint16_t port)
{
    struct addr here = {0};
    struct sockaddr_storage to;
    int size = 1 << 20;
    int rc = addr_parse(slice_of("127.0.0.1"), &here);
    here.port = port;
    socklen_t len = addr_to_sockaddr(&here, &to);
    source->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (source->fd < 0)
        return -errno;
    (void)setsockopt(source->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    if (rc == 0 && bind(source->fd, (const struct sockaddr *)&to, len) < 0)
        rc = -errno;
    return rc;
}

static void close_ports(struct floor *f)
{
    for (size_t i = 0; i < SOCKETS_MAX; i++)
        fd_close(&f->sources[i].fd);
}

/* Ports in a row; the first one, or a negative errno. */
static int open_ports(struct floor *f, size_t count)
{
    int rc = -EADDRINUSE;
    for (unsigned try = 0; try < PORT_TRIES && rc == -EADDRINUSE; try++) {
        unsigned first = PORT_FIRST + ((unsigned)getpid() * 251u + try * 509u) % PORT_RANGE;
        close_ports(f);
        rc = 0;
        for (size_t i = 0; i < count && rc == 0; i++)
            rc = open_port(&f->sources[i], (uint16_t)(first + i));
        if (rc == 0)
            return (int)first;
    }
    return rc;
}

static int serve_apart(struct floor *f, size_t count, int port)
{
    sigset_t set;
    int number = 0;
    pid_t pids[SOCKETS_MAX];
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    for (size_t i = 0; i < count; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
            _exit(serve(f, i, 1) == 0 && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
        }
        if (pids[i] < 0)
            return -errno;
    }
    (void)printf("{\"port\":%d,\"pids\":[", port);
    for (size_t i = 0; i < count; i++)
        (void)printf("%s%d", i > 0 ? "," : "", (int)pids[i]);
    (void)printf("]}\n");
    (void)fflush(stdout);
    (void)sigwait(&set, &number);
    for (size_t i = 0; i < count; i++) {
        (void)kill(pids[i], SIGTERM);
        (void)waitpid(pids[i], NULL, 0);
    }
    return 0;
}

static int parse_arguments(int argc, char **argv, uint32_t *out_sockets, uint32_t *out_ms,
                           bool *out_apart)
{
    static const struct option options[] = {
        {"sockets", required_argument, NULL, 's'},
        {"coalesce", required_argument, NULL, 'c'},
        {"processes", no_argument, NULL, 'p'},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        int rc = 0;
        if (option == 's')
            rc = text_parse_u32(slice_of(optarg), SOCKETS_MAX, out_sockets);
        else if (option == 'c')
            rc = text_parse_u32(slice_of(optarg), 1000, out_ms);
        else if (option == 'p')
            *out_apart = true;
        else
            rc = -EBADMSG;
        if (rc != 0)
            return rc;
    }
    return *out_sockets > 0 && optind == argc ? 0 : -EBADMSG;
}

int main(int argc, char **argv)
{
    uint32_t sockets = 1, coalesce_ms = 5;
    bool apart = false, help = argc == 2 && strcmp(argv[1], "--help") == 0;
    if (help || parse_arguments(argc, argv, &sockets, &coalesce_ms, &apart) != 0) {
        (void)fputs(usage, help ? stdout : stderr);
        return help ? EXIT_SUCCESS : 2;
    }
    struct floor *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return EXIT_FAILURE;
    f->coalesce_us = coalesce_ms * CLOCK_MS_US;
    for (size_t i = 0; i < SOCKETS_MAX; i++)
        f->sources[i] = (struct source){.owner = f, .fd = -1, .watch = {.fd = -1}};
    int port = open_ports(f, sockets);
    int rc = port < 0 ? port : 0;
    if (rc == 0 && apart) {
        rc = serve_apart(f, sockets, port);
    } else if (rc == 0) {
        (void)printf("{\"port\":%d,\"pids\":[%d]}\n", port, (int)getpid());
        (void)fflush(stdout);
        rc = serve(f, 0, sockets);
    }
    if (rc != 0)
        (void)fprintf(stderr, "floor: %s\n", strerror(-rc));
    close_ports(f);
    free(f);
    return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
