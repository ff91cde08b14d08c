/* A DTLS server of ours and OpenSSL's client in one process, and the clock of both. One test
 * program may include it once. */
#ifndef SLUICE_TESTS_RTC_DTLSBENCH_H
#define SLUICE_TESTS_RTC_DTLSBENCH_H

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

static inline void on_send(void *ctx, const uint8_t *data, size_t len)
{
    struct bench *b = ctx;
    assert_in_range(len, 1, DTLS_MTU);
    queue_put(&b->wire, data, len);
}

static inline void note(struct bench *b, enum dtls_event event)
{
    if (event == DTLS_NONE)
        return;
    b->last = event;
    b->keyed += event == DTLS_KEYED;
    b->failed += event == DTLS_FAILED;
    b->closed += event == DTLS_CLOSED;
}

static inline void receive(struct bench *b, const void *data, size_t len)
{
    /* Exactly as long as the datagram, so that sanitizers see an overrun. */
    uint8_t *exact = malloc(len > 0 ? len : 1);
    assert_non_null(exact);
    memcpy(exact, data, len);
    note(b, dtls_receive(b->server, exact, len, clock_us));
    free(exact);
}

static inline int setup(void **state)
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

static inline void stop(struct bench *b)
{
    client_done(&b->client);
    dtls_free(b->server);
    b->server = NULL;
    ERR_clear_error();
}

static inline int teardown(void **state)
{
    struct bench *b = *state;
    stop(b);
    cert_free(b->server_cert);
    cert_free(b->client_cert);
    free(b);
    return 0;
}

static inline void begin(struct bench *b, const struct client_options *options)
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
static inline int run_client(struct bench *b)
{
    const struct datagram *d;
    while ((d = queue_take(&b->wire)))
        queue_put(&b->client.in, d->bytes, d->len);
    int result = SSL_do_handshake(b->client.ssl);
    ERR_clear_error();
    return result;
}

static inline void deliver(struct bench *b)
{
    const struct datagram *d;
    while ((d = queue_take(&b->client.out)))
        receive(b, d->bytes, d->len);
}

/* Up to the hello that carries the cookie, which waits in client.out. */
static inline void get_cookie(struct bench *b)
{
    run_client(b);
    deliver(b);
    run_client(b);
}

static inline void shake(struct bench *b)
{
    for (unsigned i = 0; i < 6; i++) {
        run_client(b);
        deliver(b);
    }
    run_client(b);
}

static inline struct srtp_keys expect_keys(struct bench *b)
{
    struct srtp_keys keys;
    assert_int_equal(b->keyed, 1);
    assert_int_equal(b->failed, 0);
    assert_true(SSL_is_init_finished(b->client.ssl));
    assert_int_equal(dtls_get_keys(b->server, &keys), 0);
    assert_true(dtls_deadline_us(b->server, clock_us) == UINT64_MAX);
    return keys;
}

static inline void expect_no_keys(struct bench *b)
{
    struct srtp_keys keys;
    assert_int_equal(b->keyed, 0);
    assert_int_equal(dtls_get_keys(b->server, &keys), -EPROTO);
}

#endif
