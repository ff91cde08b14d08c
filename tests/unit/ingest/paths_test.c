#include "gateway/ingest/paths.h"
#include "lib/base/clock.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define TURN_MS 50
#define COALESCE_US 2000u

struct fixture {
    struct loop loop;
    struct paths *paths;
    size_t received;
    size_t path;
    size_t len;
    uint8_t data[STREAM_DATAGRAM_MAX];
    size_t batches;
    bool close_on_receive;
    size_t closed;
};

static void on_receive(void *ctx, size_t path, uint8_t *data, size_t len, uint64_t now_us)
{
    struct fixture *f = ctx;
    (void)now_us;
    f->received++;
    f->path = path;
    f->len = len;
    memcpy(f->data, data, len);
    if (f->close_on_receive)
        paths_close(f->paths, path);
}

static void on_batch(void *ctx, uint64_t now_us)
{
    struct fixture *f = ctx;
    (void)now_us;
    f->batches++;
}

static void on_closed(void *ctx, size_t path)
{
    struct fixture *f = ctx;
    f->closed++;
    paths_close(f->paths, path);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    assert_int_equal(loop_init(&f->loop), 0);
    assert_int_equal(
        paths_new(&f->loop, COALESCE_US, on_receive, on_batch, on_closed, f, &f->paths), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    loop_done(&f->loop);
    paths_free(f->paths); /* after its loop, as in the role */
    free(f);
    return 0;
}

/* Two sockets on loopback, connected to each other; server is as edge makes it. */
struct pair {
    int client;
    int server;
    struct addr local;
    struct addr remote;
};

static int bound(struct addr *out)
{
    struct addr any = {.family = 4, .ip = {127, 0, 0, 1}};
    struct sockaddr_storage sa;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&sa, addr_to_sockaddr(&any, &sa)), 0);
    socklen_t len = sizeof(sa);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    assert_int_equal(addr_from_sockaddr((const struct sockaddr *)&sa, len, out), 0);
    return fd;
}

static void connect_to(int fd, const struct addr *to)
{
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(to, &sa);
    assert_int_equal(connect(fd, (const struct sockaddr *)&sa, len), 0);
}

static struct pair make_pair(void)
{
    struct pair p;
    p.server = bound(&p.local);
    p.client = bound(&p.remote);
    connect_to(p.server, &p.remote);
    connect_to(p.client, &p.local);
    return p;
}

static size_t add(struct fixture *f, struct pair *p)
{
    size_t path = 99;
    assert_int_equal(paths_add(f->paths, p->server, TRANSPORT_UDP, &p->local, &p->remote, &path),
                     0);
    return path;
}

/* Turns the loop until count datagrams came or two seconds are over. */
static void turn_until(struct fixture *f, size_t count)
{
    uint64_t due_us = clock_now_us() + 2 * CLOCK_SECOND_US;
    while (f->received < count && clock_now_us() < due_us)
        assert_int_equal(loop_turn(&f->loop, TURN_MS), 0);
}

static void datagrams_come_in_and_go_out(void **state)
{
    struct fixture *f = *state;
    struct pair p = make_pair();
    char back[8];
    size_t path = add(f, &p);
    assert_int_equal(send(p.client, "hello", 5, 0), 5);
    turn_until(f, 1);
    assert_int_equal(f->received, 1);
    assert_int_equal(f->path, path);
    assert_int_equal(f->len, 5);
    assert_memory_equal(f->data, "hello", 5);
    paths_send(f->paths, path, (const uint8_t *)"bye", 3);
    assert_int_equal(recv(p.client, back, sizeof(back), 0), 3);
    fd_close(&p.client);
}

