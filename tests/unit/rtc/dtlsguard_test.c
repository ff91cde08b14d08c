/* The cookie, and what a guard lets through: threats.md U1, U4. The whole way is tested in
 * dtls_hostile_test.c. */
#include "gateway/rtc/dtlsguard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct fingerprint peer = {.algorithm = FINGERPRINT_SHA256, .len = 32};

static int setup(void **state)
{
    struct dtlsguard *guard = NULL;
    int err = dtlsguard_new(&peer, 1, &guard);
    *state = guard;
    return err;
}

static int teardown(void **state)
{
    dtlsguard_free(*state);
    return 0;
}

struct hello {
    size_t len;
    uint8_t bytes[256];
};

/* A handshake fragment with a hello that carries that cookie. */
static struct hello make_hello(uint16_t sequence, const uint8_t *cookie, size_t cookie_len)
{
    struct hello h;
    struct writer w;
    uint32_t len = (uint32_t)(2 + 32 + 1 + 4 + 1 + cookie_len + 8);
    writer_init(&w, h.bytes, sizeof(h.bytes));
    writer_u8(&w, 1);
    writer_u24(&w, len);
    writer_u16(&w, sequence);
    writer_u24(&w, 0);
    writer_u24(&w, len);
    writer_u16(&w, 0xfefd);
    writer_zeros(&w, 32);
    writer_u8(&w, 4);
    writer_text(&w, "sess");
    writer_u8(&w, (uint8_t)cookie_len);
    writer_bytes(&w, cookie, cookie_len);
    writer_text(&w, "theRest!");
    assert_true(writer_ok(&w));
    h.len = w.len;
    return h;
}

static enum dtlsguard_event take(struct dtlsguard *g, const struct hello *h)
{
    return dtlsguard_take(g, h->bytes, h->len, 1);
}

static void U4_only_the_cookie_opens(void **state)
{
    struct dtlsguard *g = *state;
    uint8_t wrong[DTLSGUARD_COOKIE_LEN];
    struct hello h = make_hello(0, NULL, 0);
    assert_int_equal(take(g, &h), DTLSGUARD_ASK);
    h = make_hello(1, NULL, 0);
    assert_int_equal(take(g, &h), DTLSGUARD_NONE);
    memcpy(wrong, dtlsguard_cookie(g), sizeof(wrong));
    wrong[19] ^= 1;
    h = make_hello(1, wrong, sizeof(wrong));
    assert_int_equal(take(g, &h), DTLSGUARD_NONE);
    h = make_hello(1, dtlsguard_cookie(g), DTLSGUARD_COOKIE_LEN - 1);
    assert_int_equal(take(g, &h), DTLSGUARD_NONE);
    h = make_hello(0, dtlsguard_cookie(g), DTLSGUARD_COOKIE_LEN); /* too early */
    assert_int_equal(take(g, &h), DTLSGUARD_ASK);
    h = make_hello(1, dtlsguard_cookie(g), DTLSGUARD_COOKIE_LEN);
    assert_int_equal(take(g, &h), DTLSGUARD_HELLO);
    assert_int_equal(take(g, &h), DTLSGUARD_NONE); /* once */
    h = make_hello(0, NULL, 0);
    assert_int_equal(take(g, &h), DTLSGUARD_NONE); /* and nobody is asked any more */
}

static void U4_the_primer_is_the_hello_without_its_cookie(void **state)
{
    struct dtlsguard *g = *state;
    struct hello h = make_hello(1, dtlsguard_cookie(g), DTLSGUARD_COOKIE_LEN);
    uint8_t primer[256];
    struct writer w;
    assert_int_equal(take(g, &h), DTLSGUARD_HELLO);
    struct dtlsguard_message m = dtlsguard_hello(g);
    assert_int_equal(m.type, 1);
    assert_int_equal(m.sequence, 1);
    assert_int_equal(m.len, h.len - 12);
    assert_memory_equal(m.body, h.bytes + 12, m.len);
    writer_init(&w, primer, sizeof(primer));
    dtlsguard_write_primer(g, &w);
    h = make_hello(0, NULL, 0);
    assert_int_equal(w.len, h.len - 12);
    assert_memory_equal(primer, h.bytes + 12, w.len);
}

static void U1_the_request_is_smaller_than_a_hello(void **state)
{
    struct dtlsguard *g = *state;
    uint8_t request[128];
    struct writer w;
    writer_init(&w, request, sizeof(request));
    dtlsguard_write_request(g, &w);
    assert_true(writer_ok(&w));
    assert_int_equal(w.len, 13 + 12 + 3 + DTLSGUARD_COOKIE_LEN);
    assert_true(w.len < 13 + make_hello(0, NULL, 0).len + 8);
    assert_memory_equal(request, "\x16\xfe\xff\0\0\0\0\0\0\0\0", 11);
    assert_memory_equal(request + w.len - DTLSGUARD_COOKIE_LEN, dtlsguard_cookie(g),
                        DTLSGUARD_COOKIE_LEN);
}

