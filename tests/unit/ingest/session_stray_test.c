/* Media from a tuple that no check came from: inbound first, outbound after the check (U17). */
#include "gateway/ingest/tuples.h"
#include "tests/unit/ingest/ingest_session.h"

static struct msg_path tuple_of(uint16_t port)
{
    return (struct msg_path){.session = SESSION,
                             .local = {.family = 4, .port = 9, .ip = {127, 0, 0, 1}},
                             .remote = {.family = 4, .port = port, .ip = {127, 0, 0, 1}}};
}

static void stray(struct fixture *f, uint16_t port, const uint8_t *sealed, size_t len)
{
    const struct msg_path path = tuple_of(port);
    uint8_t copy[1500];
    memcpy(copy, sealed, len);
    session_stray(f->session, &path, copy, len, f->now_us);
}

static size_t seal_slice(struct fixture *f, uint32_t time, uint8_t *sealed)
{
    return seal_rtp(f, test_slice, sizeof(test_slice), time, true, sealed);
}

/* Live, with one frame read, and nothing left to send. */
static void go_live(struct fixture *f)
{
    struct frame frame;
    go_keyed(f);
    send_key_frame(f, 0, 1000);
    assert_true(test_ring_next(&f->ring, &frame));
}

static void U17_media_from_a_new_port_counts_and_its_flow_is_asked_for(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    uint8_t sealed[1500];
    go_live(f);
    for (unsigned i = 0; i < 5; i++) {
        size_t len = seal_slice(f, 4000 + 3000 * i, sealed);
        stray(f, 6000, sealed, len);
        assert_true(test_ring_next(&f->ring, &frame));
    }
    assert_int_equal(f->wanted_count, 1); /* it is on its way */
    const struct msg_path expected = tuple_of(6000);
    assert_memory_equal(&f->wanted, &expected, sizeof(expected));
    f->now_us += SESSION_WANT_US;
    stray(f, 6000, sealed, seal_slice(f, 30000, sealed));
    assert_int_equal(f->wanted_count, 2); /* it did not come */
}

static void U1_W8_nothing_goes_to_a_path_before_its_check(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    static const uint8_t alert[64] = {22, 0xfe, 0xfd};
    uint8_t sealed[1500], report[256];
    go_live(f);
    stray(f, 6000, sealed, seal_slice(f, 4000, sealed));
    open_path(f, 1);
    size_t before = f->sent_count;
    uint64_t start_us = f->now_us;
    for (unsigned i = 1; i < 40; i++) {
        run_until(f, start_us + i * SECOND / 10);
        send_rtp(f, 1, test_slice, sizeof(test_slice), 4000 + i * 9000, true);
        assert_true(test_ring_next(&f->ring, &frame));
        receive(f, 1, alert, sizeof(alert));
        check_as(f, 1, "wrongPasswordOf24Letters", true);
        struct writer w;
        writer_init(&w, report, sizeof(report));
        rtcp_write_sr(&w, &(struct rtcp_sender_info){.ssrc = VIDEO_SSRC});
        size_t len = w.len;
        assert_int_equal(srtp_encrypt_rtcp(f->client.srtp, report, &len, sizeof(report)), 0);
        receive(f, 1, report, len);
    }
    assert_true(f->sent_count > before); /* what there is to say goes to where it went before */
    for (size_t i = before > f->sent_count - SENT_MAX && f->sent_count > SENT_MAX
                        ? f->sent_count - SENT_MAX
                        : before;
         i < f->sent_count; i++)
        assert_int_equal(f->sent[i % SENT_MAX].path, 0);
    before = f->sent_count;
    check(f, 1, true); /* ICE-07: now it takes over */
    run_until(f, f->now_us + SECOND);
    assert_true(f->sent_count > before + 1);
    for (size_t i = before; i < f->sent_count; i++)
        assert_int_equal(f->sent[i % SENT_MAX].path, 1);
    assert_int_equal(f->closed_count, 0);
}

