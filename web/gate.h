/* The gate before any handler: refuses request heads that two HTTP parsers could read differently
 * (threats.md H3) or that are too big (H4). The HTTP library lets them through. */
#ifndef SLUICE_WEB_GATE_H
#define SLUICE_WEB_GATE_H

#include "lib/base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Invariant: status is 0 while nothing is wrong, else the status of the first thing that was. */
struct gate {
    unsigned status;
    bool http11;
    size_t header_bytes;
    unsigned hosts;
    unsigned lengths;
    unsigned encodings;
    unsigned authorizations;
    uint64_t content_length; /* 0: none was named */
    bool chunked;
    bool expects; /* 100-continue: the body waits for our word (RFC 9110 10.1.1) */
};

enum gate_body {
    GATE_BODY_TAKE,
    GATE_BODY_DROP,   /* read it, so that its sender gets to see the answer, and keep nothing */
    GATE_BODY_REFUSE, /* answer at once: it has not been sent yet, or it is too long to be read */
};

/* The request line. target is what was sent; a space, a control byte or a first character other
 * than / gives 400, more than REQUEST_TARGET_MAX bytes 414, another version than HTTP/1.0 and
 * HTTP/1.1 400. */
void gate_line(struct gate *gate, struct slice target, struct slice version);
/* Each header field in turn. Names outside token characters (RFC 9110 5.6.2) and control bytes in
 * values give 400, more than REQUEST_HEADERS_MAX bytes in all 431. */
void gate_header(struct gate *gate, struct slice name, struct slice value);
/* The verdict: 0, or the status to answer with before the connection is closed. 400 for repeated
 * Host, Authorization, Content-Length or Transfer-Encoding, for both of the last two, for a coding
 * other than chunked, and for HTTP/1.1 without Host. */
unsigned gate_verdict(const struct gate *gate);
/* What becomes of the body, when the verdict is 0. limit: how much of it the head entitles its
 * sender to (0: nothing); max_dropped: how much is read in vain at most. */
enum gate_body gate_body(const struct gate *gate, uint64_t limit, uint64_t max_dropped);

#endif