static void U13_strangers_datagrams_are_dropped(void **state)
{
    struct fixture *f = *state;
    struct pair p = make_pair();
    struct addr stranger_addr;
    struct sockaddr_storage sa;
    int stranger = bound(&stranger_addr);
    int stray = bound(&p.local); /* not connected yet when the stranger sends */
    socklen_t len = addr_to_sockaddr(&p.local, &sa);
    assert_int_equal(sendto(stranger, "junk", 4, 0, (const struct sockaddr *)&sa, len), 4);
    struct pollfd arrived = {.fd = stray, .events = POLLIN};
    assert_int_equal(poll(&arrived, 1, 2000), 1);
    connect_to(stray, &p.remote);
    connect_to(p.client, &p.local);
    fd_close(&p.server);
    p.server = stray;
    add(f, &p);
    assert_int_equal(send(p.client, "right", 5, 0), 5);
    turn_until(f, 1);
    assert_int_equal(f->received, 1);
    assert_memory_equal(f->data, "right", 5);
    assert_int_equal(paths_strays(f->paths), 1);
    fd_close(&p.client);
    fd_close(&stranger);
}

static void U18_datagrams_that_are_too_long_are_dropped(void **state)
{
    struct fixture *f = *state;
    struct pair p = make_pair();
    static const uint8_t large[STREAM_DATAGRAM_MAX + 1];
    add(f, &p);
    assert_int_equal(send(p.client, large, sizeof(large), 0), sizeof(large));
    assert_int_equal(send(p.client, large, STREAM_DATAGRAM_MAX, 0), STREAM_DATAGRAM_MAX);
    assert_int_equal(send(p.client, large, 0, 0), 0);
    turn_until(f, 2);
    assert_int_equal(f->received, 2);
    assert_int_equal(f->len, 0);
    assert_int_equal(paths_strays(f->paths), 1);
    fd_close(&p.client);
}

static void icmp_errors_are_never_fatal(void **state)
{
    struct fixture *f = *state;
    struct pair p = make_pair();
    size_t path = add(f, &p);
    fd_close(&p.client); /* nobody listens there now */
    for (unsigned i = 0; i < 3; i++) {
        paths_send(f->paths, path, (const uint8_t *)"x", 1);
        assert_int_equal(loop_turn(&f->loop, TURN_MS), 0);
    }
    p.client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(&p.remote, &sa);
    assert_int_equal(bind(p.client, (const struct sockaddr *)&sa, len), 0);
    connect_to(p.client, &p.local);
    assert_int_equal(send(p.client, "again", 5, 0), 5);
    turn_until(f, 1);
    assert_int_equal(f->received, 1);
    fd_close(&p.client);
}

/* Sends one datagram each time the loop has taken the one before, for so long. */
static size_t send_evenly(struct fixture *f, struct pair *p, size_t from, uint64_t time_us)
{
    uint64_t until_us = clock_now_us() + time_us;
    size_t sent = from;
    while (clock_now_us() < until_us) {
        assert_int_equal(send(p->client, &sent, sizeof(sent), 0), sizeof(sent));
        turn_until(f, ++sent);
    }
    return sent;
}

static void even_packets_are_read_at_a_pace(void **state)
{
    struct fixture *f = *state;
    struct pair p = make_pair();
    size_t path = add(f, &p);
    paths_rest(f->paths, true);
    size_t sent = send_evenly(f, &p, 0, PATHS_WINDOW_US + 20000);
    size_t batches = f->batches;
    for (size_t i = 0; i < 200; i++)
        assert_int_equal(send(p.client, &i, sizeof(i), 0), sizeof(i));
    sent += 200;
    turn_until(f, sent);
    assert_int_equal(f->received, sent); /* nothing is lost */
    assert_in_range(f->batches, batches, batches + 10);
    uint64_t until_us = clock_now_us() + 2 * PATHS_WINDOW_US;
    while (clock_now_us() < until_us)
        assert_int_equal(loop_turn(&f->loop, 10), 0);
    batches = f->batches;
    assert_int_equal(loop_turn(&f->loop, 20), 0);
    assert_int_equal(f->batches, batches); /* silence: watched again, nothing wakes */
    assert_int_equal(send(p.client, "x", 1, 0), 1);
    turn_until(f, sent + 1);
    assert_int_equal(f->received, sent + 1);
    paths_close(f->paths, path);
    assert_int_equal(loop_turn(&f->loop, 10), 0);
    fd_close(&p.client);
}

