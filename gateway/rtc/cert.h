/* A fresh P-256 key with a self-signed certificate, made for one session (SEC-13). */
#ifndef SLUICE_RTC_CERT_H
#define SLUICE_RTC_CERT_H

#include "gateway/rtc/fingerprint.h"

struct cert;
struct evp_pkey_st;
struct x509_st;

/* 0, -ENOMEM or -EIO (OpenSSL refused). */
int cert_new(struct cert **out);
void cert_free(struct cert *cert); /* wipes the key; NULL allowed */

/* SHA-256 of the certificate, for the answer. */
void cert_fingerprint(const struct cert *cert, struct fingerprint *out);

/* Hash of any certificate. -ENOTSUP for an algorithm that we do not use, -EIO. */
int cert_hash(const struct x509_st *x509, enum fingerprint_algorithm algorithm,
              struct fingerprint *out);

/* Borrowed, for dtls.c. */
struct x509_st *cert_x509(const struct cert *cert);
struct evp_pkey_st *cert_key(const struct cert *cert);

#endif
