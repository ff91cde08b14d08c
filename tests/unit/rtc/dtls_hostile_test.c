/* DTLS server among hostile datagrams: threats.md U3 to U9. */
#include "lib/base/writer.h"
#include "tests/unit/rtc/dtlsbench.h"

#include <malloc.h>

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
    {29, {RECORD(22, 0, 16), MESSAGE(16, 4, 3), 1, 2, 3, 4}}, /* key exchange, early */
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

/* ---- other peers on the same path ---- */

/* Brings a stranger up to its hello with the cookie, which it must then have seen. */
static struct datagram stranger_hello(struct bench *b, const struct client_options *options)
{
    struct client stranger;
    assert_true(client_init(&stranger, b->server_cert, options));
    for (unsigned i = 0; i < 2; i++) {
        (void)SSL_do_handshake(stranger.ssl);
        ERR_clear_error();
        const struct datagram *hello = &stranger.out.items[stranger.out.tail - 1];
        if (i == 0)
            receive(b, hello->bytes, hello->len);
        const struct datagram *request = queue_take(&b->wire);
        if (request)
            queue_put(&stranger.in, request->bytes, request->len);
    }
    struct datagram copy = stranger.out.items[stranger.out.tail - 1];
    client_done(&stranger);
    memset(&b->wire, 0, sizeof(b->wire));
    return copy;
}

/* A hello that OpenSSL must refuse: of a client that knows only NULL ciphers. */
static struct datagram bad_hello(struct bench *b)
{
    static const struct client_options null_cipher = {.ciphers = "eNULL"};
    return stranger_hello(b, &null_cipher);
}

static void U4_a_failed_object_is_replaced(void **state)
{
    struct bench *b = *state;
    begin(b, NULL);
    struct datagram bad = bad_hello(b);
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
    begin(b, NULL);
    struct datagram bad = bad_hello(b);
    for (unsigned i = 0; i < 10; i++)
        receive(b, bad.bytes, bad.len);
    assert_int_equal(b->failed, 1);
    assert_int_equal(dtls_failure(b->server), DTLS_FAILURE_HANDSHAKE);
    assert_int_equal(dtls_restarts(b->server), DTLS_RESTARTS_MAX);
    assert_true(b->wire.tail > 0); /* now the peer may know */
}

/* The first hello of another client, which it sends without having seen anything. */
static struct datagram foreign_hello(struct bench *b)
{
    static const struct client_options modern = {.max_version = 0};
    struct client stranger;
    assert_true(client_init(&stranger, b->server_cert, &modern));
    (void)SSL_do_handshake(stranger.ssl);
    ERR_clear_error();
    struct datagram copy = stranger.out.items[0];
    client_done(&stranger);
    return copy;
}

static void U4_foreign_hellos_do_not_open_a_handshake(void **state)
{
    struct bench *b = *state;
    struct datagram foreign = foreign_hello(b);
    begin(b, NULL);
    for (unsigned i = 0; i < 10; i++)
        receive(b, foreign.bytes, foreign.len);
    assert_int_equal(b->wire.tail, 10); /* each is asked for the cookie */
    for (unsigned i = 0; i < 6; i++) {
        run_client(b);
        receive(b, foreign.bytes, foreign.len);
        deliver(b);
        receive(b, foreign.bytes, foreign.len);
    }
    run_client(b);
    expect_keys(b);
    assert_int_equal(dtls_restarts(b->server), 0);
}

/* A whole message in a record of its own. */
static struct datagram whole(uint8_t type, uint16_t sequence, const uint8_t *body, size_t len)
{
    struct datagram d;
    struct writer w;
    writer_init(&w, d.bytes, sizeof(d.bytes));
    writer_u8(&w, 22);
    writer_u16(&w, 0xfefd);
    writer_zeros(&w, 2);
    writer_u16(&w, 0);
    writer_u32(&w, 77);
    writer_u16(&w, (uint16_t)(len + 12));
    writer_u8(&w, type);
    writer_u24(&w, (uint32_t)len);
    writer_u16(&w, sequence);
    writer_u24(&w, 0);
    writer_u24(&w, (uint32_t)len);
    writer_bytes(&w, body, len);
    assert_true(writer_ok(&w));
    d.len = w.len;
    return d;
}

/* Certificate, ClientKeyExchange and CertificateVerify that OpenSSL would take for real: the
 * certificate is cert's, the rest has the right form. */
