/* SRTP both ways: RFC 3711, RFC 7714, threats.md U10 to U12. */
#include "gateway/rtc/srtp.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const enum srtp_suite suites[] = {SRTP_SUITE_AEAD_AES_128_GCM, SRTP_SUITE_AEAD_AES_256_GCM,
                                         SRTP_SUITE_AES128_CM_SHA1_80};
#define SUITE_COUNT (sizeof(suites) / sizeof(suites[0]))

struct packet {
    size_t len;
    uint8_t bytes[256];
};

struct bench {
    struct srtp_warmth *warmth;
    struct srtp *server;
    struct srtp *client;
};

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));
    *state = b;
    return b ? srtp_warm(&b->warmth) : -1;
}

static void begin(struct bench *b, enum srtp_suite suite)
{
    struct srtp_keys keys = {.suite = suite};
    memset(keys.client_key, 1, sizeof(keys.client_key));
    memset(keys.client_salt, 2, sizeof(keys.client_salt));
    memset(keys.server_key, 3, sizeof(keys.server_key));
    memset(keys.server_salt, 4, sizeof(keys.server_salt));
    srtp_free(b->server);
    srtp_free(b->client);
    b->server = b->client = NULL;
    assert_int_equal(srtp_new(&keys, &b->server), 0);
    assert_int_equal(srtp_new_client(&keys, &b->client), 0);
}

static int teardown(void **state)
{
    struct bench *b = *state;
    srtp_free(b->server);
    srtp_free(b->client);
    srtp_warmth_free(b->warmth);
    free(b);
    return 0;
}

static struct packet plain_rtp(uint32_t ssrc, uint16_t sequence)
{
    struct packet p = {.len = 100};
    p.bytes[0] = 0x80;
    p.bytes[1] = 96;
    p.bytes[2] = (uint8_t)(sequence >> 8);
    p.bytes[3] = (uint8_t)sequence;
    for (unsigned i = 0; i < 4; i++)
        p.bytes[8 + i] = (uint8_t)(ssrc >> (24 - 8 * i));
    for (size_t i = 12; i < p.len; i++)
        p.bytes[i] = (uint8_t)(i + sequence);
    return p;
}

static struct packet plain_rtcp(uint32_t ssrc)
{
    struct packet p = {.len = 8, .bytes = {0x80, 201, 0, 1}};
    for (unsigned i = 0; i < 4; i++)
        p.bytes[4 + i] = (uint8_t)(ssrc >> (24 - 8 * i));
    return p;
}

static struct packet sealed_rtp(struct srtp *from, uint32_t ssrc, uint16_t sequence)
{
    struct packet p = plain_rtp(ssrc, sequence);
    assert_int_equal(srtp_encrypt_rtp(from, p.bytes, &p.len, sizeof(p.bytes)), 0);
    return p;
}

static int open_rtp_at(struct srtp *to, const struct packet *sealed, uint64_t now_us)
{
    struct packet p = *sealed;
    return srtp_decrypt_rtp(to, p.bytes, &p.len, now_us);
}

static int open_rtp(struct srtp *to, const struct packet *sealed)
{
    return open_rtp_at(to, sealed, 0);
}

