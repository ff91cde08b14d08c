/* The OpenSSL context of one DTLS end. */
#include "gateway/rtc/dtlsctx.h"

#include "gateway/rtc/dtlsguard.h"
#include "gateway/rtc/dtlsproof.h"

#include <openssl/ssl.h>
#include <string.h>

#define CERT_LIST_MAX 4096 /* bytes of the peer's certificates (threats.md U6) */
#define CIPHERS                                                                                    \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384"
/* A passive publisher may have an RSA certificate. */
#define CLIENT_CIPHERS                                                                             \
    CIPHERS ":ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES256-GCM-SHA384"
#define GROUPS "X25519:P-256"
#define PROFILES "SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80"

/* Certificates are self-signed: the fingerprint decides, after the handshake (U7). */
static int accept_any_chain(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 1;
}

static const uint8_t *cookie_of(SSL *ssl)
{
    const uint8_t *const *cookie = SSL_get_app_data(ssl);
    return *cookie;
}

/* The guard has checked the cookie already: this is for OpenSSL's own state machine. */
static int give_cookie(SSL *ssl, unsigned char *cookie, unsigned *len)
{
    memcpy(cookie, cookie_of(ssl), DTLSGUARD_COOKIE_LEN);
    *len = DTLSGUARD_COOKIE_LEN;
    return 1;
}

static int check_cookie(SSL *ssl, const unsigned char *cookie, unsigned len)
{
    return len == DTLSGUARD_COOKIE_LEN && memcmp(cookie, cookie_of(ssl), len) == 0;
}

SSL_CTX *dtlsctx_new(const struct cert *cert, bool client)
{
    char groups[] = GROUPS; /* OpenSSL's macros cast const away */
    char schemes[] = DTLSPROOF_SCHEMES;
    SSL_CTX *ctx = SSL_CTX_new(client ? DTLS_client_method() : DTLS_server_method());
    if (!ctx)
        return NULL;
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_QUERY_MTU |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION |
                                 (client ? 0 : SSL_OP_COOKIE_EXCHANGE));
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any_chain);
    SSL_CTX_set_max_cert_list(ctx, CERT_LIST_MAX);
    SSL_CTX_set_cookie_generate_cb(ctx, give_cookie);
    SSL_CTX_set_cookie_verify_cb(ctx, check_cookie);
    bool ok = SSL_CTX_set_min_proto_version(ctx, DTLS1_2_VERSION) == 1 &&
              SSL_CTX_set_max_proto_version(ctx, DTLS1_2_VERSION) == 1 &&
              SSL_CTX_set_cipher_list(ctx, client ? CLIENT_CIPHERS : CIPHERS) == 1 &&
              SSL_CTX_set1_groups_list(ctx, groups) == 1 &&
              SSL_CTX_set1_client_sigalgs_list(ctx, schemes) == 1 &&
              SSL_CTX_set_tlsext_use_srtp(ctx, PROFILES) == 0 && /* 0 is success here */
              SSL_CTX_use_certificate(ctx, cert_x509(cert)) == 1 &&
              SSL_CTX_use_PrivateKey(ctx, cert_key(cert)) == 1;
    if (!ok) {
        SSL_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}
