/* Bodies of requests: kept up to their limit, within a shared budget. */
#include "web/body.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char piece[BODY_MAX + 1];

static void H4_pieces_are_joined_up_to_the_limit(void **state)
{
    struct body body = {0};
    size_t used = 0;
    (void)state;
    assert_int_equal(body_take(&body, &used, BODY_MAX, "abc", 3), 0);
    assert_int_equal(body_take(&body, &used, BODY_MAX, "defg", 4), 0);
    assert_int_equal(body.len, 7);
    assert_memory_equal(body.data, "abcdefg", 7);
    assert_true(used >= 7);
    assert_int_equal(body_take(&body, &used, BODY_MAX, piece, BODY_MAX - 7), 0);
    assert_int_equal(body.len, BODY_MAX);
    assert_false(body.too_large);
    assert_memory_equal(body.data, "abcdefg", 7);
    assert_int_equal(body_take(&body, &used, BODY_MAX, "x", 1), 0);
    assert_true(body.too_large);
    assert_null(body.data);
    assert_int_equal(used, 0);
}

static void WHIP_12_a_request_may_have_a_lower_limit(void **state)
{
    struct body body = {0};
    size_t used = 0;
    (void)state;
    assert_int_equal(body_take(&body, &used, 16384, piece, 16384), 0);
    assert_false(body.too_large);
    assert_int_equal(body.len, 16384);
    assert_int_equal(body_take(&body, &used, 16384, "x", 1), 0);
    assert_true(body.too_large);
    assert_int_equal(used, 0);
}

static void H4_an_endless_body_is_cut_off(void **state)
{
    struct body body = {0};
    size_t used = 0, taken = 0;
    int rc = 0;
    (void)state;
    while (rc == 0 && taken < 10 * (size_t)BODY_DISCARD_MAX) {
        rc = body_take(&body, &used, BODY_MAX, piece, 1000);
        taken += 1000;
    }
    assert_int_equal(rc, -EMSGSIZE);
    assert_true(taken <= BODY_DISCARD_MAX + BODY_MAX + 2000);
    assert_int_equal(used, 0);
}

static void H4_all_bodies_share_a_budget(void **state)
{
    static struct body bodies[BODY_BUDGET / BODY_MAX + 1];
    size_t used = 0;
    (void)state;
    memset(bodies, 0, sizeof(bodies));
    for (size_t i = 0; i < BODY_BUDGET / BODY_MAX; i++) {
        assert_int_equal(body_take(&bodies[i], &used, BODY_MAX, piece, BODY_MAX), 0);
        assert_false(bodies[i].starved);
    }
    struct body *last = &bodies[BODY_BUDGET / BODY_MAX];
    assert_int_equal(body_take(last, &used, BODY_MAX, "x", 1), 0);
    assert_true(last->starved);
    for (size_t i = 0; i < BODY_BUDGET / BODY_MAX; i++)
        body_drop(&bodies[i], &used);
    assert_int_equal(used, 0);
}

static void H4_what_nobody_wants_is_not_kept(void **state)
{
    struct body body = {0};
    size_t used = 0;
    (void)state;
    assert_int_equal(body_take(&body, &used, 0, piece, 5000), 0);
    assert_null(body.data);
    assert_false(body.too_large);
    body_drop(&body, &used);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(H4_pieces_are_joined_up_to_the_limit),
        cmocka_unit_test(WHIP_12_a_request_may_have_a_lower_limit),
        cmocka_unit_test(H4_an_endless_body_is_cut_off),
        cmocka_unit_test(H4_all_bodies_share_a_budget),
        cmocka_unit_test(H4_what_nobody_wants_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