static void SEC_08_round_trip_in_every_suite(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        begin(b, suites[i]);
        for (uint16_t sequence = 0; sequence < 50; sequence++) {
            struct packet plain = plain_rtp(7, sequence);
            struct packet p = plain;
            assert_int_equal(srtp_encrypt_rtp(b->client, p.bytes, &p.len, sizeof(p.bytes)), 0);
            assert_in_range(p.len, plain.len + 1, plain.len + SRTP_TRAILER_MAX);
            assert_memory_not_equal(p.bytes + 12, plain.bytes + 12, plain.len - 12);
            assert_int_equal(srtp_decrypt_rtp(b->server, p.bytes, &p.len, 0), 0);
            assert_int_equal(p.len, plain.len);
            assert_memory_equal(p.bytes, plain.bytes, plain.len);
            struct packet rtcp = plain_rtcp(7);
            p = rtcp;
            assert_int_equal(srtp_encrypt_rtcp(b->server, p.bytes, &p.len, sizeof(p.bytes)), 0);
            assert_in_range(p.len, rtcp.len + 1, rtcp.len + SRTP_TRAILER_MAX);
            assert_int_equal(srtp_decrypt_rtcp(b->client, p.bytes, &p.len), 0);
            assert_int_equal(p.len, rtcp.len);
            assert_memory_equal(p.bytes, rtcp.bytes, rtcp.len);
        }
        /* directions have keys of their own */
        struct packet own = sealed_rtp(b->client, 9, 1);
        assert_int_equal(open_rtp(b->client, &own), -EACCES);
    }
}

static void U10_forged_packets_are_refused_and_change_nothing(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        begin(b, suites[i]);
        struct packet first = sealed_rtp(b->client, 7, 1);
        assert_int_equal(open_rtp(b->server, &first), 0);
        struct packet good = sealed_rtp(b->client, 7, 2);
        for (size_t at = 0; at < good.len; at++) {
            struct packet forged = good;
            forged.bytes[at] ^= 1;
            assert_true(open_rtp(b->server, &forged) < 0);
        }
        for (size_t len = 0; len < good.len; len++) {
            struct packet cut = good;
            cut.len = len;
            assert_true(open_rtp(b->server, &cut) < 0);
        }
        assert_int_equal(srtp_known_count(b->server), 1);
        assert_int_equal(open_rtp(b->server, &good), 0);
    }
}

static void U10_forged_rtcp_is_refused(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        begin(b, suites[i]);
        struct packet good = plain_rtcp(7);
        assert_int_equal(srtp_encrypt_rtcp(b->client, good.bytes, &good.len, sizeof(good.bytes)),
                         0);
        for (size_t at = 0; at < good.len; at++) {
            struct packet forged = good;
            forged.bytes[at] ^= 1;
            assert_true(srtp_decrypt_rtcp(b->server, forged.bytes, &forged.len) < 0);
        }
        for (size_t len = 0; len < good.len; len++) {
            struct packet cut = good;
            cut.len = len;
            assert_true(srtp_decrypt_rtcp(b->server, cut.bytes, &cut.len) < 0);
        }
        assert_int_equal(srtp_known_count(b->server), 0);
        struct packet p = good;
        assert_int_equal(srtp_decrypt_rtcp(b->server, p.bytes, &p.len), 0);
        p = good;
        assert_int_equal(srtp_decrypt_rtcp(b->server, p.bytes, &p.len), -EALREADY);
    }
}

static void SEC_12_window_of_1024(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        begin(b, suites[i]);
        struct packet early = sealed_rtp(b->client, 7, 100);
        struct packet late = sealed_rtp(b->client, 7, 101);
        struct packet ahead = sealed_rtp(b->client, 7, 101 + 1023);
        assert_int_equal(open_rtp(b->server, &ahead), 0);
        assert_int_equal(open_rtp(b->server, &late), 0);
        assert_int_equal(open_rtp(b->server, &late), -EALREADY);
        assert_int_equal(open_rtp(b->server, &early), -EALREADY);
        assert_int_equal(open_rtp(b->server, &ahead), -EALREADY);
    }
}

