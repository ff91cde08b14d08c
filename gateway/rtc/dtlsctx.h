/* The OpenSSL context of one DTLS end: versions, ciphers, groups, SRTP profiles, certificate (a
 * part of dtls.c; protocols.md SEC-01, 06, 08, 11). */
#ifndef SLUICE_RTC_DTLSCTX_H
#define SLUICE_RTC_DTLSCTX_H

#include "gateway/rtc/cert.h"

#include <stdbool.h>

struct ssl_ctx_st;

/* NULL on failure. The SSL objects of a server get, as their app data, the address of a pointer to
 * the session's cookie of DTLSGUARD_COOKIE_LEN bytes. */
struct ssl_ctx_st *dtlsctx_new(const struct cert *cert, bool client);

#endif
