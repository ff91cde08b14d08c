/* The real ingest worker on a TCP path: frames in, frames out, and what it says when it ends. */
#include "tests/process/ingest_rig.h"

static void stream_pair(int out[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, out), 0);
}

static void read_exactly(int fd, uint8_t *to, size_t len)
{
    while (len > 0) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&poll_fd, 1, WAIT_MS), 1);
        ssize_t n = recv(fd, to, len, 0);
        assert_true(n > 0);
        to += n;
        len -= (size_t)n;
    }
}

/* A bound worker that has answered, and a TCP path to it with one unread check. */
static void open_tcp(struct rig *rig, struct publisher *p, int *out_client, struct msg_path *path,
                     uint8_t *check)
{
    int pair[2];
    uint8_t frame[RAWSTUN_MAX + 2];
    rig_ready(rig, false);
    rig_bind(rig);
    publisher_offer(p, rig);
    stream_pair(pair);
    size_t len = make_check(rig, rig->answer.pwd, check);
    frame[0] = (uint8_t)(len >> 8);
    frame[1] = (uint8_t)len;
    memcpy(frame + 2, check, len);
    assert_int_equal(send(pair[1], frame, len + 2, 0), len + 2);
    *path = (struct msg_path){
        .session = SESSION, .local = p->local, .remote = p->remote, .transport = TRANSPORT_TCP};
    assert_int_equal(peer_send(&rig->peer, MSG_PATH, path, NULL, 0, &pair[0]), 0);
    fd_close(&pair[0]);
    *out_client = pair[1];
}

static void RFC6544_a_tcp_path_is_answered_in_frames_and_given_back(void **state)
{
    struct rig rig;
    struct publisher p;
    struct msg_path path;
    int client = -1;
    uint8_t check[RAWSTUN_MAX], head[2], reply[RAWSTUN_MAX];
    (void)state;
    open_tcp(&rig, &p, &client, &path, check);
    read_exactly(client, head, sizeof(head));
    size_t len = (size_t)head[0] << 8 | head[1];
    assert_in_range(len, 20, sizeof(reply));
    read_exactly(client, reply, len);
    struct rawstun_response response;
    assert_int_equal(rawstun_parse_response(reply, len, check + 8, rig.answer.pwd, &response), 0);
    assert_true(response.success);
    assert_true(addr_equal(&response.seen, &p.remote));
    expect_state(&rig, INGEST_CONNECTED);
    fd_close(&client);
    const struct chan_message *message = peer_wait(&rig.peer, MSG_PATH_GONE, WAIT_MS);
    assert_non_null(message);
    assert_memory_equal(message->body, &path, sizeof(path));
    const struct msg_end end = {.session = SESSION, .reason = END_KICKED}; /* it lives on */
    assert_int_equal(peer_send(&rig.peer, MSG_END, &end, NULL, 0, NULL), 0);
    expect_exit(&rig, EXIT_SUCCESS);
    publisher_stop(&p);
    rig_stop(&rig);
}

static void I5_wrong_transports_end_the_role(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct rig rig;
        struct publisher p;
        struct msg_path path;
        int client = -1;
        uint8_t check[RAWSTUN_MAX];
        open_tcp(&rig, &p, &client, &path, check);
        if (i == 0) {
            path.transport = TRANSPORT_COUNT;
            assert_int_equal(peer_send(&rig.peer, MSG_PATH, &path, NULL, 0, &p.server), 0);
        } else {
            assert_int_equal(peer_send(&rig.peer, MSG_PATH_BYTES, &path, "x", 1, NULL), 0);
        }
        expect_exit(&rig, EXIT_FAILURE);
        fd_close(&client);
        publisher_stop(&p);
        rig_stop(&rig);
    }
}

static void I5_a_binding_without_candidates_ends_the_role(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct rig rig;
        struct msg_ingest_bind bind = {.session = SESSION, .candidate_count = 1, .stream = "demo"};
        bind.candidate_count = i == 0 ? 0 : i == 1 ? STREAM_ADDRESSES_MAX + 1 : 1;
        bind.tcp_count = i == 2 ? UINT32_MAX : 0;
        rig_ready(&rig, false);
        assert_int_equal(ring_create(ring_size_for(0), &rig.ring_fd), 0);
        rig.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        const int fds[] = {rig.ring_fd, rig.event_fd};
        assert_int_equal(peer_send(&rig.peer, MSG_INGEST_BIND, &bind, NULL, 0, fds), 0);
        expect_exit(&rig, EXIT_FAILURE);
        rig_stop(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(RFC6544_a_tcp_path_is_answered_in_frames_and_given_back),
        cmocka_unit_test(I5_wrong_transports_end_the_role),
        cmocka_unit_test(I5_a_binding_without_candidates_ends_the_role),
    };
    if (rawsrtp_setup() != 0)
        return EXIT_FAILURE;
    return cmocka_run_group_tests_name("ingest tcp", tests, NULL, NULL);
}
