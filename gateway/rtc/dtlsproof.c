/* Checks a DTLS client's certificate hash and its signature over the handshake. */
#include "gateway/rtc/dtlsproof.h"

#include "lib/base/reader.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

/* certificate_list<3> of certificate<3>; the first is the peer's own. */
static struct slice first_certificate(const uint8_t *message, size_t len)
{
    struct reader r;
    reader_init(&r, message, len);
    struct reader list = reader_sub(&r, reader_u24(&r));
    size_t der_len = reader_u24(&list);
    const uint8_t *der = reader_bytes(&list, der_len);
    return reader_ok(&list) ? slice_make(der, der_len) : slice_of(NULL);
}

static bool hash_der(void *ctx, enum fingerprint_algorithm algorithm, struct fingerprint *out)
{
    const struct slice *der = ctx;
    const EVP_MD *md = NULL;
    unsigned len = 0;
    if (algorithm == FINGERPRINT_SHA256)
        md = EVP_sha256();
    else if (algorithm == FINGERPRINT_SHA384)
        md = EVP_sha384();
    else if (algorithm == FINGERPRINT_SHA512)
        md = EVP_sha512();
    if (!md || EVP_Digest(der->data, der->len, out->hash, &len, md, NULL) != 1)
        return false;
    out->algorithm = algorithm;
    out->len = len;
    return true;
}

bool dtlsproof_matches(const uint8_t *certificate, size_t len, const struct fingerprint *peers,
                       size_t count)
{
    struct slice der = first_certificate(certificate, len);
    return der.len > 0 && fingerprint_matches(peers, count, hash_der, &der);
}

struct scheme {
    unsigned code; /* RFC 8446 4.2.3; the same numbers as RFC 5246's pairs */
    int key;
    const EVP_MD *(*md)(void); /* NULL: the key's own */
    bool pss;
};

static const struct scheme *find_scheme(unsigned code)
{
    static const struct scheme schemes[] = {
        {0x0403, EVP_PKEY_EC, EVP_sha256, false},  {0x0503, EVP_PKEY_EC, EVP_sha384, false},
        {0x0603, EVP_PKEY_EC, EVP_sha512, false},  {0x0807, EVP_PKEY_ED25519, NULL, false},
        {0x0804, EVP_PKEY_RSA, EVP_sha256, true},  {0x0805, EVP_PKEY_RSA, EVP_sha384, true},
        {0x0806, EVP_PKEY_RSA, EVP_sha512, true},  {0x0401, EVP_PKEY_RSA, EVP_sha256, false},
        {0x0501, EVP_PKEY_RSA, EVP_sha384, false}, {0x0601, EVP_PKEY_RSA, EVP_sha512, false},
    };
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (schemes[i].code == code)
            return &schemes[i];
    }
    return NULL;
}

static bool verify_signature(EVP_PKEY *key, const struct scheme *scheme, struct slice signature,
                             const uint8_t *transcript, size_t len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *details = NULL; /* belongs to ctx */
    bool ok = ctx && EVP_PKEY_get_base_id(key) == scheme->key &&
              EVP_DigestVerifyInit(ctx, &details, scheme->md ? scheme->md() : NULL, NULL, key) == 1;
    if (ok && scheme->pss)
        ok = EVP_PKEY_CTX_set_rsa_padding(details, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(details, RSA_PSS_SALTLEN_DIGEST) == 1;
    ok = ok && EVP_DigestVerify(ctx, (const unsigned char *)signature.data, signature.len,
                                transcript, len) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

bool dtlsproof_check(const uint8_t *certificate, size_t len, const uint8_t *verify,
                     size_t verify_len, const uint8_t *transcript, size_t transcript_len)
{
    struct slice der = first_certificate(certificate, len);
    const unsigned char *at = (const unsigned char *)der.data;
    struct reader r;
    reader_init(&r, verify, verify_len);
    const struct scheme *scheme = find_scheme(reader_u16(&r));
    size_t signature_len = reader_u16(&r);
    const uint8_t *signature = reader_bytes(&r, signature_len);
    if (!reader_ok(&r) || reader_left(&r) > 0 || !scheme || der.len == 0 || der.len > LONG_MAX)
        return false;
    X509 *x509 = d2i_X509(NULL, &at, (long)der.len);
    EVP_PKEY *key = x509 ? X509_get0_pubkey(x509) : NULL;
    bool ok = key && verify_signature(key, scheme, slice_make(signature, signature_len), transcript,
                                      transcript_len);
    X509_free(x509);
    ERR_clear_error();
    return ok;
}
