/* Segments in sealed memory files, and what memfd promises. */
#include "lib/base/segment.h"

#include "lib/base/fd.h"
#include "lib/base/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static void parts_reach_the_reader(void **state)
{
    struct segment_writer w;
    struct segment_reader r;
    size_t offset = 99;
    (void)state;
    assert_int_equal(segment_writer_open(&w, 10000), 0);
    assert_int_equal(segment_reader_open(&r, w.fd), 0);
    assert_int_equal(r.capacity, 10000);
    assert_int_equal(segment_append(&w, "hello", 5, &offset), 0);
    assert_int_equal(offset, 0);
    assert_int_equal(segment_append(&w, "world", 5, &offset), 0);
    assert_int_equal(offset, 5);
    assert_memory_equal(r.data, "helloworld\0", 11);
    segment_writer_close(&w);
    assert_int_equal(w.fd, -1);
    assert_memory_equal(r.data, "helloworld\0", 11); /* the mapping keeps the memory */
    segment_reader_close(&r);
    segment_reader_close(&r);
    segment_writer_close(&w);
    assert_int_equal(segment_append(&w, "x", 1, &offset), -ENOSPC);
}

static void capacity_is_a_limit(void **state)
{
    struct segment_writer w;
    size_t offset = 99;
    (void)state;
    assert_int_equal(segment_writer_open(&w, 0), -EINVAL);
    assert_int_equal(segment_writer_open(&w, SEGMENT_CAPACITY_MAX + 1), -EINVAL);
    assert_int_equal(w.fd, -1);
    assert_int_equal(segment_writer_open(&w, 8), 0);
    assert_int_equal(segment_append(&w, "123456789", 9, &offset), -ENOSPC);
    assert_int_equal(segment_append(&w, "1", SIZE_MAX, &offset), -ENOSPC);
    assert_int_equal(offset, 99);
    assert_int_equal(segment_append(&w, "12345678", 8, &offset), 0);
    assert_int_equal(segment_append(&w, "1", 1, &offset), -ENOSPC);
    assert_int_equal(segment_append(&w, NULL, 0, &offset), 0);
    assert_int_equal(offset, 8);
    segment_writer_close(&w);
}

static void I2_any_missing_seal_is_refused(void **state)
{
    static const int seals[] = {F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_FUTURE_WRITE};
    (void)state;
    for (unsigned have = 0; have < 8; have++) {
        struct segment_reader r;
        int fd = -1;
        assert_int_equal(memfd_open("test", 4096, &fd), 0);
        for (unsigned i = 0; i < 3; i++) {
            if (have >> i & 1)
                assert_int_equal(fcntl(fd, F_ADD_SEALS, seals[i]), 0);
        }
        assert_int_equal(segment_reader_open(&r, fd), -EACCES); /* SEAL itself is missing */
        assert_null(r.data);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL), 0);
        assert_int_equal(segment_reader_open(&r, fd), have == 7 ? 0 : -EACCES);
        segment_reader_close(&r);
        fd_close(&fd);
    }
}

static void I2_what_is_no_memfd_is_refused(void **state)
{
    struct segment_reader r;
    int fds[2];
    (void)state;
    assert_int_equal(segment_reader_open(&r, -1), -EACCES);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(segment_reader_open(&r, fds[0]), -EACCES);
    fd_close_all(fds, 2);
    int file = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(segment_reader_open(&r, file), -EACCES);
    fd_close(&file);
}

static void sizes_out_of_range_are_refused(void **state)
{
    static const size_t sizes[] = {0, SEGMENT_CAPACITY_MAX + 1};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct segment_reader r;
        int fd = -1;
        assert_int_equal(memfd_open("test", sizes[i], &fd), 0);
        assert_int_equal(memfd_seal(fd), 0);
        assert_int_equal(segment_reader_open(&r, fd), -EBADMSG);
        fd_close(&fd);
    }
}

static void I2_seals_hold_against_the_holder_of_the_descriptor(void **state)
{
    struct segment_writer w;
    (void)state;
    assert_int_equal(segment_writer_open(&w, 8192), 0);
    assert_int_equal(ftruncate(w.fd, 4096), -1);
    assert_int_equal(ftruncate(w.fd, 16384), -1);
    assert_int_equal(write(w.fd, "x", 1), -1);
    assert_int_equal(fcntl(w.fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, w.fd, 0), MAP_FAILED);
    void *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, w.fd, 0);
    assert_ptr_not_equal(page, MAP_FAILED);
    assert_int_equal(mprotect(page, 4096, PROT_READ | PROT_WRITE), -1);
    assert_int_equal(munmap(page, 4096), 0);
    segment_writer_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_reach_the_reader),
        cmocka_unit_test(capacity_is_a_limit),
        cmocka_unit_test(I2_any_missing_seal_is_refused),
        cmocka_unit_test(I2_what_is_no_memfd_is_refused),
        cmocka_unit_test(sizes_out_of_range_are_refused),
        cmocka_unit_test(I2_seals_hold_against_the_holder_of_the_descriptor),
    };
    return cmocka_run_group_tests_name("segment", tests, NULL, NULL);
}
