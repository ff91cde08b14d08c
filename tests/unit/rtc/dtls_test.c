/* DTLS server against OpenSSL's client, both in memory: protocols.md 3.2, threats.md U3 to U9. */
#include "gateway/rtc/dtls.h"

#include "tests/unit/rtc/client.h"

#include <errno.h>
#include <malloc.h>
#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <cmocka.h>

#define SECOND 1000000u

/* OpenSSL's retransmission clock: this definition replaces the C library's for this program, so
 * that tests move time by hand. */
static uint64_t clock_us = 1000 * (uint64_t)SECOND;

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    (void)zone;
    tv->tv_sec = (time_t)(clock_us / SECOND);
    tv->tv_usec = (suseconds_t)(clock_us % SECOND);
    return 0;
}

struct bench {
    struct cert *server_cert;
    struct cert *client_cert;
    struct fingerprint peer;
    struct dtls *server;
    struct client client;
    struct queue wire; /* what the server sent */
    enum dtls_event last;
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
    if (event == DTLS_NONE)
        return;
    b->last = event;
    b->keyed += event == DTLS_KEYED;
    b->failed += event == DTLS_FAILED;
    b->closed += event == DTLS_CLOSED;
}

static void receive(struct bench *b, const void *data, size_t len)
{
    /* Exactly as long as the datagram, so that sanitizers see an overrun. */
    uint8_t *exact = malloc(len > 0 ? len : 1);
    assert_non_null(exact);
    memcpy(exact, data, len);
    note(b, dtls_receive(b->server, exact, len, clock_us));
    free(exact);
}

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));
    if (!b)
        return -1;
    assert_int_equal(cert_new(&b->server_cert), 0);
    assert_int_equal(cert_new(&b->client_cert), 0);
    cert_fingerprint(b->client_cert, &b->peer);
    *state = b;
    return 0;
}

static void stop(struct bench *b)
{
    client_done(&b->client);
    dtls_free(b->server);
    b->server = NULL;
    ERR_clear_error();
}

static int teardown(void **state)
{
    struct bench *b = *state;
    stop(b);
    cert_free(b->server_cert);
    cert_free(b->client_cert);
    free(b);
    return 0;
}

static void begin(struct bench *b, const struct client_options *options)
{
    static const struct client_options modern = {.max_version = 0};
    stop(b);
    b->keyed = b->failed = b->closed = 0;
    b->last = DTLS_NONE;
    memset(&b->wire, 0, sizeof(b->wire));
    assert_int_equal(dtls_new(b->server_cert, &b->peer, 1, on_send, b, &b->server), 0);
    assert_true(client_init(&b->client, b->client_cert, options ? options : &modern));
}

/* The client runs on what it has got; its datagrams wait in client.out. */
static int run_client(struct bench *b)
{
    const struct datagram *d;
    while ((d = queue_take(&b->wire)))
        queue_put(&b->client.in, d->bytes, d->len);
    int result = SSL_do_handshake(b->client.ssl);
    ERR_clear_error();
    return result;
}

static void deliver(struct bench *b)
{
    const struct datagram *d;
    while ((d = queue_take(&b->client.out)))
        receive(b, d->bytes, d->len);
}

static void shake(struct bench *b)
{
    for (unsigned i = 0; i < 6; i++) {
        run_client(b);
        deliver(b);
    }
    run_client(b);
}

static struct srtp_keys expect_keys(struct bench *b)
{
    struct srtp_keys keys;
    assert_int_equal(b->keyed, 1);
    assert_int_equal(b->failed, 0);
    assert_true(SSL_is_init_finished(b->client.ssl));
    assert_int_equal(dtls_get_keys(b->server, &keys), 0);
    assert_true(dtls_deadline_us(b->server, clock_us) == UINT64_MAX);
    return keys;
}

static void expect_no_keys(struct bench *b)
{
    struct srtp_keys keys;
    assert_int_equal(b->keyed, 0);
    assert_int_equal(dtls_get_keys(b->server, &keys), -EPROTO);
}

/* ---- handshake ---- */

static void SEC_01_handshake_makes_keys(void **state)
{
    struct bench *b = *state;
    begin(b, NULL);
    assert_true(dtls_deadline_us(b->server, clock_us) == UINT64_MAX);
    shake(b);
    struct srtp_keys keys = expect_keys(b);
    assert_int_equal(keys.suite, SRTP_SUITE_AEAD_AES_128_GCM);
    assert_string_equal(SSL_get_version(b->client.ssl), "DTLSv1.2");
    assert_string_equal(SSL_get_cipher(b->client.ssl), "ECDHE-ECDSA-AES128-GCM-SHA256");
    assert_int_equal(dtls_restarts(b->server), 0);
}

