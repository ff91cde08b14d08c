/* Control channels: what passes, what ends them, what happens to descriptors. */
#include "lib/base/chan.h"

#include "lib/base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

enum { NUMBER = 1, WITH_FD, BLOB, LATE, ANY_FDS, BREAK, FREE_ME };

struct fixture {
    struct loop loop;
    struct chan *a; /* sends */
    struct chan *b; /* has the rules */
    int raw;        /* instead of a: the bare socket */
    unsigned handled;
    unsigned extra;
    uint64_t last;
    size_t blob_len;
    size_t fd_count;
    int kept_fd;
    int closed;
    int reason;
    uint8_t blob[CHAN_BLOB_MAX];
};

static int on_number(void *ctx, const struct chan_message *message)
{
    struct fixture *f = ctx;
    assert_int_equal((uintptr_t)message->body % 16, 0);
    memcpy(&f->last, message->body, sizeof(f->last));
    f->handled++;
    f->blob_len = message->blob_len;
    f->fd_count = message->fd_count;
    if (message->blob_len > 0)
        memcpy(f->blob, message->blob, message->blob_len);
    return 0;
}

static int on_fd(void *ctx, const struct chan_message *message)
{
    struct fixture *f = ctx;
    assert_int_equal(message->fd_count, 1);
    assert_true(fcntl(message->fds[0], F_GETFD) & FD_CLOEXEC);
    f->kept_fd = message->fds[0];
    message->fds[0] = -1;
    return on_number(ctx, message);
}

static int on_break(void *ctx, const struct chan_message *message)
{
    const int *reason = message->body;
    (void)ctx;
    return *reason;
}

static int on_free_me(void *ctx, const struct chan_message *message)
{
    struct fixture *f = ctx;
    chan_free(f->b);
    f->b = NULL;
    return on_number(ctx, message); /* the message must still be readable */
}

static const struct chan_rule rules[] = {
    {NUMBER, CHAN_ANY_PHASE, 8, 0, 0, on_number},
    {WITH_FD, CHAN_ANY_PHASE, 8, 0, 1, on_fd},
    {BLOB, CHAN_ANY_PHASE, 8, CHAN_BLOB_MAX, 0, on_number},
    {LATE, 1u << 3 | 1u << 31, 8, 0, 0, on_number},
    {ANY_FDS, CHAN_ANY_PHASE, 8, 0, CHAN_FDS_ANY, on_number},
    {BREAK, CHAN_ANY_PHASE, 4, 0, 0, on_break},
    {FREE_ME, CHAN_ANY_PHASE, 8, 0, 0, on_free_me},
};
#define RULES (sizeof(rules) / sizeof(rules[0]))

static void on_closed(void *ctx, int reason)
{
    struct fixture *f = ctx;
    f->closed++;
    f->reason = reason;
}

static void on_a_closed(void *ctx, int reason)
{
    (void)ctx;
    (void)reason;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int fds[2];
    assert_non_null(f);
    *state = f;
    f->raw = f->kept_fd = -1;
    assert_int_equal(loop_init(&f->loop), 0);
    assert_int_equal(chan_pair(fds), 0);
    f->raw = fds[0];
    assert_int_equal(chan_new(&f->loop, fds[1], rules, RULES, on_closed, f, &f->b), 0);
    return 0;
}

/* Both ends as channels. */
static int set_up_pair(void **state)
{
    set_up(state);
    struct fixture *f = *state;
    assert_int_equal(chan_new(&f->loop, f->raw, NULL, 0, on_a_closed, NULL, &f->a), 0);
    f->raw = -1;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    chan_free(f->a);
    chan_free(f->b);
    fd_close(&f->raw);
    fd_close(&f->kept_fd);
    loop_done(&f->loop);
    free(f);
    return 0;
}

static void run(struct fixture *f)
{
    for (int i = 0; i < 4; i++)
        assert_int_equal(loop_turn(&f->loop, 0), 0);
}

