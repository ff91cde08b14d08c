/* What OpenSSL reads and writes in a handshake: one record in, datagrams out (a part of dtls.c).
 *
 * Datagrams that OpenSSL wrote are held back until the outcome of the call is known: the alert of
 * an object that will be replaced must not reach the peer. */
#ifndef SLUICE_RTC_DTLSBIO_H
#define SLUICE_RTC_DTLSBIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DTLSBIO_MTU 1200u
#define DTLSBIO_RECORD_MAX 4200u /* a whole handshake message of dtlsflight.h fits */
#define DTLSBIO_OUT_BYTES 12288u /* a flight with our certificate takes about 1 KiB */
#define DTLSBIO_OUT_DATAGRAMS 32u

struct bio_st;
struct bio_method_st;

struct dtlsbio {
    struct bio_method_st *method;
    size_t record_len; /* of what OpenSSL reads next; 0: nothing */
    uint8_t record[DTLSBIO_RECORD_MAX];
    size_t out_count;
    size_t out_used;
    size_t out_lens[DTLSBIO_OUT_DATAGRAMS];
    uint8_t out_bytes[DTLSBIO_OUT_BYTES];
};

/* b all zero. False when OpenSSL has no memory. */
bool dtlsbio_init(struct dtlsbio *b);
void dtlsbio_done(struct dtlsbio *b);

/* A BIO over b for one SSL object; NULL without memory. b must not move. */
struct bio_st *dtlsbio_new_bio(struct dtlsbio *b);

/* Queues a datagram; what does not fit is lost, as on a network. */
void dtlsbio_put(struct dtlsbio *b, const void *data, size_t len);
/* Forgets the queued datagrams from number `from` on. */
void dtlsbio_drop(struct dtlsbio *b, size_t from);

#endif
