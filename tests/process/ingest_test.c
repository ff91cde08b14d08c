/* The real ingest worker with a scripted supervisor and a publisher on loopback: warm start and
 * sandbox, hostile messages, offers, a whole publication, and every way to end. */
#include "lib/base/addr.h"
#include "lib/base/clock.h"
#include "lib/base/escape.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/ring.h"
#include "lib/base/writer.h"
#include "lib/proto/frame.h"
#include "tests/support/peer.h"
#include "tests/support/rawdtls.h"
#include "tests/support/rawrtcp.h"
#include "tests/support/rawsdp.h"
#include "tests/support/rawstun.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ROLE "sluice-ingest"
#define WAIT_MS 10000
#define SESSION 42u
#define OFFERS "tests/fixtures/offers/"
#define TEST_UID 64323u
#define AUDIO_SSRC 0x11111111u
#define VIDEO_SSRC 0x22222222u
#define START_SEQUENCE 65530u /* wraps during the test */

/* A running worker, and the ring as transcode would see it. */
struct rig {
    struct peer peer;
    int ring_fd;
    int event_fd;
    struct ring_reader *reader;
    struct msg_answer answer;
    size_t text_len;
    char text[STREAM_ANSWER_MAX];
};

/* ---- the role ---- */

static void rig_start(struct rig *rig, bool test_hooks)
{
    struct settings_ingest settings = {
        .common = {.log_level = LOG_DEBUG, .namespaces = 1, .test_hooks = test_hooks},
        .candidate_count = 1,
        .start_bitrate_kbps = 2500,
        .jitter_deadline_us = 300000,
        .coalesce_us = 5000};
    memset(rig, 0, sizeof(*rig));
    rig->ring_fd = -1;
    rig->event_fd = -1;
    settings.common.uid = geteuid() == 0 ? TEST_UID : 0;
    settings.candidates[0] = (struct addr){.family = 4, .port = 9999, .ip = {127, 0, 0, 1}};
    assert_int_equal(peer_start(&rig->peer, ROLE, &settings, sizeof(settings), NULL, 0, NULL, 0),
                     0);
}

static void rig_ready(struct rig *rig, bool test_hooks)
{
    rig_start(rig, test_hooks);
    assert_non_null(peer_wait(&rig->peer, MSG_READY, WAIT_MS));
}

static void rig_bind(struct rig *rig)
{
    struct msg_ingest_bind bind = {
        .session = SESSION, .max_bitrate_bps = 6000000, .stream = "demo"};
    assert_int_equal(ring_create(ring_size_for(0), &rig->ring_fd), 0);
    rig->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_true(rig->event_fd >= 0);
    bind.ring_bytes = (uint32_t)ring_size_for(0);
    const int fds[] = {rig->ring_fd, rig->event_fd};
    assert_int_equal(peer_send(&rig->peer, MSG_INGEST_BIND, &bind, NULL, 0, fds), 0);
    const struct chan_message *mapped = peer_wait(&rig->peer, MSG_RING_MAPPED, WAIT_MS);
    assert_non_null(mapped);
    assert_int_equal(((const struct msg_number *)mapped->body)->number, SESSION);
    assert_int_equal(ring_seal(rig->ring_fd), 0);
    assert_int_equal(ring_reader_new(rig->ring_fd, 0, &rig->reader), 0);
}

/* Sends the offer and keeps what came back. */
static unsigned rig_offer(struct rig *rig, const char *offer, size_t len)
{
    const struct msg_number session = {.number = SESSION};
    assert_int_equal(peer_send(&rig->peer, MSG_OFFER, &session, offer, len, NULL), 0);
    const struct chan_message *message = peer_wait(&rig->peer, MSG_ANSWER, WAIT_MS);
    assert_non_null(message);
    memcpy(&rig->answer, message->body, sizeof(rig->answer));
    memcpy(rig->text, message->blob, message->blob_len);
    rig->text_len = message->blob_len;
    assert_int_equal(rig->answer.session, SESSION);
    return rig->answer.status;
}