static void U4_cookies_differ_between_sessions(void **state)
{
    struct dtlsguard *other = NULL;
    assert_int_equal(dtlsguard_new(&peer, 1, &other), 0);
    assert_memory_not_equal(dtlsguard_cookie(*state), dtlsguard_cookie(other),
                            DTLSGUARD_COOKIE_LEN);
    dtlsguard_free(other);
}

static void U4_a_restart_waits_for_the_next_hello(void **state)
{
    struct dtlsguard *g = *state;
    uint8_t cookie[DTLSGUARD_COOKIE_LEN];
    memcpy(cookie, dtlsguard_cookie(g), sizeof(cookie));
    struct hello h = make_hello(1, cookie, sizeof(cookie));
    assert_int_equal(take(g, &h), DTLSGUARD_HELLO);
    dtlsguard_restart(g);
    assert_memory_equal(cookie, dtlsguard_cookie(g), sizeof(cookie));
    assert_int_equal(take(g, &h), DTLSGUARD_HELLO);
}

static void U7_wrong_certificates_have_a_deadline(void **state)
{
    struct dtlsguard *g = *state;
    static const uint8_t certificate[] = {11, 0, 0, 10, 0, 2, 0, 0, 0, 0, 0,
                                          10, 0, 0, 7,  0, 0, 4, 1, 2, 3, 4};
    struct hello h = make_hello(1, dtlsguard_cookie(g), DTLSGUARD_COOKIE_LEN);
    assert_int_equal(dtlsguard_take(g, certificate, sizeof(certificate), 5), DTLSGUARD_NONE);
    assert_true(dtlsguard_deadline_us(g) == UINT64_MAX); /* before a hello it is nothing */
    assert_int_equal(take(g, &h), DTLSGUARD_HELLO);
    assert_int_equal(dtlsguard_take(g, certificate, sizeof(certificate), 5), DTLSGUARD_NONE);
    assert_int_equal(dtlsguard_deadline_us(g), 5 + DTLSGUARD_WRONG_US);
    assert_int_equal(dtlsguard_take(g, certificate, sizeof(certificate), 9), DTLSGUARD_NONE);
    assert_int_equal(dtlsguard_deadline_us(g), 5 + DTLSGUARD_WRONG_US);
}

static void put_u24(uint8_t *at, size_t value)
{
    at[0] = (uint8_t)(value >> 16);
    at[1] = (uint8_t)(value >> 8);
    at[2] = (uint8_t)value;
}

static void U4_fragments_outside_of_their_message_are_nothing(void **state)
{
    struct dtlsguard *g = *state;
    const struct hello whole = make_hello(1, dtlsguard_cookie(g), DTLSGUARD_COOKIE_LEN);
    const size_t n = whole.len - 12;
    const struct {
        size_t len, offset, part;
    } rows[] = {{n - 1, 0, n}, {n, 1, n},        {n, n + 1, 1},
                {n, 1, 0},     {n, 0xffffff, n}, {0xffffff, 1, n - 20}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hello h = whole;
        put_u24(h.bytes + 1, rows[i].len);
        put_u24(h.bytes + 6, rows[i].offset);
        put_u24(h.bytes + 9, rows[i].part);
        assert_int_equal(take(g, &h), DTLSGUARD_NONE);
    }
    assert_int_equal(take(g, &whole), DTLSGUARD_HELLO);
}

static void U18_truncation_at_every_length(void **state)
{
    struct dtlsguard *g = *state;
    struct hello h = make_hello(1, dtlsguard_cookie(g), DTLSGUARD_COOKIE_LEN);
    for (size_t len = 0; len < h.len; len++) {
        uint8_t *exact = malloc(len > 0 ? len : 1);
        assert_non_null(exact);
        memcpy(exact, h.bytes, len);
        assert_int_equal(dtlsguard_take(g, exact, len, 1), DTLSGUARD_NONE);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(U4_only_the_cookie_opens, setup, teardown),
        cmocka_unit_test_setup_teardown(U4_the_primer_is_the_hello_without_its_cookie, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(U1_the_request_is_smaller_than_a_hello, setup, teardown),
        cmocka_unit_test_setup_teardown(U4_cookies_differ_between_sessions, setup, teardown),
        cmocka_unit_test_setup_teardown(U4_a_restart_waits_for_the_next_hello, setup, teardown),
        cmocka_unit_test_setup_teardown(U7_wrong_certificates_have_a_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(U4_fragments_outside_of_their_message_are_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(U18_truncation_at_every_length, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
