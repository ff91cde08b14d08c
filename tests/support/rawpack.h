/* Cuts one frame into RTP payloads: H.264 (RFC 6184), H.265 (RFC 7798), VP8 (RFC 7741), VP9
 * (RFC 9628, non-flexible), AV1 (one element a packet), Opus (RFC 7587). */
#ifndef SLUICE_SUPPORT_RAWPACK_H
#define SLUICE_SUPPORT_RAWPACK_H

#include "tests/support/rawmedia.h"

#define RAWPACK_PAYLOAD_MAX 1150u

/* Borrows the frame. Invariant: pos <= len; nal_left > 0 inside a fragmented NAL unit or OBU. */
struct rawpack {
    enum rawmedia_codec codec;
    const uint8_t *data;
    size_t len;
    size_t pos;
    size_t nal_left;
    uint8_t nal_head[2];
    uint16_t picture_id; /* VP8 and VP9: 15 bits */
};

void rawpack_begin(struct rawpack *pack, enum rawmedia_codec codec, const uint8_t *frame,
                   size_t len, uint16_t picture_id);

/* Writes the next payload into to[RAWPACK_PAYLOAD_MAX] and returns its length; 0 when the frame is
 * used up. *out_last tells that this payload ends the frame. */
size_t rawpack_next(struct rawpack *pack, uint8_t *to, bool *out_last);

#endif
