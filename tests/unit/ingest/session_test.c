#include "tests/unit/ingest/ingest_session.h"

/* ---- the machine ---- */

static void each_pair_of_state_and_event(void **state)
{
    static const int expected[SESSION_STATE_COUNT][SESSION_EVENT_COUNT] = {
        [SESSION_BOUND] = {SESSION_OFFERED, -EPROTO, -EPROTO, -EPROTO, SESSION_ENDED},
        [SESSION_OFFERED] = {-EPROTO, SESSION_CONNECTED, -EPROTO, -EPROTO, SESSION_ENDED},
        [SESSION_CONNECTED] = {-EPROTO, -EPROTO, SESSION_KEYED, -EPROTO, SESSION_ENDED},
        [SESSION_KEYED] = {-EPROTO, -EPROTO, -EPROTO, SESSION_LIVE, SESSION_ENDED},
        [SESSION_LIVE] = {-EPROTO, -EPROTO, -EPROTO, -EPROTO, SESSION_ENDED},
        [SESSION_ENDED] = {-EPROTO, -EPROTO, -EPROTO, -EPROTO, -EPROTO},
    };
    (void)state;
    for (int s = 0; s < SESSION_STATE_COUNT; s++)
        for (int e = 0; e < SESSION_EVENT_COUNT; e++)
            assert_int_equal(lifecycle_next((enum session_state)s, (enum session_event)e),
                             expected[s][e]);
    assert_int_equal(lifecycle_next(SESSION_LIVE, SESSION_EVENT_COUNT), -EPROTO);
}

static void a_publication_goes_through_all_states(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    go_keyed(f);
    send_key_frame(f, 0, 1000);
    assert_int_equal(session_state(f->session), SESSION_LIVE);
    assert_true(test_ring_next(&f->ring, &frame));
    assert_int_equal(f->state_count, 3);
    assert_int_equal(f->states[0].state, INGEST_CONNECTED);
    assert_int_equal(f->states[1].state, INGEST_KEYED);
    assert_int_equal(f->states[2].state, INGEST_LIVE);
    session_end(f->session, END_REVOKED);
    expect_ended(f, END_REVOKED);
    assert_int_equal(f->states[3].last_packet_us, f->now_us);
    assert_int_equal(f->states[3].session, SESSION);
    session_end(f->session, END_KICKED); /* once */
    assert_int_equal(f->state_count, 4);
}

static void SEC_15_the_end_sends_close_notify(void **state)
{
    struct fixture *f = *state;
    go_keyed(f);
    size_t before = f->sent_count;
    session_end(f->session, END_LIMIT);
    assert_true(f->sent_count > before);
    for (size_t i = before; i < f->sent_count; i++)
        client_input(&f->client, f->sent[i % SENT_MAX].data, f->sent[i % SENT_MAX].len);
    assert_true(f->client.closed);
}

static void WHIP_73_close_notify_of_the_publisher_ends(void **state)
{
    struct fixture *f = *state;
    uint8_t data[1500];
    go_keyed(f);
    SSL_shutdown(f->client.ssl);
    size_t len = client_output(&f->client, data, sizeof(data));
    assert_true(len > 0);
    receive(f, 0, data, len);
    expect_ended(f, END_CLOSED);
}

/* ---- offers ---- */

static void WHIP_20_a_refused_offer_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    char text[STREAM_ANSWER_MAX];
    size_t len = 1;
    session_offer(f->session, slice_of("nonsense"), f->now_us, &f->answer, text, sizeof(text),
                  &len);
    assert_int_equal(f->answer.status, 400);
    assert_int_equal(len, 0);
    assert_true(strlen(f->answer.reason) > 0);
    assert_int_equal(session_state(f->session), SESSION_ENDED);
    assert_int_equal(f->state_count, 0);
    assert_true(session_due_us(f->session, f->now_us) == UINT64_MAX);
}

/* ---- time limits ---- */

static void WHIP_70_no_keys_in_10_s_ends(void **state)
{
    struct fixture *f = *state;
    offer(f);
    open_path(f, 0);
    check(f, 0, true);
    assert_int_equal(session_state(f->session), SESSION_CONNECTED);
    run_until(f, 100 * SECOND + SESSION_KEYS_US - 1);
    assert_int_equal(session_state(f->session), SESSION_CONNECTED);
    run_until(f, 100 * SECOND + SESSION_KEYS_US);
    expect_ended(f, END_NOT_STARTED);
}

static void WHIP_72_silence_of_30_s_ends(void **state)
{
    struct fixture *f = *state;
    go_keyed(f);
    uint64_t start_us = f->now_us;
    run_until(f, start_us + 20 * SECOND);
    check(f, 0, true); /* a sign of life */
    run_until(f, start_us + 20 * SECOND + SESSION_SILENCE_US - 1);
    assert_int_equal(session_state(f->session), SESSION_KEYED);
    run_until(f, start_us + 20 * SECOND + SESSION_SILENCE_US);
    expect_ended(f, END_SILENT);
}

