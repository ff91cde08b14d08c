/* The frame ring: order, laps, wiping, and a writer that lies. */
#include "lib/base/ring.h"

#include "lib/base/fd.h"
#include "lib/base/memfd.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE 4096u
#define SIZE RING_SIZE_MIN

/* A sealed ring with a writer, and the same memory mapped for tampering. */
struct fixture {
    int fd;
    uint8_t *memory;
    struct ring_writer *w;
    struct ring_reader *r;
    uint8_t *buffer;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    *state = f;
    f->fd = -1;
    assert_int_equal(ring_create(SIZE, &f->fd), 0);
    f->memory = mmap(NULL, PAGE + SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
    assert_ptr_not_equal(f->memory, MAP_FAILED);
    assert_int_equal(ring_writer_new(f->fd, &f->w, NULL), 0);
    assert_int_equal(ring_seal(f->fd), 0);
    assert_int_equal(ring_reader_new(f->fd, 0, &f->r), 0);
    f->buffer = malloc(RING_RECORD_MAX);
    assert_non_null(f->buffer);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    ring_reader_free(f->r);
    ring_writer_free(f->w);
    munmap(f->memory, PAGE + SIZE);
    fd_close(&f->fd);
    free(f->buffer);
    free(f);
    return 0;
}

static int put(struct fixture *f, const void *data, size_t len)
{
    struct iovec part = {.iov_len = len};
    memcpy(&part.iov_base, &data, sizeof(data));
    return ring_write(f->w, &part, 1);
}

/* len bytes that all depend on number. */
static void put_numbered(struct fixture *f, uint32_t number, size_t len)
{
    memset(f->buffer, (int)(number & 0xff), len);
    memcpy(f->buffer, &number, sizeof(number));
    assert_int_equal(put(f, f->buffer, len), 0);
}

static uint32_t check_numbered(const struct fixture *f, size_t len)
{
    uint32_t number;
    memcpy(&number, f->buffer, sizeof(number));
    for (size_t i = sizeof(number); i < len; i++)
        assert_int_equal(f->buffer[i], number & 0xff);
    return number;
}

static int get(struct fixture *f, size_t *out_len)
{
    return ring_read(f->r, f->buffer, RING_RECORD_MAX, out_len);
}

static void records_come_in_order_over_many_laps(void **state)
{
    struct fixture *f = *state;
    size_t len = 0;
    unsigned seed = 7;
    for (uint32_t i = 0; i < 3000; i++) {
        seed = seed * 1103515245 + 12345;
        size_t wanted = 4 + (seed >> 12) % 20000;
        put_numbered(f, i, wanted);
        assert_int_equal(get(f, &len), RING_RECORD);
        assert_int_equal(len, wanted);
        assert_int_equal(check_numbered(f, len), i);
        assert_int_equal(get(f, &len), RING_EMPTY);
    }
}

static void parts_are_joined(void **state)
{
    struct fixture *f = *state;
    char a[] = "ab";
    char c[] = "cde";
    struct iovec parts[5] = {{a, 2}, {NULL, 0}, {c, 3}};
    size_t len = 0;
    assert_int_equal(ring_write(f->w, parts, 3), 0);
    assert_int_equal(get(f, &len), RING_RECORD);
    assert_int_equal(len, 5);
    assert_memory_equal(f->buffer, "abcde", 5);
    assert_int_equal(ring_write(f->w, parts, RING_PARTS_MAX + 1), -EINVAL);
    assert_int_equal(ring_write(f->w, parts, -1), -EINVAL);
    assert_int_equal(ring_write(f->w, parts, 0), 0);
    assert_int_equal(get(f, &len), RING_RECORD);
    assert_int_equal(len, 0);
}

static void a_look_ahead_takes_nothing(void **state)
{
    struct fixture *f = *state;
    uint8_t head[4] = {0}, whole[64];
    size_t len = 0;
    assert_int_equal(ring_peek(f->r, head, sizeof(head), &len), RING_EMPTY);
    for (int turn = 0; turn < 100000; turn++) { /* past the end of the ring */
        const struct iovec part = {.iov_base = (uint8_t[]){1, 2, 3, 4, 5, 6, (uint8_t)turn},
                                   .iov_len = 7};
        assert_int_equal(ring_write(f->w, &part, 1), 0);
        assert_int_equal(ring_peek(f->r, head, sizeof(head), &len), RING_RECORD);
        assert_int_equal(len, 4);
        assert_memory_equal(head, ((uint8_t[]){1, 2, 3, 4}), 4);
        assert_int_equal(ring_peek(f->r, whole, sizeof(whole), &len), RING_RECORD);
        assert_int_equal(len, 7);
        if (turn % 2 == 0) {
            assert_int_equal(ring_read(f->r, NULL, 0, &len), -EMSGSIZE); /* skipped */
        } else {
            assert_int_equal(ring_read(f->r, whole, sizeof(whole), &len), RING_RECORD);
            assert_int_equal(whole[6], (uint8_t)turn);
        }
        assert_int_equal(ring_peek(f->r, head, sizeof(head), &len), RING_EMPTY);
    }
}

static void size_limits(void **state)
{
    struct fixture *f = *state;
    size_t len = 77;
    assert_int_equal(put(f, f->buffer, SIZE / 4 - 16), 0);
    assert_int_equal(put(f, f->buffer, SIZE / 4 - 15), -EMSGSIZE);
    assert_int_equal(put(f, f->buffer, RING_RECORD_MAX + 1), -EMSGSIZE);
    struct iovec parts[2] = {{f->buffer, SIZE_MAX}, {f->buffer, 2}};
    assert_int_equal(ring_write(f->w, parts, 2), -EMSGSIZE);
    put_numbered(f, 5, 8);
    assert_int_equal(ring_read(f->r, f->buffer, 100, &len), -EMSGSIZE);
    assert_int_equal(len, 77);
    assert_int_equal(get(f, &len), RING_RECORD); /* the long one was skipped */
    assert_int_equal(check_numbered(f, len), 5);
}

static void I4_lapped_reader_learns_and_goes_on(void **state)
{
    struct fixture *f = *state;
    size_t len = 0;
    for (uint32_t i = 0; i < 100; i++)
        put_numbered(f, i, 50000);
    assert_int_equal(get(f, &len), RING_LAPPED);
    assert_int_equal(get(f, &len), RING_EMPTY);
    put_numbered(f, 1000, 100);
    assert_int_equal(get(f, &len), RING_RECORD);
    assert_int_equal(check_numbered(f, len), 1000);
}

static void late_reader_gets_the_oldest_whole_record(void **state)
{
    struct fixture *f = *state;
    size_t len = 0;
    for (uint32_t i = 0; i < 100; i++)
        put_numbered(f, i, 50000);
    ring_reader_free(f->r);
    f->r = NULL;
    assert_int_equal(ring_reader_new(f->fd, 1, &f->r), 0);
    assert_int_equal(get(f, &len), RING_RECORD);
    uint32_t first = check_numbered(f, len);
    assert_in_range(first, 100 - SIZE / 50000 - 1, 100 - SIZE / 50000 + 2);
    for (uint32_t i = first + 1; i < 100; i++) {
        assert_int_equal(get(f, &len), RING_RECORD);
        assert_int_equal(check_numbered(f, len), i);
    }
    assert_int_equal(get(f, &len), RING_EMPTY);
}

static bool all_zero(const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i])
            return false;
    }
    return true;
}

