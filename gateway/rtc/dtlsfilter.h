/* Decides which records of a DTLS datagram may reach OpenSSL (threats.md U4, U6, U9).
 *
 * DTLS 1.2 record, all integers big-endian:
 *   type 1 | version 2 | epoch 2 | sequence 6 | length 2 | fragment
 * handshake message inside an epoch 0 fragment:
 *   type 1 | length 3 | msg_seq 2 | fragment_offset 3 | fragment_length 3 | body
 *
 * A client's plaintext flight is known in advance: ClientHello 0, Certificate 1, ClientKeyExchange
 * 2, CertificateVerify 3, ChangeCipherSpec. Nothing else of epoch 0 passes, no alert above all. */
#ifndef SLUICE_RTC_DTLSFILTER_H
#define SLUICE_RTC_DTLSFILTER_H

#include "lib/base/reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DTLSFILTER_MESSAGE_MAX 4096u /* claimed length of a handshake message */
#define DTLSFILTER_EARLY_MAX 16u     /* encrypted records let through before keys, per handshake */

/* State of one handshake; all zero at the start and after a restart. */
struct dtlsfilter {
    bool keyed;      /* set by the caller after the handshake: then only epoch 1 passes */
    bool hello_seen; /* a ClientHello passed: before that nothing else does */
    unsigned early;  /* encrypted records passed so far */
};

/* Takes the next record of the datagram that may pass, borrowed from it. False at the end; a record
 * that does not fit ends the datagram. Start with a reader over one datagram. */
bool dtlsfilter_next(struct dtlsfilter *filter, struct reader *datagram, const uint8_t **out_record,
                     size_t *out_len);

#endif
