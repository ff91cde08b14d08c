/* The two things about a DTLS client that can be checked outside of OpenSSL's handshake: its
 * certificate's hash, and its signature over the handshake (RFC 5246 7.4.6, 7.4.8; RFC 8122 5). */
#ifndef SLUICE_RTC_DTLSPROOF_H
#define SLUICE_RTC_DTLSPROOF_H

#include "gateway/rtc/fingerprint.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The signature schemes that dtlsproof_check knows, for OpenSSL's list of those it may ask for. */
#define DTLSPROOF_SCHEMES                                                                          \
    "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:" \
    "RSA+SHA256:RSA+SHA384:RSA+SHA512"

/* True when the first certificate of a Certificate message hashes to one of the fingerprints. Looks
 * at nothing inside the certificate. */
bool dtlsproof_matches(const uint8_t *certificate, size_t len, const struct fingerprint *peers,
                       size_t count);

/* True when a CertificateVerify message is the signature of that certificate's key over the
 * transcript. Call it only with a certificate that matched. */
bool dtlsproof_check(const uint8_t *certificate, size_t len, const uint8_t *verify,
                     size_t verify_len, const uint8_t *transcript, size_t transcript_len);

#endif
