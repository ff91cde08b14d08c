/* DTLS server against OpenSSL's client, both in memory: protocols.md 3.2, threats.md U7, U8. */
#include "tests/unit/rtc/dtlsbench.h"

#include <malloc.h>

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
    /* A forged certificate looks the same, so the right one has a second to come. */
    assert_int_equal(b->failed, 0);
    uint64_t end = clock_us + SECOND;
    while (clock_us < end) { /* flights are sent again meanwhile */
        assert_int_equal(b->failed, 0);
        clock_us = dtls_deadline_us(b->server, clock_us);
        note(b, dtls_on_timer(b->server, clock_us));
    }
    assert_true(clock_us == end);
    shake(b);
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

static void SEC_04_SEC_05_BUG_17_fragmented_hello_is_put_together(void **state)
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
    get_cookie(b);
    size_t first = b->client.out.head;
    assert_int_equal(b->client.out.tail, first + 2);
    receive(b, b->client.out.items[first + 1].bytes, b->client.out.items[first + 1].len);
    receive(b, b->client.out.items[first].bytes, b->client.out.items[first].len);
    b->client.out.head = first + 2;
    shake(b);
    expect_keys(b);
}

static size_t u16_at(const uint8_t *data, size_t at)
{
    return (size_t)data[at] << 8 | data[at + 1];
}

static void add_u16(uint8_t *data, size_t at, size_t more)
{
    size_t value = u16_at(data, at) + more;
    data[at] = (uint8_t)(value >> 8);
    data[at + 1] = (uint8_t)value;
}

/* The hello, which begins behind the headers of record and message, up to its extensions. */
static size_t skip_to_extensions(const uint8_t *data)
{
    size_t at = 13 + 12 + 2 + 32;
    at += 1 + data[at];         /* session */
    at += 1 + data[at];         /* cookie */
    at += 2 + u16_at(data, at); /* ciphers */
    return at + 1 + data[at];   /* compression */
}

/* A browser of the year after next: supported_versions (43) with DTLS 1.3 before 1.2. */
static void SEC_16_a_hello_for_dtls_13_too_is_answered_with_12(void **state)
{
    static const uint8_t versions[] = {0, 43, 0, 5, 4, 0xfe, 0xfc, 0xfe, 0xfd};
    struct bench *b = *state;
    uint8_t hello[CLIENT_DATAGRAM];
    begin(b, NULL);
    get_cookie(b);
    const struct datagram *d = queue_take(&b->client.out);
    assert_non_null(d);
    memcpy(hello, d->bytes, d->len);
    memcpy(hello + d->len, versions, sizeof(versions));
    add_u16(hello, 11, sizeof(versions));      /* record */
    add_u16(hello, 13 + 2, sizeof(versions));  /* message */
    add_u16(hello, 13 + 10, sizeof(versions)); /* fragment */
    add_u16(hello, skip_to_extensions(hello), sizeof(versions));
    b->wire.head = b->wire.tail = 0;
    receive(b, hello, d->len + sizeof(versions));
    const struct datagram *flight = queue_take(&b->wire);
    assert_non_null(flight);
    const uint8_t *answer = flight->bytes;
    assert_int_equal(answer[0], 22); /* a handshake message: */
    assert_int_equal(answer[13], 2); /* ServerHello */
    assert_int_equal(u16_at(answer, 13 + 12), DTLS1_2_VERSION);
    size_t at = 13 + 12 + 2 + 32;
    at += (size_t)answer[at] + 4; /* session, cipher, compression */
    size_t end = at + 2 + u16_at(answer, at);
    for (at += 2; at < end; at += 4 + u16_at(answer, at + 2))
        assert_int_not_equal(u16_at(answer, at), 43);
    assert_int_equal(at, end);
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
    get_cookie(b);
    deliver(b);
    assert_int_equal(b->wire.tail,
                     2); /* the cookie, then about 640 bytes; 256-byte datagrams would be 3 */
}

static void SEC_07_BUG_19_flights_are_sent_again(void **state)
{
    struct bench *b = *state;
    begin(b, NULL);
    get_cookie(b);
    deliver(b);
    assert_true(b->wire.tail > 0);
    memset(&b->wire, 0, sizeof(b->wire)); /* all lost */
    uint64_t deadline = dtls_deadline_us(b->server, clock_us);
    assert_in_range(deadline - clock_us, DTLS_RESEND_US - 20000, DTLS_RESEND_US);
    note(b, dtls_on_timer(b->server, clock_us)); /* too early: nothing */
    assert_int_equal(b->wire.tail, 0);
    clock_us = deadline;
    note(b, dtls_on_timer(b->server, clock_us));
    assert_true(b->wire.tail > 0);
    deadline = dtls_deadline_us(b->server, clock_us);
    assert_in_range(deadline - clock_us, 2 * DTLS_RESEND_US - 20000, 2 * DTLS_RESEND_US);
    shake(b);
    expect_keys(b);
}

static void SEC_07_lost_cookie_is_sent_again(void **state)
{
    struct bench *b = *state;
    begin(b, NULL);
    run_client(b);
    deliver(b);
    assert_int_equal(b->wire.tail, 1);
    assert_true(b->wire.items[0].len < 80); /* less than any hello (U1) */
    struct datagram request = b->wire.items[0];
    memset(&b->wire, 0, sizeof(b->wire)); /* lost */
    clock_us += SECOND;
    assert_int_equal(DTLSv1_handle_timeout(b->client.ssl), 1);
    deliver(b);
    assert_int_equal(b->wire.tail, 1);
    assert_int_equal(b->wire.items[0].len, request.len); /* the same each time */
    assert_memory_equal(b->wire.items[0].bytes, request.bytes, request.len);
    shake(b);
    expect_keys(b);
}

static void SEC_07_handshake_limit_is_5_s(void **state)
{
    struct bench *b = *state;
    begin(b, NULL);
    get_cookie(b);
    assert_true(dtls_deadline_us(b->server, clock_us) == UINT64_MAX);
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
    get_cookie(b);
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
        cmocka_unit_test(SEC_04_SEC_05_BUG_17_fragmented_hello_is_put_together),
        cmocka_unit_test(SEC_16_a_hello_for_dtls_13_too_is_answered_with_12),
        cmocka_unit_test(BUG_18_tiny_fragments_are_put_together),
        cmocka_unit_test(SEC_06_flights_use_the_mtu),
        cmocka_unit_test(SEC_07_BUG_19_flights_are_sent_again),
        cmocka_unit_test(SEC_07_lost_cookie_is_sent_again),
        cmocka_unit_test(SEC_07_handshake_limit_is_5_s),
        cmocka_unit_test(SEC_07_repeated_last_flight_is_answered),
        cmocka_unit_test(SEC_11_no_renegotiation),
        cmocka_unit_test(SEC_11_application_data_is_dropped),
        cmocka_unit_test(SEC_15_close_tells_the_peer_and_forgets),
        cmocka_unit_test(A8_no_memory_is_left_over),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
