/* The queue of datagrams between OpenSSL and the network. */
#include "gateway/rtc/dtlsbio.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct dtlsbio));
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void U1_datagrams_above_the_limit_are_lost(void **state)
{
    struct dtlsbio *b = *state;
    for (size_t i = 0; i < 2 * (size_t)DTLSBIO_OUT_DATAGRAMS; i++)
        dtlsbio_put(b, "x", 1);
    assert_int_equal(b->out_count, DTLSBIO_OUT_DATAGRAMS);
    assert_int_equal(b->out_used, DTLSBIO_OUT_DATAGRAMS);
    dtlsbio_drop(b, 1);
    assert_int_equal(b->out_count, 1);
    assert_int_equal(b->out_used, 1);
    dtlsbio_put(b, "", 0);
    assert_int_equal(b->out_count, 1);
}

static void U1_bytes_above_the_limit_are_lost(void **state)
{
    static const uint8_t datagram[DTLSBIO_MTU];
    struct dtlsbio *b = *state;
    const size_t most = DTLSBIO_OUT_BYTES / DTLSBIO_MTU;
    for (size_t i = 0; i <= most; i++)
        dtlsbio_put(b, datagram, sizeof(datagram));
    assert_int_equal(b->out_count, most);
    assert_int_equal(b->out_used, most * DTLSBIO_MTU);
    dtlsbio_put(b, datagram, DTLSBIO_OUT_BYTES - b->out_used);
    assert_int_equal(b->out_used, DTLSBIO_OUT_BYTES); /* to the last byte */
    dtlsbio_drop(b, most);
    assert_int_equal(b->out_used, most * DTLSBIO_MTU);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(U1_datagrams_above_the_limit_are_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(U1_bytes_above_the_limit_are_lost, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
