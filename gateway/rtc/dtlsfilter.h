/* Decides which records of a DTLS datagram may reach OpenSSL (threats.md U4, U6, U9).
 *
 * DTLS 1.2 record, all integers big-endian:
 *   type 1 | version 2 | epoch 2 | sequence 6 | length 2 | fragment
 * handshake message inside an epoch 0 fragment:
 *   type 1 | length 3 | msg_seq 2 | fragment_offset 3 | fragment_length 3 | body
 *
 * The plaintext messages of a peer are known in advance, with their places:
 *   a client's  ClientHello 0 and 1, Certificate 2, ClientKeyExchange 3, CertificateVerify 4
 *   a server's  HelloVerifyRequest 0, ServerHello 0, Certificate 1, ServerKeyExchange 2,
 *               CertificateRequest 3, ServerHelloDone 3 or 4, NewSessionTicket 4 to 5;
 *               each but the first one later after a HelloVerifyRequest
 * and ChangeCipherSpec. Nothing else of epoch 0 passes, no alert above all. */
#ifndef SLUICE_RTC_DTLSFILTER_H
#define SLUICE_RTC_DTLSFILTER_H

#include "lib/base/reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DTLSFILTER_MESSAGE_MAX 4096u /* claimed length of a handshake message */
#define DTLSFILTER_EARLY_MAX 16u     /* encrypted records of a server before keys, per handshake */

/* State of one handshake; the rest all zero at the start and after a restart. */
struct dtlsfilter {
    bool from_server; /* set by the caller: the peer is the server, its hello answers ours */
    bool keyed;       /* set by the caller after the handshake: then only epoch 1 passes */
    bool hello_seen;  /* a hello passed: before that nothing else does */
    unsigned early;   /* encrypted records passed so far */
};

/* Takes the next record of the datagram that may pass, borrowed from it. False at the end; a record
 * that does not fit ends the datagram. Start with a reader over one datagram. */
bool dtlsfilter_next(struct dtlsfilter *filter, struct reader *datagram, const uint8_t **out_record,
                     size_t *out_len);

#endif