static void rig_stop(struct rig *rig)
{
    peer_stop(&rig->peer);
    ring_reader_free(rig->reader);
    fd_close(&rig->ring_fd);
    fd_close(&rig->event_fd);
}

static void rig_end(struct rig *rig, enum end_reason reason)
{
    const struct msg_end end = {.session = SESSION, .reason = reason};
    assert_int_equal(peer_send(&rig->peer, MSG_END, &end, NULL, 0, NULL), 0);
}

static void expect_exit(struct rig *rig, int expected)
{
    int status = -1;
    assert_int_equal(peer_wait_exit(&rig->peer, WAIT_MS, &status), 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), expected);
}

static void expect_ended(struct rig *rig, enum end_reason reason, uint64_t *out_last_packet_us)
{
    for (;;) {
        const struct chan_message *message = peer_wait(&rig->peer, MSG_INGEST_STATE, WAIT_MS);
        assert_non_null(message);
        const struct msg_ingest_state *state = message->body;
        if (state->state != INGEST_ENDED)
            continue;
        assert_int_equal(state->reason, reason);
        *out_last_packet_us = state->last_packet_us;
        return;
    }
}

static void expect_state(struct rig *rig, enum ingest_state expected)
{
    const struct chan_message *message = peer_wait(&rig->peer, MSG_INGEST_STATE, WAIT_MS);
    assert_non_null(message);
    const struct msg_ingest_state *state = message->body;
    assert_int_equal(state->state, expected);
    assert_int_equal(state->session, SESSION);
}

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
                                          MSG_TRANSCODE_BIND, MSG_EXPECT,     MSG_LEASE_ASK};
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

/* ---- a publisher ---- */

struct publisher {
    int client;
    int server; /* what edge would hand over */
    struct addr local;
    struct addr remote;
    struct rawdtls_identity *identity;
    struct rawdtls *dtls;
    struct rawsrtp *srtp;
    struct rawsdp_answer answer;
    enum rawdtls_event event;
    uint16_t sequence;
    unsigned reports;
    unsigned key_requests;
    uint64_t remb_bps;
    uint64_t nacked;
    unsigned nacks;
};

static int bound_socket(struct addr *out)
{
    struct addr any = {.family = 4, .ip = {127, 0, 0, 1}};
    struct sockaddr_storage sa;
    int size = 1 << 20;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    assert_int_equal(bind(fd, (const struct sockaddr *)&sa, addr_to_sockaddr(&any, &sa)), 0);
    socklen_t len = sizeof(sa);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    assert_int_equal(addr_from_sockaddr((const struct sockaddr *)&sa, len, out), 0);
    return fd;
}

static void connect_to(int fd, const struct addr *to)
{
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(to, &sa);
    assert_int_equal(connect(fd, (const struct sockaddr *)&sa, len), 0);
}

static void send_dtls(void *ctx, const uint8_t *data, size_t len)
{
    const struct publisher *p = ctx;
    (void)send(p->client, data, len, 0);
}

static void on_feedback(void *ctx, const struct rawrtcp_event *event)
{
    struct publisher *p = ctx;
    if (event->kind == RAWRTCP_REPORT)
        p->reports++;
    if (event->kind == RAWRTCP_KEYFRAME && event->ssrc == VIDEO_SSRC)
        p->key_requests++;
    if (event->kind == RAWRTCP_REMB)
        p->remb_bps = event->value;
    if (event->kind == RAWRTCP_NACK) {
        p->nacked = event->value;
        p->nacks++;
    }
}

/* Takes what the worker sent until the deadline or until done() says so. */
static bool serve(struct publisher *p, bool (*done)(const struct publisher *), int timeout_ms)
{
    uint64_t due_us = clock_now_us() + (uint64_t)timeout_ms * CLOCK_MS_US;
    while (!done(p)) {
        struct pollfd poll_fd = {.fd = p->client, .events = POLLIN};
        uint64_t now_us = clock_now_us();
        if (now_us >= due_us)
            return false;
        (void)poll(&poll_fd, 1, 50);
        uint8_t data[2048];
        ssize_t len = recv(p->client, data, sizeof(data), MSG_DONTWAIT);
        enum rawdtls_event event = RAWDTLS_NOTHING;
        if (len <= 0 && p->dtls)
            event = rawdtls_tick(p->dtls);
        else if (len > 0 && data[0] >= 20 && data[0] < 64)
            event = rawdtls_receive(p->dtls, data, (size_t)len);
        else if (len > 0 && data[0] >= 128 && p->srtp) {
            int plain = rawsrtp_unprotect_rtcp(p->srtp, data, (size_t)len);
            assert_true(plain > 0);
            assert_int_equal(rawrtcp_parse(data, (size_t)plain, on_feedback, p), 0);
        }
        if (event != RAWDTLS_NOTHING)
            p->event = event;
    }
    return true;
}