static void WHIP_75_media_alone_keeps_it_alive(void **state)
{
    struct fixture *f = *state;
    go_keyed(f);
    for (unsigned i = 0; i < 5; i++) {
        run_until(f, f->now_us + 20 * SECOND);
        send_rtp(f, 0, test_slice, sizeof(test_slice), i * 1800000, true);
        assert_int_equal(session_state(f->session), SESSION_KEYED);
    }
}

static void U16_forged_packets_are_no_sign_of_life(void **state)
{
    struct fixture *f = *state;
    uint8_t forged[100] = {0x80, 96}, forged_rtcp[100] = {0x80, 200};
    static const uint8_t alert[] = {21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 1, 0};
    go_keyed(f);
    uint64_t start_us = f->now_us;
    for (unsigned i = 1; i < 30; i++) {
        run_until(f, start_us + i * SECOND);
        forged[3] = (uint8_t)i;
        receive(f, 0, forged, sizeof(forged));
        receive(f, 0, forged_rtcp, sizeof(forged_rtcp));
        receive(f, 0, alert, sizeof(alert));
        check_as(f, 0, "wrongPasswordOf24Letters", true);
        assert_int_equal(session_state(f->session), SESSION_KEYED);
    }
    assert_int_equal(f->stats.bad_srtp, 56); /* both kinds, up to the last report */
    run_until(f, start_us + SESSION_SILENCE_US);
    expect_ended(f, END_SILENT);
}

static void U10_replays_are_counted_apart_from_forgeries(void **state)
{
    struct fixture *f = *state;
    uint8_t sealed[1500];
    go_keyed(f);
    uint64_t start_us = f->now_us;
    size_t len = seal_rtp(f, test_slice, sizeof(test_slice), 0, true, sealed);
    for (unsigned i = 0; i < 4; i++)
        receive(f, 0, sealed, len);
    sealed[len - 1] ^= 1;
    sealed[3]++; /* not seen yet, and not authentic */
    receive(f, 0, sealed, len);
    run_until(f, start_us + SECOND);
    assert_int_equal(f->stats.packets, 1);
    assert_int_equal(f->stats.replayed, 3);
    assert_int_equal(f->stats.bad_srtp, 1);
}

/* OBS 30.1 repeated packets that did not decrypt: that is no loss, and no reason to give up. */
static void BUG_06_failures_are_counted_apart_from_loss(void **state)
{
    struct fixture *f = *state;
    uint8_t lost[1500], bad[1500];
    go_keyed(f);
    uint64_t start_us = f->now_us;
    send_key_frame(f, 0, 1000);
    size_t len = seal_rtp(f, test_slice, sizeof(test_slice), 4000, true, lost);
    send_rtp(f, 0, test_slice, sizeof(test_slice), 7000, true);
    for (unsigned i = 0; i < 5; i++) {
        memcpy(bad, lost, len);
        bad[len - 1] ^= 1;
        receive(f, 0, bad, len);
    }
    receive(f, 0, lost, len);
    run_until(f, start_us + SECOND);
    assert_int_equal(f->stats.bad_srtp, 5);
    assert_int_equal(f->stats.tracks[TRACK_VIDEO].lost, 0);
    assert_int_equal(f->stats.tracks[TRACK_VIDEO].frames, 3);
    for (unsigned i = 0; i < 2; i++)
        (void)seal_rtp(f, test_slice, sizeof(test_slice), 9000, true, lost);
    send_rtp(f, 0, test_slice, sizeof(test_slice), 10000, true);
    run_until(f, start_us + 3 * SECOND);
    assert_int_equal(f->stats.bad_srtp, 5);
    assert_int_equal(f->stats.tracks[TRACK_VIDEO].lost, 2);
}

/* The grant allows 5 Mbit/s; RTP-20. */
static void U15_an_authentic_flood_is_cut_and_ends_the_session(void **state)
{
    struct fixture *f = *state;
    uint8_t payload[1200] = {0x41, 0xf0};
    go_keyed(f);
    uint64_t start_us = f->now_us;
    unsigned sent = 0;
    for (unsigned ms = 0; ms < 20000 && session_state(f->session) != SESSION_ENDED; ms++) {
        run_until(f, start_us + ms * 1000);
        for (unsigned i = 0; i < 3; i++, sent++) /* 28.8 Mbit/s */
            send_rtp(f, 0, payload, sizeof(payload), ms * 90, true);
    }
    assert_in_range(f->now_us, start_us + 10 * SECOND, start_us + 12 * SECOND);
    assert_in_range(f->stats.over_limit, sent / 2, sent * 3 / 4);
    assert_in_range(f->stats.packets, sent / 4, sent * 2 / 5);
    expect_ended(f, END_OVER_LIMIT);
}

