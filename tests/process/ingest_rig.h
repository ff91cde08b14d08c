/* A real ingest worker with a scripted supervisor, and a publisher on loopback, for the process
 * tests. */
#ifndef SLUICE_TESTS_INGEST_RIG_H
#define SLUICE_TESTS_INGEST_RIG_H

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

static inline void rig_start(struct rig *rig, bool test_hooks)
{
    struct settings_ingest settings = {
        .common = {.log_level = LOG_DEBUG, .namespaces = 1, .test_hooks = test_hooks},
        .start_bitrate_kbps = 2500,
        .jitter_deadline_us = 300000,
        .coalesce_us = 5000};
    memset(rig, 0, sizeof(*rig));
    rig->ring_fd = -1;
    rig->event_fd = -1;
    settings.common.uid = geteuid() == 0 ? TEST_UID : 0;
    assert_int_equal(peer_start(&rig->peer, ROLE, &settings, sizeof(settings), NULL, 0, NULL, 0),
                     0);
}

static inline void rig_ready(struct rig *rig, bool test_hooks)
{
    rig_start(rig, test_hooks);
    assert_non_null(peer_wait(&rig->peer, MSG_READY, WAIT_MS));
}

static inline void rig_bind(struct rig *rig)
{
    struct msg_ingest_bind bind = {
        .session = SESSION, .max_bitrate_bps = 6000000, .candidate_count = 1, .stream = "demo"};
    bind.candidates[0] = (struct addr){.family = 4, .port = 9999, .ip = {127, 0, 0, 1}};
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
static inline unsigned rig_offer(struct rig *rig, const char *offer, size_t len)
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

static inline void rig_stop(struct rig *rig)
{
    peer_stop(&rig->peer);
    ring_reader_free(rig->reader);
    fd_close(&rig->ring_fd);
    fd_close(&rig->event_fd);
}

static inline void rig_end(struct rig *rig, enum end_reason reason)
{
    const struct msg_end end = {.session = SESSION, .reason = reason};
    assert_int_equal(peer_send(&rig->peer, MSG_END, &end, NULL, 0, NULL), 0);
}

static inline void expect_exit(struct rig *rig, int expected)
{
    int status = -1;
    assert_int_equal(peer_wait_exit(&rig->peer, WAIT_MS, &status), 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), expected);
}

static inline void expect_ended(struct rig *rig, enum end_reason reason,
                                uint64_t *out_last_packet_us)
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

static inline void expect_state(struct rig *rig, enum ingest_state expected)
{
    const struct chan_message *message = peer_wait(&rig->peer, MSG_INGEST_STATE, WAIT_MS);
    assert_non_null(message);
    const struct msg_ingest_state *state = message->body;
    assert_int_equal(state->state, expected);
    assert_int_equal(state->session, SESSION);
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

static inline int bound_socket(struct addr *out)
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

static inline void connect_to(int fd, const struct addr *to)
{
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(to, &sa);
    assert_int_equal(connect(fd, (const struct sockaddr *)&sa, len), 0);
}

static inline void send_dtls(void *ctx, const uint8_t *data, size_t len)
{
    const struct publisher *p = ctx;
    (void)send(p->client, data, len, 0);
}

static inline void on_feedback(void *ctx, const struct rawrtcp_event *event)
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
static inline bool serve(struct publisher *p, bool (*done)(const struct publisher *),
                         int timeout_ms)
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

static inline bool is_keyed(const struct publisher *p)
{
    return p->event == RAWDTLS_KEYED;
}

static inline bool is_closed(const struct publisher *p)
{
    return p->event == RAWDTLS_CLOSED;
}

static inline bool has_reports(const struct publisher *p)
{
    return p->reports > 0 && p->remb_bps > 0 && p->key_requests > 0;
}

static inline bool has_nack(const struct publisher *p)
{
    return p->nacks > 0;
}

/* With that many simulcast layers; 0: none. */
static inline void publisher_offer_layers(struct publisher *p, struct rig *rig, bool passive,
                                          unsigned layers)
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
                                         .video_ssrc = VIDEO_SSRC,
                                         .layers = layers,
                                         .passive = passive};
    assert_int_equal(rawsdp_write_offer(&offered, offer), 0);
    if (rig_offer(rig, offer, strlen(offer)) != 201)
        fail_msg("%u %s", rig->answer.status, rig->answer.reason);
    const struct addr any = {0};
    assert_int_equal(rawsdp_parse_answer(slice_make(rig->text, rig->text_len), &any, &p->answer),
                     0);
    assert_int_equal(p->answer.active, passive);
}

