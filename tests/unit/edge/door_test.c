/* The table of the media port: who is let in, and what leaves it unmoved. */
#include "gateway/edge/door.h"

#include "lib/base/clock.h"
#include "tests/support/rawchecks.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ALPHA 11u
#define BETA 22u
#define START_US 1000000u

static const struct addr local = {.family = 4, .port = 5000, .ip = {127, 0, 0, 1}};

static struct addr remote_of(unsigned number)
{
    struct addr a = {.family = 4, .ip = {10, 0, (uint8_t)(number >> 8), (uint8_t)number}};
    a.port = 40000;
    return a;
}

static int setup(void **state)
{
    struct door *door = malloc(sizeof(*door));
    if (door == NULL)
        return -1;
    door_init(door, 42, START_US);
    *state = door;
    return door_expect(door, ALPHA, RAWCHECK_ALPHA_UFRAG, RAWCHECK_ALPHA_PWD);
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static enum door_verdict judge(struct door *door, unsigned remote, const void *data, size_t len,
                               uint64_t *out_session)
{
    const struct addr from = remote_of(remote);
    return door_judge(door, &local, &from, data, len, START_US, out_session);
}

static enum door_verdict judge_alpha(struct door *door, unsigned remote, uint64_t *out_session)
{
    return judge(door, remote, rawcheck_alpha, sizeof(rawcheck_alpha), out_session);
}

static void add(struct door *door, uint64_t session, unsigned remote)
{
    const struct addr from = remote_of(remote);
    assert_int_equal(door_add_path(door, session, &local, &from), 0);
}

/* Everything except counters and rates: what a stranger must not be able to change. */
static void assert_unmoved(const struct door *before, const struct door *after)
{
    struct door a = *before;
    a.counters = after->counters;
    assert_memory_equal(&a, after, sizeof(a));
}

static void U1_authentic_check_of_live_ufrag_opens(void **state)
{
    struct door *door = *state;
    uint64_t session = 0;
    assert_int_equal(judge_alpha(door, 1, &session), DOOR_OPEN);
    assert_int_equal(session, ALPHA);
    add(door, ALPHA, 1);
    assert_int_equal(door->counters.opened, 1);
}

static void U1_unknown_ufrag_is_dropped(void **state)
{
    struct door *door = *state;
    const struct door before = *door;
    uint64_t session = 7;
    assert_int_equal(judge(door, 1, rawcheck_beta, sizeof(rawcheck_beta), &session), DOOR_DROP);
    assert_int_equal(session, 7);
    assert_int_equal(door->counters.unknown, 1);
    assert_unmoved(&before, door);
}

static void U2_wrong_password_is_dropped_and_moves_nothing(void **state)
{
    struct door *door = *state;
    uint64_t session = 0;
    assert_int_equal(door_expect(door, BETA, RAWCHECK_BETA_UFRAG, RAWCHECK_GAMMA_PWD), 0);
    const struct door before = *door;
    assert_int_equal(judge(door, 1, rawcheck_beta, sizeof(rawcheck_beta), &session), DOOR_DROP);
    assert_int_equal(door->counters.forged, 1);
    assert_unmoved(&before, door);
}

static void U2_every_flipped_bit_is_dropped(void **state)
{
    struct door *door = *state;
    const struct door before = *door;
    uint64_t session = 0;
    for (size_t bit = 0; bit < sizeof(rawcheck_alpha) * 8; bit++) {
        uint8_t copy[sizeof(rawcheck_alpha)];
        memcpy(copy, rawcheck_alpha, sizeof(copy));
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(judge(door, 1, copy, sizeof(copy), &session), DOOR_DROP);
    }
    assert_unmoved(&before, door);
}

static void U2_truncated_at_every_length_is_dropped(void **state)
{
    struct door *door = *state;
    const struct door before = *door;
    uint64_t session = 0;
    for (size_t len = 0; len < sizeof(rawcheck_alpha); len++) {
        uint8_t *copy = malloc(len + 1); /* its end is seen by the sanitizer */
        assert_non_null(copy);
        memcpy(copy, rawcheck_alpha, len);
        assert_int_equal(judge(door, 1, copy, len, &session), DOOR_DROP);
        free(copy);
    }
    assert_unmoved(&before, door);
}

static void U18_every_first_byte_and_length_is_dropped_from_strangers(void **state)
{
    struct door *door = *state;
    const struct door before = *door;
    uint64_t session = 0;
    uint8_t data[1600];
    for (unsigned first = 0; first < 256; first++) {
        memset(data, (int)first, sizeof(data));
        for (size_t len = 0; len <= sizeof(data); len += len < 64 ? 1 : 61)
            assert_int_equal(judge(door, 1, data, len, &session), DOOR_DROP);
    }
    assert_unmoved(&before, door);
    const struct door_counters *c = &door->counters;
    assert_int_equal(c->received, c->odd + c->strange + c->malformed);
    assert_true(c->odd > 0 && c->strange > 0 && c->malformed > 0);
}

static void U18_longer_than_a_datagram_may_be_is_odd_from_known_flows_too(void **state)
{
    struct door *door = *state;
    uint64_t session = 0;
    uint8_t data[STREAM_DATAGRAM_MAX + 1] = {0x80, 111};
    add(door, ALPHA, 1);
    assert_int_equal(judge(door, 1, data, sizeof(data), &session), DOOR_DROP);
    assert_int_equal(judge(door, 1, data, 0, &session), DOOR_DROP);
    assert_int_equal(door->counters.odd, 2);
    assert_int_equal(judge(door, 1, data, sizeof(data) - 1, &session), DOOR_PASS);
}

static void U3_known_flow_passes_bytes_and_never_opens_again(void **state)
{
    struct door *door = *state;
    uint64_t session = 0;
    static const uint8_t dtls[64] = {22, 254, 253};
    add(door, ALPHA, 1);
    assert_int_equal(judge_alpha(door, 1, &session), DOOR_PASS);
    assert_int_equal(session, ALPHA);
    assert_int_equal(judge(door, 1, dtls, sizeof(dtls), &session), DOOR_PASS);
    const struct addr from = remote_of(1);
    assert_int_equal(door_add_path(door, ALPHA, &local, &from), -EEXIST);
    assert_int_equal(judge(door, 2, dtls, sizeof(dtls), &session), DOOR_DROP);
}

static void U17_only_media_of_a_known_host_is_a_stray(void **state)
{
    struct door *door = *state;
    static const uint8_t media[64] = {0x80, 111}, report[64] = {0x80, 200}, dtls[64] = {22, 254};
    uint64_t session = 0, shown[STRAY_SESSIONS_MAX];
    struct addr from = remote_of(1);
    add(door, ALPHA, 1);
    from.port++;
    assert_int_equal(door_judge(door, &local, &from, report, 64, START_US, &session), DOOR_DROP);
    assert_int_equal(door_judge(door, &local, &from, dtls, 64, START_US, &session), DOOR_DROP);
    assert_int_equal(judge(door, 2, media, sizeof(media), &session), DOOR_DROP);
    assert_int_equal(door->counters.strange, 3);
    assert_int_equal(door_judge(door, &local, &from, media, 64, START_US, &session), DOOR_STRAY);
    assert_int_equal(door_judge_stray(door, &local, &from, START_US, shown), 1);
    assert_int_equal(shown[0], ALPHA);
    assert_int_equal(door->counters.shown, 1);
    assert_int_equal(door_want_path(door, BETA, &local, &from, START_US), -ENOENT);
    assert_int_equal(door_want_path(door, ALPHA, &local, &from, START_US), 0);
    assert_int_equal(door_judge(door, &local, &from, media, 64, START_US, &session), DOOR_PASS);
    door_forget(door, ALPHA);
    assert_int_equal(door_judge(door, &local, &from, media, 64, START_US, &session), DOOR_DROP);
}

static void U3_strays_open_no_more_flows_than_a_session_may_have(void **state)
{
    struct door *door = *state;
    uint64_t shown[STRAY_SESSIONS_MAX];
    struct addr from = remote_of(0);
    for (unsigned i = 0; i < STREAM_PATHS_MAX; i++)
        add(door, ALPHA, i);
    from.port++;
    assert_int_equal(door_judge_stray(door, &local, &from, START_US, shown), 1);
    assert_int_equal(door_want_path(door, ALPHA, &local, &from, START_US), -ENOSPC);
    const struct addr first = remote_of(1);
    door_remove_path(door, ALPHA, &local, &first);
    assert_int_equal(door_want_path(door, ALPHA, &local, &from, START_US), -ENOENT); /* once */
    assert_int_equal(door_judge_stray(door, &local, &from, START_US, shown), 1);
    assert_int_equal(door_want_path(door, ALPHA, &local, &from, START_US), 0);
}

static void U3_flow_is_local_and_remote_together(void **state)
{
    struct door *door = *state;
    uint64_t session = 0;
    struct addr other = local, from = remote_of(1);
    other.ip[3] = 2;
    add(door, ALPHA, 1);
    assert_int_equal(
        door_judge(door, &other, &from, rawcheck_alpha, sizeof(rawcheck_alpha), START_US, &session),
        DOOR_OPEN);
    from.port++;
    assert_int_equal(
        door_judge(door, &local, &from, rawcheck_alpha, sizeof(rawcheck_alpha), START_US, &session),
        DOOR_OPEN);
}

static void U3_ninth_flow_is_refused(void **state)
{
    struct door *door = *state;
    uint64_t session = 0;
    for (unsigned i = 0; i < STREAM_PATHS_MAX; i++) {
        assert_int_equal(judge_alpha(door, i, &session), DOOR_OPEN);
        add(door, ALPHA, i);
    }
    assert_int_equal(judge_alpha(door, STREAM_PATHS_MAX, &session), DOOR_DROP);
    assert_int_equal(door->counters.full, 1);
    const struct addr from = remote_of(STREAM_PATHS_MAX);
    assert_int_equal(door_add_path(door, ALPHA, &local, &from), -ENOSPC);
    const struct addr gone = remote_of(3);
    door_remove_path(door, ALPHA, &local, &gone);
    assert_int_equal(judge_alpha(door, STREAM_PATHS_MAX, &session), DOOR_OPEN);
}

static void removed_flow_opens_again_and_only_its_session_removes_it(void **state)
{
    struct door *door = *state;
    uint64_t session = 0;
    const struct addr from = remote_of(1);
    assert_int_equal(door_expect(door, BETA, RAWCHECK_BETA_UFRAG, RAWCHECK_BETA_PWD), 0);
    add(door, ALPHA, 1);
    door_remove_path(door, BETA, &local, &from);
    assert_int_equal(judge_alpha(door, 1, &session), DOOR_PASS);
    door_remove_path(door, ALPHA, &local, &from);
    assert_int_equal(judge_alpha(door, 1, &session), DOOR_OPEN);
}

static void forgotten_session_leaves_nothing(void **state)
{
    struct door *door = *state;
    uint64_t session = 0;
    for (unsigned i = 0; i < STREAM_PATHS_MAX; i++)
        add(door, ALPHA, i);
    door_forget(door, ALPHA);
    door_forget(door, ALPHA);
    assert_int_equal(judge_alpha(door, 1, &session), DOOR_DROP);
    assert_int_equal(door->counters.unknown, 1);
    for (size_t i = 0; i < DOOR_BUCKETS; i++) {
        assert_int_equal(door->ufrag_buckets[i], 0);
        assert_int_equal(door->path_buckets[i], 0);
    }
    const struct door_session none = {0};
    assert_memory_equal(&door->sessions[0], &none, sizeof(none)); /* no password stays */
    const struct addr from = remote_of(1);
    assert_int_equal(door_add_path(door, ALPHA, &local, &from), -ENOENT);
}

static void forgetting_one_leaves_the_others(void **state)
{
    struct door *door = *state;
    uint64_t session = 0;
    assert_int_equal(door_expect(door, BETA, RAWCHECK_BETA_UFRAG, RAWCHECK_BETA_PWD), 0);
    add(door, BETA, 2); /* in front of the other one */
    add(door, ALPHA, 1);
    door_forget(door, ALPHA);
    assert_int_equal(judge(door, 2, rawcheck_beta, sizeof(rawcheck_beta), &session), DOOR_PASS);
    assert_int_equal(session, BETA);
}

static void restart_both_pairs_count_until_the_first_check_on_the_newer(void **state)
{
    struct door *door = *state;
    uint64_t session = 0;
    assert_int_equal(door_expect(door, ALPHA, RAWCHECK_BETA_UFRAG, RAWCHECK_BETA_PWD), 0);
    assert_int_equal(judge_alpha(door, 1, &session), DOOR_OPEN);
    assert_int_equal(judge_alpha(door, 1, &session), DOOR_OPEN); /* the older pair ends nothing */
    assert_int_equal(judge(door, 2, rawcheck_beta, sizeof(rawcheck_beta), &session), DOOR_OPEN);
    assert_int_equal(session, ALPHA);
    assert_int_equal(judge_alpha(door, 1, &session), DOOR_DROP);
    assert_int_equal(judge(door, 2, rawcheck_beta, sizeof(rawcheck_beta), &session), DOOR_OPEN);
}

static void restart_forged_check_on_the_newer_retires_nothing(void **state)
{
    struct door *door = *state;
    uint64_t session = 0;
    uint8_t forged[sizeof(rawcheck_beta)];
    memcpy(forged, rawcheck_beta, sizeof(forged));
    forged[70] ^= 1; /* inside MESSAGE-INTEGRITY */
    assert_int_equal(door_expect(door, ALPHA, RAWCHECK_BETA_UFRAG, RAWCHECK_BETA_PWD), 0);
    assert_int_equal(judge(door, 2, forged, sizeof(forged), &session), DOOR_DROP);
    assert_int_equal(judge_alpha(door, 1, &session), DOOR_OPEN);
}

static void restart_pairs_that_were_never_checked_leave_the_old_one(void **state)
{
    struct door *door = *state;
    uint64_t session = 0;
    char ufrag[] = "many0000";
    assert_int_equal(door_expect(door, ALPHA, RAWCHECK_BETA_UFRAG, RAWCHECK_BETA_PWD), 0);
    assert_int_equal(door_expect(door, ALPHA, ufrag, RAWCHECK_BETA_PWD), 0);
    assert_int_equal(door_expect(door, ALPHA, RAWCHECK_GAMMA_UFRAG, RAWCHECK_GAMMA_PWD), 0);
    assert_int_equal(judge_alpha(door, 1, &session), DOOR_OPEN);
    ufrag[7] = '1';
    assert_int_equal(door_expect(door, ALPHA, ufrag, RAWCHECK_BETA_PWD), 0);
    assert_int_equal(judge_alpha(door, 1, &session), DOOR_DROP); /* too many: the oldest goes */
    assert_int_equal(judge(door, 1, rawcheck_beta, sizeof(rawcheck_beta), &session), DOOR_OPEN);
    assert_int_equal(judge(door, 1, rawcheck_gamma, sizeof(rawcheck_gamma), &session), DOOR_OPEN);
    assert_int_equal(session, ALPHA);
    door_forget(door, ALPHA);
    assert_int_equal(judge(door, 1, rawcheck_beta, sizeof(rawcheck_beta), &session), DOOR_DROP);
    assert_int_equal(judge(door, 1, rawcheck_gamma, sizeof(rawcheck_gamma), &session), DOOR_DROP);
}

static void restart_check_on_the_newest_retires_all_others(void **state)
{
    struct door *door = *state;
    uint64_t session = 0;
    assert_int_equal(door_expect(door, ALPHA, RAWCHECK_BETA_UFRAG, RAWCHECK_BETA_PWD), 0);
    assert_int_equal(door_expect(door, ALPHA, RAWCHECK_GAMMA_UFRAG, RAWCHECK_GAMMA_PWD), 0);
    assert_int_equal(judge(door, 1, rawcheck_beta, sizeof(rawcheck_beta), &session), DOOR_OPEN);
    assert_int_equal(judge_alpha(door, 1, &session), DOOR_OPEN);
    assert_int_equal(judge(door, 1, rawcheck_gamma, sizeof(rawcheck_gamma), &session), DOOR_OPEN);
    assert_int_equal(judge(door, 1, rawcheck_beta, sizeof(rawcheck_beta), &session), DOOR_DROP);
    assert_int_equal(judge_alpha(door, 1, &session), DOOR_DROP);
    assert_int_equal(judge(door, 1, rawcheck_gamma, sizeof(rawcheck_gamma), &session), DOOR_OPEN);
}

static void expecting_again_changes_nothing(void **state)
{
    struct door *door = *state;
    const struct door before = *door;
    assert_int_equal(door_expect(door, ALPHA, RAWCHECK_ALPHA_UFRAG, RAWCHECK_ALPHA_PWD), 0);
    assert_unmoved(&before, door);
}

static void expecting_refuses_what_is_not_in_order(void **state)
{
    struct door *door = *state;
    const struct door before = *door;
    assert_int_equal(door_expect(door, BETA, "abc", RAWCHECK_BETA_PWD), -EBADMSG);
    assert_int_equal(door_expect(door, BETA, "", RAWCHECK_BETA_PWD), -EBADMSG);
    assert_int_equal(door_expect(door, BETA, "123456789", RAWCHECK_BETA_PWD), -EBADMSG);
    assert_int_equal(door_expect(door, BETA, "abcd", "0123456789012345678901234"), -EBADMSG);
    assert_int_equal(door_expect(door, BETA, "abcd", "012345678901234567890"), -EBADMSG);
    assert_int_equal(door_expect(door, BETA, RAWCHECK_ALPHA_UFRAG, RAWCHECK_BETA_PWD), -EEXIST);
    assert_int_equal(door_expect(door, ALPHA, RAWCHECK_ALPHA_UFRAG, RAWCHECK_BETA_PWD), -EEXIST);
    assert_unmoved(&before, door);
}

static void table_is_full_with_the_greatest_number_of_sessions(void **state)
{
    struct door *door = *state;
    uint64_t session = 0;
    for (unsigned i = 1; i < STREAM_MAX; i++) {
        char ufrag[STREAM_UFRAG_LEN + 1];
        (void)snprintf(ufrag, sizeof(ufrag), "u%06u", i);
        assert_int_equal(door_expect(door, 1000 + i, ufrag, RAWCHECK_BETA_PWD), 0);
        for (unsigned path = 0; path < STREAM_PATHS_MAX; path++)
            add(door, 1000 + i, i * STREAM_PATHS_MAX + path);
    }
    assert_int_equal(door_expect(door, BETA, RAWCHECK_BETA_UFRAG, RAWCHECK_BETA_PWD), -ENOSPC);
    assert_int_equal(judge_alpha(door, 1, &session), DOOR_OPEN);
    for (unsigned path = 0; path < STREAM_PATHS_MAX; path++)
        add(door, ALPHA, path);
    assert_int_equal(door->free_path, 0);
    door_forget(door, 1001);
    assert_int_equal(door_expect(door, BETA, RAWCHECK_BETA_UFRAG, RAWCHECK_BETA_PWD), 0);
    assert_int_equal(judge(door, 9999, rawcheck_beta, sizeof(rawcheck_beta), &session), DOOR_OPEN);
}

static void U13_known_flow_is_limited_and_recovers(void **state)
{
    struct door *door = *state;
    uint64_t session = 0;
    const struct addr from = remote_of(1);
    static const uint8_t rtp[64] = {0x80, 111};
    add(door, ALPHA, 1);
    for (unsigned i = 0; i < DOOR_SESSION_BURST; i++)
        assert_int_equal(judge(door, 1, rtp, sizeof(rtp), &session), DOOR_PASS);
    assert_int_equal(judge(door, 1, rtp, sizeof(rtp), &session), DOOR_DROP);
    assert_int_equal(door->counters.limited, 1);
    unsigned passed = 0;
    for (unsigned ms = 0; ms < 1000; ms++)
        passed += door_judge(door, &local, &from, rtp, sizeof(rtp), START_US + ms * CLOCK_MS_US,
                             &session) == DOOR_PASS;
    assert_in_range(passed, DOOR_SESSION_RATE - 2, DOOR_SESSION_RATE);
    uint64_t later_us = START_US + 86400ull * CLOCK_SECOND_US; /* a day adds no more than a burst */
    passed = 0;
    for (unsigned i = 0; i < 2 * DOOR_SESSION_BURST; i++)
        passed +=
            door_judge(door, &local, &from, rtp, sizeof(rtp), later_us, &session) == DOOR_PASS;
    assert_int_equal(passed, DOOR_SESSION_BURST);
}

static void U13_all_flows_together_are_limited(void **state)
{
    struct door *door = *state;
    uint64_t session = 0;
    unsigned passed = 0;
    static const uint8_t rtp[64] = {0x80, 111};
    for (unsigned i = 0; i < 8; i++) {
        char ufrag[STREAM_UFRAG_LEN + 1];
        (void)snprintf(ufrag, sizeof(ufrag), "u%06u", i);
        assert_int_equal(door_expect(door, 1000 + i, ufrag, RAWCHECK_BETA_PWD), 0);
        add(door, 1000 + i, i);
    }
    for (unsigned i = 0; i < 8 * DOOR_SESSION_BURST; i++)
        passed += judge(door, i % 8, rtp, sizeof(rtp), &session) == DOOR_PASS;
    assert_int_equal(passed, DOOR_TOTAL_BURST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(U1_authentic_check_of_live_ufrag_opens, setup, teardown),
        cmocka_unit_test_setup_teardown(U1_unknown_ufrag_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(U2_wrong_password_is_dropped_and_moves_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(U2_every_flipped_bit_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(U2_truncated_at_every_length_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(U18_every_first_byte_and_length_is_dropped_from_strangers,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            U18_longer_than_a_datagram_may_be_is_odd_from_known_flows_too, setup, teardown),
        cmocka_unit_test_setup_teardown(U3_known_flow_passes_bytes_and_never_opens_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(U17_only_media_of_a_known_host_is_a_stray, setup, teardown),
        cmocka_unit_test_setup_teardown(U3_strays_open_no_more_flows_than_a_session_may_have, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(U3_flow_is_local_and_remote_together, setup, teardown),
        cmocka_unit_test_setup_teardown(U3_ninth_flow_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(removed_flow_opens_again_and_only_its_session_removes_it,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(forgotten_session_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(forgetting_one_leaves_the_others, setup, teardown),
        cmocka_unit_test_setup_teardown(restart_both_pairs_count_until_the_first_check_on_the_newer,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(restart_forged_check_on_the_newer_retires_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(restart_pairs_that_were_never_checked_leave_the_old_one,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(restart_check_on_the_newest_retires_all_others, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(expecting_again_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(expecting_refuses_what_is_not_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(table_is_full_with_the_greatest_number_of_sessions, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(U13_known_flow_is_limited_and_recovers, setup, teardown),
        cmocka_unit_test_setup_teardown(U13_all_flows_together_are_limited, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