/* 8 sources are learned, the others cost no state. */
static void U12_thousands_of_authentic_sources_take_no_place(void **state)
{
    struct fixture *f = *state;
    uint8_t data[1500];
    go_keyed(f);
    for (uint32_t i = 0; i < 20000; i++) {
        const struct test_packet packet = {.ssrc = 100000 + i,
                                           .pt = 96,
                                           .sequence = 1,
                                           .payload = test_slice,
                                           .len = sizeof(test_slice)};
        size_t sealed = build_test_packet(&packet, data, sizeof(data));
        assert_int_equal(srtp_encrypt_rtp(f->client.srtp, data, &sealed, sizeof(data)), 0);
        srtp_forget(f->client.srtp, packet.ssrc);
        receive(f, 0, data, sealed);
    }
    run_until(f, f->now_us + SECOND);
    assert_int_equal(f->stats.packets, 8);
    assert_in_range(f->stats.unexpected, 19992 - 10000, 19992); /* the rest is over the limit */
    assert_int_equal(f->stats.unexpected + f->stats.over_limit, 19992);
    assert_int_equal(session_state(f->session), SESSION_KEYED);
}

/* ---- what is sent ---- */

static void RTP_14_feedback_begins_with_the_keys(void **state)
{
    struct fixture *f = *state;
    go_keyed(f);
    size_t before = f->sent_count;
    run_until(f, f->now_us + 1);
    assert_int_equal(f->sent_count, before + 1);
    struct sent *sent = &f->sent[before % SENT_MAX];
    assert_int_equal(srtp_decrypt_rtcp(f->client.srtp, sent->data, &sent->len), 0);
    assert_int_equal(sent->data[1], RTCP_RR);
    assert_non_null(memmem(sent->data, sent->len, "REMB", 4));
}

static void BUG_06_stats_tell_decryption_failures_by_kind(void **state)
{
    struct fixture *f = *state;
    uint8_t sealed[1500], strange[100] = {0x80, 35}, shorter[11] = {0x80, 96};
    go_keyed(f);
    uint64_t start_us = f->now_us;
    size_t len = seal_rtp(f, test_slice, sizeof(test_slice), 0, true, sealed);
    for (unsigned i = 0; i < 3; i++)
        receive(f, 0, sealed, len); /* two replays */
    sealed[len - 1] ^= 1;
    sealed[3]++;
    receive(f, 0, sealed, len); /* forged */
    for (unsigned i = 0; i < 5; i++)
        receive(f, 0, strange, sizeof(strange)); /* a payload type that was not agreed */
    for (unsigned i = 0; i < 7; i++)
        receive(f, 0, shorter, sizeof(shorter));
    run_until(f, start_us + SECOND);
    assert_int_equal(f->stats.replayed, 2);
    assert_int_equal(f->stats.bad_srtp, 1);
    assert_int_equal(f->stats.unexpected, 5);
    assert_int_equal(f->stats.malformed + f->stats.dropped, 7);
    assert_int_equal(f->stats.family, 4);
    assert_int_equal(f->stats.feedback, FEEDBACK_REMB);
}

static void BUG_06_authentic_nonsense_is_malformed(void **state)
{
    struct fixture *f = *state;
    uint8_t bad[64] = {0x80, RTCP_RR, 0, 9, 0, 0, 0, 5}; /* says that it is longer */
    size_t len = 8;
    go_keyed(f);
    uint64_t before = f->stats.malformed;
    assert_int_equal(srtp_encrypt_rtcp(f->client.srtp, bad, &len, sizeof(bad)), 0);
    receive(f, 0, bad, len);
    run_until(f, f->now_us + 2 * SECOND);
    assert_int_equal(f->stats.malformed, before + 1);
    assert_int_equal(f->stats.unexpected, 0);
}

static void stats_come_each_second(void **state)
{
    struct fixture *f = *state;
    go_keyed(f);
    send_key_frame(f, 0, 1000);
    run_until(f, f->now_us + 5 * SECOND + SECOND / 2);
    assert_int_equal(f->stats_count, 5);
    assert_int_equal(f->stats.packets, 3);
    assert_int_equal(f->stats.width, 1280);
    assert_int_equal(f->stats.video_codec, CODEC_H264);
    assert_true(f->stats.client < CLIENT_COUNT);
    assert_int_equal(f->stats.bitrate_bps, 0);
}

static void want_keyframe_sends_a_pli(void **state)
{
    struct fixture *f = *state;
    session_want_keyframe(f->session); /* before there is media: nothing */
    go_keyed(f);
    send_key_frame(f, 0, 1000);
    run_until(f, f->now_us + SECOND * 3 / 2);
    uint64_t plis = f->stats.plis;
    session_want_keyframe(f->session);
    run_until(f, f->now_us + 2 * SECOND);
    assert_in_range(f->stats.plis, plis + 2, plis + 4); /* unanswered: asked again */
}

