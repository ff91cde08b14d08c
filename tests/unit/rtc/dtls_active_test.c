/* DTLS client role against OpenSSL's server, both in memory: protocols.md WHIP-85, WHIP-86. */
#include "gateway/rtc/dtls.h"

#include "tests/unit/rtc/client.h"

#include <errno.h>
#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <cmocka.h>

#define SECOND 1000000u

/* OpenSSL's retransmission clock, moved by hand. */
static uint64_t clock_us = 1000 * (uint64_t)SECOND;

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    (void)zone;
    tv->tv_sec = (time_t)(clock_us / SECOND);
    tv->tv_usec = (suseconds_t)(clock_us % SECOND);
    return 0;
}

struct bench {
    struct cert *our_cert;
    struct cert *peer_cert;
    struct fingerprint peer;
    struct dtls *dtls;
    struct client publisher; /* OpenSSL's server */
    struct queue wire;       /* what we sent */
    unsigned keyed;
    unsigned failed;
    unsigned closed;
};

static void on_send(void *ctx, const uint8_t *data, size_t len)
{
    struct bench *b = ctx;
    assert_in_range(len, 1, DTLS_MTU);
    queue_put(&b->wire, data, len);
}

static void note(struct bench *b, enum dtls_event event)
{
    b->keyed += event == DTLS_KEYED;
    b->failed += event == DTLS_FAILED;
    b->closed += event == DTLS_CLOSED;
}

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));
    if (!b)
        return -1;
    assert_int_equal(cert_new(&b->our_cert), 0);
    assert_int_equal(cert_new(&b->peer_cert), 0);
    cert_fingerprint(b->peer_cert, &b->peer);
    *state = b;
    return 0;
}

static void stop(struct bench *b)
{
    client_done(&b->publisher);
    dtls_free(b->dtls);
    b->dtls = NULL;
    ERR_clear_error();
}

static int teardown(void **state)
{
    struct bench *b = *state;
    stop(b);
    cert_free(b->our_cert);
    cert_free(b->peer_cert);
    free(b);
    return 0;
}

static void begin(struct bench *b, const char *profiles)
{
    const struct client_options options = {.server = true, .profiles = profiles};
    stop(b);
    b->keyed = b->failed = b->closed = 0;
    memset(&b->wire, 0, sizeof(b->wire));
    assert_int_equal(dtls_new_client(b->our_cert, &b->peer, 1, on_send, b, &b->dtls), 0);
    assert_true(client_init(&b->publisher, b->peer_cert, &options));
}

static void run_publisher(struct bench *b)
{
    const struct datagram *d;
    while ((d = queue_take(&b->wire)))
        queue_put(&b->publisher.in, d->bytes, d->len);
    (void)SSL_do_handshake(b->publisher.ssl);
    ERR_clear_error();
}

static void deliver(struct bench *b)
{
    const struct datagram *d;
    while ((d = queue_take(&b->publisher.out)))
        note(b, dtls_receive(b->dtls, d->bytes, d->len, clock_us));
}

static void shake(struct bench *b)
{
    for (unsigned i = 0; i < 6; i++) {
        run_publisher(b);
        deliver(b);
    }
}

static void WHIP_86_handshake_as_client_makes_keys(void **state)
{
    static const char *const profiles[] = {"SRTP_AES128_CM_SHA1_80", "SRTP_AEAD_AES_128_GCM",
                                           "SRTP_AEAD_AES_256_GCM"};
    struct bench *b = *state;
    for (size_t i = 0; i < 3; i++) {
        uint8_t material[2 * (32 + 14)];
        struct srtp_keys keys;
        begin(b, profiles[i]);
        note(b, dtls_start(b->dtls, clock_us));
        shake(b);
        assert_int_equal(b->keyed, 1);
        assert_int_equal(dtls_get_keys(b->dtls, &keys), 0);
        size_t key = srtp_key_len(keys.suite);
        size_t salt = srtp_salt_len(keys.suite);
        assert_int_equal(SSL_export_keying_material(b->publisher.ssl, material, 2 * (key + salt),
                                                    "EXTRACTOR-dtls_srtp", 19, NULL, 0, 0),
                         1);
        /* The publisher is the server of DTLS: its keys stand second, and are client_key for us. */
        assert_memory_equal(keys.server_key, material, key);
        assert_memory_equal(keys.client_key, material + key, key);
        assert_memory_equal(keys.server_salt, material + 2 * key, salt);
        assert_memory_equal(keys.client_salt, material + 2 * key + salt, salt);
        assert_int_equal(dtls_restarts(b->dtls), 0);
    }
}

static void U3_nothing_is_sent_before_the_start(void **state)
{
    static const uint8_t hello_request[] = {22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12,
                                            0,  0,    0,    0, 0, 0, 0, 0, 0, 0, 0, 0};
    struct bench *b = *state;
    begin(b, NULL);
    note(b, dtls_receive(b->dtls, hello_request, sizeof(hello_request), clock_us));
    note(b, dtls_on_timer(b->dtls, clock_us + 10 * SECOND));
    assert_true(dtls_deadline_us(b->dtls, clock_us) == UINT64_MAX);
    assert_int_equal(b->wire.tail, 0);
    note(b, dtls_start(b->dtls, clock_us));
    assert_int_equal(b->wire.tail, 1);
    note(b, dtls_start(b->dtls, clock_us)); /* once */
    assert_int_equal(b->wire.tail, 1);
    assert_int_equal(b->failed, 0);
}

