#include "tests/support/rawdtls.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DTLS_MTU 1200

struct rawdtls_identity {
    EVP_PKEY *key;
    X509 *certificate;
    BIO_METHOD *method;
    uint8_t fingerprint[RAWDTLS_FINGERPRINT_LEN];
};

struct rawdtls {
    SSL_CTX *context;
    SSL *ssl;
    const uint8_t *in; /* the datagram being read; NULL = none */
    size_t in_len;
    bool keyed;
    bool server;
    uint8_t expected[RAWDTLS_FINGERPRINT_LEN];
    rawdtls_send_fn send;
    void *send_ctx;
    char error[160];
};

/* ---- a BIO that keeps datagrams apart ---- */

static int datagram_write(BIO *bio, const char *data, int len)
{
    struct rawdtls *dtls = BIO_get_data(bio);
    dtls->send(dtls->send_ctx, (const uint8_t *)data, (size_t)len);
    return len;
}

static int datagram_read(BIO *bio, char *to, int cap)
{
    struct rawdtls *dtls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (dtls->in == NULL) {
        BIO_set_retry_read(bio);
        return -1;
    }
    int len = dtls->in_len < (size_t)cap ? (int)dtls->in_len : cap;
    memcpy(to, dtls->in, (size_t)len);
    dtls->in = NULL;
    return len;
}

static long datagram_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_DGRAM_QUERY_MTU:
        return DTLS_MTU;
    case BIO_CTRL_DGRAM_GET_MTU_OVERHEAD:
        return 28;
    default:
        return 0;
    }
}

/* ---- identity ---- */

static int make_certificate(struct rawdtls_identity *identity)
{
    unsigned len = sizeof(identity->fingerprint);
    uint32_t serial = 0;
    X509 *x = X509_new();
    identity->certificate = x;
    identity->key = EVP_EC_gen("P-256");
    if (x == NULL || identity->key == NULL || RAND_bytes((uint8_t *)&serial, sizeof(serial)) != 1)
        return -EIO;
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), (long)(serial >> 1));
    X509_gmtime_adj(X509_getm_notBefore(x), -86400);
    X509_gmtime_adj(X509_getm_notAfter(x), 30 * 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               (const uint8_t *)"rawpub", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_set_pubkey(x, identity->key);
    if (X509_sign(x, identity->key, EVP_sha256()) == 0)
        return -EIO;
    return X509_digest(x, EVP_sha256(), identity->fingerprint, &len) == 1 ? 0 : -EIO;
}

int rawdtls_identity_new(struct rawdtls_identity **out)
{
    struct rawdtls_identity *identity = calloc(1, sizeof(*identity));
    if (identity == NULL)
        return -ENOMEM;
    int rc = make_certificate(identity);
    identity->method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "rawdtls");
    if (rc == 0 && identity->method == NULL)
        rc = -ENOMEM;
    if (rc != 0) {
        rawdtls_identity_free(identity);
        return rc;
    }
    BIO_meth_set_write(identity->method, datagram_write);
    BIO_meth_set_read(identity->method, datagram_read);
    BIO_meth_set_ctrl(identity->method, datagram_ctrl);
    *out = identity;
    return 0;
}

void rawdtls_identity_free(struct rawdtls_identity *identity)
{
    if (identity == NULL)
        return;
    EVP_PKEY_free(identity->key);
    X509_free(identity->certificate);
    BIO_meth_free(identity->method);
    free(identity);
}

const uint8_t *rawdtls_identity_fingerprint(const struct rawdtls_identity *identity)
{
    return identity->fingerprint;
}

/* ---- one association ---- */

/* The fingerprint decides, once the handshake is done. */
static int accept_any(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 1;
}

static SSL_CTX *make_context(struct rawdtls_identity *identity, const char *profiles)
{
    SSL_CTX *context = SSL_CTX_new(DTLS_method());
    if (context == NULL)
        return NULL;
    SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any);
    int bad = SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION) != 1;
    bad |= SSL_CTX_use_certificate(context, identity->certificate) != 1;
    bad |= SSL_CTX_use_PrivateKey(context, identity->key) != 1;
    bad |= SSL_CTX_set_tlsext_use_srtp(context, profiles); /* 0 is success here */
    if (bad) {
        SSL_CTX_free(context);
        return NULL;
    }
    return context;
}

static int make(bool server, struct rawdtls_identity *identity, const char *profiles,
                const uint8_t *expected, rawdtls_send_fn send, void *ctx, struct rawdtls **out)
{
    struct rawdtls *dtls = calloc(1, sizeof(*dtls));
    BIO *bio = BIO_new(identity->method);
    if (dtls != NULL)
        dtls->context = make_context(identity, profiles);
    if (dtls != NULL && dtls->context != NULL)
        dtls->ssl = SSL_new(dtls->context);
    if (bio == NULL || dtls == NULL || dtls->ssl == NULL) {
        BIO_free(bio);
        rawdtls_free(dtls);
        return -ENOMEM;
    }
    BIO_set_data(bio, dtls);
    BIO_set_init(bio, 1);
    SSL_set_bio(dtls->ssl, bio, bio);
    if (server)
        SSL_set_accept_state(dtls->ssl);
    else
        SSL_set_connect_state(dtls->ssl);
    SSL_set_mtu(dtls->ssl, DTLS_MTU);
    memcpy(dtls->expected, expected, sizeof(dtls->expected));
    dtls->send = send;
    dtls->send_ctx = ctx;
    dtls->server = server;
    *out = dtls;
    return 0;
}

