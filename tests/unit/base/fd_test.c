/* Closing descriptors. */
#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

static void close_is_idempotent(void **state)
{
    int fds[2];
    (void)state;
    assert_int_equal(pipe(fds), 0);
    int number = fds[0];
    fd_close(&fds[0]);
    assert_int_equal(fds[0], -1);
    assert_int_equal(fcntl(number, F_GETFD), -1);
    fd_close(&fds[0]);
    fd_close_all(fds, 2);
    assert_int_equal(fds[1], -1);
}

static void nonblock_sets_the_flag(void **state)
{
    int fds[2];
    char byte;
    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(fd_nonblock(fds[0]), 0);
    assert_int_equal(fd_nonblock(fds[0]), 0);
    assert_int_equal(read(fds[0], &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
    fd_close_all(fds, 2);
    assert_int_equal(fd_nonblock(-1), -EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(close_is_idempotent),
        cmocka_unit_test(nonblock_sets_the_flag),
    };
    return cmocka_run_group_tests_name("fd", tests, NULL, NULL);
}
