/* DTLS 1.2 end of one session without I/O (RFC 6347, 5764, 8827 6.5). */
#include "gateway/rtc/dtls.h"

#include "gateway/rtc/dtlsbio.h"
#include "gateway/rtc/dtlsctx.h"
#include "gateway/rtc/dtlsfilter.h"
#include "gateway/rtc/dtlsguard.h"
#include "lib/base/secret.h"
#include "lib/base/writer.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#define DATAGRAM_MAX 1500u
#define PEERS_MAX 8u /* as many as sdp.h takes */
#define EARLY_MAX 4u /* encrypted records that came before the flight was proven */
#define EARLY_LEN 320u
#define READS_MAX 16u                  /* of decrypted data per record; nobody sends us any */
#define EXPORTER "EXTRACTOR-dtls_srtp" /* RFC 5764 4.2 */

enum record_type { RECORD_CHANGE = 20, RECORD_ALERT = 21, RECORD_HANDSHAKE = 22 };
enum dtls_state { DTLS_HANDSHAKING, DTLS_OPEN, DTLS_ENDED };

struct dtls {
    enum dtls_state state;
    enum dtls_failure failure;
    SSL_CTX *ctx;
    SSL *ssl;
    struct dtlsbio bio;
    struct dtlsguard *guard; /* server in a handshake */
    const uint8_t *cookie;   /* the guard's, for dtlsctx */
    struct dtlsfilter filter;
    bool client;
    unsigned restarts;
    bool started;
    uint64_t started_us;     /* first ClientHello */
    uint32_t plain_sequence; /* of the next epoch 0 record, see take_record */
    bool proven;             /* server: the publisher's flight went to OpenSSL */
    size_t early_count;
    struct early_record {
        size_t len;
        uint8_t bytes[EARLY_LEN];
    } early[EARLY_MAX]; /* the newest, by count modulo the number */
    struct srtp_keys keys;
    dtls_send_fn send;
    void *send_ctx;
    size_t peer_count;
    struct fingerprint peers[PEERS_MAX];
};

static unsigned epoch_of(const uint8_t *record)
{
    return (unsigned)record[3] << 8 | record[4];
}

static void send_outbox(struct dtls *d)
{
    size_t at = 0;
    for (size_t i = 0; i < d->bio.out_count; i++) {
        d->send(d->send_ctx, d->bio.out_bytes + at, d->bio.out_lens[i]);
        at += d->bio.out_lens[i];
    }
    dtlsbio_drop(&d->bio, 0);
}

/* ---- set-up ---- */

/* OpenSSL would wait a second for a lost flight, half of what a viewer is to wait for the picture.
 */
static unsigned int next_timeout(SSL *ssl, unsigned int last_us)
{
    (void)ssl;
    if (last_us == 0)
        return DTLS_RESEND_US;
    return last_us < DTLS_RESEND_MAX_US ? last_us * 2 : last_us;
}

/* A new OpenSSL object for a new handshake, in place of the present one if any. */
static bool renew_ssl(struct dtls *d)
{
    SSL_free(d->ssl);
    d->filter = (struct dtlsfilter){.from_server = d->client};
    d->bio.record_len = 0;
    d->plain_sequence = 0;
    d->proven = false;
    d->early_count = 0;
    if (d->guard)
        dtlsguard_restart(d->guard);
    d->ssl = SSL_new(d->ctx);
    BIO *bio = dtlsbio_new_bio(&d->bio);
    if (!d->ssl || !bio) {
        SSL_free(d->ssl);
        d->ssl = NULL;
        BIO_free(bio);
        return false;
    }
    SSL_set_app_data(d->ssl, &d->cookie);
    SSL_set_bio(d->ssl, bio, bio); /* takes over bio */
    if (d->client)
        SSL_set_connect_state(d->ssl);
    else
        SSL_set_accept_state(d->ssl);
    DTLS_set_timer_cb(d->ssl, next_timeout);
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
    d->ctx = dtlsctx_new(cert, client);
    bool ready = d->ctx && dtlsbio_init(&d->bio) && renew_ssl(d);
    int err = ready ? 0 : -EIO;
    if (err == 0 && !client)
        err = dtlsguard_new(peers, count, &d->guard);
    if (d->guard)
        d->cookie = dtlsguard_cookie(d->guard);
    ERR_clear_error();
    if (err < 0)
        dtls_free(d);
    else
        *out = d;
    return err;
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
    dtlsbio_done(&d->bio);
    dtlsguard_free(d->guard);
    secret_wipe(d, sizeof(*d));
    free(d);
}