static void U10_what_has_come_can_be_read_out_of_turn(void **state)
{
    struct fixture *f = *state;
    struct pair p = make_pair();
    add(f, &p);
    paths_rest(f->paths, true);
    size_t sent = send_evenly(f, &p, 0, PATHS_WINDOW_US + 20000);
    assert_int_equal(send(p.client, "x", 1, 0), 1); /* resting: nobody looks for it now */
    paths_read(f->paths, clock_now_us());
    assert_int_equal(f->received, sent + 1);
    turn_until(f, sent + 1);
    fd_close(&p.client);
}

static void the_pace_ends_when_it_is_not_allowed_any_more(void **state)
{
    struct fixture *f = *state;
    struct pair p = make_pair();
    add(f, &p);
    paths_rest(f->paths, true);
    size_t sent = send_evenly(f, &p, 0, PATHS_WINDOW_US + 20000);
    paths_rest(f->paths, false);
    sent = send_evenly(f, &p, sent, 2 * PATHS_WINDOW_US);
    size_t batches = f->batches;
    for (size_t i = 0; i < 20; i++) { /* each datagram wakes */
        assert_int_equal(send(p.client, &i, sizeof(i), 0), sizeof(i));
        assert_int_equal(loop_turn(&f->loop, 1000), 0);
    }
    assert_int_equal(f->received, sent + 20);
    assert_int_equal(f->batches, batches + 20);
    fd_close(&p.client);
}

static void places_are_limited_and_found_again(void **state)
{
    struct fixture *f = *state;
    struct pair pairs[STREAM_PATHS_MAX + 1];
    size_t at = 0;
    for (size_t i = 0; i <= STREAM_PATHS_MAX; i++)
        pairs[i] = make_pair();
    for (size_t i = 0; i < STREAM_PATHS_MAX; i++)
        assert_int_equal(add(f, &pairs[i]), i);
    struct pair *extra = &pairs[STREAM_PATHS_MAX];
    assert_int_equal(
        paths_add(f->paths, extra->server, TRANSPORT_UDP, &extra->local, &extra->remote, &at),
        -ENOSPC);
    assert_int_equal(paths_find(f->paths, TRANSPORT_UDP, &pairs[3].local, &pairs[3].remote, &at),
                     0);
    assert_int_equal(at, 3);
    assert_int_equal(paths_find(f->paths, TRANSPORT_UDP, &pairs[3].local, &pairs[4].remote, &at),
                     -ENOENT);
    assert_true(addr_equal(paths_remote(f->paths, 3), &pairs[3].remote));
    assert_true(addr_equal(paths_local(f->paths, 3), &pairs[3].local));
    paths_close(f->paths, 3);
    assert_int_equal(paths_find(f->paths, TRANSPORT_UDP, &pairs[3].local, &pairs[3].remote, &at),
                     -ENOENT);
    assert_int_equal(add(f, extra), 3);
    int again = dup(pairs[5].client); /* the same tuple once more takes its old place */
    assert_true(again >= 0);
    assert_int_equal(
        paths_add(f->paths, again, TRANSPORT_UDP, &pairs[5].local, &pairs[5].remote, &at), 0);
    assert_int_equal(at, 5);
    for (size_t i = 0; i <= STREAM_PATHS_MAX; i++)
        fd_close(&pairs[i].client);
}

static void a_path_may_be_closed_while_it_receives(void **state)
{
    struct fixture *f = *state;
    struct pair p = make_pair();
    add(f, &p);
    f->close_on_receive = true;
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(send(p.client, "x", 1, 0), 1);
    turn_until(f, 1);
    assert_int_equal(loop_turn(&f->loop, 10), 0);
    assert_int_equal(f->received, 1);
    paths_send(f->paths, f->path, (const uint8_t *)"x", 1); /* goes nowhere */
    fd_close(&p.client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(datagrams_come_in_and_go_out),
        TEST(U13_strangers_datagrams_are_dropped),
        TEST(U18_datagrams_that_are_too_long_are_dropped),
        TEST(icmp_errors_are_never_fatal),
        TEST(even_packets_are_read_at_a_pace),
        TEST(U10_what_has_come_can_be_read_out_of_turn),
        TEST(the_pace_ends_when_it_is_not_allowed_any_more),
        TEST(places_are_limited_and_found_again),
        TEST(a_path_may_be_closed_while_it_receives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