static void SEC_07_hello_is_sent_again(void **state)
{
    struct bench *b = *state;
    begin(b, NULL);
    uint64_t start = clock_us;
    note(b, dtls_start(b->dtls, clock_us));
    memset(&b->wire, 0, sizeof(b->wire)); /* lost */
    clock_us = dtls_deadline_us(b->dtls, clock_us);
    assert_in_range(clock_us - start, DTLS_RESEND_US - 20000, DTLS_RESEND_US);
    note(b, dtls_on_timer(b->dtls, clock_us));
    assert_int_equal(b->wire.tail, 1);
    shake(b);
    assert_int_equal(b->keyed, 1);
}

static void SEC_07_handshake_limit_is_5_s(void **state)
{
    struct bench *b = *state;
    begin(b, NULL);
    uint64_t start = clock_us;
    note(b, dtls_start(b->dtls, clock_us));
    while (b->failed == 0) {
        uint64_t deadline = dtls_deadline_us(b->dtls, clock_us);
        assert_true(deadline > clock_us && deadline <= start + DTLS_HANDSHAKE_US);
        clock_us = deadline;
        note(b, dtls_start(b->dtls, clock_us)); /* at each check: only the first one counts */
        note(b, dtls_on_timer(b->dtls, clock_us));
    }
    assert_int_equal(dtls_failure(b->dtls), DTLS_FAILURE_TIMEOUT);
}

static void U7_wrong_fingerprint_ends_the_session(void **state)
{
    struct bench *b = *state;
    struct srtp_keys keys;
    b->peer.hash[0] ^= 1;
    begin(b, NULL);
    b->peer.hash[0] ^= 1;
    note(b, dtls_start(b->dtls, clock_us));
    shake(b);
    assert_int_equal(b->failed, 1);
    assert_int_equal(b->keyed, 0);
    assert_int_equal(dtls_failure(b->dtls), DTLS_FAILURE_FINGERPRINT);
    assert_int_equal(dtls_get_keys(b->dtls, &keys), -EPROTO);
}

static void SEC_09_no_common_profile_fails(void **state)
{
    struct bench *b = *state;
    begin(b, "");
    note(b, dtls_start(b->dtls, clock_us));
    shake(b);
    assert_int_equal(b->failed, 1);
    assert_int_equal(dtls_failure(b->dtls), DTLS_FAILURE_PROFILE);
}

#define RECORD(type, epoch, len) type, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 9, 0, len

static void U4_stray_records_do_not_spoil_a_handshake(void **state)
{
    static const struct spoof {
        size_t len;
        uint8_t bytes[64];
    } spoofs[] = {
        {15, {RECORD(21, 0, 2), 2, 40}},                               /* fatal alert */
        {15, {RECORD(21, 0, 2), 1, 0}},                                /* close_notify */
        {25, {RECORD(22, 0, 12), 0}},                                  /* HelloRequest */
        {29, {RECORD(22, 0, 16), 1, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 4}}, /* a ClientHello */
        {14, {RECORD(20, 0, 1), 2}},
        {14, {RECORD(23, 0, 1), 2}},
        {45, {RECORD(21, 1, 32), 1, 2, 3}},
        {45, {RECORD(22, 2, 32), 1, 2, 3}},
    };
    struct bench *b = *state;
    begin(b, NULL);
    note(b, dtls_start(b->dtls, clock_us));
    for (unsigned i = 0; i < 6; i++) {
        for (size_t k = 0; k < sizeof(spoofs) / sizeof(spoofs[0]); k++)
            note(b, dtls_receive(b->dtls, spoofs[k].bytes, spoofs[k].len, clock_us));
        run_publisher(b);
        deliver(b);
    }
    assert_int_equal(b->keyed, 1);
    assert_int_equal(dtls_restarts(b->dtls), 0);
}

static void SEC_15_close_in_both_directions(void **state)
{
    struct bench *b = *state;
    uint8_t scratch[16];
    begin(b, NULL);
    note(b, dtls_start(b->dtls, clock_us));
    shake(b);
    assert_int_equal(b->keyed, 1);
    SSL_shutdown(b->publisher.ssl);
    deliver(b);
    assert_int_equal(b->closed, 1);
    begin(b, NULL);
    note(b, dtls_start(b->dtls, clock_us));
    shake(b);
    dtls_close(b->dtls);
    run_publisher(b);
    assert_true(SSL_read(b->publisher.ssl, scratch, sizeof(scratch)) <= 0);
    assert_true(SSL_get_shutdown(b->publisher.ssl) & SSL_RECEIVED_SHUTDOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(WHIP_86_handshake_as_client_makes_keys),
        cmocka_unit_test(U3_nothing_is_sent_before_the_start),
        cmocka_unit_test(SEC_07_hello_is_sent_again),
        cmocka_unit_test(SEC_07_handshake_limit_is_5_s),
        cmocka_unit_test(U7_wrong_fingerprint_ends_the_session),
        cmocka_unit_test(SEC_09_no_common_profile_fails),
        cmocka_unit_test(U4_stray_records_do_not_spoil_a_handshake),
        cmocka_unit_test(SEC_15_close_in_both_directions),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
