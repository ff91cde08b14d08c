/* A publisher without sockets for the session tests: STUN checks, a DTLS client, SRTP. */
#ifndef SLUICE_TESTS_INGEST_CLIENT_H
#define SLUICE_TESTS_INGEST_CLIENT_H

#include "gateway/rtc/cert.h"
#include "gateway/rtc/srtp.h"
#include "lib/base/writer.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

static inline uint32_t client_crc32(const uint8_t *data, size_t len)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

/* A Binding request of RFC 8489 with PRIORITY, ICE-CONTROLLING and, if asked, USE-CANDIDATE. */
static inline size_t client_check_as(const char *ufrag, const char *peer, const char *pwd,
                                     bool nominate, uint8_t *to)
{
    char name[64];
    struct writer w;
    unsigned mac_len = 20;
    int name_len = snprintf(name, sizeof(name), "%s:%s", ufrag, peer);
    writer_init(&w, to, 512);
    writer_u16(&w, 1);
    writer_u16(&w, 0);
    writer_u32(&w, 0x2112a442);
    writer_bytes(&w, "transaction!", 12);
    writer_u16(&w, 0x0006);
    writer_u16(&w, (uint16_t)name_len);
    writer_bytes(&w, name, (size_t)name_len);
    writer_zeros(&w, (4 - (size_t)name_len % 4) % 4);
    writer_u32(&w, 0x00240004);
    writer_u32(&w, 1845501695);
    writer_u32(&w, 0x802a0008);
    writer_u64(&w, 7);
    if (nominate)
        writer_u32(&w, 0x00250000);
    writer_patch_u16(&w, 2, (uint16_t)(w.len - 20 + 24));
    size_t signed_len = w.len;
    writer_u32(&w, 0x00080014);
    writer_zeros(&w, 20);
    HMAC(EVP_sha1(), pwd, (int)strlen(pwd), to, signed_len, to + signed_len + 4, &mac_len);
    writer_patch_u16(&w, 2, (uint16_t)(w.len - 20 + 8));
    uint32_t crc = client_crc32(to, w.len) ^ 0x5354554e;
    writer_u32(&w, 0x80280004);
    writer_u32(&w, crc);
    assert(writer_ok(&w));
    return w.len;
}

static inline size_t client_check(const char *ufrag, const char *pwd, bool nominate, uint8_t *to)
{
    return client_check_as(ufrag, "peer", pwd, nominate, to);
}

struct client {
    SSL_CTX *ctx;
    SSL *ssl;
    struct cert *cert;
    struct srtp *srtp;
    bool passive; /* DTLS server */
    bool closed;
};

/* What we are shown is for the other tests to look at. */
static inline int client_takes_any(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 1;
}

/* 0 or -1. */
static inline int client_open(struct client *c)
{
    memset(c, 0, sizeof(*c));
    if (cert_new(&c->cert) != 0)
        return -1;
    c->ctx = SSL_CTX_new(DTLS_method());
    if (!c->ctx || SSL_CTX_use_certificate(c->ctx, cert_x509(c->cert)) != 1 ||
        SSL_CTX_use_PrivateKey(c->ctx, cert_key(c->cert)) != 1 ||
        SSL_CTX_set_tlsext_use_srtp(c->ctx, "SRTP_AEAD_AES_128_GCM") != 0)
        return -1;
    c->ssl = SSL_new(c->ctx);
    if (!c->ssl)
        return -1;
    SSL_set_bio(c->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(c->ssl);
    SSL_set_options(c->ssl, SSL_OP_NO_QUERY_MTU);
    SSL_set_mtu(c->ssl, 1200);
    return 0;
}

static inline void client_close(struct client *c)
{
    srtp_free(c->srtp);
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    cert_free(c->cert);
}

/* What the client wants to send as one datagram; 0 when nothing. */
static inline size_t client_output(struct client *c, uint8_t *to, size_t cap)
{
    int len = BIO_read(SSL_get_wbio(c->ssl), to, (int)cap);
    return len > 0 ? (size_t)len : 0;
}

/* Before the first message: the publisher waits for our ClientHello. */
static inline void client_be_passive(struct client *c)
{
    c->passive = true;
    SSL_set_accept_state(c->ssl);
    SSL_set_verify(c->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, client_takes_any);
}

/* Goes on with the handshake, with or without input. */
static inline void client_input(struct client *c, const uint8_t *data, size_t len)
{
    uint8_t ignored[64];
    if (len > 0)
        (void)BIO_write(SSL_get_rbio(c->ssl), data, (int)len);
    if (SSL_do_handshake(c->ssl) == 1) {
        (void)SSL_read(c->ssl, ignored, sizeof(ignored));
        c->closed = (SSL_get_shutdown(c->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
    }
}

/* 0 when the handshake is done and srtp exists. */
static inline int client_secure(struct client *c)
{
    uint8_t material[2 * (16 + 12)];
    struct srtp_keys keys = {.suite = SRTP_SUITE_AEAD_AES_128_GCM};
    if (!SSL_is_init_finished(c->ssl) ||
        SSL_export_keying_material(c->ssl, material, sizeof(material), "EXTRACTOR-dtls_srtp", 19,
                                   NULL, 0, 0) != 1)
        return -1;
    size_t own = c->passive ? 1 : 0; /* for srtp.h the client is the publisher */
    memcpy(keys.client_key, material + 16 * own, 16);
    memcpy(keys.server_key, material + 16 * (1 - own), 16);
    memcpy(keys.client_salt, material + 32 + 12 * own, 12);
    memcpy(keys.server_salt, material + 32 + 12 * (1 - own), 12);
    return srtp_new_client(&keys, &c->srtp);
}

#endif