static void U12_eight_sources_at_most(void **state)
{
    struct bench *b = *state;
    begin(b, SRTP_SUITE_AEAD_AES_128_GCM);
    for (uint32_t ssrc = 1; ssrc <= 2000; ssrc++) {
        struct packet forged = plain_rtp(ssrc, 1); /* not encrypted at all */
        assert_int_equal(open_rtp(b->server, &forged), -EACCES);
    }
    assert_int_equal(srtp_known_count(b->server), 0);
    for (uint32_t ssrc = 1; ssrc <= 20; ssrc++) {
        struct packet p = sealed_rtp(b->client, ssrc, 1);
        assert_int_equal(open_rtp(b->server, &p), ssrc <= SRTP_SSRCS_MAX ? 0 : -EDQUOT);
        assert_int_equal(srtp_knows(b->server, ssrc), ssrc <= SRTP_SSRCS_MAX);
    }
    struct packet rtcp = plain_rtcp(50);
    assert_int_equal(srtp_encrypt_rtcp(b->client, rtcp.bytes, &rtcp.len, sizeof(rtcp.bytes)), 0);
    assert_int_equal(srtp_decrypt_rtcp(b->server, rtcp.bytes, &rtcp.len), -EDQUOT);
    /* A source that said goodbye makes room, and the others live on. */
    srtp_forget(b->server, 3);
    srtp_forget(b->server, 999);
    assert_int_equal(srtp_known_count(b->server), SRTP_SSRCS_MAX - 1);
    struct packet next = sealed_rtp(b->client, 15, 2);
    assert_int_equal(open_rtp(b->server, &next), 0);
    next = sealed_rtp(b->client, 8, 2);
    assert_int_equal(open_rtp(b->server, &next), 0);
    /* The forgotten stream is gone inside libsrtp too: its last packet counts as new. */
    assert_int_equal(open_rtp(b->server, &next), -EALREADY);
    srtp_forget(b->server, 8);
    assert_int_equal(open_rtp(b->server, &next), 0);
    assert_int_equal(open_rtp(b->server, &next), -EALREADY);
}

static void SEC_14_rollover_survives_the_wrap(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        begin(b, suites[i]);
        for (uint32_t n = 65000; n < 65000 + 70000; n += 100) {
            struct packet p = sealed_rtp(b->client, 7, (uint16_t)n);
            if (n % 1000 != 0) /* some are lost */
                assert_int_equal(open_rtp(b->server, &p), 0);
        }
    }
}

/* Packets after a gap that no longer fit the estimate: RFC 3711 3.3.1. */
static void recover(struct bench *b, uint32_t before, uint32_t gap)
{
    uint64_t now_us = 1000000;
    uint32_t n = 0;
    struct packet last = {.len = 0};
    for (; n < before; n += 50) {
        last = sealed_rtp(b->client, 7, (uint16_t)n);
        assert_int_equal(open_rtp_at(b->server, &last, now_us), 0);
    }
    for (uint32_t end = n + gap; n < end; n += 50)
        (void)sealed_rtp(b->client, 7, (uint16_t)n);
    uint64_t start = now_us;
    int err = -1;
    for (unsigned k = 0; k < 1000 && err < 0; k++, n++) {
        struct packet p = sealed_rtp(b->client, 7, (uint16_t)n);
        err = open_rtp_at(b->server, &p, now_us);
        now_us += 2000; /* 500 packets a second */
    }
    assert_int_equal(err, 0);
    assert_true(now_us - start < 1000000);
    assert_true(open_rtp_at(b->server, &last, now_us) < 0);
    struct packet next = sealed_rtp(b->client, 7, (uint16_t)n);
    assert_int_equal(open_rtp_at(b->server, &next, now_us), 0);
    assert_int_equal(open_rtp_at(b->server, &next, now_us), -EALREADY);
}

static void U11_hears_again_after_a_long_outage(void **state)
{
    static const uint32_t gaps[] = {33000, 40000, 60000, 65536, 90000, 120000};
    struct bench *b = *state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        for (uint32_t before = 70000; before < 140000; before += 10000) {
            for (size_t k = 0; k < sizeof(gaps) / sizeof(gaps[0]); k++) {
                begin(b, suites[i]);
                recover(b, before, gaps[k]);
            }
        }
    }
}