static size_t open_fds(void)
{
    size_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* A packet of any bytes with count descriptors of /dev/null. */
static void send_raw(struct fixture *f, const void *data, size_t len, size_t count)
{
    static int null = -1;
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int) * 253)] = {0};
    struct iovec part = {.iov_len = len};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    memcpy(&part.iov_base, &data, sizeof(data));
    if (null < 0)
        null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (count > 0) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(int) * count);
        for (size_t i = 0; i < count; i++)
            memcpy(CMSG_DATA(cmsg) + i * sizeof(int), &null, sizeof(int));
    }
    assert_int_equal(sendmsg(f->raw, &message, MSG_NOSIGNAL), len);
}

struct small {
    struct chan_head head;
    uint64_t number;
};

static struct small small(uint16_t type)
{
    return (struct small){.head = {.type = type, .body_len = 8}, .number = 42};
}

static void messages_arrive_in_order(void **state)
{
    struct fixture *f = *state;
    for (uint64_t i = 1; i <= 100; i++) {
        assert_int_equal(chan_send(f->a, NUMBER, &i, 8, NULL, 0, NULL, 0), 0);
        run(f);
        assert_true(f->last == i);
    }
    assert_int_equal(f->closed, 0);
}

static void largest_blob_passes(void **state)
{
    struct fixture *f = *state;
    uint8_t *blob = malloc(CHAN_BLOB_MAX + 1);
    const uint64_t number = 1;
    assert_non_null(blob);
    for (size_t i = 0; i < CHAN_BLOB_MAX; i++)
        blob[i] = (uint8_t)(i * 7);
    for (unsigned i = 1; i <= 20; i++) {
        assert_int_equal(chan_send(f->a, BLOB, &number, 8, blob, CHAN_BLOB_MAX, NULL, 0), 0);
        assert_int_equal(chan_send(f->a, BLOB, &number, 8, NULL, 0, NULL, 0), 0);
    }
    assert_int_equal(chan_send(f->a, BLOB, &number, 8, blob, CHAN_BLOB_MAX - 1, NULL, 0), 0);
    while (f->handled < 41)
        assert_int_equal(loop_turn(&f->loop, 0), 0);
    assert_int_equal(f->blob_len, CHAN_BLOB_MAX - 1);
    assert_memory_equal(f->blob, blob, CHAN_BLOB_MAX - 1);
    assert_int_equal(chan_send(f->a, BLOB, &number, 8, blob, CHAN_BLOB_MAX + 1, NULL, 0),
                     -EMSGSIZE);
    assert_int_equal(chan_send(f->a, BLOB, blob, CHAN_BODY_MAX + 1, NULL, 0, NULL, 0), -EMSGSIZE);
    assert_int_equal(chan_send(f->a, BLOB, NULL, 0, NULL, 0, NULL, CHAN_FDS_MAX + 1), -EMSGSIZE);
    free(blob);
}

static void descriptors_are_kept_or_closed(void **state)
{
    struct fixture *f = *state;
    const uint64_t number = 1;
    int fds[CHAN_FDS_MAX];
    int pipe_fds[2];
    char byte = 0;
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    assert_int_equal(chan_send(f->a, WITH_FD, &number, 8, NULL, 0, &pipe_fds[1], 1), 0);
    run(f);
    assert_true(f->kept_fd >= 0);
    assert_int_equal(write(f->kept_fd, "x", 1), 1);
    assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
    for (size_t i = 0; i < CHAN_FDS_MAX; i++)
        fds[i] = pipe_fds[0];
    size_t before = open_fds();
    for (size_t count = 0; count <= CHAN_FDS_MAX; count++) {
        assert_int_equal(chan_send(f->a, ANY_FDS, &number, 8, NULL, 0, fds, count), 0);
        run(f);
        assert_int_equal(f->fd_count, count);
    }
    assert_int_equal(open_fds(), before);
    fd_close_all(pipe_fds, 2);
}

/* What ends the channel: the packet, its descriptors, and the reason. */
static void expect_end(struct fixture *f, const void *data, size_t len, size_t fds, int reason)
{
    unsigned handled = f->handled;
    send_raw(f, data, len, fds);
    size_t with_channel = open_fds();
    run(f);
    assert_int_equal(f->closed, 1);
    assert_int_equal(f->reason, reason);
    assert_int_equal(f->handled, handled);
    assert_int_equal(open_fds(), with_channel - 1); /* the channel itself; nothing came in */
}