int rawdtls_new(struct rawdtls_identity *identity, const char *profiles, const uint8_t *expected,
                rawdtls_send_fn send, void *ctx, struct rawdtls **out)
{
    return make(false, identity, profiles, expected, send, ctx, out);
}

int rawdtls_new_server(struct rawdtls_identity *identity, const char *profiles,
                       const uint8_t *expected, rawdtls_send_fn send, void *ctx,
                       struct rawdtls **out)
{
    return make(true, identity, profiles, expected, send, ctx, out);
}

void rawdtls_free(struct rawdtls *dtls)
{
    if (dtls == NULL)
        return;
    SSL_free(dtls->ssl);
    SSL_CTX_free(dtls->context);
    free(dtls);
}

static enum rawdtls_event failed(struct rawdtls *dtls, const char *why)
{
    if (dtls->error[0] == 0)
        (void)snprintf(dtls->error, sizeof(dtls->error), "%s", why);
    return RAWDTLS_FAILED;
}

static enum rawdtls_event failed_by_library(struct rawdtls *dtls)
{
    char text[128];
    ERR_error_string_n(ERR_peek_error(), text, sizeof(text));
    return failed(dtls, text);
}

static bool peer_is_expected(struct rawdtls *dtls)
{
    uint8_t fingerprint[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    X509 *x = SSL_get1_peer_certificate(dtls->ssl);
    bool same = x != NULL && X509_digest(x, EVP_sha256(), fingerprint, &len) == 1 &&
                len == sizeof(dtls->expected) && memcmp(fingerprint, dtls->expected, len) == 0;
    X509_free(x);
    return same;
}

static enum rawdtls_event handshake(struct rawdtls *dtls)
{
    ERR_clear_error();
    int rc = SSL_do_handshake(dtls->ssl);
    if (rc == 1) {
        dtls->keyed = true;
        if (!peer_is_expected(dtls))
            return failed(dtls, "the peer's certificate is not the one of the answer");
        return RAWDTLS_KEYED;
    }
    int why = SSL_get_error(dtls->ssl, rc);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        return RAWDTLS_NOTHING;
    return failed_by_library(dtls);
}

enum rawdtls_event rawdtls_start(struct rawdtls *dtls)
{
    return handshake(dtls);
}

enum rawdtls_event rawdtls_receive(struct rawdtls *dtls, const uint8_t *data, size_t len)
{
    enum rawdtls_event event = RAWDTLS_NOTHING;
    dtls->in = data;
    dtls->in_len = len;
    if (!dtls->keyed) {
        event = handshake(dtls);
    } else {
        uint8_t sink[2048];
        ERR_clear_error();
        int rc = SSL_read(dtls->ssl, sink, sizeof(sink));
        if (rc <= 0 && (SSL_get_shutdown(dtls->ssl) & SSL_RECEIVED_SHUTDOWN) != 0)
            event = RAWDTLS_CLOSED;
        else if (rc <= 0 && SSL_get_error(dtls->ssl, rc) == SSL_ERROR_SSL)
            event = failed_by_library(dtls);
    }
    dtls->in = NULL;
    return event;
}

enum rawdtls_event rawdtls_tick(struct rawdtls *dtls)
{
    struct timeval left;
    if (dtls->keyed || DTLSv1_get_timeout(dtls->ssl, &left) != 1)
        return RAWDTLS_NOTHING;
    if (left.tv_sec > 0 || left.tv_usec > 0)
        return RAWDTLS_NOTHING;
    return DTLSv1_handle_timeout(dtls->ssl) < 0 ? failed(dtls, "handshake timed out")
                                                : RAWDTLS_NOTHING;
}

/* Client and server change places in keys, then salts (RFC 5764 4.2). */
static void swap_ends(uint8_t *material, enum rawsrtp_profile profile)
{
    uint8_t other[RAWSRTP_MATERIAL_MAX];
    size_t total = rawsrtp_material_len(profile);
    size_t key = profile == RAWSRTP_GCM256 ? 32 : 16;
    size_t salt = total / 2 - key;
    memcpy(other, material, total);
    memcpy(material, other + key, key);
    memcpy(material + key, other, key);
    memcpy(material + 2 * key, other + 2 * key + salt, salt);
    memcpy(material + 2 * key + salt, other + 2 * key, salt);
}

int rawdtls_export(struct rawdtls *dtls, enum rawsrtp_profile *out_profile, uint8_t *out_material)
{
    static const char label[] = "EXTRACTOR-dtls_srtp";
    const SRTP_PROTECTION_PROFILE *chosen = SSL_get_selected_srtp_profile(dtls->ssl);
    for (unsigned i = 0; chosen != NULL && i < RAWSRTP_PROFILE_COUNT; i++) {
        enum rawsrtp_profile profile = (enum rawsrtp_profile)i;
        if (strcmp(chosen->name, rawsrtp_profile_name(profile)) != 0)
            continue;
        if (SSL_export_keying_material(dtls->ssl, out_material, rawsrtp_material_len(profile),
                                       label, sizeof(label) - 1, NULL, 0, 0) != 1)
            return -EPROTO;
        if (dtls->server)
            swap_ends(out_material, profile);
        *out_profile = profile;
        return 0;
    }
    return -EPROTO;
}

void rawdtls_shutdown(struct rawdtls *dtls)
{
    if (dtls->keyed)
        (void)SSL_shutdown(dtls->ssl);
}

const char *rawdtls_error(const struct rawdtls *dtls)
{
    return dtls->error;
}
