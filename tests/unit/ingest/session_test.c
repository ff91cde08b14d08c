#include "gateway/ingest/session.h"
#include "gateway/rtc/rtcp.h"
#include "gateway/rtc/rtcwarm.h"
#include "lib/base/log.h"
#include "tests/unit/ingest/ingest_client.h"
#include "tests/unit/ingest/ingest_rtp.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000)
#define SESSION 77u
#define SENT_MAX 64u

struct sent {
    size_t path;
    size_t len;
    uint8_t data[1500];
};

struct fixture {
    struct test_ring ring;
    struct settings_ingest settings;
    struct msg_ingest_bind bind;
    struct cert *cert;
    struct session *session;
    struct client client;
    struct msg_answer answer;
    uint64_t now_us;
    size_t sent_count;
    struct sent sent[SENT_MAX];
    size_t state_count;
    struct msg_ingest_state states[8];
    size_t closed_count;
    size_t closed_path;
    size_t stats_count;
    struct stats stats;
    uint16_t sequence;
};

/* ---- what the session does ---- */

static void on_send(void *ctx, size_t path, const uint8_t *data, size_t len)
{
    struct fixture *f = ctx;
    struct sent *sent = &f->sent[f->sent_count++ % SENT_MAX];
    sent->path = path;
    sent->len = len;
    memcpy(sent->data, data, len);
}

static void on_close_path(void *ctx, size_t path)
{
    struct fixture *f = ctx;
    f->closed_count++;
    f->closed_path = path;
}

static void on_report(void *ctx, const struct msg_ingest_state *state)
{
    struct fixture *f = ctx;
    assert_true(f->state_count < 8);
    f->states[f->state_count++] = *state;
}

static void on_stats(void *ctx, const struct stats *stats)
{
    struct fixture *f = ctx;
    f->stats = *stats;
    f->stats_count++;
}

static struct rtcwarm *warm;

