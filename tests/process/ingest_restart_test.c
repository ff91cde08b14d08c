/* The real ingest worker: trickle and ICE restarts while it serves a publisher, and a publisher
 * that is the DTLS server. */
#include "tests/process/ingest_rig.h"

#define OWN "a=ice-ufrag:peer\r\na=ice-pwd:peerPasswordOf24Letters1\r\n"
#define NEXT "a=ice-ufrag:next\r\na=ice-pwd:nextPasswordOf24Letters1\r\n"

/* Sends a fragment; the result's own fragment is copied to rig->text. */
static struct msg_fragment_result patch(struct rig *rig, const char *body, bool may_restart)
{
    static uint64_t request;
    struct msg_fragment_result result;
    const struct msg_fragment fragment = {
        .session = SESSION, .request = ++request, .may_restart = may_restart ? 1 : 0};
    assert_int_equal(peer_send(&rig->peer, MSG_FRAGMENT, &fragment, body, strlen(body), NULL), 0);
    const struct chan_message *message = peer_wait(&rig->peer, MSG_FRAGMENT_RESULT, WAIT_MS);
    assert_non_null(message);
    memcpy(&result, message->body, sizeof(result));
    assert_int_equal(result.session, SESSION);
    assert_int_equal(result.request, request);
    memcpy(rig->text, message->blob, message->blob_len);
    rig->text_len = message->blob_len;
    return result;
}

/* The next datagram, whatever else comes, that answers this check. */
static void expect_reply(int fd, const uint8_t *check, const char *pwd)
{
    struct rawstun_response response;
    uint8_t reply[2048];
    ssize_t len = 0;
    do {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&poll_fd, 1, WAIT_MS), 1);
        len = recv(fd, reply, sizeof(reply), 0);
        assert_true(len > 0);
    } while (rawstun_parse_response(reply, (size_t)len, check + 8, pwd, &response) != 0);
    assert_true(response.success);
}

/* What edge does for the first check on the new pair: the publisher is at a new port from now on.
 */
static void move(struct publisher *p, struct rig *rig, const struct msg_fragment_result *fresh)
{
    uint8_t check[RAWSTUN_MAX];
    struct addr local, remote;
    int server = bound_socket(&local), client = bound_socket(&remote);
    connect_to(server, &remote);
    connect_to(client, &local);
    const struct msg_path path = {.session = SESSION, .local = local, .remote = remote};
    size_t len = make_check_as(fresh->ufrag, "next", fresh->pwd, check);
    assert_int_equal(peer_send(&rig->peer, MSG_PATH, &path, check, len, &server), 0);
    fd_close(&server);
    expect_reply(client, check, fresh->pwd);
    fd_close(&p->client);
    p->client = client;
}

static void WHIP_61_WHIP_63_media_goes_on_after_a_restart(void **state)
{
    struct rig rig;
    struct publisher p;
    struct frame frame;
    uint8_t payload[256];
    (void)state;
    publish(&p, &rig);
    send_key_frame(&p, 90000);
    read_frame(&rig, &frame, payload, sizeof(payload));
    assert_int_equal(patch(&rig, OWN "a=end-of-candidates\r\n", false).status, 204);
    struct msg_fragment_result refused = patch(&rig, NEXT, false);
    assert_int_equal(refused.status, 428);
    assert_true(refused.reason[0] != '\0');
    assert_int_equal(rig.text_len, 0);
    assert_int_equal(patch(&rig, "nonsense", true).status, 400);
    struct msg_fragment_result fresh = patch(&rig, NEXT, true);
    assert_int_equal(fresh.status, 200);
    assert_non_null(memmem(rig.text, rig.text_len, fresh.ufrag, STREAM_UFRAG_LEN));
    assert_non_null(memmem(rig.text, rig.text_len, "a=candidate:", 12));

    send_rtp(&p, slice, sizeof(slice), 93000, true); /* the old path still counts */
    read_frame(&rig, &frame, payload, sizeof(payload));
    assert_int_equal(frame.rtp_time, 93000);
    move(&p, &rig, &fresh);
    assert_true(peer_wait_log(&rig.peer, "ice_restarted session=42 generation=1", WAIT_MS));
    send_rtp(&p, slice, sizeof(slice), 96000, true);
    read_frame(&rig, &frame, payload, sizeof(payload));
    assert_int_equal(frame.rtp_time, 96000);
    assert_int_equal(frame.flags, 0);
    p.reports = 0;
    p.remb_bps = 0;
    p.key_requests = 0;
    const struct msg_number track = {.number = TRACK_VIDEO};
    assert_int_equal(peer_send(&rig.peer, MSG_WANT_KEYFRAME, &track, NULL, 0, NULL), 0);
    assert_true(serve(&p, has_reports, WAIT_MS)); /* comes to the new port, with the old keys */
    publisher_stop(&p);
    rig_stop(&rig);
}