/* ---- end of a handshake ---- */

static void drop_guard(struct dtls *d)
{
    dtlsguard_free(d->guard);
    d->guard = NULL;
}

static enum dtls_event fail(struct dtls *d, enum dtls_failure failure)
{
    drop_guard(d);
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
    drop_guard(d);
    return DTLS_KEYED;
}

/* ---- records ---- */

static enum dtls_event step_handshake(struct dtls *d);

/* A handshake may be spoiled by others, so it may begin again (U4): a client sends its hello anew,
 * a server waits for the next one. A proven flight is the publisher's own. */
static enum dtls_event restart(struct dtls *d)
{
    if (d->restarts == DTLS_RESTARTS_MAX || d->proven)
        return fail(d, DTLS_FAILURE_HANDSHAKE);
    d->restarts++;
    dtlsbio_drop(&d->bio, 0);
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
    assert(len <= sizeof(d->bio.record)); /* a part of one datagram */
    memcpy(d->bio.record, record, len);
    d->bio.record_len = len;
    if (epoch_of(record) == 0) {
        struct writer w;
        writer_init(&w, d->bio.record + 5, 6);
        writer_u16(&w, 0);
        writer_u32(&w, d->plain_sequence++);
    }
}

/* ---- server: from the guard to OpenSSL ---- */

/* A record of our own making around a message that the guard let through. */
static enum dtls_event feed(struct dtls *d, uint8_t type, uint16_t sequence, const uint8_t *body,
                            size_t len)
{
    struct writer w;
    writer_init(&w, d->bio.record, sizeof(d->bio.record));
    writer_u8(&w, RECORD_HANDSHAKE);
    writer_u16(&w, DTLS1_2_VERSION);
    writer_u32(&w, 0);
    writer_u32(&w, d->plain_sequence++);
    writer_u16(&w, (uint16_t)(len + DTLS1_HM_HEADER_LENGTH));
    writer_u8(&w, type);
    writer_u24(&w, (uint32_t)len);
    writer_u16(&w, sequence);
    writer_u24(&w, 0);
    writer_u24(&w, (uint32_t)len);
    writer_bytes(&w, body, len);
    assert(writer_ok(&w)); /* the guard's messages are bounded */
    d->bio.record_len = w.len;
    return step_handshake(d);
}

/* OpenSSL asks for the cookie itself, of a hello made for that; its question is not sent. */
static enum dtls_event greet(struct dtls *d, uint64_t now_us)
{
    uint8_t primer[DTLSFLIGHT_MESSAGE_MAX];
    struct writer w;
    size_t queued = d->bio.out_count;
    unsigned restarts = d->restarts;
    struct dtlsguard_message hello = dtlsguard_hello(d->guard);
    if (!d->started)
        d->started_us = now_us;
    d->started = true;
    writer_init(&w, primer, sizeof(primer));
    dtlsguard_write_primer(d->guard, &w);
    enum dtls_event event = feed(d, hello.type, 0, primer, w.len);
    if (event != DTLS_NONE || d->restarts != restarts)
        return event;
    dtlsbio_drop(&d->bio, queued);
    event = feed(d, hello.type, hello.sequence, hello.body, hello.len);
    if (event != DTLS_NONE || d->restarts != restarts)
        return event;
    size_t at = d->bio.out_used;
    for (size_t i = d->bio.out_count; i > queued; i--)
        at -= d->bio.out_lens[i - 1];
    for (size_t i = queued; i < d->bio.out_count; i++) {
        dtlsguard_note_sent(d->guard, d->bio.out_bytes + at, d->bio.out_lens[i]);
        at += d->bio.out_lens[i];
    }
    return DTLS_NONE;
}