static bool is_keyed(const struct publisher *p)
{
    return p->event == RAWDTLS_KEYED;
}

static bool is_closed(const struct publisher *p)
{
    return p->event == RAWDTLS_CLOSED;
}

static bool has_reports(const struct publisher *p)
{
    return p->reports > 0 && p->remb_bps > 0 && p->key_requests > 0;
}

static bool has_nack(const struct publisher *p)
{
    return p->nacks > 0;
}

static void publisher_offer(struct publisher *p, struct rig *rig)
{
    char offer[RAWSDP_OFFER_MAX];
    memset(p, 0, sizeof(*p));
    p->sequence = START_SEQUENCE;
    p->server = bound_socket(&p->local);
    p->client = bound_socket(&p->remote);
    connect_to(p->server, &p->remote);
    connect_to(p->client, &p->local);
    assert_int_equal(rawdtls_identity_new(&p->identity), 0);
    const struct rawsdp_offer offered = {.video = RAWMEDIA_H264,
                                         .ufrag = "peer",
                                         .pwd = "peerPasswordOf24Letters1",
                                         .fingerprint = rawdtls_identity_fingerprint(p->identity),
                                         .cname = "raw",
                                         .audio_ssrc = AUDIO_SSRC,
                                         .video_ssrc = VIDEO_SSRC};
    assert_int_equal(rawsdp_write_offer(&offered, offer), 0);
    if (rig_offer(rig, offer, strlen(offer)) != 201)
        fail_msg("%u %s", rig->answer.status, rig->answer.reason);
    const struct addr any = {0};
    assert_int_equal(rawsdp_parse_answer(slice_make(rig->text, rig->text_len), &any, &p->answer),
                     0);
}

static size_t make_check(const struct rig *rig, const char *pwd, uint8_t *to)
{
    char username[64];
    (void)snprintf(username, sizeof(username), "%s:peer", rig->answer.ufrag);
    const struct rawstun_request request = {.txid = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
                                            .username = username,
                                            .password = pwd,
                                            .tie_breaker = 5,
                                            .priority = 1845501695,
                                            .nominate = true};
    return rawstun_request(&request, to);
}

static void publisher_connect(struct publisher *p, struct rig *rig)
{
    uint8_t check[RAWSTUN_MAX], reply[RAWSTUN_MAX];
    const struct msg_path path = {.session = SESSION, .local = p->local, .remote = p->remote};
    size_t len = make_check(rig, rig->answer.pwd, check);
    assert_int_equal(peer_send(&rig->peer, MSG_PATH, &path, check, len, &p->server), 0);
    fd_close(&p->server);
    struct pollfd poll_fd = {.fd = p->client, .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, WAIT_MS), 1);
    ssize_t got = recv(p->client, reply, sizeof(reply), 0);
    struct rawstun_response response;
    assert_true(got > 0);
    assert_int_equal(
        rawstun_parse_response(reply, (size_t)got, check + 8, rig->answer.pwd, &response), 0);
    assert_true(response.success);
    assert_true(addr_equal(&response.seen, &p->remote));
    expect_state(rig, INGEST_CONNECTED);
}

