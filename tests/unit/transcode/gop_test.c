/* The store of access units since the last key frame. */
#include "transcode/gop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void keeps_units_from_the_key_frame_on(void **state)
{
    (void)state;
    struct gop g;
    assert_int_equal(gop_init(&g), 0);
    gop_add(&g, (const uint8_t *)"xx", 2, 0, false); /* no key frame yet */
    assert_int_equal(g.count, 0);
    gop_add(&g, (const uint8_t *)"key", 3, 0, true);
    gop_add(&g, (const uint8_t *)"p", 1, 0, false);
    assert_int_equal(g.count, 2);
    assert_int_equal(g.len, 4);
    assert_memory_equal(g.data, "keyp", 4);
    assert_true(g.whole);
    gop_add(&g, (const uint8_t *)"k", 1, 0, true);
    assert_int_equal(g.count, 1);
    gop_clear(&g);
    assert_int_equal(g.count, 0);
    assert_false(g.whole);
    gop_done(&g);
    gop_done(&g);
}

static void what_does_not_fit_is_left_out(void **state)
{
    (void)state;
    static uint8_t large[GOP_BYTES];
    struct gop g;
    assert_int_equal(gop_init(&g), 0);
    gop_add(&g, large, sizeof large - 1, 0, true);
    gop_add(&g, large, 2, 0, false);
    assert_int_equal(g.count, 1);
    assert_false(g.whole);
    gop_add(&g, large, 1, 0, false); /* would fit, but something is missing before */
    assert_int_equal(g.count, 1);
    gop_add(&g, large, 1, 0, true);
    for (unsigned i = 1; i < GOP_UNITS; i++)
        gop_add(&g, large, 1, 0, false);
    assert_true(g.whole);
    gop_add(&g, large, 1, 0, false);
    assert_false(g.whole);
    assert_int_equal(g.count, GOP_UNITS);
    gop_done(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_units_from_the_key_frame_on),
        cmocka_unit_test(what_does_not_fit_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
