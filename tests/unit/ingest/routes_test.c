#include "gateway/ingest/routes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct addr remote = {.family = 4, .port = 5000};

static void ICE_06_before_a_nomination_the_last_one_is_used(void **state)
{
    struct routes r;
    (void)state;
    routes_init(&r);
    assert_true(r.selected == ROUTES_NONE);
    routes_open(&r, 0, &remote, 1);
    routes_open(&r, 1, &remote, 1);
    assert_false(routes_select(&r, 0, false));
    assert_false(routes_select(&r, 1, false));
    assert_int_equal(r.selected, 1);
}

static void ICE_07_a_nomination_decides(void **state)
{
    struct routes r;
    (void)state;
    routes_init(&r);
    routes_open(&r, 0, &remote, 1);
    routes_open(&r, 1, &remote, 1);
    assert_true(routes_select(&r, 0, true));
    assert_false(routes_select(&r, 0, true));
    assert_false(routes_select(&r, 1, false));
    assert_int_equal(r.selected, 0);
    assert_true(routes_select(&r, 1, true)); /* the peer changed its mind */
    assert_int_equal(r.selected, 1);
    routes_close(&r, 1);
    assert_true(r.selected == ROUTES_NONE);
    assert_false(routes_select(&r, 0, false)); /* and any check counts again */
    assert_int_equal(r.selected, 0);
}

static void silent_routes_go_but_never_the_selected_one(void **state)
{
    struct routes r;
    (void)state;
    routes_init(&r);
    routes_open(&r, 0, &remote, 1000);
    routes_open(&r, 1, &remote, 2000);
    routes_open(&r, 2, &remote, 3000);
    routes_select(&r, 0, true);
    assert_true(routes_silent(&r, 1999 + ROUTES_SILENCE_US) == ROUTES_NONE);
    assert_int_equal(routes_silent(&r, 3000 + ROUTES_SILENCE_US), 1);
    routes_close(&r, 1);
    assert_int_equal(routes_silent(&r, 3000 + ROUTES_SILENCE_US), 2);
    routes_close(&r, 2);
    assert_true(routes_silent(&r, UINT64_MAX) == ROUTES_NONE);
}

static void U17_a_place_is_kept_free(void **state)
{
    struct routes r;
    (void)state;
    routes_init(&r);
    for (size_t i = 0; i < STREAM_PATHS_MAX; i++) {
        assert_true(routes_spare(&r, 9000000) == ROUTES_NONE);
        routes_open(&r, i, &remote, 1000 + i);
    }
    assert_true(routes_spare(&r, ROUTES_SPARE_US) == ROUTES_NONE);
    assert_int_equal(routes_spare(&r, 9000000), 0);
    routes_select(&r, 0, true);
    assert_int_equal(routes_spare(&r, 9000000), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ICE_06_before_a_nomination_the_last_one_is_used),
        cmocka_unit_test(ICE_07_a_nomination_decides),
        cmocka_unit_test(silent_routes_go_but_never_the_selected_one),
        cmocka_unit_test(U17_a_place_is_kept_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