static void S4_expired_slots_are_wiped(void **state)
{
    struct fixture *f = *state;
    size_t len = 0;
    for (uint32_t i = 1; i <= 4; i++)
        put_numbered(f, i, 1000);
    ring_expire(f->w, 2 * 1024);
    assert_true(all_zero(f->memory + PAGE, 2 * 1024 - 16)); /* 1000 + 16, rounded up, is 1016+8 */
    assert_false(all_zero(f->memory + PAGE + 2 * 1024, 100));
    assert_int_equal(get(f, &len), RING_LAPPED);
    ring_expire(f->w, 1u << 30);
    ring_expire(f->w, 0);
    assert_true(all_zero(f->memory + PAGE, SIZE));
    put_numbered(f, 9, 10);
    assert_int_equal(get(f, &len), RING_RECORD);
    assert_int_equal(check_numbered(f, len), 9);
}

static void S4_everything_is_wiped_at_the_end(void **state)
{
    struct fixture *f = *state;
    size_t len = 0;
    for (uint32_t i = 1; i <= 300; i++)
        put_numbered(f, i, 10007);
    assert_false(all_zero(f->memory + PAGE, SIZE));
    ring_writer_free(f->w);
    f->w = NULL;
    assert_true(all_zero(f->memory + PAGE, SIZE));
    assert_int_equal(get(f, &len), RING_LAPPED);
    assert_int_equal(get(f, &len), RING_EMPTY);
}

static void expire_works_across_the_end(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 1; i <= 500; i++) {
        put_numbered(f, i, 9001);
        if (i % 7 == 0)
            ring_expire(f->w, 20000);
    }
    ring_expire(f->w, 0);
    assert_true(all_zero(f->memory + PAGE, SIZE));
}