static void I5_unknown_type_ends(void **state)
{
    const struct small m = small(99);
    expect_end(*state, &m, sizeof(m), 0, -EPROTO);
}

static void I5_wrong_phase_ends(void **state)
{
    struct fixture *f = *state;
    const struct small m = small(LATE);
    static const unsigned good[] = {3, 31};
    for (unsigned i = 0; i < 2; i++) {
        chan_set_phase(f->b, good[i]);
        send_raw(f, &m, sizeof(m), 0);
        run(f);
        assert_int_equal(f->handled, i + 1);
    }
    chan_set_phase(f->b, 4);
    assert_int_equal(chan_phase(f->b), 4);
    expect_end(f, &m, sizeof(m), 0, -EPROTO);
}

static void I5_long_body_ends(void **state)
{
    struct {
        struct small m;
        uint64_t more;
    } m = {.m = small(NUMBER)};
    m.m.head.body_len = 16;
    expect_end(*state, &m, sizeof(m), 0, -EPROTO);
}

static void I5_short_body_ends(void **state)
{
    struct small m = small(NUMBER);
    m.head.body_len = 7;
    expect_end(*state, &m, sizeof(m) - 1, 0, -EPROTO);
}

static void I5_unallowed_blob_ends(void **state)
{
    struct {
        struct small m;
        uint8_t blob[8];
    } m = {.m = small(NUMBER)};
    m.m.head.blob_len = 1;
    expect_end(*state, &m, sizeof(m.m) + 1, 0, -EPROTO);
}

static void I5_lengths_must_add_up(void **state)
{
    struct small m = small(NUMBER);
    m.head.body_len = 9;
    expect_end(*state, &m, sizeof(m), 0, -EBADMSG);
}

static void I5_reserved_must_be_zero(void **state)
{
    struct small m = small(NUMBER);
    m.head.reserved = 1;
    expect_end(*state, &m, sizeof(m), 0, -EBADMSG);
}

static void I5_short_packet_ends(void **state)
{
    const struct small m = small(NUMBER);
    expect_end(*state, &m, 15, 0, -EBADMSG);
}

static void I5_packet_above_the_maximum_ends(void **state)
{
    struct fixture *f = *state;
    size_t len = CHAN_MESSAGE_MAX + 1;
    uint8_t *packet = calloc(1, len);
    assert_non_null(packet);
    expect_end(f, packet, len, 1, -EBADMSG);
    free(packet);
}

static void I6_unallowed_descriptor_is_closed(void **state)
{
    struct small m = small(NUMBER);
    m.head.fd_count = 1;
    expect_end(*state, &m, sizeof(m), 1, -EPROTO);
}

static void I6_undeclared_descriptor_is_closed(void **state)
{
    const struct small m = small(NUMBER);
    expect_end(*state, &m, sizeof(m), 1, -EBADMSG);
}

static void I6_declared_descriptor_is_missing(void **state)
{
    struct small m = small(WITH_FD);
    m.head.fd_count = 1;
    expect_end(*state, &m, sizeof(m), 0, -EBADMSG);
}

static void I6_more_descriptors_than_any_are_closed(void **state)
{
    struct small m = small(ANY_FDS);
    m.head.fd_count = CHAN_FDS_MAX + 1;
    expect_end(*state, &m, sizeof(m), CHAN_FDS_MAX + 1, -EBADMSG);
}

/* The rest is cut off by the kernel: what is left would look like a good message. */
static void I6_cut_descriptors_are_no_message(void **state)
{
    struct small m = small(ANY_FDS);
    m.head.fd_count = CHAN_FDS_MAX;
    expect_end(*state, &m, sizeof(m), CHAN_FDS_MAX + 1, -EBADMSG);
}

static void I6_as_many_as_the_kernel_takes_are_closed(void **state)
{
    struct small m = small(ANY_FDS);
    m.head.fd_count = 253;
    expect_end(*state, &m, sizeof(m), 253, -EBADMSG);
}