static void forge_flight(const struct cert *cert, uint8_t salt, struct datagram out[3])
{
    uint8_t body[1024];
    struct writer w;
    unsigned char *der = NULL;
    int der_len = i2d_X509(cert_x509(cert), &der);
    assert_true(der_len > 0 && der_len < 900);
    writer_init(&w, body, sizeof(body));
    writer_u24(&w, (uint32_t)der_len + 3);
    writer_u24(&w, (uint32_t)der_len);
    writer_bytes(&w, der, (size_t)der_len);
    OPENSSL_free(der);
    out[0] = whole(11, 2, body, w.len);
    memset(body, 1 + salt, sizeof(body));
    body[0] = 32; /* an X25519 share */
    out[1] = whole(16, 3, body, 33);
    body[0] = 4;
    body[1] = 3;
    body[2] = 0;
    body[3] = 70;
    out[2] = whole(15, 4, body, 74);
}

static void forged_flights(struct bench *b, const struct cert *cert, bool fragments)
{
    begin(b, NULL);
    get_cookie(b);
    deliver(b);
    run_client(b); /* the real flight waits in client.out */
    for (uint8_t salt = 0; salt < 10; salt++) {
        struct datagram flight[3];
        forge_flight(cert, salt, flight);
        for (size_t i = 0; i < 3; i++) {
            if (fragments && flight[i].len > 40) { /* only its first bytes, the rest missing */
                flight[i].len = 13 + 12 + 9;
                flight[i].bytes[11] = 0;
                flight[i].bytes[12] = 12 + 9;
                flight[i].bytes[22] = flight[i].bytes[23] = 0;
                flight[i].bytes[24] = 9;
            }
            receive(b, flight[i].bytes, flight[i].len);
        }
    }
    deliver(b);
    run_client(b);
    expect_keys(b);
    assert_int_equal(dtls_restarts(b->server), 0);
}

static void U4_forged_flights_stay_behind(void **state)
{
    struct bench *b = *state;
    forged_flights(b, b->server_cert, false);
    forged_flights(b, b->server_cert, true);
}

/* Even someone who reads the real certificate on the wire cannot sign with it. */
static void U4_flights_with_the_stolen_certificate_stay_behind(void **state)
{
    struct bench *b = *state;
    forged_flights(b, b->client_cert, false);
}

static void U4_signatures_checked_are_bounded(void **state)
{
    struct bench *b = *state;
    struct datagram flight[3];
    begin(b, NULL);
    get_cookie(b);
    deliver(b);
    run_client(b);
    forge_flight(b->client_cert, 0, flight);
    receive(b, flight[0].bytes, flight[0].len);
    for (unsigned i = 0; i < 1000; i++) {
        flight[1].bytes[30] = flight[2].bytes[40] = (uint8_t)i;
        flight[1].bytes[31] = flight[2].bytes[41] = (uint8_t)(i >> 8);
        receive(b, flight[1].bytes, flight[1].len);
        receive(b, flight[2].bytes, flight[2].len);
    }
    deliver(b); /* too late: the flood has used up all tries */
    run_client(b);
    assert_int_equal(b->keyed, 0);
    clock_us += DTLS_HANDSHAKE_US;
    note(b, dtls_on_timer(b->server, clock_us));
    assert_int_equal(b->failed, 1);
}

static void U4_forged_finished_is_dropped(void **state)
{
    uint8_t forged[13 + 40] = {22, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 0, 0, 40};
    struct bench *b = *state;
    begin(b, NULL);
    get_cookie(b);
    deliver(b);
    run_client(b);
    for (unsigned i = 0; i < 200; i++) {
        forged[10] = (uint8_t)(i % 3);
        forged[20] = (uint8_t)i;
        receive(b, forged, sizeof(forged));
    }
    deliver(b);
    run_client(b);
    expect_keys(b);
}

/* A datagram whose records are delivered one by one in another order. */
static void U4_finished_before_the_flight_is_kept(void **state)
{
    struct bench *b = *state;
    begin(b, NULL);
    get_cookie(b);
    deliver(b);
    run_client(b);
    const struct datagram *d = queue_take(&b->client.out);
    size_t starts[8];
    size_t count = 0;
    for (size_t at = 0; at < d->len && count < 8; count++) {
        starts[count] = at;
        at += 13u + (size_t)(d->bytes[at + 11] << 8 | d->bytes[at + 12]);
    }
    assert_int_equal(count, 5);
    for (size_t i = count; i > 0; i--) {
        size_t end = i < count ? starts[i] : d->len;
        receive(b, d->bytes + starts[i - 1], end - starts[i - 1]);
    }
    run_client(b);
    expect_keys(b);
}

/* ---- the pass mark ---- */

static unsigned draw(unsigned *seed, unsigned below)
{
    *seed = *seed * 1103515245u + 12345u;
    return (*seed >> 16) % below;
}

