/* ICE-lite responder: authenticates Binding requests and answers them (RFC 8445 7.3, RFC 8489).
 *
 * A strict pre-parser runs first; only what it passes reaches libnice's STUN layer (threats.md U1,
 * U2; findings/ingest.md 2). Whatever is not authentic gets no answer at all. Not constant time in
 * the integrity compare: libnice uses memcmp on the HMAC. Only ice.c includes libnice. */
#ifndef SLUICE_RTC_ICE_H
#define SLUICE_RTC_ICE_H

#include "lib/base/addr.h"
#include "lib/base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ICE_REQUEST_MAX 1400u /* bytes; longer requests are dropped */
#define ICE_REPLY_MAX 640u    /* a buffer of this size holds any reply */
#define ICE_UFRAG_MAX 256u

/* The halves of USERNAME `local:remote`, borrowed from the datagram. Unauthenticated. */
struct ice_info {
    struct slice local_ufrag;
    struct slice remote_ufrag;
};

/* Checks the form of a Binding request: cookie, length, every attribute's bounds, exactly one
 * USERNAME and MESSAGE-INTEGRITY, nothing but FINGERPRINT behind it and FINGERPRINT last. Cheap (no
 * hash, no allocation). 0 or -EBADMSG: drop silently. */
int ice_precheck(const uint8_t *data, size_t len, struct ice_info *out);

/* The session's secrets as NUL-terminated strings. */
struct ice_credentials {
    const char *ufrag;      /* ours */
    const char *pwd;        /* ours */
    const char *peer_ufrag; /* theirs from the offer; NULL: not compared (edge does not know it) */
};

enum ice_verdict {
    ICE_DROP,   /* not authentic or not well-formed: no reply, no sign of life */
    ICE_ACCEPT, /* authentic: send the reply, the source address is validated */
    ICE_REFUSE, /* authentic but refused (487 role conflict, 420 unknown attribute): send the reply;
                   counts as a sign of life, not as nomination */
};

/* True when data is a well-formed Binding request for these credentials with the right
 * MESSAGE-INTEGRITY and FINGERPRINT. Makes no reply: for edge. */
bool ice_verify(const uint8_t *data, size_t len, const struct ice_credentials *credentials);

/* Authenticates data as ice_verify does and writes the reply for the peer at `from` to out, which
 * has room for cap bytes; below ICE_REPLY_MAX nothing is answered. *out_use_candidate tells whether
 * the request nominates its path. With ICE_DROP the outputs are 0 and false. */
enum ice_verdict ice_answer(const uint8_t *data, size_t len,
                            const struct ice_credentials *credentials, const struct addr *from,
                            uint8_t *out, size_t cap, size_t *out_len, bool *out_use_candidate);

/* Runs each code path once, so that no library is loaded and no file opened later. Call it before
 * the sandbox. 0 or -ENOTSUP when the libraries do not work. */
int ice_warm(void);

#endif
