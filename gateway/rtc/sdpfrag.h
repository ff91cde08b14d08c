/* SDP fragments of trickle ICE and ICE restarts: the bodies of a WHIP PATCH and of its answer
 * (application/trickle-ice-sdpfrag; RFC 8840 9, RFC 9725 4.3).
 *
 * We are lite: the publisher's candidates are never used, since its checks come to us (RFC 8445
 * 2.5). They are counted, so that a caller can tell a peer that has nothing usable. */
#ifndef SLUICE_RTC_SDPFRAG_H
#define SLUICE_RTC_SDPFRAG_H

#include "gateway/rtc/answer.h"
#include "lib/base/text.h"
#include "lib/base/writer.h"

#include <stdbool.h>
#include <stddef.h>

#define SDPFRAG_TEXT_MAX 16384u
#define SDPFRAG_LINES_MAX 200u
#define SDPFRAG_TYPE "application/trickle-ice-sdpfrag"

/* What a fragment says; slices borrow from its text. */
struct sdpfrag {
    struct slice ufrag; /* the publisher's; never empty */
    struct slice pwd;   /* never empty */
    size_t usable;      /* UDP, or active TCP, candidates with an address */
    size_t dropped;     /* of another transport, or with a name (WHIP-64) */
    bool end;           /* a=end-of-candidates */
};

/* Reads a fragment. Candidates that we cannot use are dropped silently (WHIP-64), unknown lines and
 * mids are skipped. 0; -EBADMSG when it is malformed, has no ice-ufrag or ice-pwd, or two of them
 * that differ (WHIP-20); -EMSGSIZE over a limit. On failure *out has undefined content and
 * *out_reason is one sentence that lives for ever. */
int sdpfrag_parse(struct slice text, struct sdpfrag *out, const char **out_reason);

/* Writes the fragment that answers an ICE restart (WHIP-61): our new ufrag and pwd from local, all
 * candidates, in the bundle-tagged section. ice-lite as in the answer; no fingerprint, because DTLS
 * goes on (WHIP-63). */
void sdpfrag_write(struct writer *w, const struct answer *answer, const struct answer_local *local);

#endif