static inline void publisher_offer_as(struct publisher *p, struct rig *rig, bool passive)
{
    publisher_offer_layers(p, rig, passive, 0);
}

static inline void publisher_offer(struct publisher *p, struct rig *rig)
{
    publisher_offer_as(p, rig, false);
}

static inline size_t make_check_as(const char *ufrag, const char *peer, const char *pwd,
                                   uint8_t *to)
{
    char username[64];
    (void)snprintf(username, sizeof(username), "%s:%s", ufrag, peer);
    const struct rawstun_request request = {.txid = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
                                            .username = username,
                                            .password = pwd,
                                            .tie_breaker = 5,
                                            .priority = 1845501695,
                                            .nominate = true};
    return rawstun_request(&request, to);
}

static inline size_t make_check(const struct rig *rig, const char *pwd, uint8_t *to)
{
    return make_check_as(rig->answer.ufrag, "peer", pwd, to);
}

static inline void publisher_connect(struct publisher *p, struct rig *rig)
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

static inline void publisher_secure(struct publisher *p, struct rig *rig)
{
    enum rawsrtp_profile profile;
    uint8_t material[RAWSRTP_MATERIAL_MAX];
    const char *profiles = rawsrtp_profile_name(RAWSRTP_GCM128);
    int rc = p->answer.active ? rawdtls_new_server(p->identity, profiles, p->answer.fingerprint,
                                                   send_dtls, p, &p->dtls)
                              : rawdtls_new(p->identity, profiles, p->answer.fingerprint, send_dtls,
                                            p, &p->dtls);
    assert_int_equal(rc, 0);
    p->event = rawdtls_start(p->dtls);
    assert_true(serve(p, is_keyed, WAIT_MS));
    expect_state(rig, INGEST_KEYED);
    assert_int_equal(rawdtls_export(p->dtls, &profile, material), 0);
    assert_int_equal(rawsrtp_new(profile, material, &p->srtp), 0);
}

static inline void publish(struct publisher *p, struct rig *rig)
{
    rig_ready(rig, false);
    rig_bind(rig);
    publisher_offer(p, rig);
    publisher_connect(p, rig);
    publisher_secure(p, rig);
}

static inline void publisher_stop(struct publisher *p)
{
    rawsrtp_free(p->srtp);
    rawdtls_free(p->dtls);
    rawdtls_identity_free(p->identity);
    fd_close(&p->client);
    fd_close(&p->server);
}

static inline void send_rtp(struct publisher *p, const uint8_t *payload, size_t len, uint32_t time,
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

static inline void send_key_frame(struct publisher *p, uint32_t time)
{
    send_rtp(p, sps, sizeof(sps), time, false);
    send_rtp(p, pps, sizeof(pps), time, false);
    send_rtp(p, marked, sizeof(marked), time, true);
}

/* The next frame in the ring. */
static inline void read_frame(struct rig *rig, struct frame *out, uint8_t *payload, size_t cap)
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

static inline bool ring_contains(const struct rig *rig, const void *needle, size_t len)
{
    size_t bytes = ring_size_for(0);
    void *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, rig->ring_fd, 0);
    assert_true(map != MAP_FAILED);
    bool found = memmem(map, bytes, needle, len) != NULL;
    (void)munmap(map, bytes);
    return found;
}

#endif
