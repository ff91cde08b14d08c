/* The real web process with TLS. */
#include "lib/base/clock.h"
#include "tests/support/webrig.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Certificate, NUL, key in PEM. */
static size_t make_pem(char *to, size_t cap)
{
    char *data;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    BIO *out = BIO_new(BIO_s_mem());
    assert_true(key && cert && out);
    assert_int_equal(X509_set_version(cert, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert), 1), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), -3600));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), 86400));
    assert_int_equal(X509_set_pubkey(cert, key), 1);
    X509_NAME *name = X509_get_subject_name(cert);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                                (const unsigned char *)"localhost", -1, -1, 0),
                     1);
    assert_int_equal(X509_set_issuer_name(cert, name), 1);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509(out, cert), 1);
    assert_int_equal(BIO_write(out, "", 1), 1);
    assert_int_equal(PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL), 1);
    long len = BIO_get_mem_data(out, &data);
    assert_true(len > 0 && (size_t)len <= cap);
    memcpy(to, data, (size_t)len);
    BIO_free(out);
    X509_free(cert);
    EVP_PKEY_free(key);
    return (size_t)len;
}

static int tls_get(const struct webrig *rig, int version, const char *ciphers)
{
    static const char request[] =
        "GET /healthz HTTP/1.1\r\n" WEBRIG_HOST "Connection: close\r\n\r\n";
    char text[1024] = "";
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    assert_non_null(ctx);
    (void)SSL_CTX_set_min_proto_version(ctx, version);
    (void)SSL_CTX_set_max_proto_version(ctx, version);
    if (ciphers)
        assert_int_equal(SSL_CTX_set_cipher_list(ctx, ciphers), 1);
    SSL *ssl = SSL_new(ctx);
    int fd = webrig_dial(rig);
    int status = -1;
    assert_int_equal(SSL_set_fd(ssl, fd), 1);
    if (SSL_connect(ssl) == 1) {
        assert_true(SSL_write(ssl, request, sizeof(request) - 1) > 0);
        if (SSL_read(ssl, text, sizeof(text) - 1) > 12)
            status = (int)strtol(text + 9, NULL, 10);
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    (void)close(fd);
    return status;
}

static void H11_tls_1_2_and_1_3_with_strong_ciphers_only(void **state)
{
    struct webrig rig;
    char pem[4096];
    (void)state;
    webrig_start_with(&rig, pem, make_pem(pem, sizeof(pem)));
    assert_int_equal(tls_get(&rig, TLS1_3_VERSION, NULL), 200);
    assert_int_equal(tls_get(&rig, TLS1_2_VERSION, NULL), 200);
    assert_int_equal(tls_get(&rig, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256"), -1);
    assert_int_equal(tls_get(&rig, TLS1_1_VERSION, "DEFAULT:@SECLEVEL=0"), -1);
    assert_true(webrig_is_alive(&rig));
    webrig_stop(&rig);
}

/* Sends a complete ClientHello and nothing after it. */
static void say_hello(int fd)
{
    char *data;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    assert_non_null(ssl);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    assert_int_equal(SSL_connect(ssl), -1);
    long len = BIO_get_mem_data(SSL_get_wbio(ssl), &data);
    assert_true(len > 100);
    webrig_say(fd, data, (size_t)len);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

static void H1_idle_tls_connections_cost_no_cpu(void **state)
{
    struct webrig rig;
    char pem[4096];
    (void)state;
    webrig_start_with(&rig, pem, make_pem(pem, sizeof(pem)));
    int silent = webrig_dial(&rig), half = webrig_dial(&rig), hello_only = webrig_dial(&rig);
    webrig_say_text(half, "\x16\x03\x01\x02");
    say_hello(hello_only);
    assert_int_equal(tls_get(&rig, TLS1_3_VERSION, NULL), 200);
    uint64_t start_us = clock_now_us();
    unsigned long before = webrig_cpu_ticks(rig.peer.pid);
    unsigned ms = webrig_closed_after_ms(silent, start_us, WEBRIG_WAIT_MS, NULL);
    unsigned long used = webrig_cpu_ticks(rig.peer.pid) - before;
    assert_in_range(ms, 8000, 11500);
    assert_true(used <= 5); /* of about 1,000 */
    assert_true(webrig_closed_after_ms(half, start_us, WEBRIG_WAIT_MS, NULL) < 11500);
    assert_true(webrig_closed_after_ms(hello_only, start_us, WEBRIG_WAIT_MS, NULL) < 11500);
    (void)close(silent);
    (void)close(half);
    (void)close(hello_only);
    webrig_stop(&rig);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(H11_tls_1_2_and_1_3_with_strong_ciphers_only),
        cmocka_unit_test(H1_idle_tls_connections_cost_no_cpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
