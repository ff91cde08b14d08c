/* Puts the plaintext handshake messages of a DTLS client together from fragments that anybody may
 * have sent (RFC 6347 4.2.3; threats.md U4, U6).
 *
 * Fragments that contradict each other never share a copy: of each kind of message up to
 * DTLSFLIGHT_COPIES are kept, the oldest gives way. Which copy is the real one is not judged here.
 */
#ifndef SLUICE_RTC_DTLSFLIGHT_H
#define SLUICE_RTC_DTLSFLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DTLSFLIGHT_MESSAGE_MAX 4096u
#define DTLSFLIGHT_COPIES 3u

enum dtlsflight_kind {
    DTLSFLIGHT_HELLO,
    DTLSFLIGHT_CERTIFICATE,
    DTLSFLIGHT_KEY_EXCHANGE,
    DTLSFLIGHT_VERIFY,
    DTLSFLIGHT_KINDS
};

/* bytes holds part bytes from offset on, of a message of len. Invariant of the caller: 0 < part,
 * offset + part <= len <= DTLSFLIGHT_MESSAGE_MAX. */
struct dtlsflight_fragment {
    enum dtlsflight_kind kind;
    size_t len;
    size_t offset;
    size_t part;
    const uint8_t *bytes;
};

/* One copy of a message. Invariant: have counts the bits of map; whole means have == len > 0. */
struct dtlsflight_copy {
    bool whole;
    size_t len; /* 0: free */
    size_t have;
    uint8_t map[DTLSFLIGHT_MESSAGE_MAX / 8];
    uint8_t bytes[DTLSFLIGHT_MESSAGE_MAX];
};

/* All zero at the start. */
struct dtlsflight {
    size_t oldest[DTLSFLIGHT_KINDS];
    struct dtlsflight_copy copies[DTLSFLIGHT_KINDS][DTLSFLIGHT_COPIES];
};

/* Adds a fragment. Returns a set (1u << copy) of the copies of its kind that became whole by it. */
unsigned dtlsflight_add(struct dtlsflight *flight, const struct dtlsflight_fragment *fragment);

/* Frees a copy that turned out wrong. */
void dtlsflight_drop(struct dtlsflight *flight, enum dtlsflight_kind kind, size_t copy);

#endif