/* One datagram of a kind that would have ended an unguarded OpenSSL, or any other junk. */
static void spoof_one(struct bench *b, unsigned *seed, const struct datagram *foreign)
{
    struct datagram flight[3];
    unsigned kind = draw(seed, 8);
    if (kind < 3) {
        forge_flight(b->server_cert, (uint8_t)draw(seed, 100), flight);
        receive(b, flight[kind].bytes, flight[kind].len);
    } else if (kind == 3) {
        receive(b, foreign->bytes, foreign->len);
    } else if (kind == 4) {
        struct datagram broken = *foreign;
        broken.bytes[25 + draw(seed, (unsigned)broken.len - 25)] ^= (uint8_t)(1 + draw(seed, 255));
        receive(b, broken.bytes, broken.len);
    } else {
        const struct spoof *s = &spoofs[draw(seed, SPOOF_COUNT)];
        receive(b, s->bytes, s->len);
    }
}

static void U4_of_1000_handshakes_990_complete(void **state)
{
    struct bench *b = *state;
    struct datagram foreign = foreign_hello(b);
    unsigned seed = 4;
    unsigned complete = 0;
    for (unsigned round = 0; round < 1000; round++) {
        unsigned left = 10;
        begin(b, NULL);
        for (unsigned i = 0; i < 6; i++) {
            for (unsigned now = draw(&seed, left + 1); now > 0; now--, left--)
                spoof_one(b, &seed, &foreign);
            run_client(b);
            deliver(b);
        }
        run_client(b);
        complete += b->keyed == 1 && SSL_is_init_finished(b->client.ssl);
    }
    print_message("10 spoofed datagrams each: %u of 1000 complete\n", complete);
    assert_true(complete >= 990);
}

static void U4_random_hellos_are_survived(void **state)
{
    struct bench *b = *state;
    unsigned seed = 7;
    for (unsigned round = 0; round < 300; round++) {
        begin(b, NULL);
        get_cookie(b);
        struct datagram d = *queue_take(&b->client.out);
        for (unsigned k = 0; k < 3; k++) { /* behind the cookie */
            seed = seed * 1103515245u + 12345u;
            d.bytes[120 + (seed >> 8) % (d.len - 120)] ^= (uint8_t)(seed >> 24);
        }
        receive(b, d.bytes, d.len);
        expect_no_keys(b);
    }
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
    static const uint8_t types[] = {[2] = 11, [3] = 16, [4] = 15};
    struct bench *b = *state;
    uint8_t record[26];
    begin(b, NULL);
    get_cookie(b);
    deliver(b);
    size_t before = mallinfo2().uordblks;
    size_t peak = before;
    for (unsigned offset = 0; offset < 4000; offset += 2) {
        for (unsigned sequence = 2; sequence <= 4; sequence++) {
            put_fragment(record, types[sequence], sequence, offset);
            receive(b, record, sizeof(record));
            size_t now = mallinfo2().uordblks;
            peak = now > peak ? now : peak;
        }
    }
    assert_int_equal(dtls_restarts(b->server), 0);
    assert_int_equal(b->failed, 0);
    print_message("fragment storm: %zu bytes more at the peak\n", peak - before);
    assert_true(peak < before + 300 * 1024);
}

/* A fragment that the filter must let pass, with a record number far ahead: it fails nothing, but
 * it must not make the server deaf to the real peer's low numbers. */
static void U4_high_record_numbers_do_not_deafen(void **state)
{
    static const uint8_t types[] = {1, 1, 11, 16, 15};
    struct bench *b = *state;
    for (unsigned sequence = 0; sequence < 5; sequence++) {
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(U4_spoofed_records_do_not_spoil_a_handshake),
        cmocka_unit_test(U4_a_failed_object_is_replaced),
        cmocka_unit_test(U4_replaced_3_times_at_most),
        cmocka_unit_test(U4_foreign_hellos_do_not_open_a_handshake),
        cmocka_unit_test(U4_forged_flights_stay_behind),
        cmocka_unit_test(U4_flights_with_the_stolen_certificate_stay_behind),
        cmocka_unit_test(U4_signatures_checked_are_bounded),
        cmocka_unit_test(U4_forged_finished_is_dropped),
        cmocka_unit_test(U4_finished_before_the_flight_is_kept),
        cmocka_unit_test(U4_of_1000_handshakes_990_complete),
        cmocka_unit_test(U4_random_hellos_are_survived),
        cmocka_unit_test(U6_fragment_storm_stays_small),
        cmocka_unit_test(U4_high_record_numbers_do_not_deafen),
        cmocka_unit_test(U9_after_keys_only_authentic_alerts_count),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
