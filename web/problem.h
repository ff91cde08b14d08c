/* Error answers: application/problem+json (RFC 9457) with the reason in words, never with SDP,
 * tokens or other secrets in it (protocols.md WHIP-11). */
#ifndef SLUICE_WEB_PROBLEM_H
#define SLUICE_WEB_PROBLEM_H

#include "lib/base/text.h"
#include "lib/base/writer.h"
#include "web/reply.h"

/* {"type":"about:blank","title":...,"status":...,"detail":...}; detail may be NULL, and may come
 * from another process: it is escaped. end, when not NULL, becomes the member "end": why a session
 * ended. Cache-Control is left to the caller. NULL without memory. */
struct reply *problem_reply(unsigned status, const char *detail, const char *end);

const char *problem_title(unsigned status); /* "Error" for a status we never send */

/* Writes text as the inside of a JSON string: quotes, backslashes and control bytes escaped, bytes
 * that are not ASCII replaced by a question mark. */
void problem_escape(struct writer *w, const char *text);

#endif
