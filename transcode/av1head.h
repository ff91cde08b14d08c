/* The sequence header of an AV1 temporal unit: the largest picture that the stream may have. */
#ifndef SLUICE_TRANSCODE_AV1HEAD_H
#define SLUICE_TRANSCODE_AV1HEAD_H

#include "transcode/codedhead.h"

/* Walks the OBUs, each with its size field, and reads the first sequence header (AV1 bitstream
 * specification 5.3, 5.5). A unit with one counts as a key frame: ingest puts one before each. 0;
 * -EBADMSG for sizes that do not add up or a short header; -ENOTSUP for other profiles than 0
 * (4:2:0) or more than 8 bits. */
int av1head_parse(const uint8_t *data, size_t len, struct codedhead *out);

#endif
