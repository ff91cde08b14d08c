#include "transcode/reorder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void without_B_frames_both_times_are_the_same(void **state)
{
    (void)state;
    struct reorder r;
    reorder_init(&r);
    for (int64_t pts = 0; pts < 100000; pts += 2900 + pts % 7)
        assert_int_equal(reorder_push(&r, pts), pts);
    assert_int_equal(r.depth, 0);
}

static void BUG_09_two_B_frames(void **state)
{
    (void)state;
    static const int64_t group[] = {3, 1, 2};
    struct reorder r;
    reorder_init(&r);
    assert_int_equal(reorder_push(&r, 0), 0);
    assert_int_equal(reorder_push(&r, 3), 3); /* not known yet */
    assert_int_equal(reorder_push(&r, 1), 1);
    assert_int_equal(reorder_push(&r, 2), 2);
    int64_t wanted = 3;
    for (int i = 3; i < 300; i++, wanted++) {
        int64_t pts = i / 3 * 3 + group[i % 3], dts = reorder_push(&r, pts);
        assert_int_equal(dts, wanted); /* one interval at a time */
        assert_true(dts <= pts);
    }
    assert_int_equal(r.depth, 1);
}

static void a_pyramid_has_depth_two(void **state)
{
    (void)state;
    static const int64_t group[] = {4, 2, 1, 3};
    struct reorder r;
    int64_t last = -1;
    reorder_init(&r);
    reorder_push(&r, 0);
    for (int i = 0; i < 400; i++) {
        int64_t pts = i / 4 * 4 + group[i % 4], dts = reorder_push(&r, pts);
        if (i >= 8) {
            assert_int_equal(dts, last + 1);
            assert_true(dts <= pts);
        }
        last = dts;
    }
    assert_int_equal(r.depth, 2);
}

static void lost_frames_leave_gaps_only(void **state)
{
    (void)state;
    static const int64_t group[] = {3, 1, 2};
    struct reorder r;
    int64_t last = -1;
    reorder_init(&r);
    reorder_push(&r, 0);
    for (int i = 0; i < 3000; i++) {
        int64_t pts = i / 3 * 3 + group[i % 3];
        if (i % 17 == 5 || (i > 300 && i < 340))
            continue;
        int64_t dts = reorder_push(&r, pts);
        if (i > 12) {
            assert_true(dts <= pts);
            assert_true(dts > last);
        }
        last = dts;
    }
}

static void any_times_keep_the_depth_in_range(void **state)
{
    (void)state;
    struct reorder r;
    reorder_init(&r);
    srand(4);
    for (int i = 0; i < 100000; i++) {
        int64_t pts = i % 100 == 0 ? (int64_t)rand() << 30 : rand() % 100000;
        (void)reorder_push(&r, i % 3 ? pts : -pts);
        assert_true(r.depth <= REORDER_DEPTH_MAX && r.count <= REORDER_DEPTH_MAX + 1);
        for (size_t k = 1; k < r.count; k++)
            assert_true(r.times[k - 1] <= r.times[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_B_frames_both_times_are_the_same),
        cmocka_unit_test(BUG_09_two_B_frames),
        cmocka_unit_test(a_pyramid_has_depth_two),
        cmocka_unit_test(lost_frames_leave_gaps_only),
        cmocka_unit_test(any_times_keep_the_depth_in_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
