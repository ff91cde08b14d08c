/* The bearer token of an Authorization header (RFC 6750 2.1; protocols.md WHIP-35). */
#ifndef SLUICE_WEB_BEARER_H
#define SLUICE_WEB_BEARER_H

#include "lib/base/text.h"
#include "lib/proto/stream.h"

/* Copies the token and a NUL. 0, -ENOENT when the header is empty or of another scheme, -EBADMSG
 * when what follows is no token of 1 to STREAM_TOKEN_MAX characters of b64token. The scheme's name
 * is compared without case; out is untouched on failure. */
int bearer_parse(struct slice header, char out_token[STREAM_TOKEN_MAX + 1]);

#endif
