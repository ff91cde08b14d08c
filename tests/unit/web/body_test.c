/* Bodies of requests: kept up to their limit, within a share of a budget. */
#include "web/body.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BODIES (BODY_BUDGET / BODY_UNIT + 8)
#define SHARE_BODIES (BODY_SHARE / BODY_MAX) /* of full length */
#define SECOND_US 1000000u

static const char piece[BODY_MAX + 1];

struct rig {
    struct bodies bodies;
    struct body body[BODIES];
    unsigned ends;
    uint64_t now_us;
};

/* body_ctx of each body is its rig. */
static void on_end(void *ctx)
{
    struct rig *rig = ctx;
    rig->ends++;
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    assert_int_equal(peers_new(BODIES, &rig->bodies.peers), 0);
    rig->bodies.end = on_end;
    rig->now_us = SECOND_US;
    for (size_t i = 0; i < BODIES; i++) {
        rig->body[i].ctx = rig;
        rig->body[i].peer = (struct addr){.family = 4, .ip = {10, 0, 0, 1}};
    }
    *state = rig;
    return 0;
}

/* Nothing is left counted or in the list. */
static int tear_down(void **state)
{
    struct rig *rig = *state;
    for (size_t i = 0; i < BODIES; i++)
        body_drop(&rig->bodies, &rig->body[i]);
    for (size_t i = 0; i < BODIES; i++)
        assert_int_equal(peers_count(rig->bodies.peers, &rig->body[i].peer, PEERS_BODY), 0);
    assert_int_equal(rig->bodies.used, 0);
    assert_null(rig->bodies.first);
    assert_null(rig->bodies.last);
    peers_free(rig->bodies.peers);
    free(rig);
    return 0;
}

static void set_client(struct body *body, size_t client)
{
    body->peer.ip[2] = (uint8_t)(client >> 8);
    body->peer.ip[3] = (uint8_t)client;
}

static int take(struct rig *rig, struct body *body, size_t limit, const void *data, size_t len)
{
    return body_take(&rig->bodies, body, limit, data, len, rig->now_us);
}

static void H4_pieces_are_joined_up_to_the_limit(void **state)
{
    struct rig *rig = *state;
    struct body *body = &rig->body[0];
    assert_int_equal(take(rig, body, BODY_MAX, "abc", 3), 0);
    assert_int_equal(rig->bodies.used, BODY_UNIT);
    assert_int_equal(take(rig, body, BODY_MAX, "defg", 4), 0);
    assert_int_equal(body->len, 7);
    assert_memory_equal(body->data, "abcdefg", 7);
    assert_int_equal(rig->bodies.used, BODY_UNIT);
    assert_int_equal(take(rig, body, BODY_MAX, piece, BODY_MAX - 7), 0);
    assert_int_equal(body->len, BODY_MAX);
    assert_int_equal(rig->bodies.used, BODY_MAX);
    assert_false(body->too_large);
    assert_memory_equal(body->data, "abcdefg", 7);
    assert_int_equal(take(rig, body, BODY_MAX, "x", 1), 0);
    assert_true(body->too_large);
    assert_null(body->data);
    assert_int_equal(rig->bodies.used, 0);
    assert_int_equal(rig->ends, 0);
}

static void WHIP_12_a_request_may_have_a_lower_limit(void **state)
{
    struct rig *rig = *state;
    struct body *body = &rig->body[0];
    assert_int_equal(take(rig, body, 16384, piece, 16384), 0);
    assert_false(body->too_large);
    assert_int_equal(body->len, 16384);
    assert_int_equal(take(rig, body, 16384, "x", 1), 0);
    assert_true(body->too_large);
    assert_int_equal(rig->bodies.used, 0);
}

static void H4_an_endless_body_is_cut_off(void **state)
{
    struct rig *rig = *state;
    size_t taken = 0;
    int rc = 0;
    while (rc == 0 && taken < 10 * (size_t)BODY_DISCARD_MAX) {
        rc = take(rig, &rig->body[0], BODY_MAX, piece, 1000);
        taken += 1000;
    }
    assert_int_equal(rc, -EMSGSIZE);
    assert_true(taken <= BODY_DISCARD_MAX + BODY_MAX + 2000);
    assert_int_equal(rig->bodies.used, 0);
}

static void H4_what_nobody_wants_is_not_kept(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(take(rig, &rig->body[0], 0, piece, 5000), 0);
    assert_null(rig->body[0].data);
    assert_false(rig->body[0].too_large);
    assert_int_equal(rig->bodies.used, 0);
}

static void H4_one_client_has_a_share_and_ends_its_own_oldest(void **state)
{
    struct rig *rig = *state;
    set_client(&rig->body[0], 2); /* the oldest of all is somebody else's */
    for (size_t i = 0; i <= SHARE_BODIES; i++)
        assert_int_equal(take(rig, &rig->body[i], BODY_MAX, piece, BODY_MAX), 0);
    assert_int_equal(rig->ends, 0);
    struct body *more = &rig->body[SHARE_BODIES + 1];
    assert_int_equal(take(rig, more, BODY_MAX, "x", 1), 0);
    assert_int_equal(rig->ends, 1);
    assert_false(rig->body[0].ended);
    assert_true(rig->body[1].ended);
    assert_null(rig->body[1].data);
    assert_int_equal(take(rig, &rig->body[1], BODY_MAX, "x", 1), -ECANCELED);
    assert_int_equal(more->len, 1);
    set_client(&rig->body[SHARE_BODIES + 2], 3); /* another client has its own */
    assert_int_equal(take(rig, &rig->body[SHARE_BODIES + 2], BODY_MAX, piece, BODY_MAX), 0);
    assert_int_equal(rig->ends, 1);
}

