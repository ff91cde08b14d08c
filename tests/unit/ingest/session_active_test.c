/* A publisher that waits for our ClientHello (setup:passive). */
#include "tests/unit/ingest/ingest_session.h"

static void be_passive(struct fixture *f)
{
    client_be_passive(&f->client);
    offer(f);
    assert_non_null(memmem(f->answer_text, f->answer_len, "a=setup:active\r\n", 16));
    assert_null(memmem(f->answer_text, f->answer_len, "a=setup:passive", 15));
}

static bool is_dtls(const struct sent *sent)
{
    return sent->data[0] >= 20 && sent->data[0] < 64;
}

/* Goes on from what was sent since `from`. */
static void finish_handshake(struct fixture *f, size_t path, size_t from)
{
    uint8_t data[1500];
    for (unsigned round = 0; round < 10; round++) {
        size_t end = f->sent_count;
        for (; from < end; from++)
            if (is_dtls(&f->sent[from % SENT_MAX]))
                client_input(&f->client, f->sent[from % SENT_MAX].data,
                             f->sent[from % SENT_MAX].len);
        for (size_t len = client_output(&f->client, data, sizeof(data)); len > 0;
             len = client_output(&f->client, data, sizeof(data)))
            receive(f, path, data, len);
    }
}

static void WHIP_86_our_hello_waits_for_the_first_valid_check(void **state)
{
    struct fixture *f = *state;
    uint8_t stray[64] = {22, 0xfe, 0xfd};
    be_passive(f);
    open_path(f, 0);
    open_path(f, 1);
    receive(f, 0, stray, sizeof(stray));
    check_as(f, 0, "wrongPasswordOf24Letters", true);
    run_until(f, f->now_us + 3 * SECOND);
    assert_int_equal(f->sent_count, 0);
    check(f, 1, false);
    assert_int_equal(f->sent_count, 2); /* the reply, then the hello */
    assert_false(is_dtls(&f->sent[0]));
    assert_true(is_dtls(&f->sent[1]));
    assert_int_equal(f->sent[1].path, 1);
    check(f, 1, false);
    assert_int_equal(f->sent_count, 3); /* once */
}

static void SEC_07_our_hello_is_repeated_to_the_checked_path_only(void **state)
{
    struct fixture *f = *state;
    be_passive(f);
    open_path(f, 0);
    open_path(f, 1);
    check(f, 1, false);
    size_t hellos = 0;
    for (size_t i = 0; i < f->sent_count; i++) {
        assert_int_equal(f->sent[i].path, 1);
        hellos += is_dtls(&f->sent[i]);
    }
    assert_int_equal(hellos, 1);
    run_until(f, f->now_us + SESSION_KEYS_US); /* nobody answers (BUG-16) */
    expect_ended(f, END_REFUSED);
    for (size_t i = 0; i < f->sent_count; i++)
        assert_int_equal(f->sent[i % SENT_MAX].path, 1);
}

static void WHIP_85_BUG_15_a_passive_publisher_goes_live(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    be_passive(f);
    open_path(f, 0);
    check(f, 0, true);
    finish_handshake(f, 0, 0);
    assert_int_equal(client_secure(&f->client), 0);
    assert_int_equal(session_state(f->session), SESSION_KEYED);
    send_key_frame(f, 0, 1000);
    assert_true(test_ring_next(&f->ring, &frame));
    assert_int_equal(session_state(f->session), SESSION_LIVE);
    size_t before = f->sent_count;
    run_until(f, f->now_us + SECOND);
    assert_true(f->sent_count > before);
    struct sent *sent = &f->sent[before % SENT_MAX];
    assert_int_equal(srtp_decrypt_rtcp(f->client.srtp, sent->data, &sent->len), 0);
}

static void SEC_02_U7_a_passive_publisher_with_a_wrong_certificate_is_refused(void **state)
{
    struct fixture *f = *state;
    struct client other;
    assert_int_equal(client_open(&other), 0);
    be_passive(f);
    client_be_passive(&other);
    struct client saved = f->client;
    f->client = other;
    open_path(f, 0);
    check(f, 0, true);
    finish_handshake(f, 0, 0);
    f->client = saved;
    client_close(&other);
    expect_ended(f, END_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(WHIP_86_our_hello_waits_for_the_first_valid_check),
        TEST(SEC_07_our_hello_is_repeated_to_the_checked_path_only),
        TEST(WHIP_85_BUG_15_a_passive_publisher_goes_live),
        TEST(SEC_02_U7_a_passive_publisher_with_a_wrong_certificate_is_refused),
    };
    log_open(-1, "test", LOG_ERROR);
    return cmocka_run_group_tests(tests, warm_up, NULL);
}
