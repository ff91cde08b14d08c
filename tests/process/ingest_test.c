/* The real ingest worker with a scripted supervisor: warm start and sandbox, hostile messages,
 * offers, ends. */
#include "tests/process/ingest_rig.h"

/* ---- start and sandbox ---- */

static void M6_ready_tells_the_layers(void **state)
{
    struct rig rig;
    (void)state;
    rig_start(&rig, false);
    const struct chan_message *message = peer_wait(&rig.peer, MSG_READY, WAIT_MS);
    assert_non_null(message);
    const struct msg_ready *ready = message->body;
    assert_int_equal(ready->sandbox.seccomp, 1);
    assert_int_equal(ready->sandbox.no_new_privs, 1);
    assert_int_equal(ready->sandbox.not_dumpable, 1);
    if (geteuid() == 0) {
        assert_int_equal(ready->sandbox.own_uid, 1);
        assert_int_equal(ready->sandbox.empty_network, 1);
        assert_int_equal(ready->sandbox.empty_files, 1);
    }
    assert_int_equal(ready->fd_count, 6); /* 0-2, channel, log, epoll (I6) */
    rig_stop(&rig);
}

static void M6_escape_attempts_are_refused(void **state)
{
    (void)state;
    for (uint64_t attempt = 0; attempt < ESCAPE_COUNT; attempt++) {
        struct rig rig;
        const struct msg_number test = {.number = attempt};
        rig_ready(&rig, true);
        rig_bind(&rig); /* as it is when hostile bytes come */
        assert_int_equal(peer_send(&rig.peer, MSG_TEST, &test, NULL, 0, NULL), 0);
        const struct chan_message *pong = peer_wait(&rig.peer, MSG_PONG, WAIT_MS);
        if (pong) {
            uint64_t answer = ((const struct msg_number *)pong->body)->number;
            if ((uint32_t)answer == 0)
                fail_msg("escape %s worked", escape_name(attempt));
        } else {
            int status = 0;
            assert_int_equal(peer_wait_exit(&rig.peer, WAIT_MS, &status), 0);
            assert_true(WIFSIGNALED(status));
            assert_int_equal(WTERMSIG(status), SIGSYS);
        }
        rig_stop(&rig);
    }
}

static void test_messages_need_test_hooks(void **state)
{
    struct rig rig;
    const struct msg_number test = {.number = ESCAPE_OPEN};
    (void)state;
    rig_ready(&rig, false);
    assert_int_equal(peer_send(&rig.peer, MSG_TEST, &test, NULL, 0, NULL), 0);
    expect_exit(&rig, EXIT_FAILURE);
    rig_stop(&rig);
}

/* ---- hostile control messages (I5) ---- */

static void I5_messages_in_the_wrong_phase_end_the_role(void **state)
{
    static const enum msg_type types[] = {MSG_OFFER,          MSG_PATH_BYTES, MSG_WANT_KEYFRAME,
                                          MSG_SETTINGS,       MSG_READY,      MSG_ANSWER,
                                          MSG_TRANSCODE_BIND, MSG_EXPECT,     MSG_LEASE_ASK,
                                          MSG_FRAGMENT,       MSG_STRAY,      MSG_PATH_WANT};
    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct rig rig;
        _Alignas(16) uint8_t packet[sizeof(struct chan_head) + CHAN_BODY_MAX] = {0};
        rig_ready(&rig, false);
        struct chan_head head = {.type = (uint16_t)types[i],
                                 .body_len = (uint32_t)msg_shape(types[i])->body_len};
        memcpy(packet, &head, sizeof(head));
        assert_int_equal(peer_send_raw(&rig.peer, packet, sizeof(head) + head.body_len, NULL, 0),
                         0);
        expect_exit(&rig, EXIT_FAILURE);
        rig_stop(&rig);
    }
}

static void I5_malformed_messages_end_the_role(void **state)
{
    static const struct chan_head heads[] = {
        {.type = MSG_INGEST_BIND, .body_len = sizeof(struct msg_ingest_bind)}, /* no descriptors */
        {.type = MSG_INGEST_BIND, .body_len = sizeof(struct msg_ingest_bind) - 1},
        {.type = MSG_END, .body_len = sizeof(struct msg_end), .blob_len = 1},
        {.type = 9999},
        {.type = MSG_PING, .body_len = UINT32_MAX},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        struct rig rig;
        uint8_t packet[1024] = {0};
        rig_ready(&rig, false);
        memcpy(packet, &heads[i], sizeof(heads[i]));
        size_t len = sizeof(heads[i]) + heads[i].blob_len;
        if (heads[i].body_len < 512)
            len += heads[i].body_len;
        assert_int_equal(peer_send_raw(&rig.peer, packet, len, NULL, 0), 0);
        expect_exit(&rig, EXIT_FAILURE);
        rig_stop(&rig);
    }
}

