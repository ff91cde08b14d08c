/* The first bytes of a VP8 frame: is it a key frame, and how large a picture does it claim. */
#ifndef SLUICE_TRANSCODE_VP8HEAD_H
#define SLUICE_TRANSCODE_VP8HEAD_H

#include "transcode/codedhead.h"

/* Reads the frame tag and, of a key frame, start code and size (RFC 6386 9.1). 0, or -EBADMSG for
 * a short frame, a wrong start code, an unknown version, a first partition longer than the frame,
 * or an empty picture. */
int vp8head_parse(const uint8_t *data, size_t len, struct codedhead *out);

#endif