/* The publisher changes its cipher behind its flight; who knows the flight need not wait for it. */
static enum dtls_event feed_flight(struct dtls *d)
{
    static const uint8_t change[] = {RECORD_CHANGE, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1};
    enum dtls_event event = DTLS_NONE;
    d->proven = true;
    for (size_t i = 0; i < 3 && event == DTLS_NONE; i++) {
        struct dtlsguard_message m = dtlsguard_message(d->guard, i);
        event = feed(d, m.type, m.sequence, m.body, m.len);
    }
    if (event == DTLS_NONE) {
        take_record(d, change, sizeof(change));
        event = step_handshake(d);
    }
    size_t first = d->early_count > EARLY_MAX ? d->early_count - EARLY_MAX : 0;
    for (size_t i = first; i < d->early_count && event == DTLS_NONE; i++) {
        take_record(d, d->early[i % EARLY_MAX].bytes, d->early[i % EARLY_MAX].len);
        event = step_handshake(d);
    }
    return event;
}

static void keep_early(struct dtls *d, const uint8_t *record, size_t len)
{
    struct early_record *early = &d->early[d->early_count % EARLY_MAX];
    if (len > sizeof(early->bytes))
        return;
    memcpy(early->bytes, record, len);
    early->len = len;
    d->early_count++;
}

static enum dtls_event ask_for_cookie(struct dtls *d)
{
    uint8_t request[128];
    struct writer w;
    writer_init(&w, request, sizeof(request));
    dtlsguard_write_request(d->guard, &w);
    dtlsbio_put(&d->bio, request, w.len);
    return DTLS_NONE;
}

static enum dtls_event step_guarded(struct dtls *d, const uint8_t *record, size_t len,
                                    uint64_t now_us)
{
    if (epoch_of(record) != 0) {
        if (!d->proven) {
            keep_early(d, record, len);
            return DTLS_NONE;
        }
        take_record(d, record, len);
        return step_handshake(d);
    }
    if (record[0] != RECORD_HANDSHAKE || d->proven)
        return DTLS_NONE;
    switch (dtlsguard_take(d->guard, record + DTLS1_RT_HEADER_LENGTH, len - DTLS1_RT_HEADER_LENGTH,
                           now_us)) {
    case DTLSGUARD_ASK:
        return ask_for_cookie(d);
    case DTLSGUARD_HELLO:
        return greet(d, now_us);
    case DTLSGUARD_PROVEN:
        return feed_flight(d);
    default:
        return DTLS_NONE;
    }
}

/* ---- datagrams ---- */

static enum dtls_event step_record(struct dtls *d, const uint8_t *record, size_t len,
                                   uint64_t now_us)
{
    ERR_clear_error(); /* SSL_get_error looks at the queue */
    if (d->guard)
        return step_guarded(d, record, len, now_us);
    take_record(d, record, len);
    return d->state == DTLS_OPEN ? step_open(d) : step_handshake(d);
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
        enum dtls_event step = step_record(d, record, record_len, now_us);
        if (step != DTLS_NONE)
            event = step;
    }
    d->bio.record_len = 0;
    ERR_clear_error();
    send_outbox(d);
    return event;
}

/* ---- time ---- */

static uint64_t handshake_limit_us(const struct dtls *d)
{
    return d->started_us + DTLS_HANDSHAKE_US;
}

/* Nobody but the peer of the offer would have been taken, so it is told in clear: its own end would
 * only wait. The record number is above all that OpenSSL used. */
static enum dtls_event refuse_certificate(struct dtls *d)
{
    static const uint8_t alert[] = {RECORD_ALERT, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0,
                                    0x40,         0,    0,    2, 2, 42};
    dtlsbio_put(&d->bio, alert, sizeof(alert));
    send_outbox(d);
    return fail(d, DTLS_FAILURE_FINGERPRINT);
}

enum dtls_event dtls_on_timer(struct dtls *d, uint64_t now_us)
{
    enum dtls_event event = DTLS_NONE;
    if (d->state != DTLS_HANDSHAKING || !d->started)
        return DTLS_NONE;
    if (d->guard && now_us >= dtlsguard_deadline_us(d->guard))
        return refuse_certificate(d);
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
    if (d->guard && dtlsguard_deadline_us(d->guard) < deadline_us)
        deadline_us = dtlsguard_deadline_us(d->guard);
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
    drop_guard(d);
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
