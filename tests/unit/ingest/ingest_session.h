/* A session between a scripted owner and a publisher without sockets, for the session tests. */
#ifndef SLUICE_TESTS_INGEST_SESSION_H
#define SLUICE_TESTS_INGEST_SESSION_H

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
    size_t answer_len;
    char answer_text[STREAM_ANSWER_MAX];
    uint64_t now_us;
    size_t sent_count;
    struct sent sent[SENT_MAX];
    size_t state_count;
    struct msg_ingest_state states[8];
    size_t closed_count;
    size_t closed_path;
    size_t wanted_count;
    struct msg_path wanted;
    size_t stats_count;
    struct stats stats;
    uint16_t sequence;
};

/* ---- what the session does ---- */

static inline void on_send(void *ctx, size_t path, const uint8_t *data, size_t len)
{
    struct fixture *f = ctx;
    struct sent *sent = &f->sent[f->sent_count++ % SENT_MAX];
    sent->path = path;
    sent->len = len;
    memcpy(sent->data, data, len);
}

static inline void on_close_path(void *ctx, size_t path)
{
    struct fixture *f = ctx;
    f->closed_count++;
    f->closed_path = path;
}

static inline void on_want_path(void *ctx, const struct msg_path *path)
{
    struct fixture *f = ctx;
    f->wanted_count++;
    f->wanted = *path;
}

static inline void on_report(void *ctx, const struct msg_ingest_state *state)
{
    struct fixture *f = ctx;
    assert_true(f->state_count < 8);
    f->states[f->state_count++] = *state;
}

static inline void on_stats(void *ctx, size_t path, const struct stats *stats)
{
    (void)path;
    struct fixture *f = ctx;
    f->stats = *stats;
    f->stats_count++;
}

static inline int setup(void **state)
{
    static const struct session_io io = {on_send, on_close_path, on_want_path, on_report, on_stats};
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    assert_int_equal(test_ring_open(&f->ring), 0);
    assert_int_equal(cert_new(&f->cert), 0);
    assert_int_equal(client_open(&f->client), 0);
    f->settings = (struct settings_ingest){.jitter_deadline_us = 300000};
    f->bind = (struct msg_ingest_bind){
        .session = SESSION, .max_bitrate_bps = 5000000, .candidate_count = 1, .stream = "demo"};
    f->bind.candidates[0] = (struct addr){.family = 4, .port = 9, .ip = {127, 0, 0, 1}};
    f->now_us = 100 * SECOND;
    f->sequence = 65000;
    const struct session_config config = {
        .settings = &f->settings, .bind = &f->bind, .cert = f->cert, .ring = f->ring.writer};
    assert_int_equal(session_new(&config, &io, f, &f->session), 0);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
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

static inline size_t make_offer(const struct fixture *f, char *to, size_t cap)
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
    writer_text(&w, "a=fingerprint:%s\r\na=setup:%s\r\na=sendonly\r\na=rtcp-mux\r\n", text,
                f->client.passive ? "passive" : "actpass");
    writer_text(&w, "a=rtcp-rsize\r\na=rtpmap:96 H264/90000\r\n");
    writer_text(&w, "a=fmtp:96 packetization-mode=1;profile-level-id=42e01f;"
                    "level-asymmetry-allowed=1\r\n");
    writer_text(&w, "a=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\na=rtcp-fb:96 goog-remb\r\n");
    assert_true(writer_ok(&w));
    return w.len;
}

static inline void offer(struct fixture *f)
{
    char text[4096];
    size_t len = make_offer(f, text, sizeof(text));
    session_offer(f->session, slice_make(text, len), f->now_us, &f->answer, f->answer_text,
                  sizeof(f->answer_text), &f->answer_len);
    if (f->answer.status != 201)
        fail_msg("%u %s", f->answer.status, f->answer.reason);
    assert_true(f->answer_len > 0);
    assert_int_equal(f->answer.renditions, 1u << TRACK_VIDEO);
}

static inline void open_path(struct fixture *f, size_t path)
{
    const struct addr remote = {.family = 4, .port = (uint16_t)(5000 + path), .ip = {127, 0, 0, 1}};
    session_open_path(f->session, path, &remote, f->now_us);
}

static inline void receive(struct fixture *f, size_t path, const void *data, size_t len)
{
    uint8_t copy[1500];
    memcpy(copy, data, len);
    session_receive(f->session, path, copy, len, f->now_us);
}

static inline void check_as(struct fixture *f, size_t path, const char *pwd, bool nominate)
{
    uint8_t data[512];
    size_t len = client_check(f->answer.ufrag, pwd, nominate, data);
    receive(f, path, data, len);
}

static inline void check(struct fixture *f, size_t path, bool nominate)
{
    check_as(f, path, f->answer.pwd, nominate);
}

/* Runs the handshake over a path until nobody has anything to say. */
static inline void handshake(struct fixture *f, size_t path)
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

static inline void go_keyed(struct fixture *f)
{
    offer(f);
    open_path(f, 0);
    check(f, 0, true);
    handshake(f, 0);
    assert_int_equal(client_secure(&f->client), 0);
    assert_int_equal(session_state(f->session), SESSION_KEYED);
}

/* Encrypts the client's next packet of video into data, which has room for 1,500 bytes. */
static inline size_t seal_rtp(struct fixture *f, const void *payload, size_t len, uint32_t time,
                              bool marker, uint8_t *data)
{
    const struct test_packet packet = {.ssrc = VIDEO_SSRC,
                                       .pt = 96,
                                       .marker = marker,
                                       .sequence = f->sequence++,
                                       .time = time,
                                       .payload = payload,
                                       .len = len};
    size_t sealed = build_test_packet(&packet, data, 1500);
    assert_int_equal(srtp_encrypt_rtp(f->client.srtp, data, &sealed, 1500), 0);
    return sealed;
}

static inline void send_rtp(struct fixture *f, size_t path, const void *payload, size_t len,
                            uint32_t time, bool marker)
{
    uint8_t data[1500];
    size_t sealed = seal_rtp(f, payload, len, time, marker, data);
    receive(f, path, data, sealed);
}

static inline void send_key_frame(struct fixture *f, size_t path, uint32_t time)
{
    uint8_t set[64];
    size_t len = vector_bytes(SPS_1280X720, set);
    send_rtp(f, path, set, len, time, false);
    len = vector_bytes(PPS_BASELINE, set);
    send_rtp(f, path, set, len, time, false);
    send_rtp(f, path, test_idr, sizeof(test_idr), time, true);
}

/* Calls on_timer whenever the session wants, up to until_us. */
static inline void run_until(struct fixture *f, uint64_t until_us)
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

static inline void expect_ended(struct fixture *f, enum end_reason reason)
{
    assert_int_equal(session_state(f->session), SESSION_ENDED);
    assert_true(f->state_count > 0);
    const struct msg_ingest_state *last = &f->states[f->state_count - 1];
    assert_int_equal(last->state, INGEST_ENDED);
    assert_int_equal(last->reason, reason);
    assert_true(session_due_us(f->session, f->now_us) == UINT64_MAX);
}

static inline int warm_up(void **state)
{
    static struct rtcwarm *warm; /* held until exit */
    (void)state;
    return rtcwarm_new(&warm);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
