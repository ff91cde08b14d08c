/* The real ingest worker and a publisher whose NAT gives it a new port in mid-stream (U17). */
#include "tests/process/ingest_rig.h"

/* The publisher sends from a new port, so far without a path. */
static struct msg_path move(struct publisher *p, int *out_server)
{
    struct msg_path path = {.session = SESSION};
    int server = bound_socket(&path.local), client = bound_socket(&path.remote);
    connect_to(server, &path.remote);
    connect_to(client, &path.local);
    fd_close(&p->client);
    p->client = client;
    *out_server = server;
    return path;
}

/* What edge would read of the publisher's packets. */
static size_t overhear(int server, uint8_t *to, size_t cap)
{
    struct pollfd poll_fd = {.fd = server, .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, WAIT_MS), 1);
    ssize_t len = recv(server, to, cap, 0);
    assert_true(len > 0);
    return (size_t)len;
}

static void show(struct rig *rig, const struct msg_path *path, const uint8_t *data, size_t len)
{
    assert_int_equal(peer_send(&rig->peer, MSG_STRAY, path, data, len, NULL), 0);
}

static void expect_want(struct rig *rig, const struct msg_path *path)
{
    const struct chan_message *message = peer_wait(&rig->peer, MSG_PATH_WANT, WAIT_MS);
    assert_non_null(message);
    assert_memory_equal(message->body, path, sizeof(*path));
}

static bool hears_nothing(const struct publisher *p)
{
    struct pollfd poll_fd = {.fd = p->client, .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 0;
}

/* A second's statistics have come: whatever the worker wanted to say by its timers was said. */
static const struct stats *next_stats(struct rig *rig)
{
    const struct chan_message *message = peer_wait(&rig->peer, MSG_STATS, WAIT_MS);
    assert_non_null(message);
    return message->body;
}

static void U17_media_goes_on_and_nothing_is_sent_before_the_check(void **state)
{
    struct rig rig;
    struct publisher p;
    struct frame frame;
    uint8_t payload[256], data[1500];
    int server = -1;
    (void)state;
    publish(&p, &rig);
    send_key_frame(&p, 90000);
    read_frame(&rig, &frame, payload, sizeof(payload));
    struct msg_path path = move(&p, &server);
    send_rtp(&p, slice, sizeof(slice), 93000, true);
    size_t len = overhear(server, data, sizeof(data));
    show(&rig, &path, data, len);
    expect_want(&rig, &path);
    read_frame(&rig, &frame, payload, sizeof(payload)); /* it was not lost */
    assert_int_equal(frame.rtp_time, 93000);
    assert_int_equal(peer_send(&rig.peer, MSG_PATH, &path, NULL, 0, &server), 0);
    fd_close(&server);
    for (uint32_t i = 0; i < 3; i++) {
        send_rtp(&p, slice, sizeof(slice), 96000 + i * 3000, true);
        read_frame(&rig, &frame, payload, sizeof(payload));
        assert_int_equal(frame.rtp_time, 96000 + i * 3000);
        const struct msg_number track = {.number = TRACK_VIDEO};
        assert_int_equal(peer_send(&rig.peer, MSG_WANT_KEYFRAME, &track, NULL, 0, NULL), 0);
        (void)next_stats(&rig);
    }
    assert_true(hears_nothing(&p)); /* W8, U1: seconds of reports and requests, none of them here */

    uint8_t check[RAWSTUN_MAX], reply[1500];
    struct rawstun_response response;
    len = make_check(&rig, rig.answer.pwd, check);
    assert_int_equal(send(p.client, check, len, 0), len);
    struct pollfd poll_fd = {.fd = p.client, .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, WAIT_MS), 1);
    ssize_t got = recv(p.client, reply, sizeof(reply), 0);
    assert_true(got > 0);
    assert_int_equal(
        rawstun_parse_response(reply, (size_t)got, check + 8, rig.answer.pwd, &response), 0);
    p.reports = 0;
    p.remb_bps = 0;
    assert_true(serve(&p, has_reports, WAIT_MS)); /* ICE-07: from now on here */
    publisher_stop(&p);
    rig_stop(&rig);
}

static void U10_forged_and_replayed_strays_change_nothing(void **state)
{
    struct rig rig;
    struct publisher p;
    struct frame frame;
    uint8_t payload[256], data[1500], forged[1500];
    struct addr other;
    int server = -1;
    (void)state;
    publish(&p, &rig);
    send_key_frame(&p, 90000);
    read_frame(&rig, &frame, payload, sizeof(payload));
    struct msg_path path = move(&p, &server);
    send_rtp(&p, slice, sizeof(slice), 93000, true);
    size_t len = overhear(server, data, sizeof(data));
    struct msg_path strange = path;
    int attacker = bound_socket(&other);
    strange.remote = other;
    for (unsigned i = 0; i < 100; i++) {
        memcpy(forged, data, len);
        forged[len - 1 - i % 21] ^= (uint8_t)(1u << i % 8);
        show(&rig, &strange, forged, len);
    }
    show(&rig, &path, data, len);
    expect_want(&rig, &path);        /* the first that is wanted: none of those before */
    show(&rig, &strange, data, len); /* a replay from elsewhere */
    read_frame(&rig, &frame, payload, sizeof(payload));
    send_rtp(&p, slice, sizeof(slice), 96000, true);
    len = overhear(server, data, sizeof(data));
    path.remote.port ^= 1;
    show(&rig, &path, data, len);
    expect_want(&rig, &path); /* and again nothing for the replay */
    const struct stats *stats = next_stats(&rig);
    for (unsigned i = 0; i < 9 && stats->replayed < 1; i++)
        stats = next_stats(&rig);
    assert_int_equal(stats->replayed, 1);
    assert_int_equal(stats->bad_srtp, 100);
    struct pollfd poll_fd = {.fd = attacker, .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, 0), 0);
    fd_close(&attacker);
    fd_close(&server);
    publisher_stop(&p);
    rig_stop(&rig);
}

static void I5_strays_of_others_and_over_tcp_end_the_role(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct rig rig;
        struct publisher p;
        const struct msg_path path = {.session = SESSION + (i == 0),
                                      .transport = i == 0 ? TRANSPORT_UDP : TRANSPORT_TCP};
        rig_ready(&rig, false);
        rig_bind(&rig);
        publisher_offer(&p, &rig);
        show(&rig, &path, slice, sizeof(slice));
        expect_exit(&rig, EXIT_FAILURE);
        publisher_stop(&p);
        rig_stop(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(U17_media_goes_on_and_nothing_is_sent_before_the_check),
        cmocka_unit_test(U10_forged_and_replayed_strays_change_nothing),
        cmocka_unit_test(I5_strays_of_others_and_over_tcp_end_the_role),
    };
    if (rawsrtp_setup() != 0)
        return EXIT_FAILURE;
    return cmocka_run_group_tests_name("ingest stray", tests, NULL, NULL);
}
