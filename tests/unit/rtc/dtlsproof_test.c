/* A DTLS client's certificate hash and signature, checked outside of OpenSSL's handshake:
 * threats.md U4, U7. */
#include "gateway/rtc/dtlsproof.h"

#include "gateway/rtc/cert.h"
#include "lib/base/writer.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct message {
    size_t len;
    uint8_t bytes[2048];
};

static struct message certificate_of(const X509 *x509)
{
    struct message m;
    struct writer w;
    unsigned char *der = NULL;
    int len = i2d_X509(x509, &der);
    assert_true(len > 0);
    writer_init(&w, m.bytes, sizeof(m.bytes));
    writer_u24(&w, (uint32_t)len + 3);
    writer_u24(&w, (uint32_t)len);
    writer_bytes(&w, der, (size_t)len);
    OPENSSL_free(der);
    assert_true(writer_ok(&w));
    m.len = w.len;
    return m;
}

static struct message sign(EVP_PKEY *key, unsigned scheme, const EVP_MD *md, bool pss,
                           const void *text, size_t len)
{
    struct message m = {.len = 0};
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *details = NULL;
    size_t signature_len = sizeof(m.bytes) - 4;
    assert_int_equal(EVP_DigestSignInit(ctx, &details, md, NULL, key), 1);
    if (pss) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(details, RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(details, RSA_PSS_SALTLEN_DIGEST), 1);
    }
    assert_int_equal(EVP_DigestSign(ctx, m.bytes + 4, &signature_len, text, len), 1);
    EVP_MD_CTX_free(ctx);
    m.bytes[0] = (uint8_t)(scheme >> 8);
    m.bytes[1] = (uint8_t)scheme;
    m.bytes[2] = (uint8_t)(signature_len >> 8);
    m.bytes[3] = (uint8_t)signature_len;
    m.len = 4 + signature_len;
    return m;
}

/* A bare certificate around a key: nobody checks its own signature. */
static X509 *wrap(EVP_PKEY *key, const EVP_MD *md)
{
    X509 *x509 = X509_new();
    assert_non_null(x509);
    assert_int_equal(X509_set_pubkey(x509, key), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509), 0);
    X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
    assert_true(X509_sign(x509, key, md) > 0);
    return x509;
}

static void U7_hash_of_the_first_certificate(void **state)
{
    struct cert *cert = NULL;
    struct fingerprint peers[2];
    (void)state;
    assert_int_equal(cert_new(&cert), 0);
    struct message m = certificate_of(cert_x509(cert));
    cert_fingerprint(cert, &peers[0]);
    assert_true(dtlsproof_matches(m.bytes, m.len, peers, 1));
    assert_int_equal(cert_hash(cert_x509(cert), FINGERPRINT_SHA512, &peers[1]), 0);
    assert_true(dtlsproof_matches(m.bytes, m.len, peers, 2));
    peers[1].hash[63] ^= 1; /* the strongest counts (SEC-03) */
    assert_false(dtlsproof_matches(m.bytes, m.len, peers, 2));
    for (size_t i = 0; i < m.len; i++) { /* any changed byte */
        m.bytes[i] ^= 1;
        assert_false(dtlsproof_matches(m.bytes, m.len, peers, 1));
        m.bytes[i] ^= 1;
    }
    for (size_t len = 0; len < m.len; len++)
        assert_false(dtlsproof_matches(m.bytes, len, peers, 1));
    assert_false(dtlsproof_matches(m.bytes, 0, peers, 1));
    cert_free(cert);
}

static void expect_scheme(EVP_PKEY *key, unsigned scheme, const EVP_MD *md, bool pss)
{
    static const char text[] = "everything that was said";
    X509 *x509 = wrap(key, EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256());
    struct message c = certificate_of(x509);
    struct message v = sign(key, scheme, md, pss, text, sizeof(text));
    const uint8_t *said = (const uint8_t *)text;
    assert_true(dtlsproof_check(c.bytes, c.len, v.bytes, v.len, said, sizeof(text)));
    assert_false(dtlsproof_check(c.bytes, c.len, v.bytes, v.len, said, sizeof(text) - 1));
    for (size_t len = 0; len < v.len; len++)
        assert_false(dtlsproof_check(c.bytes, c.len, v.bytes, len, said, sizeof(text)));
    v.bytes[v.len - 1] ^= 1;
    assert_false(dtlsproof_check(c.bytes, c.len, v.bytes, v.len, said, sizeof(text)));
    v.bytes[v.len - 1] ^= 1;
    v.bytes[0] ^= 0x40; /* an unknown scheme */
    assert_false(dtlsproof_check(c.bytes, c.len, v.bytes, v.len, said, sizeof(text)));
    X509_free(x509);
}

static void U4_signatures_of_every_scheme(void **state)
{
    EVP_PKEY *ec = EVP_EC_gen("P-256");
    EVP_PKEY *rsa = EVP_RSA_gen(2048);
    EVP_PKEY *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    (void)state;
    assert_true(ec && rsa && ed);
    expect_scheme(ec, 0x0403, EVP_sha256(), false);
    expect_scheme(ec, 0x0503, EVP_sha384(), false);
    expect_scheme(ec, 0x0603, EVP_sha512(), false);
    expect_scheme(rsa, 0x0401, EVP_sha256(), false);
    expect_scheme(rsa, 0x0501, EVP_sha384(), false);
    expect_scheme(rsa, 0x0601, EVP_sha512(), false);
    expect_scheme(rsa, 0x0804, EVP_sha256(), true);
    expect_scheme(rsa, 0x0805, EVP_sha384(), true);
    expect_scheme(rsa, 0x0806, EVP_sha512(), true);
    expect_scheme(ed, 0x0807, NULL, false);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ed);
}

static void U4_scheme_of_another_key(void **state)
{
    static const char text[] = "said";
    EVP_PKEY *ec = EVP_EC_gen("P-256");
    X509 *x509 = wrap(ec, EVP_sha256());
    struct message c = certificate_of(x509);
    struct message v = sign(ec, 0x0401, EVP_sha256(), false, text, sizeof(text));
    (void)state;
    assert_false(
        dtlsproof_check(c.bytes, c.len, v.bytes, v.len, (const uint8_t *)text, sizeof(text)));
    c.bytes[6] ^= 0xff; /* no certificate at all */
    v.bytes[0] = 4;
    v.bytes[1] = 3;
    assert_false(
        dtlsproof_check(c.bytes, c.len, v.bytes, v.len, (const uint8_t *)text, sizeof(text)));
    X509_free(x509);
    EVP_PKEY_free(ec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(U7_hash_of_the_first_certificate),
        cmocka_unit_test(U4_signatures_of_every_scheme),
        cmocka_unit_test(U4_scheme_of_another_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