static void handler_ends_with_its_error(void **state)
{
    struct {
        struct chan_head head;
        int reason;
    } m = {.head = {.type = BREAK, .body_len = 4}};
    m.reason = -EACCES;
    expect_end(*state, &m, sizeof(m), 0, -EACCES);
}

static void handler_may_free_its_channel(void **state)
{
    struct fixture *f = *state;
    const struct small m = small(FREE_ME);
    send_raw(f, &m, sizeof(m), 0);
    send_raw(f, &m, sizeof(m), 0);
    run(f);
    assert_int_equal(f->handled, 1);
    assert_true(f->last == 42);
    assert_int_equal(f->closed, 0);
}

static void messages_before_the_end_are_delivered(void **state)
{
    struct fixture *f = *state;
    const struct small m = small(NUMBER);
    for (int i = 0; i < 40; i++)
        send_raw(f, &m, sizeof(m), 0);
    fd_close(&f->raw);
    run(f);
    assert_int_equal(f->handled, 40);
    assert_int_equal(f->closed, 1);
    assert_int_equal(f->reason, 0);
    assert_int_equal(chan_send(f->b, NUMBER, &m.number, 8, NULL, 0, NULL, 0), -EPIPE);
}

static void send_to_a_closed_peer(void **state)
{
    struct fixture *f = *state;
    const uint64_t number = 1;
    fd_close(&f->raw);
    assert_int_equal(chan_send(f->b, NUMBER, &number, 8, NULL, 0, NULL, 0), -EPIPE);
    assert_int_equal(f->closed, 0); /* never inside chan_send */
    run(f);
    assert_int_equal(f->closed, 1);
}

static void full_queue_refuses_and_recovers(void **state)
{
    struct fixture *f = *state;
    uint64_t sent = 0;
    int rc;
    size_t before = open_fds();
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (;; sent++) {
        rc = chan_send(f->a, sent % 5 ? NUMBER : ANY_FDS, &sent, 8, NULL, 0, &fd, sent % 5 ? 0 : 1);
        if (rc)
            break;
    }
    assert_int_equal(rc, -ENOSPC);
    assert_true(sent > CHAN_QUEUE_MESSAGES);
    while (f->handled < sent)
        assert_int_equal(loop_turn(&f->loop, 0), 0);
    assert_true(f->last == sent - 1);
    assert_int_equal(chan_send(f->a, NUMBER, &sent, 8, NULL, 0, NULL, 0), 0);
    run(f);
    assert_true(f->last == sent);
    fd_close(&fd);
    assert_int_equal(open_fds(), before);
}

static void queue_is_bounded_in_bytes(void **state)
{
    struct fixture *f = *state;
    uint8_t *blob = calloc(1, CHAN_BLOB_MAX);
    const uint64_t number = 1;
    unsigned sent = 0;
    assert_non_null(blob);
    while (chan_send(f->a, BLOB, &number, 8, blob, CHAN_BLOB_MAX, NULL, 0) == 0)
        sent++;
    assert_in_range(sent, CHAN_QUEUE_BYTES / CHAN_BLOB_MAX - 1,
                    CHAN_QUEUE_BYTES / CHAN_BLOB_MAX + 16);
    while (f->handled < sent)
        assert_int_equal(loop_turn(&f->loop, 0), 0);
    free(blob);
}

static void free_drops_the_queue(void **state)
{
    struct fixture *f = *state;
    uint64_t number = 0;
    size_t before = open_fds();
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (number < 900 && chan_send(f->a, WITH_FD, &number, 8, NULL, 0, &fd, 1) == 0)
        number++; /* fewer than the usual limit of descriptors */
    assert_true(open_fds() > before + 100);
    chan_free(f->a);
    f->a = NULL;
    fd_close(&fd);
    assert_int_equal(open_fds(), before - 1);
}

static void flush_waits_for_room(void **state)
{
    struct fixture *f = *state;
    uint64_t sent = 0;
    while (chan_send(f->a, NUMBER, &sent, 8, NULL, 0, NULL, 0) == 0)
        sent++;
    chan_flush(f->a, 1); /* nobody reads: gives up */
    while (f->handled < sent) {
        run(f);
        chan_flush(f->a, 0);
    }
    chan_flush(f->a, 1000);
}