static void U10_forged_and_replayed_strays_open_nothing(void **state)
{
    struct fixture *f = *state;
    uint8_t genuine[1500], forged[1500];
    go_live(f);
    size_t len = seal_slice(f, 4000, genuine);
    receive(f, 0, genuine, len);
    stray(f, 6000, genuine, len); /* sent again by somebody who saw it */
    len = seal_slice(f, 7000, genuine);
    for (size_t i = 1; i < len; i++) {
        memcpy(forged, genuine, len);
        forged[i] ^= 1;
        stray(f, 6000, forged, len);
    }
    uint64_t random = 88172645463325252u;
    for (unsigned i = 0; i < 2000; i++) {
        for (size_t k = 0; k < 200; k++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            forged[k] = (uint8_t)random;
        }
        forged[0] = 0x80 | (forged[0] & 0x3f);
        stray(f, (uint16_t)(6000 + i), forged, 12 + i % 180);
    }
    assert_int_equal(f->wanted_count, 0);
    run_until(f, f->now_us + SECOND);
    assert_int_equal(f->stats.packets, 4);
    receive(f, 0, genuine, len); /* and nothing was spoiled */
    run_until(f, f->now_us + SECOND);
    assert_int_equal(f->stats.packets, 5);
}

static void U12_strays_make_no_new_source(void **state)
{
    struct fixture *f = *state;
    uint8_t data[1500];
    go_live(f);
    const struct test_packet packet = {
        .ssrc = 4711, .pt = 96, .sequence = 1, .payload = test_slice, .len = sizeof(test_slice)};
    size_t len = build_test_packet(&packet, data, sizeof(data));
    assert_int_equal(srtp_encrypt_rtp(f->client.srtp, data, &len, sizeof(data)), 0);
    stray(f, 6000, data, len); /* authentic, but nobody's so far */
    assert_int_equal(f->wanted_count, 0);
}

static void U17_paths_without_a_check_are_few_and_given_back(void **state)
{
    struct fixture *f = *state;
    uint8_t sealed[1500];
    uint16_t port = 6000;
    go_live(f);
    for (size_t i = 1; i <= TUPLES_UNCHECKED_MAX; i++) {
        stray(f, ++port, sealed, seal_slice(f, 4000, sealed));
        assert_int_equal(f->wanted_count, i);
        open_path(f, i);
    }
    stray(f, ++port, sealed, seal_slice(f, 4000, sealed));
    assert_int_equal(f->wanted_count, TUPLES_UNCHECKED_MAX); /* no more at a time */
    run_until(f, f->now_us + 2 * SECOND);
    stray(f, ++port, sealed, seal_slice(f, 4000, sealed));
    assert_int_equal(f->wanted_count, TUPLES_UNCHECKED_MAX + 1); /* in place of a silent one */
    assert_int_equal(f->closed_count, 1);
    assert_int_equal(f->closed_path, 1);
    run_until(f, f->now_us + 10 * SECOND);
    assert_int_equal(f->closed_count, 2); /* no check came from the other one either */
    assert_int_equal(f->closed_path, 2);
}

static void U17_wants_are_limited(void **state)
{
    struct fixture *f = *state;
    uint8_t sealed[1500];
    go_live(f);
    for (uint16_t i = 0; i < 100; i++) /* edge opens none of them */
        stray(f, (uint16_t)(6000 + i), sealed, seal_slice(f, 4000, sealed));
    assert_int_equal(f->wanted_count, SESSION_WANTS_PER_S);
}

static void U3_strays_before_the_keys_and_after_the_end_are_nothing(void **state)
{
    struct fixture *f = *state;
    uint8_t data[100] = {0x80, 96};
    stray(f, 6000, data, sizeof(data));
    offer(f);
    stray(f, 6000, data, sizeof(data));
    open_path(f, 0);
    check(f, 0, true);
    stray(f, 6000, data, sizeof(data));
    session_end(f->session, END_KICKED);
    stray(f, 6000, data, sizeof(data));
    assert_int_equal(f->wanted_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(U17_media_from_a_new_port_counts_and_its_flow_is_asked_for),
        TEST(U1_W8_nothing_goes_to_a_path_before_its_check),
        TEST(U10_forged_and_replayed_strays_open_nothing),
        TEST(U12_strays_make_no_new_source),
        TEST(U17_paths_without_a_check_are_few_and_given_back),
        TEST(U17_wants_are_limited),
        TEST(U3_strays_before_the_keys_and_after_the_end_are_nothing),
    };
    log_open(-1, "test", LOG_ERROR);
    return cmocka_run_group_tests(tests, warm_up, NULL);
}