static void SEC_10_keys_are_in_the_exporters_order(void **state)
{
    struct bench *b = *state;
    static const struct {
        const char *profile;
        size_t key;
        size_t salt;
    } rows[] = {{"SRTP_AES128_CM_SHA1_80", 16, 14},
                {"SRTP_AEAD_AES_128_GCM", 16, 12},
                {"SRTP_AEAD_AES_256_GCM", 32, 12}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct client_options options = {.profiles = rows[i].profile};
        uint8_t material[2 * (32 + 14)];
        size_t key = rows[i].key;
        size_t salt = rows[i].salt;
        begin(b, &options);
        shake(b);
        struct srtp_keys keys = expect_keys(b);
        assert_int_equal(srtp_key_len(keys.suite), key);
        assert_int_equal(srtp_salt_len(keys.suite), salt);
        assert_int_equal(SSL_export_keying_material(b->client.ssl, material, 2 * (key + salt),
                                                    "EXTRACTOR-dtls_srtp", 19, NULL, 0, 0),
                         1);
        assert_memory_equal(keys.client_key, material, key);
        assert_memory_equal(keys.server_key, material + key, key);
        assert_memory_equal(keys.client_salt, material + 2 * key, salt);
        assert_memory_equal(keys.server_salt, material + 2 * key + salt, salt);
    }
}

static void SEC_08_profiles_are_chosen_in_our_order(void **state)
{
    static const struct {
        const char *offered;
        enum srtp_suite expected;
    } rows[] = {
        {"SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM",
         SRTP_SUITE_AEAD_AES_128_GCM},
        {"SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_256_GCM", SRTP_SUITE_AEAD_AES_256_GCM},
        {"SRTP_AES128_CM_SHA1_32:SRTP_AES128_CM_SHA1_80", SRTP_SUITE_AES128_CM_SHA1_80},
    };
    struct bench *b = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct client_options options = {.profiles = rows[i].offered};
        begin(b, &options);
        shake(b);
        assert_int_equal(expect_keys(b).suite, rows[i].expected);
    }
}

static void SEC_09_no_common_profile_fails(void **state)
{
    static const char *const offers[] = {"", "SRTP_AES128_CM_SHA1_32"};
    struct bench *b = *state;
    for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
        const struct client_options options = {.profiles = offers[i]};
        begin(b, &options);
        shake(b);
        expect_no_keys(b);
        assert_int_equal(b->failed, 1);
        assert_int_equal(dtls_failure(b->server), DTLS_FAILURE_PROFILE);
    }
}

static void U8_weak_offers_get_no_keys(void **state)
{
    static const struct client_options weak[] = {
        {.max_version = DTLS1_VERSION},
        {.ciphers = "ECDHE-ECDSA-AES128-SHA"},
        {.ciphers = "ECDHE-RSA-AES128-GCM-SHA256"},
        {.ciphers = "AES128-GCM-SHA256"},
        {.ciphers = "eNULL"},
        {.groups = "P-521"},
        {.no_certificate = true},
    };
    struct bench *b = *state;
    for (size_t i = 0; i < sizeof(weak) / sizeof(weak[0]); i++) {
        begin(b, &weak[i]);
        shake(b);
        expect_no_keys(b);
    }
}

/* ---- certificates ---- */

static void U7_wrong_fingerprint_ends_the_session(void **state)
{
    struct bench *b = *state;
    struct fingerprint right = b->peer;
    b->peer.hash[31] ^= 1;
    begin(b, NULL);
    b->peer = right;
    shake(b);
    expect_no_keys(b);
    assert_int_equal(b->failed, 1);
    assert_int_equal(dtls_failure(b->server), DTLS_FAILURE_FINGERPRINT);
    /* SEC-02: the peer is told by an alert. */
    uint8_t scratch[16];
    assert_true(SSL_read(b->client.ssl, scratch, sizeof(scratch)) <= 0);
    assert_true(SSL_get_shutdown(b->client.ssl) & SSL_RECEIVED_SHUTDOWN);
    /* and nothing starts again */
    receive(b, "\x16\xfe\xfd", 3);
    dtls_on_timer(b->server, clock_us + SECOND);
    expect_no_keys(b);
}