static void receive_one_checks_as_well(void **state)
{
    struct fixture *f = *state;
    const struct small good = small(NUMBER);
    const struct small bad = small(99);
    assert_int_equal(chan_receive_one(f->b, 0), -ETIMEDOUT);
    send_raw(f, &good, sizeof(good), 0);
    assert_int_equal(chan_receive_one(f->b, 0), 0);
    assert_int_equal(f->handled, 1);
    send_raw(f, &bad, sizeof(bad), 0);
    assert_int_equal(chan_receive_one(f->b, 0), -EPROTO);
    fd_close(&f->raw);
    assert_int_equal(chan_receive_one(f->b, 1000), -EPIPE);
    assert_int_equal(f->closed, 0);
}

static int on_extra(void *ctx, const struct chan_message *message)
{
    (void)message;
    ++*(unsigned *)ctx;
    return 0;
}

static void added_rules_come_first(void **state)
{
    struct fixture *f = *state;
    static const struct chan_rule added[] = {{NUMBER, 1u << 0, 8, 0, 0, on_extra},
                                             {77, CHAN_ANY_PHASE, 8, 0, 0, on_extra}};
    const struct small known = small(NUMBER);
    const struct small other = small(77);
    chan_add_rules(f->b, added, 2, &f->extra);
    send_raw(f, &known, sizeof(known), 0);
    send_raw(f, &other, sizeof(other), 0);
    run(f);
    assert_int_equal(f->extra, 2);
    assert_int_equal(f->handled, 0);
    chan_set_phase(f->b, 1);
    send_raw(f, &known, sizeof(known), 0);
    run(f);
    assert_int_equal(f->handled, 1);
}

static void new_takes_over_the_descriptor_on_failure(void **state)
{
    struct fixture *f = *state;
    struct chan *chan = NULL;
    int file = open("/dev/null", O_RDWR | O_CLOEXEC); /* epoll does not take it */
    assert_int_equal(chan_new(&f->loop, file, rules, RULES, on_closed, f, &chan), -EPERM);
    assert_null(chan);
    assert_int_equal(fcntl(file, F_GETFD), -1);
    assert_int_equal(chan_new(&f->loop, -1, rules, RULES, on_closed, f, &chan), -EBADF);
    chan_free(NULL);
}

#define RAW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define PAIR(name) cmocka_unit_test_setup_teardown(name, set_up_pair, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PAIR(messages_arrive_in_order),
        PAIR(largest_blob_passes),
        PAIR(descriptors_are_kept_or_closed),
        RAW(I5_unknown_type_ends),
        RAW(I5_wrong_phase_ends),
        RAW(I5_long_body_ends),
        RAW(I5_short_body_ends),
        RAW(I5_unallowed_blob_ends),
        RAW(I5_lengths_must_add_up),
        RAW(I5_reserved_must_be_zero),
        RAW(I5_short_packet_ends),
        RAW(I5_packet_above_the_maximum_ends),
        RAW(I6_unallowed_descriptor_is_closed),
        RAW(I6_undeclared_descriptor_is_closed),
        RAW(I6_declared_descriptor_is_missing),
        RAW(I6_more_descriptors_than_any_are_closed),
        RAW(I6_cut_descriptors_are_no_message),
        RAW(I6_as_many_as_the_kernel_takes_are_closed),
        RAW(handler_ends_with_its_error),
        RAW(handler_may_free_its_channel),
        RAW(messages_before_the_end_are_delivered),
        RAW(send_to_a_closed_peer),
        PAIR(full_queue_refuses_and_recovers),
        PAIR(queue_is_bounded_in_bytes),
        PAIR(free_drops_the_queue),
        PAIR(flush_waits_for_room),
        RAW(receive_one_checks_as_well),
        RAW(added_rules_come_first),
        RAW(new_takes_over_the_descriptor_on_failure),
    };
    return cmocka_run_group_tests_name("chan", tests, NULL, NULL);
}