static void I5_a_foreign_session_number_ends_the_role(void **state)
{
    struct rig rig;
    const struct msg_number other = {.number = SESSION + 1};
    (void)state;
    rig_ready(&rig, false);
    rig_bind(&rig);
    assert_int_equal(peer_send(&rig.peer, MSG_OFFER, &other, "v=0", 3, NULL), 0);
    expect_exit(&rig, EXIT_FAILURE);
    rig_stop(&rig);
}

/* ---- offers ---- */

static size_t read_fixture(const char *name, char *to, size_t cap)
{
    char path[256];
    (void)snprintf(path, sizeof(path), OFFERS "%s", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t len = fread(to, 1, cap, file);
    (void)fclose(file);
    assert_true(len > 0 && len < cap);
    return len;
}

static unsigned status_of(const char *offer, size_t len)
{
    struct rig rig;
    rig_ready(&rig, false);
    rig_bind(&rig);
    unsigned status = rig_offer(&rig, offer, len);
    if (status != 201) {
        assert_int_equal(rig.text_len, 0);
        assert_true(rig.answer.reason[0] != '\0');
        assert_int_equal(rig.answer.ufrag[0], '\0');
        rig_end(&rig, END_SHUTDOWN);
        expect_exit(&rig, EXIT_SUCCESS);
    }
    rig_stop(&rig);
    return status;
}

static void WHIP_20_bad_offers_get_their_status(void **state)
{
    static char offer[STREAM_OFFER_MAX];
    (void)state;
    assert_int_equal(status_of("", 0), 400);
    assert_int_equal(status_of("hello", 5), 400);
    size_t len = read_fixture("chromium_av.sdp", offer, sizeof(offer));
    assert_int_equal(status_of(offer, 20), 400); /* cut */
    char *direction = memmem(offer, len, "a=sendonly", 10);
    char *sendrecv = memmem(offer, len, "a=sendrecv", 10);
    if (direction)
        memcpy(direction, "a=recvonly", 10);
    else if (sendrecv)
        memcpy(sendrecv, "a=recvonly", 10);
    assert_int_equal(status_of(offer, len), 422);
}

static void COD_16_publishers_offers_are_answered(void **state)
{
    static const char *const names[] = {"chromium_av.sdp", "chromium_audio.sdp",
                                        "firefox_av.sdp",  "firefox_vp8.sdp",
                                        "obs.sdp",         "gstreamer.sdp"};
    static char offer[STREAM_OFFER_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct rig rig;
        size_t len = read_fixture(names[i], offer, sizeof(offer));
        rig_ready(&rig, false);
        rig_bind(&rig);
        if (rig_offer(&rig, offer, len) != 201)
            fail_msg("%s: %u %s", names[i], rig.answer.status, rig.answer.reason);
        assert_int_equal(strlen(rig.answer.ufrag), STREAM_UFRAG_LEN);
        assert_int_equal(strlen(rig.answer.pwd), STREAM_PWD_LEN);
        assert_memory_equal(rig.text, "v=", 2);
        assert_non_null(memmem(rig.text, rig.text_len, rig.answer.ufrag, STREAM_UFRAG_LEN));
        assert_true(rig.answer.renditions & 1u << TRACK_AUDIO ||
                    rig.answer.renditions & 1u << TRACK_VIDEO);
        rig_stop(&rig);
    }
}

/* ---- ends ---- */

static void the_end_of_the_channel_ends_the_role(void **state)
{
    struct rig rig;
    (void)state;
    rig_ready(&rig, false);
    rig_bind(&rig);
    fd_close(&rig.peer.fd);
    expect_exit(&rig, EXIT_SUCCESS);
    rig_stop(&rig);
}

static void END_ends_the_role_in_every_phase(void **state)
{
    static char offer[STREAM_OFFER_MAX];
    size_t len = read_fixture("chromium_av.sdp", offer, sizeof(offer));
    uint64_t last_packet_us = 1;
    struct rig rig;
    (void)state;
    rig_ready(&rig, false);
    rig_end(&rig, END_SHUTDOWN);
    expect_exit(&rig, EXIT_SUCCESS);
    rig_stop(&rig);

    rig_ready(&rig, false);
    rig_bind(&rig);
    assert_int_equal(rig_offer(&rig, offer, len), 201);
    rig_end(&rig, END_KICKED);
    expect_ended(&rig, END_KICKED, &last_packet_us);
    assert_int_equal(last_packet_us, 0);
    assert_true(peer_wait_log(&rig.peer, "reason=kicked", WAIT_MS));
    expect_exit(&rig, EXIT_SUCCESS);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(M6_ready_tells_the_layers),
        cmocka_unit_test(M6_escape_attempts_are_refused),
        cmocka_unit_test(test_messages_need_test_hooks),
        cmocka_unit_test(I5_messages_in_the_wrong_phase_end_the_role),
        cmocka_unit_test(I5_malformed_messages_end_the_role),
        cmocka_unit_test(I5_a_foreign_session_number_ends_the_role),
        cmocka_unit_test(WHIP_20_bad_offers_get_their_status),
        cmocka_unit_test(COD_16_publishers_offers_are_answered),
        cmocka_unit_test(the_end_of_the_channel_ends_the_role),
        cmocka_unit_test(END_ends_the_role_in_every_phase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