static void SEC_03_stronger_hashes_are_checked(void **state)
{
    static const enum fingerprint_algorithm strong[] = {FINGERPRINT_SHA384, FINGERPRINT_SHA512};
    struct bench *b = *state;
    struct fingerprint usual = b->peer;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(cert_hash(cert_x509(b->client_cert), strong[i], &b->peer), 0);
        begin(b, NULL);
        shake(b);
        expect_keys(b);
        b->peer.hash[0] ^= 1;
        begin(b, NULL);
        shake(b);
        expect_no_keys(b);
    }
    b->peer = usual;
}

static void SEC_13_certificates_are_fresh(void **state)
{
    struct bench *b = *state;
    struct fingerprint server;
    cert_fingerprint(b->server_cert, &server);
    assert_int_equal(server.algorithm, FINGERPRINT_SHA256);
    assert_memory_not_equal(server.hash, b->peer.hash, 32);
    assert_int_equal(EVP_PKEY_get_bits(cert_key(b->server_cert)), 256);
}

/* ---- datagrams ---- */

static void SEC_04_fragmented_hello_is_put_together(void **state)
{
    static const struct client_options options = {.long_hello = true};
    struct bench *b = *state;
    begin(b, &options);
    run_client(b);
    assert_true(b->client.out.tail >= 2);
    deliver(b);
    shake(b);
    expect_keys(b);
    /* in the other order too */
    begin(b, &options);
    run_client(b);
    assert_int_equal(b->client.out.tail, 2);
    receive(b, b->client.out.items[1].bytes, b->client.out.items[1].len);
    receive(b, b->client.out.items[0].bytes, b->client.out.items[0].len);
    b->client.out.head = 2;
    shake(b);
    expect_keys(b);
}

static void BUG_18_tiny_fragments_are_put_together(void **state)
{
    static const struct client_options options = {.mtu = 256};
    struct bench *b = *state;
    begin(b, &options);
    shake(b);
    expect_keys(b);
}

static void SEC_06_flights_use_the_mtu(void **state)
{
    struct bench *b = *state;
    begin(b, NULL);
    run_client(b);
    deliver(b);
    assert_int_equal(b->wire.tail, 1); /* about 640 bytes; 256-byte datagrams would be 3 */
}

static void SEC_07_flights_are_sent_again(void **state)
{
    struct bench *b = *state;
    begin(b, NULL);
    run_client(b);
    deliver(b);
    assert_true(b->wire.tail > 0);
    memset(&b->wire, 0, sizeof(b->wire)); /* all lost */
    uint64_t deadline = dtls_deadline_us(b->server, clock_us);
    assert_in_range(deadline - clock_us, SECOND - 20000, SECOND);
    note(b, dtls_on_timer(b->server, clock_us)); /* too early: nothing */
    assert_int_equal(b->wire.tail, 0);
    clock_us = deadline;
    note(b, dtls_on_timer(b->server, clock_us));
    assert_true(b->wire.tail > 0);
    deadline = dtls_deadline_us(b->server, clock_us);
    assert_in_range(deadline - clock_us, 2 * SECOND - 20000, 2 * SECOND);
    shake(b);
    expect_keys(b);
}

static void SEC_07_handshake_limit_is_5_s(void **state)
{
    struct bench *b = *state;
    begin(b, NULL);
    run_client(b);
    uint64_t start = clock_us;
    deliver(b);
    while (b->failed == 0) {
        uint64_t deadline = dtls_deadline_us(b->server, clock_us);
        assert_true(deadline > clock_us && deadline <= start + DTLS_HANDSHAKE_US);
        clock_us = deadline;
        note(b, dtls_on_timer(b->server, clock_us));
    }
    assert_true(clock_us == start + DTLS_HANDSHAKE_US);
    assert_int_equal(dtls_failure(b->server), DTLS_FAILURE_TIMEOUT);
    shake(b);
    expect_no_keys(b);
}

static void SEC_07_repeated_last_flight_is_answered(void **state)
{
    struct bench *b = *state;
    begin(b, NULL);
    run_client(b);
    deliver(b);
    run_client(b);
    deliver(b);
    assert_int_equal(b->keyed, 1);
    assert_true(b->wire.tail > b->wire.head);
    memset(&b->wire, 0, sizeof(b->wire)); /* the server's Finished is lost */
    clock_us += SECOND;
    assert_int_equal(DTLSv1_handle_timeout(b->client.ssl), 1);
    deliver(b);
    assert_true(b->wire.tail > b->wire.head);
    run_client(b);
    expect_keys(b);
}

/* ---- hostile datagrams ---- */

