/* What OpenSSL reads and writes in a handshake: one record in, datagrams out. */
#include "gateway/rtc/dtlsbio.h"

#include <openssl/bio.h>
#include <string.h>

void dtlsbio_put(struct dtlsbio *b, const void *data, size_t len)
{
    if (b->out_count == DTLSBIO_OUT_DATAGRAMS || len > DTLSBIO_OUT_BYTES - b->out_used || len == 0)
        return;
    memcpy(b->out_bytes + b->out_used, data, len);
    b->out_used += len;
    b->out_lens[b->out_count++] = len;
}

void dtlsbio_drop(struct dtlsbio *b, size_t from)
{
    while (b->out_count > from)
        b->out_used -= b->out_lens[--b->out_count];
}

static int on_write(BIO *bio, const char *data, int len)
{
    dtlsbio_put(BIO_get_data(bio), data, len > 0 ? (size_t)len : 0);
    return len;
}

static int on_read(BIO *bio, char *data, int cap)
{
    struct dtlsbio *b = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (b->record_len == 0 || cap <= 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t len = b->record_len < (size_t)cap ? b->record_len : (size_t)cap;
    memcpy(data, b->record, len);
    b->record_len = 0;
    return (int)len;
}

static long on_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_DGRAM_QUERY_MTU:
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
        return DTLSBIO_MTU;
    default:
        return 0;
    }
}

bool dtlsbio_init(struct dtlsbio *b)
{
    b->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "sluice datagrams");
    return b->method && BIO_meth_set_write(b->method, on_write) == 1 &&
           BIO_meth_set_read(b->method, on_read) == 1 && BIO_meth_set_ctrl(b->method, on_ctrl) == 1;
}

void dtlsbio_done(struct dtlsbio *b)
{
    BIO_meth_free(b->method);
    b->method = NULL;
}

BIO *dtlsbio_new_bio(struct dtlsbio *b)
{
    BIO *bio = BIO_new(b->method);
    if (bio) {
        BIO_set_data(bio, b);
        BIO_set_init(bio, 1);
    }
    return bio;
}
