/* Fuzzes a DTLS end, of either role, with a sequence of datagrams: two bytes of length, then the
 * datagram. It never gets keys, never sends more than a few times what it receives, and never
 * crashes. */
#include "gateway/rtc/dtls.h"

#include "lib/base/reader.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_send(void *ctx, const uint8_t *data, size_t len)
{
    volatile uint8_t sum = 0;
    (void)ctx;
    if (len == 0 || len > DTLS_MTU)
        abort();
    for (size_t i = 0; i < len; i++)
        sum = (uint8_t)(sum + data[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cert *cert; /* made once: keys are slow */
    const struct fingerprint peer = {.algorithm = FINGERPRINT_SHA256, .len = 32};
    struct dtls *dtls = NULL;
    struct reader r;
    uint64_t now_us = 1;
    if (!cert && cert_new(&cert) < 0)
        abort();
    int err = size & 1 ? dtls_new_client(cert, &peer, 1, on_send, NULL, &dtls)
                       : dtls_new(cert, &peer, 1, on_send, NULL, &dtls);
    if (err < 0)
        abort();
    (void)dtls_start(dtls, now_us);
    reader_init(&r, data, size);
    while (reader_left(&r) > 2) {
        size_t len = reader_u16(&r);
        if (len > reader_left(&r))
            len = reader_left(&r);
        if (dtls_receive(dtls, reader_bytes(&r, len), len, now_us) == DTLS_KEYED)
            abort();
        if (dtls_on_timer(dtls, now_us += 1000) == DTLS_KEYED || dtls_restarts(dtls) > 3)
            abort();
    }
    dtls_close(dtls);
    dtls_free(dtls);
    return 0;
}