#define RECORD(type, epoch, len) type, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 9, 0, len
#define MESSAGE(type, len, sequence) type, 0, 0, len, 0, sequence, 0, 0, 0, 0, 0, len

struct spoof {
    size_t len;
    uint8_t bytes[64];
};

static const struct spoof spoofs[] = {
    {15, {RECORD(21, 0, 2), 2, 40}},                          /* fatal alert */
    {15, {RECORD(21, 0, 2), 1, 0}},                           /* close_notify */
    {14, {RECORD(22, 0, 1), 7}},                              /* stray record */
    {14, {RECORD(99, 0, 1), 7}},                              /* unknown type */
    {15, {RECORD(23, 0, 2), 7, 7}},                           /* data in clear */
    {29, {RECORD(22, 0, 16), MESSAGE(99, 4, 1), 1, 2, 3, 4}}, /* unknown message */
    {29, {RECORD(22, 0, 16), MESSAGE(16, 4, 1), 1, 2, 3, 4}}, /* key exchange, early */
    {29, {RECORD(22, 0, 16), MESSAGE(20, 4, 4), 1, 2, 3, 4}}, /* Finished in clear */
    {29, {RECORD(22, 0, 16), MESSAGE(1, 4, 9), 1, 2, 3, 4}},  /* far sequence */
    {25, {RECORD(22, 0, 12), 11, 0xff, 0xff, 0xff, 0, 1, 0, 0, 0, 0, 0, 0}}, /* huge claim */
    {14, {RECORD(20, 0, 1), 2}},                                             /* odd cipher change */
    {14, {RECORD(20, 0, 1), 1}},        /* early cipher change */
    {45, {RECORD(22, 1, 32), 1, 2, 3}}, /* encrypted, early */
    {45, {RECORD(22, 2, 32), 1, 2, 3}}, /* epoch of the future */
    {45, {RECORD(21, 1, 32), 1, 2, 3}},
    {13, {RECORD(22, 0, 0)}},
    {13, {RECORD(22, 0, 200)}}, /* longer than the datagram */
    {3, {22, 0xfe, 0xfd}},
    {0, {0}},
};
#define SPOOF_COUNT (sizeof(spoofs) / sizeof(spoofs[0]))

static void spoof_all(struct bench *b, unsigned times)
{
    for (unsigned round = 0; round < times; round++) {
        for (size_t i = 0; i < SPOOF_COUNT; i++)
            receive(b, spoofs[i].bytes, spoofs[i].len);
    }
}

static void U4_spoofed_records_do_not_spoil_a_handshake(void **state)
{
    struct bench *b = *state;
    begin(b, NULL);
    spoof_all(b, 10);
    assert_int_equal(b->wire.tail, 0); /* and nothing is sent to them (U1) */
    for (unsigned i = 0; i < 6; i++) {
        run_client(b);
        deliver(b);
        spoof_all(b, 10);
    }
    run_client(b);
    expect_keys(b);
    assert_int_equal(dtls_restarts(b->server), 0);
}

/* A whole ClientHello that OpenSSL must refuse: a client that knows only NULL ciphers. */
static struct datagram bad_hello(struct bench *b)
{
    static const struct client_options null_cipher = {.ciphers = "eNULL"};
    struct client bad;
    assert_true(client_init(&bad, b->client_cert, &null_cipher));
    (void)SSL_do_handshake(bad.ssl);
    ERR_clear_error();
    const struct datagram *d = queue_take(&bad.out);
    assert_non_null(d);
    struct datagram copy = *d;
    client_done(&bad);
    return copy;
}

static void U4_a_failed_object_is_replaced(void **state)
{
    struct bench *b = *state;
    struct datagram bad = bad_hello(b);
    begin(b, NULL);
    for (unsigned i = 0; i < DTLS_RESTARTS_MAX; i++) {
        receive(b, bad.bytes, bad.len);
        assert_int_equal(dtls_restarts(b->server), i + 1);
        assert_int_equal(b->wire.tail, 0); /* no alert that would end the real peer */
    }
    assert_int_equal(b->failed, 0);
    shake(b);
    expect_keys(b);
}

static void U4_replaced_3_times_at_most(void **state)
{
    struct bench *b = *state;
    struct datagram bad = bad_hello(b);
    begin(b, NULL);
    for (unsigned i = 0; i < 10; i++)
        receive(b, bad.bytes, bad.len);
    assert_int_equal(b->failed, 1);
    assert_int_equal(dtls_failure(b->server), DTLS_FAILURE_HANDSHAKE);
    assert_int_equal(dtls_restarts(b->server), DTLS_RESTARTS_MAX);
    assert_true(b->wire.tail > 0); /* now the peer may know */
}

