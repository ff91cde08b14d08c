/* The If-Match header of a PATCH (RFC 9110 13.1.1; protocols.md WHIP-20, 56, 59, 60).
 *
 * Stricter than RFC 9110, which allows lists and ignores what is weak: a session has one ICE
 * generation, so a client that names several, or a weak tag, has misunderstood something. */
#ifndef SLUICE_WEB_IF_MATCH_H
#define SLUICE_WEB_IF_MATCH_H

#include "lib/base/text.h"
#include "lib/proto/msg.h"

/* header is the value of the only line. One strong tag in quotes gives MATCH_TAG and the tag
 * without them; a tag longer than STREAM_ETAG_LEN, which cannot be one of ours, gives the empty
 * tag, which is not one either. * and "*" give MATCH_ANY. 0, or -EBADMSG for anything else; both
 * outputs are untouched then. */
int if_match_parse(struct slice header, enum session_match *out_match,
                   char out_tag[STREAM_ETAG_LEN + 1]);

/* True for what may stand between the quotes of a tag of ours: printable ASCII but the quote. */
bool if_match_tag_valid(struct slice tag);

#endif