static void readers_are_woken(void **state)
{
    struct fixture *f = *state;
    int own = eventfd(0, EFD_CLOEXEC);
    int copy = dup(own);
    assert_int_equal(ring_writer_add_wakeup(f->w, own), 0);
    put_numbered(f, 1, 8);
    put_numbered(f, 2, 8);
    uint64_t value = 0;
    assert_int_equal(read(copy, &value, sizeof(value)), sizeof(value));
    assert_int_equal(value, 2);
    for (size_t i = 1; i < RING_READERS_MAX; i++)
        assert_int_equal(ring_writer_add_wakeup(f->w, eventfd(0, EFD_CLOEXEC)), 0);
    assert_int_equal(ring_writer_add_wakeup(f->w, copy), -ENOSPC);
    fd_close(&copy);
}

static void I4_full_eventfd_does_not_stop_the_writer(void **state)
{
    struct fixture *f = *state;
    const uint64_t full = UINT64_MAX - 1;
    int own = eventfd(0, EFD_CLOEXEC); /* blocking, as a hostile reader would like it */
    int copy = dup(own);
    assert_int_equal(ring_writer_add_wakeup(f->w, own), 0);
    assert_int_equal(write(copy, &full, sizeof(full)), sizeof(full));
    put_numbered(f, 1, 8); /* hangs if the writer waits */
    fd_close(&copy);
}

static void I2_missing_seals_and_wrong_sizes(void **state)
{
    struct ring_reader *r = NULL;
    int fd = -1;
    (void)state;
    assert_int_equal(ring_create(SIZE, &fd), 0);
    assert_int_equal(ring_reader_new(fd, 0, &r), -EACCES);
    assert_int_equal(ring_seal(fd), 0);
    assert_int_equal(ring_reader_new(fd, 0, &r), -EBADMSG); /* no writer has written its head */
    fd_close(&fd);
    static const size_t sizes[] = {0,   PAGE, PAGE + SIZE - 1, PAGE + SIZE + 1, PAGE + 3 * SIZE,
                                   SIZE};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct ring_writer *w;
        assert_int_equal(memfd_open("test", sizes[i], &fd), 0);
        assert_int_equal(ring_writer_new(fd, &w, NULL), -EBADMSG);
        assert_int_equal(ring_seal(fd), 0);
        assert_int_equal(ring_reader_new(fd, 0, &r), -EBADMSG);
        fd_close(&fd);
    }
    assert_null(r);
    assert_int_equal(ring_create(SIZE / 2, &fd), -EINVAL);
    assert_int_equal(ring_create(SIZE + 4096, &fd), -EINVAL);
    assert_int_equal(ring_create(RING_SIZE_MAX * UINT64_C(2), &fd), -EINVAL);
}

static void sizes_by_bitrate(void **state)
{
    (void)state;
    assert_int_equal(ring_size_for(0), 4u << 20);
    assert_int_equal(ring_size_for(6000000), 4u << 20);    /* 3.75 MB */
    assert_int_equal(ring_size_for(8000000), 8u << 20);    /* 5 MB */
    assert_int_equal(ring_size_for(100000000), 64u << 20); /* 62.5 MB */
    assert_int_equal(ring_size_for(UINT64_MAX), RING_SIZE_MAX);
}

/* Reads on until nothing is left or it is clear that it will not end. Sanitizers see the rest. */
static void read_all(struct fixture *f)
{
    for (int i = 0; i < 200; i++) {
        size_t len = 0;
        int rc = get(f, &len);
        assert_true(rc == RING_EMPTY || rc == RING_RECORD || rc == RING_LAPPED || rc == -EBADMSG ||
                    rc == -EMSGSIZE);
        if (rc == RING_RECORD)
            assert_true(len <= RING_RECORD_MAX);
        if (rc == RING_EMPTY)
            break;
    }
}

static void I1_I3_random_record_heads(void **state)
{
    struct fixture *f = *state;
    unsigned seed = 3;
    for (int round = 0; round < 3000; round++) {
        for (uint32_t i = 0; i < 3; i++)
            put_numbered(f, i, 4 + (size_t)round % 5000);
        /* any eight bytes of a record's head or anything near it */
        uint64_t value = 0;
        for (int i = 0; i < 3; i++) {
            seed = seed * 1103515245 + 12345;
            value = value << 24 ^ seed >> 4;
        }
        if (seed >> 28 == 0)
            value = UINT64_MAX;
        size_t at = PAGE + (seed >> 5) % (SIZE - 8) / 16 * 16;
        memcpy(f->memory + at, &value, sizeof(value));
        read_all(f);
    }
}

