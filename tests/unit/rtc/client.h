/* A DTLS publisher for tests: OpenSSL's client end in memory, datagram by datagram. */
#ifndef SLUICE_TESTS_RTC_CLIENT_H
#define SLUICE_TESTS_RTC_CLIENT_H

#include "gateway/rtc/cert.h"
#include "lib/base/text.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CLIENT_QUEUE 64
#define CLIENT_DATAGRAM 2048

struct datagram {
    size_t len;
    uint8_t bytes[CLIENT_DATAGRAM];
};

/* Datagrams in order; head is the next to take. */
struct queue {
    size_t head;
    size_t tail;
    struct datagram items[CLIENT_QUEUE];
};

static inline void queue_put(struct queue *q, const void *data, size_t len)
{
    if (q->tail == CLIENT_QUEUE && q->head > 0) {
        memmove(q->items, q->items + q->head, (q->tail - q->head) * sizeof(q->items[0]));
        q->tail -= q->head;
        q->head = 0;
    }
    if (q->tail == CLIENT_QUEUE || len > CLIENT_DATAGRAM)
        return;
    q->items[q->tail].len = len;
    memcpy(q->items[q->tail++].bytes, data, len);
}

static inline const struct datagram *queue_take(struct queue *q)
{
    return q->head < q->tail ? &q->items[q->head++] : NULL;
}

/* What the client offers; zero fields mean a modern browser. */
struct client_options {
    int max_version;     /* 0: DTLS 1.2 */
    const char *ciphers; /* TLS 1.2 names */
    const char *groups;
    const char *profiles; /* "" offers no use_srtp */
    bool no_certificate;
    bool long_hello; /* above one datagram */
    unsigned mtu;    /* 0: 1200 */
    bool server;     /* the publisher is passive */
};

struct client {
    SSL_CTX *ctx;
    SSL *ssl;
    BIO_METHOD *method;
    struct queue in;
    struct queue out;
};

static inline int client_bio_write(BIO *bio, const char *data, int len)
{
    struct client *c = BIO_get_data(bio);
    queue_put(&c->out, data, (size_t)len);
    return len;
}

static inline int client_bio_read(BIO *bio, char *data, int cap)
{
    struct client *c = BIO_get_data(bio);
    const struct datagram *d = queue_take(&c->in);
    BIO_clear_retry_flags(bio);
    if (!d) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t len = d->len < (size_t)cap ? d->len : (size_t)cap;
    memcpy(data, d->bytes, len);
    return (int)len;
}

static inline long client_bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static inline int client_trusts_all(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 1;
}

static inline bool client_init(struct client *c, const struct cert *cert,
                               const struct client_options *options)
{
    /* 100 names of 13 bytes make a hello of more than 1,300 bytes, like Chromium's with ML-KEM. */
    uint8_t alpn[1300];
    char groups[64] = "X25519:P-256";
    memset(alpn, 'a', sizeof(alpn));
    for (size_t i = 0; i < sizeof(alpn); i += 13)
        alpn[i] = 12;
    memset(c, 0, sizeof(*c));
    c->ctx = SSL_CTX_new(options->server ? DTLS_server_method() : DTLS_client_method());
    if (!c->ctx)
        return false;
    if (options->groups && text_copy(groups, sizeof(groups), slice_of(options->groups)) < 0)
        return false;
    SSL_CTX_set_security_level(c->ctx, 0); /* so that bad things can be offered */
    SSL_CTX_set_options(c->ctx, SSL_OP_NO_QUERY_MTU);
    SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, client_trusts_all);
    if (options->max_version)
        SSL_CTX_set_max_proto_version(c->ctx, options->max_version);
    if (options->ciphers && SSL_CTX_set_cipher_list(c->ctx, options->ciphers) != 1)
        return false;
    const char *profiles = options->profiles ? options->profiles : "SRTP_AEAD_AES_128_GCM";
    if (profiles[0] && SSL_CTX_set_tlsext_use_srtp(c->ctx, profiles) != 0)
        return false;
    if (!options->no_certificate && (SSL_CTX_use_certificate(c->ctx, cert_x509(cert)) != 1 ||
                                     SSL_CTX_use_PrivateKey(c->ctx, cert_key(cert)) != 1))
        return false;
    SSL_CTX_set1_groups_list(c->ctx, groups);
    if (options->long_hello)
        SSL_CTX_set_alpn_protos(c->ctx, alpn, sizeof(alpn));
    c->ssl = SSL_new(c->ctx);
    c->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "test");
    BIO_meth_set_write(c->method, client_bio_write);
    BIO_meth_set_read(c->method, client_bio_read);
    BIO_meth_set_ctrl(c->method, client_bio_ctrl);
    BIO *bio = BIO_new(c->method);
    BIO_set_data(bio, c);
    BIO_set_init(bio, 1);
    SSL_set_bio(c->ssl, bio, bio);
    if (options->server)
        SSL_set_accept_state(c->ssl);
    else
        SSL_set_connect_state(c->ssl);
    SSL_set_mtu(c->ssl, options->mtu ? options->mtu : 1200);
    return true;
}

static inline void client_done(struct client *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    BIO_meth_free(c->method);
    memset(c, 0, sizeof(*c));
}

#endif
