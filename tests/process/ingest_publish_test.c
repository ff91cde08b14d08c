/* The real ingest worker and a publisher: from the first check to frames in the ring, and its ends.
 */
#include "tests/process/ingest_rig.h"

static void a_whole_publication_reaches_the_ring(void **state)
{
    struct rig rig;
    struct publisher p;
    struct frame frame;
    uint8_t payload[256];
    uint64_t last_packet_us = 0;
    (void)state;
    publish(&p, &rig);
    uint64_t before_us = clock_now_us();
    send_key_frame(&p, 90000);
    read_frame(&rig, &frame, payload, sizeof(payload));
    expect_state(&rig, INGEST_LIVE);
    assert_int_equal(frame.flags, FRAME_KEY);
    assert_int_equal(frame.codec, CODEC_H264);
    assert_int_equal(frame.width, 1280);
    assert_int_equal(frame.height, 720);
    assert_int_equal(frame.len, 12 + sizeof(sps) + sizeof(pps) + sizeof(marked));
    assert_in_range((uint64_t)frame.pts_us, before_us, clock_now_us());
    int64_t wall_now = (int64_t)clock_wall_us();
    assert_true(frame.wall_us > wall_now - 10000000 && frame.wall_us <= wall_now);
    send_rtp(&p, slice, sizeof(slice), 93000, true);
    read_frame(&rig, &frame, payload, sizeof(payload));
    assert_int_equal(frame.flags, 0);
    assert_int_equal(frame.number, 1);

    /* RTP-13, RTP-14: reports and bandwidth; RTP-08: what is missing is asked for */
    uint16_t missing = p.sequence++;
    send_rtp(&p, slice, sizeof(slice), 99000, true);
    assert_true(serve(&p, has_nack, WAIT_MS));
    assert_int_equal(p.nacked, missing);
    p.sequence = missing;
    send_rtp(&p, slice, sizeof(slice), 96000, true);
    read_frame(&rig, &frame, payload, sizeof(payload));
    assert_int_equal(frame.rtp_time, 96000);
    assert_int_equal(frame.flags, 0);
    read_frame(&rig, &frame, payload, sizeof(payload));
    assert_int_equal(frame.rtp_time, 99000);

    const struct msg_number track = {.number = TRACK_VIDEO};
    assert_int_equal(peer_send(&rig.peer, MSG_WANT_KEYFRAME, &track, NULL, 0, NULL), 0);
    assert_true(serve(&p, has_reports, WAIT_MS));
    assert_in_range(p.remb_bps, 5900000, 6000000);
    const struct chan_message *message = peer_wait(&rig.peer, MSG_STATS, WAIT_MS);
    assert_non_null(message);
    const struct stats *stats = message->body;
    assert_int_equal(stats->width, 1280);
    assert_true(stats->packets >= 3);

    assert_true(ring_contains(&rig, marked, sizeof(marked)));
    rig_end(&rig, END_REVOKED);
    expect_ended(&rig, END_REVOKED, &last_packet_us);
    assert_in_range(last_packet_us, before_us, clock_now_us());
    expect_exit(&rig, EXIT_SUCCESS);
    assert_true(serve(&p, is_closed, WAIT_MS));                /* SEC-15: close_notify came */
    assert_false(ring_contains(&rig, marked, sizeof(marked))); /* S4 */
    assert_true(peer_wait_log(&rig.peer, "ended session=42 reason=revoked last_packet_us=", 0));
    publisher_stop(&p);
    rig_stop(&rig);
}

static void WHIP_73_close_notify_of_the_publisher_ends(void **state)
{
    struct rig rig;
    struct publisher p;
    uint64_t last_packet_us = 1;
    (void)state;
    publish(&p, &rig);
    rawdtls_shutdown(p.dtls);
    expect_ended(&rig, END_CLOSED, &last_packet_us);
    assert_int_equal(last_packet_us, 0); /* no media came */
    expect_exit(&rig, EXIT_SUCCESS);
    publisher_stop(&p);
    rig_stop(&rig);
}

static void U9_U10_forged_packets_change_nothing(void **state)
{
    static const uint8_t alert[] = {21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 1, 0};
    struct rig rig;
    struct publisher p;
    struct frame frame;
    uint8_t payload[256], forged[200] = {0x80};
    (void)state;
    publish(&p, &rig);
    forged[1] = p.answer.video_type;
    send_key_frame(&p, 90000);
    read_frame(&rig, &frame, payload, sizeof(payload));
    for (unsigned i = 0; i < 500; i++) {
        forged[3] = (uint8_t)i;
        (void)send(p.client, i % 2 ? alert : forged, i % 2 ? sizeof(alert) : sizeof(forged), 0);
    }
    uint8_t check[RAWSTUN_MAX];
    size_t len = make_check(&rig, "wrongPasswordOf24Letters", check);
    (void)send(p.client, check, len, 0);
    send_rtp(&p, slice, sizeof(slice), 93000, true);
    read_frame(&rig, &frame, payload, sizeof(payload));
    assert_int_equal(frame.rtp_time, 93000);
    assert_int_equal(frame.flags, 0);
    const struct stats *stats = NULL;
    do {
        const struct chan_message *message = peer_wait(&rig.peer, MSG_STATS, WAIT_MS);
        assert_non_null(message);
        stats = message->body;
    } while (stats->bad_srtp < 250);
    publisher_stop(&p);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_publication_reaches_the_ring),
        cmocka_unit_test(WHIP_73_close_notify_of_the_publisher_ends),
        cmocka_unit_test(U9_U10_forged_packets_change_nothing),
    };
    if (rawsrtp_setup() != 0)
        return EXIT_FAILURE;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
