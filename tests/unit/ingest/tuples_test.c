#include "gateway/ingest/tuples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct addr remote = {.family = 4, .port = 5000};

static void ICE_06_before_a_nomination_the_last_one_is_used(void **state)
{
    struct tuples r;
    (void)state;
    tuples_init(&r);
    assert_true(r.selected == TUPLES_NONE);
    tuples_open(&r, 0, &remote, 1);
    tuples_open(&r, 1, &remote, 1);
    assert_false(tuples_select(&r, 0, false));
    assert_false(tuples_select(&r, 1, false));
    assert_int_equal(r.selected, 1);
}

static void ICE_07_a_nomination_decides(void **state)
{
    struct tuples r;
    (void)state;
    tuples_init(&r);
    tuples_open(&r, 0, &remote, 1);
    tuples_open(&r, 1, &remote, 1);
    assert_true(tuples_select(&r, 0, true));
    assert_false(tuples_select(&r, 0, true));
    assert_false(tuples_select(&r, 1, false));
    assert_int_equal(r.selected, 0);
    assert_true(tuples_select(&r, 1, true)); /* the peer changed its mind */
    assert_int_equal(r.selected, 1);
    tuples_close(&r, 1);
    assert_true(r.selected == TUPLES_NONE);
    assert_false(tuples_select(&r, 0, false)); /* and any check counts again */
    assert_int_equal(r.selected, 0);
}

static void silent_tuples_go_but_never_the_selected_one(void **state)
{
    struct tuples r;
    (void)state;
    tuples_init(&r);
    tuples_open(&r, 0, &remote, 1000);
    tuples_open(&r, 1, &remote, 2000);
    tuples_open(&r, 2, &remote, 3000);
    tuples_select(&r, 0, true);
    assert_true(tuples_silent(&r, 1999 + TUPLES_SILENCE_US) == TUPLES_NONE);
    assert_int_equal(tuples_silent(&r, 3000 + TUPLES_SILENCE_US), 1);
    tuples_close(&r, 1);
    assert_int_equal(tuples_silent(&r, 3000 + TUPLES_SILENCE_US), 2);
    tuples_close(&r, 2);
    assert_true(tuples_silent(&r, UINT64_MAX) == TUPLES_NONE);
}

static void U17_a_place_is_kept_free(void **state)
{
    struct tuples r;
    (void)state;
    tuples_init(&r);
    for (size_t i = 0; i < STREAM_PATHS_MAX; i++) {
        assert_true(tuples_spare(&r, 9000000) == TUPLES_NONE);
        tuples_open(&r, i, &remote, 1000 + i);
    }
    assert_true(tuples_spare(&r, TUPLES_SPARE_US) == TUPLES_NONE);
    assert_int_equal(tuples_spare(&r, 9000000), 0);
    tuples_select(&r, 0, true);
    assert_int_equal(tuples_spare(&r, 9000000), 1);
}

static void U17_few_tuples_wait_for_their_check_and_not_for_long(void **state)
{
    struct tuples r;
    (void)state;
    tuples_init(&r);
    tuples_open(&r, 0, &remote, 1000);
    r.list[0].validated = true;
    tuples_select(&r, 0, true);
    for (size_t i = 1; i <= TUPLES_UNCHECKED_MAX; i++) {
        assert_true(tuples_has_room(&r));
        assert_true(tuples_unchecked_spare(&r, 9000000) == TUPLES_NONE);
        tuples_open(&r, i, &remote, 1000 + i);
    }
    assert_false(tuples_has_room(&r));
    assert_true(tuples_unchecked_spare(&r, TUPLES_SPARE_US) == TUPLES_NONE);
    assert_int_equal(tuples_unchecked_spare(&r, 9000000), 1);
    assert_true(tuples_overdue(&r, TUPLES_UNCHECKED_US) == TUPLES_NONE);
    assert_int_equal(tuples_overdue(&r, 2000 + TUPLES_UNCHECKED_US), 1);
    r.list[1].validated = true; /* its check came */
    assert_true(tuples_has_room(&r));
    assert_int_equal(tuples_overdue(&r, 2000 + TUPLES_UNCHECKED_US), 2);
    r.list[2].validated = true;
    for (size_t i = 3; i < STREAM_PATHS_MAX; i++) {
        tuples_open(&r, i, &remote, 1000);
        r.list[i].validated = true;
    }
    assert_false(tuples_has_room(&r));
    assert_true(tuples_overdue(&r, UINT64_MAX) == TUPLES_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ICE_06_before_a_nomination_the_last_one_is_used),
        cmocka_unit_test(ICE_07_a_nomination_decides),
        cmocka_unit_test(silent_tuples_go_but_never_the_selected_one),
        cmocka_unit_test(U17_a_place_is_kept_free),
        cmocka_unit_test(U17_few_tuples_wait_for_their_check_and_not_for_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