static void H4_a_body_that_grows_over_its_share_may_end_itself(void **state)
{
    struct rig *rig = *state;
    struct body *oldest = &rig->body[0];
    assert_int_equal(take(rig, oldest, BODY_MAX, "x", 1), 0);
    for (size_t i = 1; i < SHARE_BODIES; i++)
        assert_int_equal(take(rig, &rig->body[i], BODY_MAX, piece, BODY_MAX), 0);
    assert_int_equal(take(rig, &rig->body[SHARE_BODIES], BODY_MAX, piece, 8 * BODY_UNIT), 0);
    assert_int_equal(rig->ends, 0);
    assert_int_equal(take(rig, oldest, BODY_MAX, piece, BODY_MAX - 1), -ECANCELED);
    assert_true(oldest->ended);
    assert_null(oldest->data);
    assert_int_equal(rig->ends, 1);
}

static void H4_an_ipv6_network_has_one_share(void **state)
{
    struct rig *rig = *state;
    for (size_t i = 0; i <= SHARE_BODIES; i++) {
        rig->body[i].peer = (struct addr){.family = 6, .ip = {0x20, 1, 0xd, 0xb8}};
        rig->body[i].peer.ip[15] = (uint8_t)i;
        assert_int_equal(take(rig, &rig->body[i], BODY_MAX, piece, BODY_MAX), 0);
    }
    assert_int_equal(rig->ends, 1);
    assert_true(rig->body[0].ended);
}

/* Hoards of full length, from as many clients as fill the budget; returns how many bodies. */
static size_t hoard(struct rig *rig)
{
    size_t count = 0;
    for (; count < BODY_BUDGET / BODY_MAX; count++) {
        set_client(&rig->body[count], 100 + count / SHARE_BODIES);
        assert_int_equal(take(rig, &rig->body[count], BODY_MAX, piece, BODY_MAX), 0);
        rig->now_us += 1000;
    }
    assert_int_equal(rig->bodies.used, BODY_BUDGET);
    assert_int_equal(rig->ends, 0);
    return count;
}

static void H4_a_newcomer_ends_the_oldest_of_a_full_budget(void **state)
{
    struct rig *rig = *state;
    size_t count = hoard(rig);
    struct body *newcomer = &rig->body[count];
    set_client(newcomer, 1);
    assert_int_equal(take(rig, newcomer, BODY_MAX, "v=0", 3), 0);
    assert_int_equal(newcomer->len, 3);
    assert_false(newcomer->starved);
    assert_int_equal(rig->ends, 1);
    assert_true(rig->body[0].ended);
    assert_true(rig->bodies.used <= BODY_BUDGET);
}

/* An honest publisher is slow, and older than all that the attack sends meanwhile. */
static void H4_hoards_cannot_end_a_small_body(void **state)
{
    struct rig *rig = *state;
    struct body *honest = &rig->body[0];
    set_client(honest, 1);
    for (size_t i = 1; i < 4 * (BODY_BUDGET / BODY_MAX); i++) {
        set_client(&rig->body[i], 100 + i / SHARE_BODIES % 100);
        assert_int_equal(take(rig, &rig->body[i], BODY_MAX, piece, BODY_MAX), 0);
        rig->now_us += 1000;
        if (i == 16)
            assert_int_equal(take(rig, honest, BODY_MAX, "v=0", 3), 0);
    }
    assert_true(rig->ends > BODY_BUDGET / BODY_MAX);
    assert_false(honest->ended);
    assert_int_equal(take(rig, honest, BODY_MAX, "\r\n", 2), 0);
    assert_memory_equal(honest->data, "v=0\r\n", 5);
}

/* Nor can as many clients as there are connections, with as little each. */
static void H4_a_crowd_of_small_bodies_cannot_end_a_young_one(void **state)
{
    struct rig *rig = *state;
    size_t count = BODY_BUDGET / BODY_UNIT;
    struct body *honest = &rig->body[count];
    for (size_t i = 0; i < count; i++) {
        set_client(&rig->body[i], 100 + i);
        assert_int_equal(take(rig, &rig->body[i], BODY_MAX, "x", 1), 0);
        rig->now_us += 1000;
    }
    set_client(honest, 1);
    assert_int_equal(take(rig, honest, BODY_MAX, piece, 2 * BODY_UNIT), 0);
    assert_int_equal(rig->ends, 2);
    assert_true(rig->body[0].ended && rig->body[1].ended);
    rig->now_us += 200000; /* a round trip */
    for (size_t i = 0; i < 4; i++) {
        set_client(&rig->body[i], 3000 + i);
        rig->body[i].ended = false;
        assert_int_equal(take(rig, &rig->body[i], BODY_MAX, "x", 1), 0);
    }
    assert_false(honest->ended);
}

#define IN_RIG(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_RIG(H4_pieces_are_joined_up_to_the_limit),
        IN_RIG(WHIP_12_a_request_may_have_a_lower_limit),
        IN_RIG(H4_an_endless_body_is_cut_off),
        IN_RIG(H4_what_nobody_wants_is_not_kept),
        IN_RIG(H4_one_client_has_a_share_and_ends_its_own_oldest),
        IN_RIG(H4_a_body_that_grows_over_its_share_may_end_itself),
        IN_RIG(H4_an_ipv6_network_has_one_share),
        IN_RIG(H4_a_newcomer_ends_the_oldest_of_a_full_budget),
        IN_RIG(H4_hoards_cannot_end_a_small_body),
        IN_RIG(H4_a_crowd_of_small_bodies_cannot_end_a_young_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
