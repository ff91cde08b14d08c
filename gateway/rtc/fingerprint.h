/* Hashes that certificates are recognised by (RFC 8122 5). */
#ifndef SLUICE_RTC_FINGERPRINT_H
#define SLUICE_RTC_FINGERPRINT_H

#include "lib/base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FINGERPRINT_HASH_MAX 64u  /* bytes of the longest hash, SHA-512 */
#define FINGERPRINT_TEXT_MAX 208u /* room for "sha-512 " and the digits, NUL included */

/* Ordered from weak to strong. Weak ones are recognised so that they can be refused (W7). */
enum fingerprint_algorithm {
    FINGERPRINT_UNKNOWN,
    FINGERPRINT_WEAK, /* md2, md5, sha-1, sha-224 */
    FINGERPRINT_SHA256,
    FINGERPRINT_SHA384,
    FINGERPRINT_SHA512,
};

/* Invariant: len is the hash's length, 0 for UNKNOWN and WEAK. */
struct fingerprint {
    enum fingerprint_algorithm algorithm;
    size_t len;
    uint8_t hash[FINGERPRINT_HASH_MAX];
};

/* Reads the value of an a=fingerprint line: `sha-256 AB:CD:...`, letters in any case. 0 also for
 * algorithms that we do not use (UNKNOWN, WEAK); -EBADMSG when a known hash has a wrong form. */
int fingerprint_parse(struct slice text, struct fingerprint *out);

/* Writes the same form in upper case. algorithm must be SHA256 or stronger. */
void fingerprint_format(const struct fingerprint *f, char out[FINGERPRINT_TEXT_MAX]);

/* True when one of the list's strongest algorithm equals the hash of the certificate (SEC-03).
 * hash_of gives that certificate's hash, false when it cannot; a list without usable entries never
 * matches. */
typedef bool (*fingerprint_hash_fn)(void *ctx, enum fingerprint_algorithm algorithm,
                                    struct fingerprint *out);
bool fingerprint_matches(const struct fingerprint *list, size_t count, fingerprint_hash_fn hash_of,
                         void *ctx);

#endif
