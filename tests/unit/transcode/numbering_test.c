/* Numbers of segments and discontinuities. */
#include "transcode/numbering.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void HLS_04_counts_up_by_one(void **state)
{
    (void)state;
    struct numbering n;
    struct part_segment s = {0};
    numbering_init(&n, 1700000000, 0, false);
    for (uint64_t i = 0; i < 100; i++) {
        numbering_take(&n, &s);
        assert_int_equal(s.msn, 1700000000 + i);
        assert_int_equal(s.discontinuity, 0);
    }
}

static void HLS_10_each_break_counts_once(void **state)
{
    (void)state;
    struct numbering n;
    struct part_segment s = {0};
    numbering_init(&n, 5, 3, false);
    numbering_break(&n); /* before the first segment there is nothing to break */
    numbering_take(&n, &s);
    assert_int_equal(s.discontinuity, 0);
    assert_int_equal(s.discontinuity_sequence, 3);
    numbering_break(&n);
    numbering_break(&n);
    numbering_take(&n, &s);
    assert_int_equal(s.discontinuity, 1);
    assert_int_equal(s.discontinuity_sequence, 4);
    numbering_take(&n, &s);
    assert_int_equal(s.discontinuity, 0);
    assert_int_equal(s.discontinuity_sequence, 4);
}

static void a_successor_begins_with_a_break(void **state)
{
    (void)state;
    struct numbering n;
    struct part_segment s = {0};
    numbering_init(&n, 9, 4, true);
    numbering_break(&n);
    numbering_take(&n, &s);
    assert_int_equal(s.msn, 9);
    assert_int_equal(s.discontinuity, 1);
    assert_int_equal(s.discontinuity_sequence, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(HLS_04_counts_up_by_one),
        cmocka_unit_test(HLS_10_each_break_counts_once),
        cmocka_unit_test(a_successor_begins_with_a_break),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