static void I3_random_positions(void **state)
{
    struct fixture *f = *state;
    unsigned seed = 5;
    put_numbered(f, 1, 100);
    for (int round = 0; round < 20000; round++) {
        uint64_t value = 0;
        for (int i = 0; i < 3; i++) {
            seed = seed * 1103515245 + 12345;
            value = value << 24 ^ seed >> 4;
        }
        if (seed >> 31)
            value %= 3 * (uint64_t)SIZE;
        if (seed >> 30 & 1)
            value &= ~UINT64_C(15);
        /* tail and head lie at 64 and 128 of the first page */
        memcpy(f->memory + (seed >> 29 & 1 ? 64 : 128), &value, sizeof(value));
        read_all(f);
        struct ring_reader *late = NULL;
        int rc = ring_reader_new(f->fd, 1, &late);
        assert_true(rc == 0 || rc == -EBADMSG);
        if (late) {
            struct fixture other = {.r = late, .buffer = f->buffer};
            read_all(&other);
        }
        ring_reader_free(late);
    }
}

static void I3_endless_skips_end(void **state)
{
    struct fixture *f = *state;
    size_t len = 0;
    const uint32_t skip[2] = {0x474e4952, UINT32_MAX};
    const uint64_t far = UINT64_C(1) << 40;
    /* a skip at the very start, everywhere valid, and a head that is always one turn ahead */
    memcpy(f->memory + PAGE, skip, sizeof(skip));
    memcpy(f->memory + 128, &far, sizeof(far));
    assert_int_equal(get(f, &len), RING_LAPPED);
    assert_int_equal(get(f, &len), RING_EMPTY);
    const uint64_t next = far + SIZE;
    memcpy(f->memory + 128, &next, sizeof(next));
    assert_int_equal(get(f, &len), RING_EMPTY); /* one skip over everything */
}

static void I3_head_that_goes_back(void **state)
{
    struct fixture *f = *state;
    size_t len = 0;
    const uint64_t zero = 0;
    put_numbered(f, 1, 100);
    assert_int_equal(get(f, &len), RING_RECORD);
    memcpy(f->memory + 128, &zero, sizeof(zero));
    assert_int_equal(get(f, &len), -EBADMSG);
    const uint64_t odd = 7;
    memcpy(f->memory + 128, &odd, sizeof(odd));
    assert_int_equal(get(f, &len), -EBADMSG);
}

static void write_for_ever(struct fixture *f)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nothing behind */
    for (uint32_t i = 1; i < 20000000; i++) {
        size_t size = 4 + i % 30011;
        memset(f->buffer, (int)(i & 0xff), size);
        memcpy(f->buffer, &i, sizeof(i));
        if (put(f, f->buffer, size))
            _exit(1);
    }
    _exit(0);
}

/* The child writes as fast as it can; the parent always reads the record that is destroyed next. */
static void I1_reader_never_returns_a_torn_record(void **state)
{
    struct fixture *f = *state;
    unsigned records = 0;
    unsigned laps = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        write_for_ever(f);
    while (records < 1000 || laps < 20) {
        size_t len = 0;
        assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
        ring_reader_free(f->r);
        f->r = NULL;
        assert_int_equal(ring_reader_new(f->fd, 1, &f->r), 0);
        int rc = get(f, &len);
        assert_true(rc == RING_EMPTY || rc == RING_RECORD || rc == RING_LAPPED);
        laps += rc == RING_LAPPED;
        if (rc != RING_RECORD)
            continue;
        assert_int_equal(len, 4 + check_numbered(f, len) % 30011);
        records++;
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

/* The child flips heads and positions while the parent reads. */
static void I1_evil_writer_runs_beside_the_reader(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < 40; i++)
        put_numbered(f, i, 20000);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        unsigned seed = 11;
        for (size_t i = 0; i < 3000000; i++) {
            seed = seed * 1103515245 + 12345;
            uint32_t value = seed >> 3;
            size_t record = PAGE + (seed >> 8) % 40 * 20016; /* where heads are */
            size_t at = i % 3 ? record + i % 4 * 4 : 64 + i % 2 * 64;
            memcpy(f->memory + at, &value, sizeof(value));
        }
        _exit(0);
    }
    while (waitpid(child, NULL, WNOHANG) == 0)
        read_all(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_come_in_order_over_many_laps),
        TEST(parts_are_joined),
        TEST(a_look_ahead_takes_nothing),
        TEST(size_limits),
        TEST(I4_lapped_reader_learns_and_goes_on),
        TEST(late_reader_gets_the_oldest_whole_record),
        TEST(S4_expired_slots_are_wiped),
        TEST(S4_everything_is_wiped_at_the_end),
        TEST(expire_works_across_the_end),
        TEST(readers_are_woken),
        TEST(I4_full_eventfd_does_not_stop_the_writer),
        cmocka_unit_test(I2_missing_seals_and_wrong_sizes),
        cmocka_unit_test(sizes_by_bitrate),
        TEST(I1_I3_random_record_heads),
        TEST(I3_random_positions),
        TEST(I3_endless_skips_end),
        TEST(I3_head_that_goes_back),
        TEST(I1_reader_never_returns_a_torn_record),
        TEST(I1_evil_writer_runs_beside_the_reader),
    };
    return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
