/* The record of one access unit in the frame ring: a fixed head, then the payload.
 *
 * Payload:
 *   H.264  NAL units, each with a 4-byte big-endian length, SPS and PPS included before each IDR;
 * no access unit delimiters. H.265  the same, with VPS, SPS and PPS before each IRAP picture. VP8
 * one frame (RFC 7741 payload without its descriptor). VP9    one super frame: all spatial layers
 * of one picture (RFC 9628). AV1    OBUs of one temporal unit, each with its size field put back;
 * temporal delimiters, tile lists and padding stripped; a sequence header before each key frame.
 *   Opus   one packet.
 * Order is decode order. With simulcast, layer 0 is the largest that is there and changes from one
 * of the publisher's layers to another only at key frames; the others come as layers 1 to
 * FRAME_LAYERS_MAX - 1, each publisher's layer always the same one, beginning with a key frame, on
 * the same timeline. The timeline belongs to ingest (design.md 2a): consumers never re-map it.
 */
#ifndef SLUICE_PROTO_FRAME_H
#define SLUICE_PROTO_FRAME_H

#include "lib/proto/stream.h"

#include <stddef.h>
#include <stdint.h>

#define FRAME_PAYLOAD_MAX (2u << 20)
#define FRAME_DIMENSION_MAX 8192u
#define FRAME_LAYERS_MAX 5u /* the one that is shown, and four simulcast layers */

enum frame_flags {
    FRAME_KEY = 1,  /* IDR, IRAP or key frame: decodable from here */
    FRAME_GAP = 2,  /* media of this track was lost directly before this frame */
    FRAME_JUMP = 4, /* the timeline starts anew: a discontinuity (source replaced, M7) */
};

struct frame {
    uint32_t len; /* payload bytes */
    uint8_t track;
    uint8_t codec;
    uint8_t flags;
    uint8_t layer;      /* of video: 0 the picture for viewers, else a simulcast layer beside it */
    int64_t pts_us;     /* presentation time on the gateway's CLOCK_MONOTONIC */
    int64_t wall_us;    /* the same moment as wall clock since 1970 (RTP-17) */
    int64_t arrival_us; /* last packet of the unit received, CLOCK_MONOTONIC */
    uint32_t rtp_time;
    uint16_t width; /* of a key frame: what its headers say of the largest layer; else 0 */
    uint16_t height;
    uint32_t number; /* per track and layer, counts frames written */
    uint32_t reserved[5];
};
_Static_assert(sizeof(struct frame) == 64, "ring record layout");

/* Checks a copied record: 0 and the copied, valid head; *out_payload points into record.
 * -EBADMSG for a short record, unknown track, codec or flag, codec of the other track's kind, a
 * layer above FRAME_LAYERS_MAX or of audio, an
 * empty payload or a length that is not the record's, a dimension above FRAME_DIMENSION_MAX, or a
 * time outside +-2^60. */
int frame_parse(const void *record, size_t len, struct frame *out, const uint8_t **out_payload);

#endif