static void WHIP_63_a_restart_before_the_keys(void **state)
{
    struct rig rig;
    struct publisher p;
    struct frame frame;
    uint8_t payload[256];
    (void)state;
    rig_ready(&rig, false);
    rig_bind(&rig);
    publisher_offer(&p, &rig);
    struct msg_fragment_result fresh = patch(&rig, NEXT, true);
    assert_int_equal(fresh.status, 200);
    move(&p, &rig, &fresh);
    expect_state(&rig, INGEST_CONNECTED);
    publisher_secure(&p, &rig);
    send_key_frame(&p, 90000);
    read_frame(&rig, &frame, payload, sizeof(payload));
    publisher_stop(&p);
    rig_stop(&rig);
}

/* RFC 4571 around one packet. */
static void send_framed(int fd, const uint8_t *data, size_t len)
{
    uint8_t frame[RAWSTUN_MAX + 2];
    assert_true(len <= RAWSTUN_MAX);
    frame[0] = (uint8_t)(len >> 8);
    frame[1] = (uint8_t)len;
    memcpy(frame + 2, data, len);
    assert_int_equal(send(fd, frame, len + 2, 0), len + 2);
}

static void RFC6544_WHIP_61_a_restart_over_tcp(void **state)
{
    struct rig rig;
    struct publisher p;
    uint8_t check[RAWSTUN_MAX], reply[1024];
    int pair[2];
    (void)state;
    rig_ready(&rig, false);
    rig_bind(&rig);
    publisher_offer(&p, &rig);
    struct msg_fragment_result fresh = {.status = 0};
    for (unsigned round = 0; round < 2; round++) {
        const char *ufrag = round == 0 ? rig.answer.ufrag : fresh.ufrag;
        const char *pwd = round == 0 ? rig.answer.pwd : fresh.pwd;
        struct msg_path path = {
            .session = SESSION, .local = p.local, .remote = p.remote, .transport = TRANSPORT_TCP};
        path.remote.port = (uint16_t)(path.remote.port + round);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
                         0);
        assert_int_equal(peer_send(&rig.peer, MSG_PATH, &path, NULL, 0, &pair[0]), 0);
        fd_close(&pair[0]);
        send_framed(pair[1], check, make_check_as(ufrag, round == 0 ? "peer" : "next", pwd, check));
        struct pollfd poll_fd = {.fd = pair[1], .events = POLLIN};
        assert_int_equal(poll(&poll_fd, 1, WAIT_MS), 1);
        ssize_t len = recv(pair[1], reply, sizeof(reply), 0);
        struct rawstun_response response;
        assert_true(len > 2);
        assert_int_equal(
            rawstun_parse_response(reply + 2, (size_t)len - 2, check + 8, pwd, &response), 0);
        fd_close(&pair[1]);
        if (round == 0)
            fresh = patch(&rig, NEXT, true);
    }
    publisher_stop(&p);
    rig_stop(&rig);
}

static void WHIP_85_WHIP_86_a_passive_publisher_goes_live(void **state)
{
    struct rig rig;
    struct publisher p;
    struct frame frame;
    uint8_t payload[256];
    (void)state;
    rig_ready(&rig, false);
    rig_bind(&rig);
    publisher_offer_as(&p, &rig, true);
    publisher_connect(&p, &rig);
    publisher_secure(&p, &rig);
    send_key_frame(&p, 90000);
    read_frame(&rig, &frame, payload, sizeof(payload));
    const struct msg_number track = {.number = TRACK_VIDEO};
    assert_int_equal(peer_send(&rig.peer, MSG_WANT_KEYFRAME, &track, NULL, 0, NULL), 0);
    assert_true(serve(&p, has_reports, WAIT_MS));
    rig_end(&rig, END_KICKED);
    assert_true(serve(&p, is_closed, WAIT_MS)); /* SEC-15 */
    publisher_stop(&p);
    rig_stop(&rig);
}

static void I5_fragments_for_others_end_the_role(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct rig rig;
        struct publisher p;
        const struct msg_fragment fragment = {.session = SESSION + (i == 0), .may_restart = 2 * i};
        rig_ready(&rig, false);
        rig_bind(&rig);
        publisher_offer(&p, &rig);
        assert_int_equal(peer_send(&rig.peer, MSG_FRAGMENT, &fragment, OWN, sizeof(OWN) - 1, NULL),
                         0);
        expect_exit(&rig, EXIT_FAILURE);
        publisher_stop(&p);
        rig_stop(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(WHIP_61_WHIP_63_media_goes_on_after_a_restart),
        cmocka_unit_test(WHIP_63_a_restart_before_the_keys),
        cmocka_unit_test(RFC6544_WHIP_61_a_restart_over_tcp),
        cmocka_unit_test(WHIP_85_WHIP_86_a_passive_publisher_goes_live),
        cmocka_unit_test(I5_fragments_for_others_end_the_role),
    };
    if (rawsrtp_setup() != 0)
        return EXIT_FAILURE;
    return cmocka_run_group_tests_name("ingest restart", tests, NULL, NULL);
}
