/* DTLS 1.2 end of one session without I/O (RFC 6347, 5764, 8827 6.5). */
#include "gateway/rtc/dtls.h"

#include "gateway/rtc/dtlsfilter.h"
#include "lib/base/secret.h"
#include "lib/base/writer.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#define DATAGRAM_MAX 1500u
#define PEERS_MAX 8u     /* as many as sdp.h takes */
#define OUT_BYTES 12288u /* a flight with our certificate takes about 1 KiB */
#define OUT_DATAGRAMS 32u
#define CERT_LIST_MAX 4096 /* bytes of the peer's certificates (threats.md U6) */
#define READS_MAX 16u      /* of decrypted data per record; nobody sends us any */
#define CIPHERS                                                                                    \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384"
/* A passive publisher may have an RSA certificate. */
#define CLIENT_CIPHERS                                                                             \
    CIPHERS ":ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES256-GCM-SHA384"
#define GROUPS "X25519:P-256"
#define PROFILES "SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80"
#define EXPORTER "EXTRACTOR-dtls_srtp" /* RFC 5764 4.2 */

enum dtls_state { DTLS_HANDSHAKING, DTLS_OPEN, DTLS_ENDED };

/* Datagrams that OpenSSL wrote during one call, held back until the call's outcome is known: the
 * alert of an object that will be replaced must not reach the peer. */
struct outbox {
    size_t count;
    size_t used;
    size_t lens[OUT_DATAGRAMS];
    uint8_t bytes[OUT_BYTES];
};

struct dtls {
    enum dtls_state state;
    enum dtls_failure failure;
    SSL_CTX *ctx;
    SSL *ssl;
    BIO_METHOD *method;
    struct dtlsfilter filter;
    bool client;
    unsigned restarts;
    bool started;
    uint64_t started_us; /* first ClientHello */
    size_t record_len;   /* of what OpenSSL reads next; 0: nothing */
    uint8_t record[DATAGRAM_MAX];
    uint32_t plain_sequence; /* of the next epoch 0 record, see take_record */
    struct outbox outbox;
    struct srtp_keys keys;
    dtls_send_fn send;
    void *send_ctx;
    size_t peer_count;
    struct fingerprint peers[PEERS_MAX];
};

/* ---- BIO: one record in, datagrams out ---- */

static int bio_write(BIO *bio, const char *data, int len)
{
    struct dtls *d = BIO_get_data(bio);
    struct outbox *box = &d->outbox;
    size_t size = len > 0 ? (size_t)len : 0;
    /* What does not fit is lost, as on a network. */
    if (box->count < OUT_DATAGRAMS && size <= OUT_BYTES - box->used && size > 0) {
        memcpy(box->bytes + box->used, data, size);
        box->used += size;
        box->lens[box->count++] = size;
    }
    return len;
}

static int bio_read(BIO *bio, char *data, int cap)
{
    struct dtls *d = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (d->record_len == 0 || cap <= 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t len = d->record_len < (size_t)cap ? d->record_len : (size_t)cap;
    memcpy(data, d->record, len);
    d->record_len = 0;
    return (int)len;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_DGRAM_QUERY_MTU:
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
        return DTLS_MTU;
    default:
        return 0;
    }
}

static void send_outbox(struct dtls *d)
{
    size_t at = 0;
    for (size_t i = 0; i < d->outbox.count; i++) {
        d->send(d->send_ctx, d->outbox.bytes + at, d->outbox.lens[i]);
        at += d->outbox.lens[i];
    }
    d->outbox.count = 0;
    d->outbox.used = 0;
}

static void drop_outbox(struct dtls *d)
{
    d->outbox.count = 0;
    d->outbox.used = 0;
}

/* ---- set-up ---- */

/* Certificates are self-signed: the fingerprint decides, after the handshake (U7). */
static int accept_any_chain(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 1;
}

