/* Stands between a hostile network and an OpenSSL server until the publisher's flight is proven:
 * OpenSSL fails for good on the first wrong message, and a client never sends its hello again
 * (threats.md U4).
 *
 *   hello        answered by a HelloVerifyRequest; only one that returns the session's cookie goes
 *                on, so who cannot read the publisher's traffic cannot open a handshake (RFC 6347
 *                4.2.1). Costs a round trip; Pion's servers do the same to all browsers.
 *   certificate  must hash to a fingerprint of the offer before anybody parses it
 *   key exchange and certificate verify: held until one pair carries a signature of that
 *                certificate over the whole handshake; forged ones just stay behind
 *
 * What remains: who guesses the length of a hello in two datagrams can put in a false second half
 * before the real one comes, and a flood of DTLSGUARD_TRIES_MAX forged signatures under the real
 * certificate, which takes a reader of the wire, uses up the tries. Both end in the 5 s limit.
 *
 * Bytes in, messages out; no OpenSSL SSL object in here. */
#ifndef SLUICE_RTC_DTLSGUARD_H
#define SLUICE_RTC_DTLSGUARD_H

#include "gateway/rtc/dtlsflight.h"
#include "gateway/rtc/fingerprint.h"
#include "lib/base/writer.h"

#define DTLSGUARD_COOKIE_LEN 20u
#define DTLSGUARD_TRIES_MAX 64u /* signatures checked in one handshake */
/* A certificate that does not match ends the handshake when no better one came for so long. */
#define DTLSGUARD_WRONG_US 1000000u

struct dtlsguard;

enum dtlsguard_event {
    DTLSGUARD_NONE,
    DTLSGUARD_ASK,    /* send dtlsguard_write_request */
    DTLSGUARD_HELLO,  /* dtlsguard_hello is complete and carries the cookie */
    DTLSGUARD_PROVEN, /* once: dtlsguard_message gives the three messages of the flight */
};

/* A message without its header, borrowed until the next call. */
struct dtlsguard_message {
    uint8_t type;
    uint16_t sequence;
    const uint8_t *body;
    size_t len;
};

/* peers are copied; count at most 8. 0 or -ENOMEM. */
int dtlsguard_new(const struct fingerprint *peers, size_t count, struct dtlsguard **out);
void dtlsguard_free(struct dtlsguard *guard); /* wipes; NULL allowed */
/* Back to waiting for a hello with the same cookie. */
void dtlsguard_restart(struct dtlsguard *guard);

/* Takes the fragment of one plaintext handshake record that passed dtlsfilter. */
enum dtlsguard_event dtlsguard_take(struct dtlsguard *guard, const uint8_t *fragment, size_t len,
                                    uint64_t now_us);

/* The whole HelloVerifyRequest record. */
void dtlsguard_write_request(const struct dtlsguard *guard, struct writer *w);
const uint8_t *dtlsguard_cookie(const struct dtlsguard *guard); /* DTLSGUARD_COOKIE_LEN bytes */

/* The accepted hello; and the same as a first hello without cookie, which brings an OpenSSL server
 * into the state that expects the accepted one: written to w, without header. */
struct dtlsguard_message dtlsguard_hello(const struct dtlsguard *guard);
void dtlsguard_write_primer(const struct dtlsguard *guard, struct writer *w);

/* Tells what the server sent in answer to the hello: one datagram of plaintext records. */
void dtlsguard_note_sent(struct dtlsguard *guard, const uint8_t *datagram, size_t len);

/* After DTLSGUARD_PROVEN: index 0 to 2 are Certificate, ClientKeyExchange, CertificateVerify. */
struct dtlsguard_message dtlsguard_message(const struct dtlsguard *guard, size_t index);

/* When a wrong certificate ends the handshake; UINT64_MAX for never. */
uint64_t dtlsguard_deadline_us(const struct dtlsguard *guard);

#endif