static void U4_random_hellos_are_survived(void **state)
{
    struct bench *b = *state;
    unsigned seed = 7;
    begin(b, NULL);
    run_client(b);
    struct datagram hello = *queue_take(&b->client.out);
    for (unsigned round = 0; round < 300; round++) {
        struct datagram d = hello;
        for (unsigned k = 0; k < 3; k++) {
            seed = seed * 1103515245u + 12345u;
            d.bytes[25 + (seed >> 8) % (d.len - 25)] ^= (uint8_t)(seed >> 24);
        }
        dtls_free(b->server);
        b->server = NULL;
        assert_int_equal(dtls_new(b->server_cert, &b->peer, 1, on_send, b, &b->server), 0);
        receive(b, d.bytes, d.len);
    }
    expect_no_keys(b);
}

/* One byte of a message that claims 4,096: the most that the filter lets an object keep. Lengths
 * agree, so that OpenSSL keeps collecting instead of failing. */
static void put_fragment(uint8_t record[26], unsigned type, unsigned sequence, unsigned offset)
{
    static const uint8_t head[26] = {22, 0xfe, 0xfd, 0, 0,  0, 0, 0,
                                     0,  0,    0,    0, 13, 0, 0, 4096 >> 8};
    memcpy(record, head, sizeof(head));
    record[9] = (uint8_t)(offset >> 8);
    record[10] = (uint8_t)(offset + 16 * sequence);
    record[8] = (uint8_t)(1 + sequence);
    record[13] = (uint8_t)type;
    record[18] = (uint8_t)sequence;
    record[20] = (uint8_t)(offset >> 8);
    record[21] = (uint8_t)offset;
    record[24] = 1;
    record[25] = (uint8_t)offset;
}

static void U6_fragment_storm_stays_small(void **state)
{
    static const uint8_t types[] = {[1] = 11, [2] = 16, [3] = 15};
    struct bench *b = *state;
    uint8_t record[26];
    begin(b, NULL);
    run_client(b);
    deliver(b);
    size_t before = mallinfo2().uordblks;
    size_t peak = before;
    for (unsigned offset = 0; offset < 4000; offset += 2) {
        for (unsigned sequence = 1; sequence <= 3; sequence++) {
            put_fragment(record, types[sequence], sequence, offset);
            receive(b, record, sizeof(record));
            size_t now = mallinfo2().uordblks;
            peak = now > peak ? now : peak;
        }
    }
    assert_int_equal(dtls_restarts(b->server), 0); /* else the storm did not reach OpenSSL */
    assert_int_equal(b->failed, 0);
    print_message("fragment storm: %zu bytes more at the peak\n", peak - before);
    assert_true(peak < before + 300 * 1024);
}

/* A fragment that the filter must let pass, with a record number far ahead: it fails nothing, so
 * nothing would restart, but it must not make the server deaf to the real peer's low numbers. */
static void U4_high_record_numbers_do_not_deafen(void **state)
{
    static const uint8_t types[] = {1, 11, 16, 15};
    struct bench *b = *state;
    for (unsigned sequence = 0; sequence < 4; sequence++) {
        for (unsigned after_hello = 0; after_hello < 2; after_hello++) {
            uint8_t record[26];
            put_fragment(record, types[sequence], sequence, 0);
            memset(record + 5, 0xff, 6);
            begin(b, NULL);
            if (!after_hello)
                receive(b, record, sizeof(record));
            run_client(b);
            deliver(b);
            receive(b, record, sizeof(record));
            shake(b);
            expect_keys(b);
            assert_int_equal(dtls_restarts(b->server), 0);
        }
    }
}

static void U9_after_keys_only_authentic_alerts_count(void **state)
{
    struct bench *b = *state;
    uint8_t forged[64] = {21, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 9, 0, 26};
    begin(b, NULL);
    shake(b);
    expect_keys(b);
    spoof_all(b, 10);
    for (unsigned i = 0; i < 2000; i++) {
        forged[0] = (uint8_t)(20 + i % 4);
        forged[9] = (uint8_t)(i >> 8);
        forged[10] = (uint8_t)i;
        forged[20] = (uint8_t)(i * 7);
        receive(b, forged, 13 + 26);
    }
    struct datagram bad = bad_hello(b);
    receive(b, bad.bytes, bad.len);
    assert_int_equal(b->closed + b->failed, 0);
    expect_keys(b);
    SSL_shutdown(b->client.ssl); /* the authentic one */
    deliver(b);
    assert_int_equal(b->closed, 1);
    b->keyed = 0;
    expect_no_keys(b);
}

