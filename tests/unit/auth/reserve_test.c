/* The file that takes up room. */
#include "auth/reserve.h"

#include "tests/unit/auth/scratch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>

static void D3_takes_gives_and_takes_again(void **state)
{
    (void)state;
    struct scratch dir;
    struct reserve r = {.fd = -1};
    struct stat info;
    assert_true(scratch_open(&dir));
    assert_int_equal(reserve_open(&r, dir.fd, 0), 0);
    assert_true(r.filled);
    assert_int_equal(fstat(r.fd, &info), 0);
    assert_int_equal(info.st_size, RESERVE_BYTES);
    assert_true(info.st_blocks * 512 >= RESERVE_BYTES);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_true(reserve_give(&r));
    assert_false(reserve_give(&r));
    assert_int_equal(fstat(r.fd, &info), 0);
    assert_int_equal(info.st_size, 0);
    reserve_fill(&r);
    assert_true(r.filled);
    reserve_close(&r);
    reserve_fill(&r);
    assert_false(r.filled);
    scratch_remove(&dir);
}

static void link_is_refused(void **state)
{
    (void)state;
    struct scratch dir;
    struct reserve r = {.fd = -1};
    assert_true(scratch_open(&dir));
    assert_int_equal(symlinkat("/dev/null", dir.fd, RESERVE_FILE), 0);
    assert_int_equal(reserve_open(&r, dir.fd, 0), -ELOOP);
    assert_int_equal(r.fd, -1);
    scratch_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(D3_takes_gives_and_takes_again),
        cmocka_unit_test(link_is_refused),
    };
    return cmocka_run_group_tests_name("reserve", tests, NULL, NULL);
}