static void U11_a_flood_does_not_open_the_window(void **state)
{
    struct bench *b = *state;
    begin(b, SRTP_SUITE_AEAD_AES_128_GCM);
    struct packet good[20];
    for (uint16_t n = 0; n < 20; n++) {
        good[n] = sealed_rtp(b->client, 7, n);
        assert_int_equal(open_rtp(b->server, &good[n]), 0);
    }
    for (unsigned k = 0; k < 500; k++) {
        struct packet forged = good[k % 20];
        forged.bytes[50] ^= 1;
        assert_true(open_rtp_at(b->server, &forged, k * 10000) < 0);
        assert_int_equal(open_rtp_at(b->server, &good[k % 20], k * 10000), -EALREADY);
    }
    struct packet next = sealed_rtp(b->client, 7, 20);
    assert_int_equal(open_rtp_at(b->server, &next, 9000000), 0);
}

/* Each costs three trials: whatever a forger sends, the next is 750 ms later. */
static void U11_searches_are_spaced(void **state)
{
    struct bench *b = *state;
    struct packet last = {.len = 0};
    uint32_t n = 0;
    begin(b, SRTP_SUITE_AEAD_AES_128_GCM);
    for (; n < 40000; n += 50) {
        last = sealed_rtp(b->client, 7, (uint16_t)n);
        assert_int_equal(open_rtp_at(b->server, &last, 1000000), 0);
    }
    for (; n < 130000; n += 50)
        (void)sealed_rtp(b->client, 7, (uint16_t)n);
    last.bytes[50] ^= 1;
    for (unsigned k = 0; k <= 50; k++) /* the last of them is searched for */
        assert_true(open_rtp_at(b->server, &last, 2000000) < 0);
    struct packet p = sealed_rtp(b->client, 7, (uint16_t)n);
    assert_int_equal(open_rtp_at(b->server, &p, 2749999), -EACCES);
    assert_int_equal(open_rtp_at(b->server, &p, 2750000), 0);
}

static void SEC_09_no_suite_no_session(void **state)
{
    struct srtp_keys keys = {.suite = SRTP_SUITE_NONE};
    struct srtp *srtp = NULL;
    (void)state;
    assert_int_equal(srtp_new(&keys, &srtp), -EINVAL);
    keys.suite = (enum srtp_suite)5; /* NULL cipher */
    assert_int_equal(srtp_new(&keys, &srtp), -EINVAL);
    assert_null(srtp);
    assert_int_equal(srtp_key_len(SRTP_SUITE_NONE), 0);
}

static void SEC_08_room_for_the_trailer_is_checked(void **state)
{
    struct bench *b = *state;
    begin(b, SRTP_SUITE_AEAD_AES_128_GCM);
    struct packet p = plain_rtp(7, 1);
    assert_int_equal(srtp_encrypt_rtp(b->client, p.bytes, &p.len, p.len + SRTP_TRAILER_MAX - 1),
                     -EMSGSIZE);
    assert_int_equal(srtp_encrypt_rtcp(b->client, p.bytes, &p.len, p.len), -EMSGSIZE);
    p.len = 4;
    assert_int_equal(srtp_encrypt_rtp(b->client, p.bytes, &p.len, sizeof(p.bytes)), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(SEC_08_round_trip_in_every_suite),
        cmocka_unit_test(U10_forged_packets_are_refused_and_change_nothing),
        cmocka_unit_test(U10_forged_rtcp_is_refused),
        cmocka_unit_test(SEC_12_window_of_1024),
        cmocka_unit_test(U12_eight_sources_at_most),
        cmocka_unit_test(SEC_14_rollover_survives_the_wrap),
        cmocka_unit_test(U11_hears_again_after_a_long_outage),
        cmocka_unit_test(U11_a_flood_does_not_open_the_window),
        cmocka_unit_test(U11_searches_are_spaced),
        cmocka_unit_test(SEC_09_no_suite_no_session),
        cmocka_unit_test(SEC_08_room_for_the_trailer_is_checked),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