static size_t write_report(struct fixture *f, uint8_t *data, size_t cap)
{
    struct writer w;
    writer_init(&w, data, cap);
    rtcp_write_sr(&w, &(struct rtcp_sender_info){.ssrc = VIDEO_SSRC});
    size_t len = w.len;
    assert_int_equal(srtp_encrypt_rtcp(f->client.srtp, data, &len, cap), 0);
    return len;
}

static void U14_rtcp_is_limited(void **state)
{
    struct fixture *f = *state;
    go_keyed(f);
    uint64_t before = f->stats.dropped;
    for (unsigned i = 0; i < SESSION_RTCP_PER_S + 50; i++) {
        uint8_t data[128];
        size_t len = write_report(f, data, sizeof(data));
        receive(f, 0, data, len);
    }
    run_until(f, f->now_us + 2 * SECOND);
    assert_int_equal(f->stats.dropped, before + 50);
}

static void U10_forged_rtcp_does_not_use_up_the_limit(void **state)
{
    struct fixture *f = *state;
    uint8_t data[128];
    go_keyed(f);
    uint64_t dropped = f->stats.dropped, bad = f->stats.bad_srtp;
    for (unsigned i = 0; i < SESSION_RTCP_PER_S + 50; i++) {
        size_t len = write_report(f, data, sizeof(data));
        data[len - 6] ^= 1; /* the tag's end, or the index before it: not authentic */
        receive(f, 0, data, len);
    }
    size_t len = write_report(f, data, sizeof(data));
    receive(f, 0, data, len);
    run_until(f, f->now_us + 2 * SECOND);
    assert_int_equal(f->stats.dropped, dropped);
    assert_int_equal(f->stats.bad_srtp, bad + SESSION_RTCP_PER_S + 50);
}

static void M3_unsupported_video_ends_the_session(void **state)
{
    struct fixture *f = *state;
    uint8_t sps[64];
    size_t len = vector_bytes(SPS_444, sps);
    go_keyed(f);
    send_rtp(f, 0, sps, len, 1, true);
    expect_ended(f, END_BROKEN);
}

static void U7_a_wrong_certificate_ends_the_session(void **state)
{
    struct fixture *f = *state;
    struct client other;
    assert_int_equal(client_open(&other), 0);
    offer(f);
    struct client saved = f->client;
    f->client = other;
    open_path(f, 0);
    check(f, 0, true);
    handshake(f, 0);
    f->client = saved;
    client_close(&other);
    run_until(f, f->now_us + 1000000); /* a forged one would be followed by the right one (U4) */
    expect_ended(f, END_REFUSED);
}

static void odd_datagrams_do_no_harm(void **state)
{
    struct fixture *f = *state;
    uint8_t data[1500];
    go_keyed(f);
    for (unsigned first = 0; first < 256; first++)
        for (size_t len = 0; len <= sizeof(data); len += len < 40 ? 1 : 365) {
            memset(data, (int)first, sizeof(data));
            receive(f, 0, data, len);
        }
    assert_int_equal(session_state(f->session), SESSION_KEYED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pair_of_state_and_event),
        TEST(a_publication_goes_through_all_states),
        TEST(SEC_15_the_end_sends_close_notify),
        TEST(WHIP_73_close_notify_of_the_publisher_ends),
        TEST(WHIP_20_a_refused_offer_leaves_nothing),
        TEST(WHIP_70_no_keys_in_10_s_ends),
        TEST(WHIP_72_silence_of_30_s_ends),
        TEST(WHIP_75_media_alone_keeps_it_alive),
        TEST(U16_forged_packets_are_no_sign_of_life),
        TEST(U15_an_authentic_flood_is_cut_and_ends_the_session),
        TEST(U12_thousands_of_authentic_sources_take_no_place),
        TEST(U10_replays_are_counted_apart_from_forgeries),
        TEST(BUG_06_failures_are_counted_apart_from_loss),
        TEST(RTP_14_feedback_begins_with_the_keys),
        TEST(BUG_06_stats_tell_decryption_failures_by_kind),
        TEST(BUG_06_authentic_nonsense_is_malformed),
        TEST(stats_come_each_second),
        TEST(want_keyframe_sends_a_pli),
        TEST(U14_rtcp_is_limited),
        TEST(U10_forged_rtcp_does_not_use_up_the_limit),
        TEST(M3_unsupported_video_ends_the_session),
        TEST(U7_a_wrong_certificate_ends_the_session),
        TEST(odd_datagrams_do_no_harm),
    };
    log_open(-1, "test", LOG_ERROR);
    return cmocka_run_group_tests(tests, warm_up, NULL);
}