static bool setup_context(struct dtls *d, const struct cert *cert)
{
    char groups[] = GROUPS; /* OpenSSL's macro casts const away */
    d->ctx = SSL_CTX_new(d->client ? DTLS_client_method() : DTLS_server_method());
    if (!d->ctx)
        return false;
    SSL_CTX_set_options(d->ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_QUERY_MTU |
                                    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(d->ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(d->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any_chain);
    SSL_CTX_set_max_cert_list(d->ctx, CERT_LIST_MAX);
    return SSL_CTX_set_min_proto_version(d->ctx, DTLS1_2_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(d->ctx, DTLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(d->ctx, d->client ? CLIENT_CIPHERS : CIPHERS) == 1 &&
           SSL_CTX_set1_groups_list(d->ctx, groups) == 1 &&
           SSL_CTX_set_tlsext_use_srtp(d->ctx, PROFILES) == 0 && /* 0 is success here */
           SSL_CTX_use_certificate(d->ctx, cert_x509(cert)) == 1 &&
           SSL_CTX_use_PrivateKey(d->ctx, cert_key(cert)) == 1;
}

static bool setup_method(struct dtls *d)
{
    d->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "sluice datagrams");
    return d->method && BIO_meth_set_write(d->method, bio_write) == 1 &&
           BIO_meth_set_read(d->method, bio_read) == 1 &&
           BIO_meth_set_ctrl(d->method, bio_ctrl) == 1;
}

/* A new OpenSSL object for a new handshake, in place of the present one if any. */
static bool renew_ssl(struct dtls *d)
{
    SSL_free(d->ssl);
    d->filter = (struct dtlsfilter){.from_server = d->client};
    d->record_len = 0;
    d->plain_sequence = 0;
    d->ssl = SSL_new(d->ctx);
    BIO *bio = BIO_new(d->method);
    if (!d->ssl || !bio) {
        SSL_free(d->ssl);
        d->ssl = NULL;
        BIO_free(bio);
        return false;
    }
    BIO_set_data(bio, d);
    BIO_set_init(bio, 1);
    SSL_set_bio(d->ssl, bio, bio); /* takes over bio */
    if (d->client)
        SSL_set_connect_state(d->ssl);
    else
        SSL_set_accept_state(d->ssl);
    SSL_set_mtu(d->ssl, DTLS_MTU); /* else 256-byte flights (SEC-06) */
    return true;
}

static int make(bool client, const struct cert *cert, const struct fingerprint *peers, size_t count,
                dtls_send_fn send, void *ctx, struct dtls **out)
{
    if (count == 0 || count > PEERS_MAX)
        return -EINVAL;
    struct dtls *d = calloc(1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    d->client = client;
    d->send = send;
    d->send_ctx = ctx;
    d->peer_count = count;
    memcpy(d->peers, peers, count * sizeof(peers[0]));
    bool ready = setup_context(d, cert) && setup_method(d) && renew_ssl(d);
    ERR_clear_error();
    if (!ready) {
        dtls_free(d);
        return -EIO;
    }
    *out = d;
    return 0;
}

int dtls_new(const struct cert *cert, const struct fingerprint *peers, size_t count,
             dtls_send_fn send, void *ctx, struct dtls **out)
{
    return make(false, cert, peers, count, send, ctx, out);
}

int dtls_new_client(const struct cert *cert, const struct fingerprint *peers, size_t count,
                    dtls_send_fn send, void *ctx, struct dtls **out)
{
    return make(true, cert, peers, count, send, ctx, out);
}

void dtls_free(struct dtls *d)
{
    if (!d)
        return;
    SSL_free(d->ssl);
    SSL_CTX_free(d->ctx);
    BIO_meth_free(d->method);
    secret_wipe(d, sizeof(*d));
    free(d);
}

/* ---- end of a handshake ---- */

static enum dtls_event fail(struct dtls *d, enum dtls_failure failure)
{
    d->state = DTLS_ENDED;
    d->failure = failure;
    secret_wipe(&d->keys, sizeof(d->keys));
    return DTLS_FAILED;
}

static bool hash_peer(void *ctx, enum fingerprint_algorithm algorithm, struct fingerprint *out)
{
    const struct dtls *d = ctx;
    X509 *x509 = SSL_get1_peer_certificate(d->ssl);
    bool hashed = x509 && cert_hash(x509, algorithm, out) == 0;
    X509_free(x509);
    return hashed;
}

static bool export_keys(struct dtls *d, enum srtp_suite suite)
{
    size_t key_len = srtp_key_len(suite);
    size_t salt_len = srtp_salt_len(suite);
    uint8_t material[2 * (SRTP_KEY_MAX + SRTP_SALT_MAX)];
    size_t total = 2 * (key_len + salt_len);
    bool ok = SSL_export_keying_material(d->ssl, material, total, EXPORTER, sizeof(EXPORTER) - 1,
                                         NULL, 0, 0) == 1;
    if (ok) {
        /* client key, server key, client salt, server salt (SEC-10); for us the client is the
         * publisher, whichever end of DTLS it is */
        const uint8_t *salts = material + 2 * key_len;
        d->keys.suite = suite;
        memcpy(d->client ? d->keys.server_key : d->keys.client_key, material, key_len);
        memcpy(d->client ? d->keys.client_key : d->keys.server_key, material + key_len, key_len);
        memcpy(d->client ? d->keys.server_salt : d->keys.client_salt, salts, salt_len);
        memcpy(d->client ? d->keys.client_salt : d->keys.server_salt, salts + salt_len, salt_len);
    }
    secret_wipe(material, sizeof(material));
    return ok;
}

static enum srtp_suite agreed_suite(const struct dtls *d)
{
    const SRTP_PROTECTION_PROFILE *profile = SSL_get_selected_srtp_profile(d->ssl);
    switch (profile ? profile->id : 0) {
    case SRTP_AEAD_AES_128_GCM:
        return SRTP_SUITE_AEAD_AES_128_GCM;
    case SRTP_AEAD_AES_256_GCM:
        return SRTP_SUITE_AEAD_AES_256_GCM;
    case SRTP_AES128_CM_SHA1_80:
        return SRTP_SUITE_AES128_CM_SHA1_80;
    default:
        return SRTP_SUITE_NONE;
    }
}

/* The handshake is authentic now, so a wrong certificate or a missing profile is the peer's own
 * doing: an alert tells it and nothing is tried again. */
static enum dtls_event finish_handshake(struct dtls *d)
{
    enum dtls_failure failure = DTLS_FAILURE_NONE;
    enum srtp_suite suite = agreed_suite(d);
    if (!fingerprint_matches(d->peers, d->peer_count, hash_peer, d))
        failure = DTLS_FAILURE_FINGERPRINT;
    else if (suite == SRTP_SUITE_NONE)
        failure = DTLS_FAILURE_PROFILE;
    else if (!export_keys(d, suite))
        failure = DTLS_FAILURE_INTERNAL;
    if (failure != DTLS_FAILURE_NONE) {
        SSL_shutdown(d->ssl);
        return fail(d, failure);
    }
    d->state = DTLS_OPEN;
    d->filter.keyed = true;
    return DTLS_KEYED;
}

/* ---- records ---- */

static enum dtls_event step_handshake(struct dtls *d);

/* Anybody on the path can spoil a handshake with one datagram, so it may begin again (U4). A client
 * sends its hello anew. */
static enum dtls_event restart(struct dtls *d)
{
    if (d->restarts == DTLS_RESTARTS_MAX)
        return fail(d, DTLS_FAILURE_HANDSHAKE);
    d->restarts++;
    drop_outbox(d);
    if (!renew_ssl(d))
        return fail(d, DTLS_FAILURE_INTERNAL);
    return d->client ? step_handshake(d) : DTLS_NONE;
}

static enum dtls_event step_handshake(struct dtls *d)
{
    int result = SSL_do_handshake(d->ssl);
    if (result == 1)
        return finish_handshake(d);
    int error = SSL_get_error(d->ssl, result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return DTLS_NONE;
    return restart(d);
}

/* After keys only the end is of interest; data channels were refused, so data is dropped. */
static enum dtls_event step_open(struct dtls *d)
{
    uint8_t scratch[DATAGRAM_MAX];
    int result = 1;
    for (unsigned i = 0; result > 0 && i < READS_MAX; i++)
        result = SSL_read(d->ssl, scratch, sizeof(scratch));
    if (result > 0)
        return DTLS_NONE;
    int error = SSL_get_error(d->ssl, result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return DTLS_NONE;
    if (error == SSL_ERROR_ZERO_RETURN)
        SSL_shutdown(d->ssl);
    d->state = DTLS_ENDED;
    secret_wipe(&d->keys, sizeof(d->keys));
    return DTLS_CLOSED;
}

/* Hands one record to OpenSSL. Records of epoch 0 carry no tag, yet they move OpenSSL's replay
 * window: one spoofed record with a high number would make it deaf to the real peer, without any
 * failure to restart on. So they are numbered anew in order of arrival; repeats are told apart by
 * the sequence of the handshake message, and no hash covers the record's number (RFC
 * 6347 4.1, 4.2.6). */
static void take_record(struct dtls *d, const uint8_t *record, size_t len)
{
    assert(len <= sizeof(d->record)); /* a part of one datagram */
    memcpy(d->record, record, len);
    d->record_len = len;
    bool plain = record[3] == 0 && record[4] == 0; /* epoch */
    if (plain) {
        struct writer w;
        writer_init(&w, d->record + 5, 6);
        writer_u16(&w, 0);
        writer_u32(&w, d->plain_sequence++);
    }
}

enum dtls_event dtls_start(struct dtls *d, uint64_t now_us)
{
    if (!d->client || d->started || d->state != DTLS_HANDSHAKING)
        return DTLS_NONE;
    d->started = true;
    d->started_us = now_us;
    ERR_clear_error();
    enum dtls_event event = step_handshake(d);
    ERR_clear_error();
    send_outbox(d);
    return event;
}

enum dtls_event dtls_receive(struct dtls *d, const uint8_t *data, size_t len, uint64_t now_us)
{
    struct reader datagram;
    const uint8_t *record = NULL;
    size_t record_len = 0;
    enum dtls_event event = DTLS_NONE;
    unsigned restarts = d->restarts;
    if (d->state == DTLS_ENDED || len > DATAGRAM_MAX || (d->client && !d->started))
        return DTLS_NONE;
    reader_init(&datagram, data, len);
    while (d->state != DTLS_ENDED && d->restarts == restarts &&
           dtlsfilter_next(&d->filter, &datagram, &record, &record_len)) {
        take_record(d, record, record_len);
        if (!d->started)
            d->started_us = now_us;
        d->started = true;
        ERR_clear_error(); /* SSL_get_error looks at the queue */
        enum dtls_event step = d->state == DTLS_OPEN ? step_open(d) : step_handshake(d);
        if (step != DTLS_NONE)
            event = step;
    }
    d->record_len = 0;
    ERR_clear_error();
    send_outbox(d);
    return event;
}

/* ---- time ---- */

static uint64_t handshake_limit_us(const struct dtls *d)
{
    return d->started_us + DTLS_HANDSHAKE_US;
}

enum dtls_event dtls_on_timer(struct dtls *d, uint64_t now_us)
{
    enum dtls_event event = DTLS_NONE;
    if (d->state != DTLS_HANDSHAKING || !d->started)
        return DTLS_NONE;
    if (now_us >= handshake_limit_us(d))
        return fail(d, DTLS_FAILURE_TIMEOUT);
    if (DTLSv1_handle_timeout(d->ssl) < 0)
        event = restart(d);
    ERR_clear_error();
    send_outbox(d);
    return event;
}

uint64_t dtls_deadline_us(const struct dtls *d, uint64_t now_us)
{
    struct timeval left = {.tv_sec = 0};
    if (d->state != DTLS_HANDSHAKING || !d->started)
        return UINT64_MAX;
    uint64_t deadline_us = handshake_limit_us(d);
    if (DTLSv1_get_timeout(d->ssl, &left) == 1) {
        uint64_t resend_us = now_us + (uint64_t)left.tv_sec * 1000000u + (uint64_t)left.tv_usec;
        if (resend_us < deadline_us)
            deadline_us = resend_us;
    }
    return deadline_us;
}

/* ---- results ---- */

int dtls_get_keys(const struct dtls *d, struct srtp_keys *out)
{
    if (d->state != DTLS_OPEN)
        return -EPROTO;
    *out = d->keys;
    return 0;
}

void dtls_close(struct dtls *d)
{
    if (d->state == DTLS_OPEN) {
        ERR_clear_error();
        SSL_shutdown(d->ssl);
        ERR_clear_error();
        send_outbox(d);
    }
    d->state = DTLS_ENDED;
    secret_wipe(&d->keys, sizeof(d->keys));
}

enum dtls_failure dtls_failure(const struct dtls *d)
{
    return d->failure;
}

const char *dtls_failure_name(enum dtls_failure failure)
{
    static const char *const names[] = {
        [DTLS_FAILURE_NONE] = "none",
        [DTLS_FAILURE_TIMEOUT] = "timeout",
        [DTLS_FAILURE_HANDSHAKE] = "handshake",
        [DTLS_FAILURE_PROFILE] = "profile",
        [DTLS_FAILURE_FINGERPRINT] = "fingerprint",
        [DTLS_FAILURE_INTERNAL] = "internal",
    };
    return failure < sizeof(names) / sizeof(names[0]) ? names[failure] : "unknown";
}

unsigned dtls_restarts(const struct dtls *d)
{
    return d->restarts;
}
