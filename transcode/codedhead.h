/* What a coded frame says about itself before anything is decoded: is it a key frame, and how large
 * a picture does it claim (M3). */
#ifndef SLUICE_TRANSCODE_CODEDHEAD_H
#define SLUICE_TRANSCODE_CODEDHEAD_H

#include "lib/proto/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* width and height are 0 unless key. Other frames may claim a size in ways that need earlier frames
 * to read: the decoder's own limit is in force for these. */
struct codedhead {
    bool key;
    uint16_t width;
    uint16_t height;
};

/* Reads a frame of VP8, VP9, AV1 or H.265 as lib/proto/frame.h says they are stored. 0; -EBADMSG;
 * or -ENOTSUP for a format that we do not decode: another codec, more than 8 bits, other chroma
 * than 4:2:0, a side above FRAME_DIMENSION_MAX. */
int codedhead_parse(enum codec codec, const uint8_t *data, size_t len, struct codedhead *out);

#endif
