/* The session's paths: validation, nomination, change of address, closing. */
#include "tests/unit/ingest/ingest_session.h"

/* ---- paths ---- */

static void U3_dtls_needs_a_validated_path(void **state)
{
    struct fixture *f = *state;
    offer(f);
    open_path(f, 0);
    handshake(f, 0);
    assert_int_equal(f->sent_count, 0);
    assert_int_equal(session_state(f->session), SESSION_OFFERED);
}

static void U1_unauthenticated_checks_get_no_reply(void **state)
{
    struct fixture *f = *state;
    uint8_t data[512];
    offer(f);
    open_path(f, 0);
    check_as(f, 0, "wrongPasswordOf24Letters", true);
    size_t len = client_check("otherUfr", f->answer.pwd, true, data);
    receive(f, 0, data, len);
    assert_int_equal(f->sent_count, 0);
    assert_int_equal(session_state(f->session), SESSION_OFFERED);
}

static void ICE_06_dtls_before_nomination(void **state)
{
    struct fixture *f = *state;
    offer(f);
    open_path(f, 0);
    open_path(f, 1);
    check(f, 0, false);
    check(f, 1, false);
    handshake(f, 1); /* answers go where the hello came from */
    assert_int_equal(f->sent[(f->sent_count - 1) % SENT_MAX].path, 1);
    assert_int_equal(session_state(f->session), SESSION_KEYED);
}

static void U17_a_nominated_path_takes_over(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    go_keyed(f);
    send_key_frame(f, 0, 1000);
    assert_true(test_ring_next(&f->ring, &frame));
    open_path(f, 1);
    size_t before = f->sent_count;
    check(f, 1, true);
    send_rtp(f, 1, test_slice, sizeof(test_slice), 4000, true);
    assert_true(test_ring_next(&f->ring, &frame));
    run_until(f, f->now_us + 2 * SECOND);
    assert_true(f->sent_count > before + 1);
    for (size_t i = before; i < f->sent_count; i++)
        assert_int_equal(f->sent[i % SENT_MAX].path, 1);
}

static void silent_paths_that_are_not_in_use_are_closed(void **state)
{
    struct fixture *f = *state;
    go_keyed(f);
    open_path(f, 1);
    check(f, 1, true);
    uint64_t start_us = f->now_us;
    for (unsigned i = 1; i <= 6; i++) {
        run_until(f, start_us + i * 5 * SECOND);
        check(f, 1, true);
        assert_int_equal(f->closed_count, i == 6 ? f->closed_count : 0);
    }
    run_until(f, start_us + 32 * SECOND);
    assert_int_equal(f->closed_count, 1);
    assert_int_equal(f->closed_path, 0);
    assert_int_equal(session_state(f->session), SESSION_KEYED);
}

/* The port of one who vanished is given to another publisher, whose checks come to our socket. */
static void ICE_10_a_port_used_again_goes_back_to_edge(void **state)
{
    struct fixture *f = *state;
    uint8_t data[512];
    go_keyed(f);
    send_key_frame(f, 0, 1000);
    size_t len = client_check("otherUfr", "anotherSessionsPassword1", true, data);
    run_until(f, f->now_us + 2 * SECOND);
    receive(f, 0, data, len);
    assert_int_equal(f->closed_count, 0); /* our publisher may still be there */
    run_until(f, f->now_us + SECOND);
    check_as(f, 0, "wrongPasswordOf24Letters", true);
    assert_int_equal(f->closed_count, 0); /* forged, but meant for us */
    receive(f, 0, data, len);
    assert_int_equal(f->closed_count, 1);
    assert_int_equal(f->closed_path, 0);
    assert_int_equal(session_state(f->session), SESSION_LIVE); /* it may come back by another */
    open_path(f, 0);
    check(f, 0, true);
    assert_int_equal(session_state(f->session), SESSION_LIVE);
}

static void U17_a_path_that_ended_gives_way_to_any_checked_one(void **state)
{
    struct fixture *f = *state;
    go_keyed(f);
    open_path(f, 1);
    session_close_path(f->session, 0); /* nominated before; a TCP connection that broke */
    size_t before = f->sent_count;
    run_until(f, f->now_us + 2 * SECOND);
    assert_int_equal(f->sent_count, before); /* nowhere to send to */
    check(f, 0, true);
    assert_int_equal(f->sent_count, before); /* nothing comes from there any more */
    check(f, 1, false);
    run_until(f, f->now_us + 2 * SECOND);
    assert_true(f->sent_count > before + 1);
    for (size_t i = before; i < f->sent_count; i++)
        assert_int_equal(f->sent[i % SENT_MAX].path, 1);
    session_close_path(f->session, STREAM_PATHS_MAX); /* nothing happens */
    assert_int_equal(session_state(f->session), SESSION_KEYED);
}

static void U17_an_address_that_changes_often_always_finds_a_place(void **state)
{
    struct fixture *f = *state;
    go_keyed(f);
    for (size_t i = 1; i < STREAM_PATHS_MAX; i++) {
        assert_int_equal(f->closed_count, 0);
        run_until(f, f->now_us + SECOND);
        open_path(f, i);
        check(f, i, true);
    }
    assert_int_equal(f->closed_count, 1); /* all places are taken: the oldest is free again */
    assert_int_equal(f->closed_path, 0);
    open_path(f, 0);
    check(f, 0, true);
    assert_int_equal(f->closed_count, 2);
    assert_int_equal(f->closed_path, 1);
}

static void U17_paths_in_use_are_not_closed_for_room(void **state)
{
    struct fixture *f = *state;
    go_keyed(f);
    for (size_t i = 1; i < STREAM_PATHS_MAX; i++)
        open_path(f, i);
    check(f, 7, true); /* none of the others has been silent for a second */
    assert_int_equal(f->closed_count, 0);
}

static void packets_of_unknown_paths_are_ignored(void **state)
{
    struct fixture *f = *state;
    offer(f);
    check(f, 3, true);
    check(f, STREAM_PATHS_MAX, true);
    session_open_path(f->session, STREAM_PATHS_MAX, &(struct addr){0}, f->now_us);
    assert_int_equal(f->sent_count, 0);
    assert_int_equal(session_state(f->session), SESSION_OFFERED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(U3_dtls_needs_a_validated_path),
        TEST(U1_unauthenticated_checks_get_no_reply),
        TEST(ICE_06_dtls_before_nomination),
        TEST(U17_a_nominated_path_takes_over),
        TEST(silent_paths_that_are_not_in_use_are_closed),
        TEST(ICE_10_a_port_used_again_goes_back_to_edge),
        TEST(U17_a_path_that_ended_gives_way_to_any_checked_one),
        TEST(U17_an_address_that_changes_often_always_finds_a_place),
        TEST(U17_paths_in_use_are_not_closed_for_room),
        TEST(packets_of_unknown_paths_are_ignored),
    };
    log_open(-1, "test", LOG_ERROR);
    return cmocka_run_group_tests(tests, warm_up, NULL);
}
