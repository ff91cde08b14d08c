/* Uses each library of this folder once, so that nothing is loaded or opened inside the sandbox. */
#include "gateway/rtc/rtcwarm.h"

#include "gateway/rtc/cert.h"
#include "gateway/rtc/dtls.h"
#include "gateway/rtc/ice.h"
#include "gateway/rtc/srtp.h"
#include "lib/base/secret.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#define ROUNDS 8u /* a handshake takes two */
#define DATAGRAM_MAX 1500

struct rtcwarm {
    struct srtp_warmth *srtp;
};

/* A publisher in the same process: memory BIOs keep datagrams whole because each is read at once.
 */
struct publisher {
    SSL_CTX *ctx;
    SSL *ssl;
};

static void publisher_done(struct publisher *p)
{
    SSL_free(p->ssl);
    SSL_CTX_free(p->ctx);
}

static bool publisher_init(struct publisher *p, const struct cert *cert)
{
    *p = (struct publisher){.ctx = SSL_CTX_new(DTLS_client_method())};
    if (!p->ctx || SSL_CTX_set_tlsext_use_srtp(p->ctx, "SRTP_AEAD_AES_128_GCM") != 0 ||
        SSL_CTX_use_certificate(p->ctx, cert_x509(cert)) != 1 ||
        SSL_CTX_use_PrivateKey(p->ctx, cert_key(cert)) != 1)
        return false;
    SSL_CTX_set_options(p->ctx, SSL_OP_NO_QUERY_MTU);
    p->ssl = SSL_new(p->ctx);
    BIO *in = BIO_new(BIO_s_mem());
    BIO *out = BIO_new(BIO_s_mem());
    if (!p->ssl || !in || !out) {
        BIO_free(in);
        BIO_free(out);
        return false;
    }
    BIO_set_mem_eof_return(in, -1); /* empty means: try again */
    SSL_set_bio(p->ssl, in, out);   /* takes both over */
    SSL_set_connect_state(p->ssl);
    SSL_set_mtu(p->ssl, DTLS_MTU);
    return true;
}

static void to_publisher(void *ctx, const uint8_t *data, size_t len)
{
    struct publisher *p = ctx;
    (void)BIO_write(SSL_get_rbio(p->ssl), data, (int)len);
    (void)SSL_do_handshake(p->ssl);
}

/* The whole flight goes as one datagram, which the other end accepts up to 1,500 bytes. */
static enum dtls_event exchange(struct publisher *p, struct dtls *server)
{
    enum dtls_event event = DTLS_NONE;
    for (unsigned i = 0; i < ROUNDS && event == DTLS_NONE; i++) {
        uint8_t datagram[DATAGRAM_MAX];
        (void)SSL_do_handshake(p->ssl);
        int len = BIO_read(SSL_get_wbio(p->ssl), datagram, sizeof(datagram));
        if (len > 0)
            event = dtls_receive(server, datagram, (size_t)len, 1);
    }
    return event;
}

static int warm_dtls(void)
{
    struct cert *cert = NULL;
    struct dtls *server = NULL;
    struct publisher publisher = {.ctx = NULL};
    struct fingerprint fingerprint;
    struct srtp_keys keys;
    struct srtp *srtp = NULL;
    int err = cert_new(&cert);
    if (err < 0)
        goto out;
    cert_fingerprint(cert, &fingerprint);
    if (!publisher_init(&publisher, cert)) {
        err = -EIO;
        goto out;
    }
    err = dtls_new(cert, &fingerprint, 1, to_publisher, &publisher, &server);
    if (err < 0)
        goto out;
    if (exchange(&publisher, server) != DTLS_KEYED) {
        err = -EIO;
        goto out;
    }
    err = dtls_get_keys(server, &keys);
    if (err == 0)
        err = srtp_new(&keys, &srtp);
    secret_wipe(&keys, sizeof(keys));
    dtls_close(server);
out:
    srtp_free(srtp);
    dtls_free(server);
    publisher_done(&publisher);
    cert_free(cert);
    ERR_clear_error();
    return err;
}

int rtcwarm_new(struct rtcwarm **out)
{
    struct rtcwarm *warm = calloc(1, sizeof(*warm));
    if (!warm)
        return -ENOMEM;
    int err = ice_warm();
    if (err == 0)
        err = srtp_warm(&warm->srtp);
    if (err == 0)
        err = warm_dtls();
    if (err < 0) {
        rtcwarm_free(warm);
        return err;
    }
    *out = warm;
    return 0;
}

void rtcwarm_free(struct rtcwarm *warm)
{
    if (!warm)
        return;
    srtp_warmth_free(warm->srtp);
    free(warm);
}
