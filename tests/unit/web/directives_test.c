/* Delivery directives in a query. */
#include "web/directives.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int parse(const char *query, struct directives *out)
{
    return directives_parse(slice_of(query), out);
}

static void LL_10_msn_and_part_in_any_order(void **state)
{
    struct directives d;
    (void)state;
    assert_int_equal(parse("_HLS_msn=273&_HLS_part=2", &d), 0);
    assert_true(d.has_msn && d.has_part && d.msn == 273 && d.part == 2);
    assert_int_equal(parse("a=b&_HLS_part=0&x&_HLS_msn=0&", &d), 0);
    assert_true(d.has_msn && d.has_part && d.msn == 0 && d.part == 0);
    assert_int_equal(parse("_HLS_msn=1", &d), 0);
    assert_true(d.has_msn && !d.has_part);
    assert_int_equal(parse("", &d), 0);
    assert_false(d.has_msn || d.has_part);
}

static void LL_13_bad_values(void **state)
{
    static const char *const bad[] = {
        "_HLS_part=1",
        "_HLS_msn",
        "_HLS_msn=",
        "_HLS_msn=a",
        "_HLS_msn=-1",
        "_HLS_msn=%31",
        "_HLS_msn=1&_HLS_part=",
        "_HLS_msn=1&_HLS_msn=1",
        "_HLS_msn=1&_HLS_part=1&_HLS_part=1",
        "_HLS_msn=1 ",
        "_HLS_msn=1.0",
    };
    struct directives d = {.msn = 77};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(parse(bad[i], &d), -EBADMSG);
    assert_int_equal(d.msn, 77);
}

static void LL_13_numbers_without_end_become_the_biggest(void **state)
{
    struct directives d;
    (void)state;
    assert_int_equal(parse("_HLS_msn=99999999999999999999&_HLS_part=4294967296", &d), 0);
    assert_true(d.msn == UINT64_MAX && d.part == UINT32_MAX);
}

static void CDN_09_names_are_compared_exactly(void **state)
{
    struct directives d;
    (void)state;
    assert_int_equal(parse("_hls_msn=1&_HLS_msnx=1&x_HLS_msn=1&_HLS_skip=YES&_HLS_=&=", &d), 0);
    assert_false(d.has_msn || d.has_part);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(LL_10_msn_and_part_in_any_order),
        cmocka_unit_test(LL_13_bad_values),
        cmocka_unit_test(LL_13_numbers_without_end_become_the_biggest),
        cmocka_unit_test(CDN_09_names_are_compared_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
