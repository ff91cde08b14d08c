/* The first bits of a VP9 frame: is it a key frame, and how large a picture does it claim. */
#ifndef SLUICE_TRANSCODE_VP9HEAD_H
#define SLUICE_TRANSCODE_VP9HEAD_H

#include "transcode/codedhead.h"

/* Reads the uncompressed header of the first frame of a super frame (VP9 bitstream specification
 * 6.2). 0; -EBADMSG for a short frame, wrong marker, sync code or reserved bits; -ENOTSUP for other
 * profiles than 0 (8 bits, 4:2:0). */
int vp9head_parse(const uint8_t *data, size_t len, struct codedhead *out);

#endif