static void SEC_11_no_renegotiation(void **state)
{
    struct bench *b = *state;
    begin(b, NULL);
    shake(b);
    struct srtp_keys before = expect_keys(b);
    (void)SSL_renegotiate(b->client.ssl);
    (void)SSL_do_handshake(b->client.ssl);
    ERR_clear_error();
    assert_true(b->client.out.tail > b->client.out.head);
    deliver(b); /* the second hello is refused, the session goes on */
    struct srtp_keys after;
    assert_int_equal(dtls_get_keys(b->server, &after), 0);
    assert_memory_equal(before.client_key, after.client_key, SRTP_KEY_MAX);
    shake(b); /* OpenSSL's client takes the refusal as fatal and says so */
    assert_int_equal(b->keyed, 1);
    assert_int_equal(b->failed, 0);
}

static void SEC_11_application_data_is_dropped(void **state)
{
    struct bench *b = *state;
    begin(b, NULL);
    shake(b);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(SSL_write(b->client.ssl, "hello", 5), 5);
    deliver(b);
    expect_keys(b);
    assert_int_equal(b->closed + b->failed, 0);
}

/* ---- end ---- */

static void SEC_15_close_tells_the_peer_and_forgets(void **state)
{
    struct bench *b = *state;
    uint8_t scratch[16];
    begin(b, NULL);
    shake(b);
    expect_keys(b);
    dtls_close(b->server);
    run_client(b);
    assert_true(SSL_read(b->client.ssl, scratch, sizeof(scratch)) <= 0);
    assert_true(SSL_get_shutdown(b->client.ssl) & SSL_RECEIVED_SHUTDOWN);
    b->keyed = 0;
    expect_no_keys(b);
    size_t sent = b->wire.tail;
    dtls_close(b->server);
    begin(b, NULL); /* closing before keys is silent */
    dtls_close(b->server);
    assert_int_equal(b->wire.tail, 0);
    assert_true(sent > 0);
}

static void A8_no_memory_is_left_over(void **state)
{
    struct bench *b = *state;
    size_t before = 0;
    for (unsigned i = 0; i < 30; i++) {
        begin(b, NULL);
        shake(b);
        expect_keys(b);
        stop(b);
        if (i == 5)
            before = mallinfo2().uordblks;
    }
    /* A session takes 70 KiB; malloc's own caches move by a few. */
    assert_true(mallinfo2().uordblks <= before + 32768);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(SEC_01_handshake_makes_keys),
        cmocka_unit_test(SEC_10_keys_are_in_the_exporters_order),
        cmocka_unit_test(SEC_08_profiles_are_chosen_in_our_order),
        cmocka_unit_test(SEC_09_no_common_profile_fails),
        cmocka_unit_test(U8_weak_offers_get_no_keys),
        cmocka_unit_test(U7_wrong_fingerprint_ends_the_session),
        cmocka_unit_test(SEC_03_stronger_hashes_are_checked),
        cmocka_unit_test(SEC_13_certificates_are_fresh),
        cmocka_unit_test(SEC_04_fragmented_hello_is_put_together),
        cmocka_unit_test(BUG_18_tiny_fragments_are_put_together),
        cmocka_unit_test(SEC_06_flights_use_the_mtu),
        cmocka_unit_test(SEC_07_flights_are_sent_again),
        cmocka_unit_test(SEC_07_handshake_limit_is_5_s),
        cmocka_unit_test(SEC_07_repeated_last_flight_is_answered),
        cmocka_unit_test(U4_spoofed_records_do_not_spoil_a_handshake),
        cmocka_unit_test(U4_a_failed_object_is_replaced),
        cmocka_unit_test(U4_replaced_3_times_at_most),
        cmocka_unit_test(U4_random_hellos_are_survived),
        cmocka_unit_test(U6_fragment_storm_stays_small),
        cmocka_unit_test(U4_high_record_numbers_do_not_deafen),
        cmocka_unit_test(U9_after_keys_only_authentic_alerts_count),
        cmocka_unit_test(SEC_11_no_renegotiation),
        cmocka_unit_test(SEC_11_application_data_is_dropped),
        cmocka_unit_test(SEC_15_close_tells_the_peer_and_forgets),
        cmocka_unit_test(A8_no_memory_is_left_over),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
