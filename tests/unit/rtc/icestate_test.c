/* ICE restarts: protocols.md WHIP-58 to 63, design.md 2a. */
#include "gateway/rtc/icestate.h"

#include "tests/unit/rtc/stunmake.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct bench {
    struct icestate state;
    bool nominated;
    bool switched;
};

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));
    *state = b;
    if (!b)
        return -1;
    icestate_init(&b->state);
    return icestate_set_peer(&b->state, slice_of("peer"), slice_of("peerpwd"));
}

static int teardown(void **state)
{
    struct bench *b = *state;
    icestate_done(&b->state);
    free(b);
    return 0;
}

/* A check on that pair; `peer` instead of the pair's own peer when given. */
static enum ice_verdict check(struct bench *b, const struct icestate_pair *pair, const char *peer)
{
    struct addr from = {.family = 4, .port = 9, .ip = {192, 0, 2, 1}};
    char username[300];
    uint8_t reply[ICE_REPLY_MAX];
    size_t len = 0;
    snprintf(username, sizeof(username), "%s:%s", pair->ufrag, peer ? peer : pair->peer_ufrag);
    struct recipe recipe = {.username = username, .pwd = pair->pwd, .use_candidate = true};
    struct request request = make(&recipe);
    enum ice_verdict verdict = icestate_answer(&b->state, request.bytes, request.len, &from, reply,
                                               sizeof(reply), &len, &b->nominated, &b->switched);
    assert_int_equal(len > 0, verdict != ICE_DROP);
    return verdict;
}

static void ICE_03_first_pair(void **state)
{
    struct bench *b = *state;
    struct icestate_pair pair = b->state.current;
    assert_int_equal(strlen(pair.ufrag), STREAM_UFRAG_LEN);
    assert_int_equal(strlen(pair.pwd), STREAM_PWD_LEN);
    assert_int_equal(check(b, &pair, NULL), ICE_ACCEPT);
    assert_true(b->nominated);
    assert_false(b->switched);
    assert_int_equal(check(b, &pair, "other"), ICE_DROP);
    pair.pwd[0] ^= 1;
    assert_int_equal(check(b, &pair, NULL), ICE_DROP);
    assert_int_equal(b->state.generation, 0);
}

static void WHIP_61_restart_makes_a_new_pair(void **state)
{
    struct bench *b = *state;
    struct icestate_pair old = b->state.current;
    assert_int_equal(icestate_restart(&b->state, slice_of("peer2"), slice_of("pwd2")), 0);
    struct icestate_pair fresh = *icestate_newest(&b->state);
    assert_string_not_equal(fresh.ufrag, old.ufrag);
    assert_string_not_equal(fresh.pwd, old.pwd);
    assert_string_equal(fresh.peer_ufrag, "peer2");
    assert_int_equal(b->state.generation, 1);
}

static void WHIP_62_both_pairs_are_valid_until_the_new_one_is_checked(void **state)
{
    struct bench *b = *state;
    struct icestate_pair old = b->state.current;
    assert_int_equal(icestate_restart(&b->state, slice_of("peer2"), slice_of("pwd2")), 0);
    struct icestate_pair fresh = *icestate_newest(&b->state);
    assert_int_equal(check(b, &old, NULL), ICE_ACCEPT);
    assert_false(b->switched);
    struct icestate_pair forged = fresh;
    forged.pwd[3] ^= 1;
    assert_int_equal(check(b, &forged, NULL), ICE_DROP); /* and changes nothing */
    assert_int_equal(check(b, &fresh, "peer"), ICE_DROP);
    assert_int_equal(check(b, &old, NULL), ICE_ACCEPT);
    assert_int_equal(check(b, &fresh, NULL), ICE_ACCEPT);
    assert_true(b->switched);
    assert_int_equal(check(b, &fresh, NULL), ICE_ACCEPT);
    assert_false(b->switched); /* once */
    assert_int_equal(check(b, &old, NULL), ICE_DROP);
    assert_false(b->state.restarting);
}

static void WHIP_62_failed_restart_changes_nothing(void **state)
{
    struct bench *b = *state;
    char longest[ICESTATE_PEER_MAX + 2];
    struct icestate before = b->state;
    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(icestate_restart(&b->state, slice_of(longest), slice_of("x")), -EMSGSIZE);
    assert_int_equal(icestate_restart(&b->state, slice_of("x"), slice_of(longest)), -EMSGSIZE);
    assert_int_equal(icestate_restart(&b->state, slice_of(""), slice_of("x")), -EINVAL);
    assert_int_equal(icestate_restart(&b->state, slice_of("x"), slice_of("")), -EINVAL);
    assert_memory_equal(&before, &b->state, sizeof(before));
    longest[ICESTATE_PEER_MAX] = '\0';
    assert_int_equal(icestate_restart(&b->state, slice_of(longest), slice_of("x")), 0);
}

static void WHIP_67_the_newest_of_two_restarts_counts(void **state)
{
    struct bench *b = *state;
    struct icestate_pair old = b->state.current;
    assert_int_equal(icestate_restart(&b->state, slice_of("peer2"), slice_of("pwd2")), 0);
    struct icestate_pair second = *icestate_newest(&b->state);
    assert_int_equal(icestate_restart(&b->state, slice_of("peer3"), slice_of("pwd3")), 0);
    struct icestate_pair third = *icestate_newest(&b->state);
    assert_int_equal(b->state.generation, 2);
    assert_int_equal(check(b, &second, NULL), ICE_DROP);
    assert_int_equal(check(b, &old, NULL), ICE_ACCEPT);
    assert_int_equal(check(b, &third, NULL), ICE_ACCEPT);
    assert_true(b->switched);
}

static void WHIP_58_other_credentials_are_a_restart(void **state)
{
    struct bench *b = *state;
    assert_true(icestate_knows(&b->state, slice_of("peer"), slice_of("peerpwd")));
    assert_false(icestate_knows(&b->state, slice_of("peer"), slice_of("other")));
    assert_false(icestate_knows(&b->state, slice_of("peer2"), slice_of("peerpwd")));
    assert_int_equal(icestate_restart(&b->state, slice_of("peer2"), slice_of("pwd2")), 0);
    assert_true(icestate_knows(&b->state, slice_of("peer2"), slice_of("pwd2")));
    assert_true(icestate_knows(&b->state, slice_of("peer"), slice_of("peerpwd")));
    struct icestate_pair fresh = *icestate_newest(&b->state);
    assert_int_equal(check(b, &fresh, NULL), ICE_ACCEPT);
    assert_false(icestate_knows(&b->state, slice_of("peer"), slice_of("peerpwd")));
}

static void U2_junk_is_dropped(void **state)
{
    struct bench *b = *state;
    struct addr from = {.family = 4, .port = 9, .ip = {192, 0, 2, 1}};
    uint8_t reply[ICE_REPLY_MAX];
    uint8_t junk[100] = {0, 1};
    size_t len = 7;
    assert_int_equal(icestate_answer(&b->state, junk, sizeof(junk), &from, reply, sizeof(reply),
                                     &len, &b->nominated, &b->switched),
                     ICE_DROP);
    assert_int_equal(len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ICE_03_first_pair, setup, teardown),
        cmocka_unit_test_setup_teardown(WHIP_61_restart_makes_a_new_pair, setup, teardown),
        cmocka_unit_test_setup_teardown(WHIP_62_both_pairs_are_valid_until_the_new_one_is_checked,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(WHIP_62_failed_restart_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(WHIP_67_the_newest_of_two_restarts_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(WHIP_58_other_credentials_are_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(U2_junk_is_dropped, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