static void publisher_secure(struct publisher *p, struct rig *rig)
{
    enum rawsrtp_profile profile;
    uint8_t material[RAWSRTP_MATERIAL_MAX];
    assert_int_equal(rawdtls_new(p->identity, rawsrtp_profile_name(RAWSRTP_GCM128),
                                 p->answer.fingerprint, send_dtls, p, &p->dtls),
                     0);
    p->event = rawdtls_start(p->dtls);
    assert_true(serve(p, is_keyed, WAIT_MS));
    expect_state(rig, INGEST_KEYED);
    assert_int_equal(rawdtls_export(p->dtls, &profile, material), 0);
    assert_int_equal(rawsrtp_new(profile, material, &p->srtp), 0);
}

static void publish(struct publisher *p, struct rig *rig)
{
    rig_ready(rig, false);
    rig_bind(rig);
    publisher_offer(p, rig);
    publisher_connect(p, rig);
    publisher_secure(p, rig);
}

static void publisher_stop(struct publisher *p)
{
    rawsrtp_free(p->srtp);
    rawdtls_free(p->dtls);
    rawdtls_identity_free(p->identity);
    fd_close(&p->client);
    fd_close(&p->server);
}

static void send_rtp(struct publisher *p, const uint8_t *payload, size_t len, uint32_t time,
                     bool marker)
{
    uint8_t packet[1500] = {0x80, (uint8_t)(p->answer.video_type | (marker ? 0x80 : 0)),
                            (uint8_t)(p->sequence >> 8), (uint8_t)p->sequence};
    struct writer w;
    writer_init(&w, packet, sizeof(packet));
    w.len = 4;
    writer_u32(&w, time);
    writer_u32(&w, VIDEO_SSRC);
    writer_bytes(&w, payload, len);
    p->sequence++;
    int sealed = rawsrtp_protect(p->srtp, packet, w.len);
    assert_true(sealed > 0);
    assert_int_equal(send(p->client, packet, (size_t)sealed, 0), sealed);
}

static const uint8_t sps[] = {0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00, 0x50, 0x05, 0xbb,
                              0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00,
                              0x03, 0x03, 0xc0, 0xf1, 0x83, 0x24, 0x80};
static const uint8_t pps[] = {0x68, 0xcb, 0x83, 0xcb, 0x20};
static const uint8_t marked[] = {0x65, 0xf0, 'M', 'a', 'r', 'k', 'e', 'r', 'O', 'f', 'I', 'n', 'g'};
static const uint8_t slice[] = {0x41, 0xf0, 1, 2, 3};

static void send_key_frame(struct publisher *p, uint32_t time)
{
    send_rtp(p, sps, sizeof(sps), time, false);
    send_rtp(p, pps, sizeof(pps), time, false);
    send_rtp(p, marked, sizeof(marked), time, true);
}

/* The next frame in the ring. */
static void read_frame(struct rig *rig, struct frame *out, uint8_t *payload, size_t cap)
{
    static uint8_t record[RING_RECORD_MAX];
    size_t len = 0;
    int rc = ring_read(rig->reader, record, sizeof(record), &len);
    while (rc == RING_EMPTY) {
        struct pollfd wake = {.fd = rig->event_fd, .events = POLLIN};
        uint64_t count;
        assert_int_equal(poll(&wake, 1, WAIT_MS), 1);
        assert_int_equal(read(rig->event_fd, &count, sizeof(count)), sizeof(count));
        rc = ring_read(rig->reader, record, sizeof(record), &len);
    }
    const uint8_t *body = NULL;
    assert_int_equal(rc, RING_RECORD);
    assert_int_equal(frame_parse(record, len, out, &body), 0);
    assert_true(out->len <= cap);
    memcpy(payload, body, out->len);
}

static bool ring_contains(const struct rig *rig, const void *needle, size_t len)
{
    size_t bytes = ring_size_for(0);
    void *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, rig->ring_fd, 0);
    assert_true(map != MAP_FAILED);
    bool found = memmem(map, bytes, needle, len) != NULL;
    (void)munmap(map, bytes);
    return found;
}

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
        cmocka_unit_test(a_whole_publication_reaches_the_ring),
        cmocka_unit_test(WHIP_73_close_notify_of_the_publisher_ends),
        cmocka_unit_test(U9_U10_forged_packets_change_nothing),
    };
    if (rawsrtp_setup() != 0)
        return EXIT_FAILURE;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