static int setup(void **state)
{
    static const struct session_io io = {on_send, on_close_path, on_report, on_stats};
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    assert_int_equal(test_ring_open(&f->ring), 0);
    assert_int_equal(cert_new(&f->cert), 0);
    assert_int_equal(client_open(&f->client), 0);
    f->settings = (struct settings_ingest){.candidate_count = 1, .jitter_deadline_us = 300000};
    f->settings.candidates[0] = (struct addr){.family = 4, .port = 9, .ip = {127, 0, 0, 1}};
    f->bind =
        (struct msg_ingest_bind){.session = SESSION, .max_bitrate_bps = 5000000, .stream = "demo"};
    f->now_us = 100 * SECOND;
    f->sequence = 65000;
    const struct session_config config = {
        .settings = &f->settings, .bind = &f->bind, .cert = f->cert, .ring = f->ring.writer};
    assert_int_equal(session_new(&config, &io, f, &f->session), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    session_free(f->session);
    client_close(&f->client);
    cert_free(f->cert);
    test_ring_close(&f->ring);
    free(f);
    return 0;
}

/* ---- the publisher's side ---- */

static size_t make_offer(const struct fixture *f, char *to, size_t cap)
{
    struct fingerprint fingerprint;
    char text[FINGERPRINT_TEXT_MAX];
    struct writer w;
    cert_fingerprint(f->client.cert, &fingerprint);
    fingerprint_format(&fingerprint, text);
    writer_init(&w, to, cap);
    writer_text(&w, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE v\r\n");
    writer_text(&w, "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:v\r\n");
    writer_text(&w, "a=ice-ufrag:peer\r\na=ice-pwd:peerPasswordOf24Letters1\r\n");
    writer_text(&w, "a=fingerprint:%s\r\na=setup:actpass\r\na=sendonly\r\na=rtcp-mux\r\n", text);
    writer_text(&w, "a=rtcp-rsize\r\na=rtpmap:96 H264/90000\r\n");
    writer_text(&w, "a=fmtp:96 packetization-mode=1;profile-level-id=42e01f;"
                    "level-asymmetry-allowed=1\r\n");
    writer_text(&w, "a=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\na=rtcp-fb:96 goog-remb\r\n");
    assert_true(writer_ok(&w));
    return w.len;
}

static void offer(struct fixture *f)
{
    char text[4096], answer[STREAM_ANSWER_MAX];
    size_t answer_len = 0;
    size_t len = make_offer(f, text, sizeof(text));
    session_offer(f->session, slice_make(text, len), f->now_us, &f->answer, answer, sizeof(answer),
                  &answer_len);
    if (f->answer.status != 201)
        fail_msg("%u %s", f->answer.status, f->answer.reason);
    assert_true(answer_len > 0);
    assert_int_equal(f->answer.renditions, 1u << TRACK_VIDEO);
}

static void open_path(struct fixture *f, size_t path)
{
    const struct addr remote = {.family = 4, .port = (uint16_t)(5000 + path), .ip = {127, 0, 0, 1}};
    session_open_path(f->session, path, &remote, f->now_us);
}

static void receive(struct fixture *f, size_t path, const void *data, size_t len)
{
    uint8_t copy[1500];
    memcpy(copy, data, len);
    session_receive(f->session, path, copy, len, f->now_us);
}

static void check_as(struct fixture *f, size_t path, const char *pwd, bool nominate)
{
    uint8_t data[512];
    size_t len = client_check(f->answer.ufrag, pwd, nominate, data);
    receive(f, path, data, len);
}

static void check(struct fixture *f, size_t path, bool nominate)
{
    check_as(f, path, f->answer.pwd, nominate);
}

/* Runs the handshake over a path until nobody has anything to say. */
static void handshake(struct fixture *f, size_t path)
{
    uint8_t data[1500];
    client_input(&f->client, NULL, 0);
    for (unsigned round = 0; round < 10; round++) {
        size_t len = client_output(&f->client, data, sizeof(data));
        size_t first = f->sent_count;
        if (len > 0)
            receive(f, path, data, len);
        for (size_t i = first; i < f->sent_count; i++)
            client_input(&f->client, f->sent[i % SENT_MAX].data, f->sent[i % SENT_MAX].len);
        if (len == 0 && first == f->sent_count)
            break;
    }
}

static void go_keyed(struct fixture *f)
{
    offer(f);
    open_path(f, 0);
    check(f, 0, true);
    handshake(f, 0);
    assert_int_equal(client_secure(&f->client), 0);
    assert_int_equal(session_state(f->session), SESSION_KEYED);
}

static void send_rtp(struct fixture *f, size_t path, const void *payload, size_t len, uint32_t time,
                     bool marker)
{
    uint8_t data[1500];
    const struct test_packet packet = {.ssrc = VIDEO_SSRC,
                                       .pt = 96,
                                       .marker = marker,
                                       .sequence = f->sequence++,
                                       .time = time,
                                       .payload = payload,
                                       .len = len};
    size_t plain = build_test_packet(&packet, data, sizeof(data));
    assert_int_equal(srtp_encrypt_rtp(f->client.srtp, data, &plain, sizeof(data)), 0);
    receive(f, path, data, plain);
}

static void send_key_frame(struct fixture *f, size_t path, uint32_t time)
{
    uint8_t set[64];
    size_t len = vector_bytes(SPS_1280X720, set);
    send_rtp(f, path, set, len, time, false);
    len = vector_bytes(PPS_BASELINE, set);
    send_rtp(f, path, set, len, time, false);
    send_rtp(f, path, test_idr, sizeof(test_idr), time, true);
}

/* Calls on_timer whenever the session wants, up to until_us. */
static void run_until(struct fixture *f, uint64_t until_us)
{
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t due_us = session_due_us(f->session, f->now_us);
        if (due_us > until_us)
            break;
        f->now_us = due_us > f->now_us ? due_us : f->now_us + 1;
        session_on_timer(f->session, f->now_us);
    }
    f->now_us = until_us;
}

static void expect_ended(struct fixture *f, enum end_reason reason)
{
    assert_int_equal(session_state(f->session), SESSION_ENDED);
    assert_true(f->state_count > 0);
    const struct msg_ingest_state *last = &f->states[f->state_count - 1];
    assert_int_equal(last->state, INGEST_ENDED);
    assert_int_equal(last->reason, reason);
    assert_true(session_due_us(f->session, f->now_us) == UINT64_MAX);
}

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
            assert_int_equal(session_next_state((enum session_state)s, (enum session_event)e),
                             expected[s][e]);
    assert_int_equal(session_next_state(SESSION_LIVE, SESSION_EVENT_COUNT), -EPROTO);
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

static void U14_rtcp_is_limited(void **state)
{
    struct fixture *f = *state;
    go_keyed(f);
    uint64_t before = f->stats.dropped;
    for (unsigned i = 0; i < SESSION_RTCP_PER_S + 50; i++) {
        uint8_t data[128];
        struct writer w;
        writer_init(&w, data, sizeof(data));
        rtcp_write_sr(&w, &(struct rtcp_sender_info){.ssrc = VIDEO_SSRC});
        size_t len = w.len;
        assert_int_equal(srtp_encrypt_rtcp(f->client.srtp, data, &len, sizeof(data)), 0);
        receive(f, 0, data, len);
    }
    run_until(f, f->now_us + 2 * SECOND);
    assert_int_equal(f->stats.dropped, before + 50);
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

static int warm_up(void **state)
{
    (void)state;
    return rtcwarm_new(&warm);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
        TEST(U3_dtls_needs_a_validated_path),
        TEST(U1_unauthenticated_checks_get_no_reply),
        TEST(ICE_06_dtls_before_nomination),
        TEST(U17_a_nominated_path_takes_over),
        TEST(silent_paths_that_are_not_in_use_are_closed),
        TEST(packets_of_unknown_paths_are_ignored),
        TEST(RTP_14_feedback_begins_with_the_keys),
        TEST(stats_come_each_second),
        TEST(want_keyframe_sends_a_pli),
        TEST(U14_rtcp_is_limited),
        TEST(M3_unsupported_video_ends_the_session),
        TEST(U7_a_wrong_certificate_ends_the_session),
        TEST(odd_datagrams_do_no_harm),
    };
    log_open(-1, "test", LOG_ERROR);
    return cmocka_run_group_tests(tests, warm_up, NULL);
}
