/* FFmpeg's codes in our terms. */
#include "transcode/avlib.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <libavutil/error.h>

static void codes_become_errnos(void **state)
{
    (void)state;
    assert_int_equal(avlib_error(0), 0);
    assert_int_equal(avlib_error(17), 17);
    assert_int_equal(avlib_error(AVERROR(ENOMEM)), -ENOMEM);
    assert_int_equal(avlib_error(AVERROR(EAGAIN)), -EAGAIN);
    assert_int_equal(avlib_error(AVERROR(EINVAL)), -EINVAL);
    assert_int_equal(avlib_error(AVERROR_EOF), -EAGAIN);
    assert_int_equal(avlib_error(AVERROR_INVALIDDATA), -EBADMSG);
    assert_int_equal(avlib_error(AVERROR_PATCHWELCOME), -ENOTSUP);
    assert_int_equal(avlib_error(AVERROR_DECODER_NOT_FOUND), -ENOTSUP);
    assert_int_equal(avlib_error(AVERROR_BUG), -EIO);
    assert_int_equal(avlib_error(AVERROR_EXTERNAL), -EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_become_errnos),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
