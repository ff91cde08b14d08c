/* A fresh P-256 key with a self-signed certificate, made for one session (SEC-13). */
#include "gateway/rtc/cert.h"

#include "lib/base/secret.h"

#include <assert.h>
#include <errno.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>

/* The peer looks at the fingerprint only; generous dates forgive wrong clocks. */
#define NOT_BEFORE_S (-86400L)
#define NOT_AFTER_S (7L * 86400L)

struct cert {
    EVP_PKEY *key;
    X509 *x509;
};

static bool set_serial(X509 *x509)
{
    uint64_t serial = 0;
    secret_random(&serial, sizeof(serial));
    serial = serial >> 1 | 1; /* positive, RFC 5280 4.1.2.2 */
    return ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), serial) == 1;
}

static bool set_names(X509 *x509)
{
    static const unsigned char common_name[] = "WebRTC";
    X509_NAME *name = X509_get_subject_name(x509);
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common_name, -1, -1, 0) == 1 &&
           X509_set_issuer_name(x509, name) == 1;
}

static bool fill(struct cert *cert)
{
    cert->key = EVP_EC_gen("P-256");
    cert->x509 = X509_new();
    if (!cert->key || !cert->x509)
        return false;
    return X509_set_version(cert->x509, X509_VERSION_3) == 1 && set_serial(cert->x509) &&
           X509_gmtime_adj(X509_getm_notBefore(cert->x509), NOT_BEFORE_S) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(cert->x509), NOT_AFTER_S) != NULL &&
           set_names(cert->x509) && X509_set_pubkey(cert->x509, cert->key) == 1 &&
           X509_sign(cert->x509, cert->key, EVP_sha256()) > 0;
}

int cert_new(struct cert **out)
{
    struct cert *cert = calloc(1, sizeof(*cert));
    if (!cert)
        return -ENOMEM;
    if (!fill(cert)) {
        cert_free(cert);
        return -EIO;
    }
    *out = cert;
    return 0;
}

void cert_free(struct cert *cert)
{
    if (!cert)
        return;
    EVP_PKEY_free(cert->key); /* OpenSSL clears private numbers when it frees them */
    X509_free(cert->x509);
    free(cert);
}

int cert_hash(const struct x509_st *x509, enum fingerprint_algorithm algorithm,
              struct fingerprint *out)
{
    const EVP_MD *md = NULL;
    if (algorithm == FINGERPRINT_SHA256)
        md = EVP_sha256();
    else if (algorithm == FINGERPRINT_SHA384)
        md = EVP_sha384();
    else if (algorithm == FINGERPRINT_SHA512)
        md = EVP_sha512();
    else
        return -ENOTSUP;
    struct fingerprint f = {.algorithm = algorithm};
    unsigned len = sizeof(f.hash);
    if (X509_digest(x509, md, f.hash, &len) != 1)
        return -EIO;
    f.len = len;
    *out = f;
    return 0;
}

void cert_fingerprint(const struct cert *cert, struct fingerprint *out)
{
    int err = cert_hash(cert->x509, FINGERPRINT_SHA256, out);
    assert(err == 0); /* SHA-256 worked when the certificate was signed */
    (void)err;
}

struct x509_st *cert_x509(const struct cert *cert)
{
    return cert->x509;
}

struct evp_pkey_st *cert_key(const struct cert *cert)
{
    return cert->key;
}
