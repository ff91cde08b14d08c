/* What is shown of a coded picture: the limits on cropping and size. */
#include "gateway/depay/framesize.h"

#include "lib/proto/frame.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void M3_sides_up_to_the_limit_and_cropping_up_to_63(void **state)
{
    uint16_t width = 0, height = 0;
    (void)state;
    assert_int_equal(framesize_shown(1920, 1088, 0, 8, &width, &height), 0);
    assert_int_equal(width, 1920);
    assert_int_equal(height, 1080);
    assert_int_equal(
        framesize_shown(FRAME_DIMENSION_MAX + 63, FRAME_DIMENSION_MAX, 63, 0, &width, &height), 0);
    assert_int_equal(width, FRAME_DIMENSION_MAX);
    assert_int_equal(height, FRAME_DIMENSION_MAX);
    assert_int_equal(framesize_shown(FRAME_DIMENSION_MAX + 1, 16, 0, 0, &width, &height),
                     -EMSGSIZE);
    assert_int_equal(framesize_shown(16, FRAME_DIMENSION_MAX + 1, 0, 0, &width, &height),
                     -EMSGSIZE);
    assert_int_equal(framesize_shown(1920, 1088, 64, 0, &width, &height), -ENOTSUP);
    assert_int_equal(framesize_shown(1920, 1088, 0, 64, &width, &height), -ENOTSUP);
}

static void M3_something_must_be_left(void **state)
{
    uint16_t width = 0, height = 0;
    (void)state;
    assert_int_equal(framesize_shown(16, 16, 15, 15, &width, &height), 0);
    assert_int_equal(width, 1);
    assert_int_equal(height, 1);
    assert_int_equal(framesize_shown(16, 16, 16, 0, &width, &height), -EBADMSG);
    assert_int_equal(framesize_shown(16, 16, 0, UINT64_MAX, &width, &height), -EBADMSG);
    assert_int_equal(framesize_shown(0, 16, 0, 0, &width, &height), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(M3_sides_up_to_the_limit_and_cropping_up_to_63),
        cmocka_unit_test(M3_something_must_be_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
