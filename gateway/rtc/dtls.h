/* DTLS 1.2 end of one session without I/O: server, or client for a publisher that is passive
 * (RFC 6347, 5764, 8827 6.5).
 *
 * Datagrams in, datagrams out through a callback, events back. Only feed it datagrams of validated
 * tuples (threats.md U3). As a server it lets OpenSSL see nothing of a handshake that is not the
 * publisher's (dtlsguard.h, U4); a hello that OpenSSL refuses replaces the object,
 * DTLS_RESTARTS_MAX times. As a client it has a strict filter only (U6). Plaintext alerts never
 * count (U9). Keys exist only after the peer's certificate matched a fingerprint of the offer (U7);
 * a wrong certificate ends the handshake one second later, because a forged one looks the same.
 * OpenSSL's retransmission timer runs on the real clock, the limits here run on now_us. */
#ifndef SLUICE_RTC_DTLS_H
#define SLUICE_RTC_DTLS_H

#include "gateway/rtc/cert.h"
#include "gateway/rtc/fingerprint.h"
#include "gateway/rtc/srtp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DTLS_MTU 1200u /* DTLSBIO_MTU */
#define DTLS_RESTARTS_MAX 3u
#define DTLS_RESEND_US 100000u /* first wait for a lost flight; doubled each time (SEC-07) */
#define DTLS_RESEND_MAX_US 800000u
#define DTLS_HANDSHAKE_US (5u * 1000000u) /* from the hello with the cookie to keys (SEC-07) */

struct dtls;

enum dtls_event {
    DTLS_NONE,   /* nothing to report */
    DTLS_KEYED,  /* once: the handshake is done, dtls_get_keys works */
    DTLS_CLOSED, /* once: the peer sent an authenticated close_notify or fatal alert */
    DTLS_FAILED, /* once: no keys will come; dtls_failure says why */
};

enum dtls_failure {
    DTLS_FAILURE_NONE,
    DTLS_FAILURE_TIMEOUT,
    DTLS_FAILURE_HANDSHAKE,   /* no common version, cipher or group, or nonsense, too often */
    DTLS_FAILURE_PROFILE,     /* no common SRTP profile (SEC-09) */
    DTLS_FAILURE_FINGERPRINT, /* the certificate is not the one of the offer */
    DTLS_FAILURE_INTERNAL,    /* out of memory and the like */
};

/* Sends one datagram of at most DTLS_MTU bytes. Called inside the functions below only; must not
 * call into this module. Losing the datagram is allowed. */
typedef void (*dtls_send_fn)(void *ctx, const uint8_t *data, size_t len);

/* cert and peers are copied or referenced as needed; the caller may free them afterwards. count at
 * least 1. 0, -EINVAL, -ENOMEM or -EIO. */
int dtls_new(const struct cert *cert, const struct fingerprint *peers, size_t count,
             dtls_send_fn send, void *ctx, struct dtls **out);
/* The same as client (WHIP-86): nothing is sent before dtls_start. */
int dtls_new_client(const struct cert *cert, const struct fingerprint *peers, size_t count,
                    dtls_send_fn send, void *ctx, struct dtls **out);
void dtls_free(struct dtls *dtls); /* sends nothing; wipes keys; NULL allowed */

/* Client: sends the ClientHello, once; call it after the first valid check, never before
 * (threats.md U3). Server: does nothing. */
enum dtls_event dtls_start(struct dtls *dtls, uint64_t now_us);

/* Takes one datagram (demux class DEMUX_DTLS). Never an error: hostile bytes are dropped. */
enum dtls_event dtls_receive(struct dtls *dtls, const uint8_t *data, size_t len, uint64_t now_us);

/* Call when the deadline has come (earlier or later is allowed): retransmits, or DTLS_FAILED. */
enum dtls_event dtls_on_timer(struct dtls *dtls, uint64_t now_us);
/* When dtls_on_timer wants to be called, UINT64_MAX for never. Changes with every call above. */
uint64_t dtls_deadline_us(const struct dtls *dtls, uint64_t now_us);

/* The SRTP keys; as for srtp_new in either role: client_key is the publisher's. 0, or -EPROTO
 * before DTLS_KEYED. The caller wipes *out. */
int dtls_get_keys(const struct dtls *dtls, struct srtp_keys *out);

/* Sends close_notify if there are keys and wipes them. Later datagrams are dropped. */
void dtls_close(struct dtls *dtls);

enum dtls_failure dtls_failure(const struct dtls *dtls);
const char *dtls_failure_name(enum dtls_failure failure); /* one lower-case word, for logs */
unsigned dtls_restarts(const struct dtls *dtls);          /* OpenSSL objects replaced so far */

#endif
