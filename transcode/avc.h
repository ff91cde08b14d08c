/* H.264 access units: what is in them, and the decoder configuration made from their SPS and PPS.
 *
 * Access units come with 4-byte lengths before each NAL unit (lib/proto/frame.h), which is also how
 * they are stored in fMP4: nothing is converted, parameter sets are only taken out, since an avc1
 * sample entry keeps them in the avcC box (HLS-21, ISO 14496-15). */
#ifndef SLUICE_TRANSCODE_AVC_H
#define SLUICE_TRANSCODE_AVC_H

#include "lib/base/writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AVC_SET_MAX 254u /* bytes of one parameter set */
#define AVC_PPS_MAX 4u
#define AVC_CONFIG_MAX (16u + (AVC_PPS_MAX + 1u) * (AVC_SET_MAX + 2u))
#define AVC_CODECS_MAX 16u
#define AVC_DIMENSION_MIN 16u
#define AVC_NALS_MAX 512u /* NAL units of one access unit */

/* One parameter set with its NAL head; len 0 = none, bytes behind len are 0. */
struct avc_set {
    uint16_t len;
    uint8_t bytes[AVC_SET_MAX];
};

/* All sets in force; comparable with memcmp. */
struct avc_sets {
    struct avc_set sps;
    struct avc_set pps[AVC_PPS_MAX];
};

/* What an SPS says (ITU-T H.264 7.3.2.1.1). */
struct avc_sps {
    uint8_t profile;
    uint8_t constraints;
    uint8_t level;
    uint8_t chroma_format;
    uint8_t luma_bits;
    uint8_t chroma_bits;
    uint16_t width;
    uint16_t height;
};

/* len: bytes left after avc_strip. */
struct avc_unit {
    size_t len;
    bool idr;      /* an IDR slice is in it */
    bool picture;  /* any slice is in it */
    bool has_sets; /* SPS or PPS were in it: they are in *sets now */
};

/* Walks the access unit once, moves SPS and PPS into *sets, removes them, access unit delimiters,
 * end marks and filler from data in place, and leaves every other NAL unit byte for byte.
 * 0, or -EBADMSG for lengths that do not add up, empty or too many NAL units, or -EMSGSIZE for a
 * parameter set above AVC_SET_MAX; data is then undefined and *sets may be half updated. */
int avc_strip(uint8_t *data, size_t len, struct avc_sets *sets, struct avc_unit *out);

/* Reads an SPS with its NAL head. 0, -EBADMSG, or -ENOTSUP for a size outside AVC_DIMENSION_MIN to
 * FRAME_DIMENSION_MAX, for one that crops much of what is decoded, and for rare profiles (M3). */
int avc_parse_sps(const uint8_t *data, size_t len, struct avc_sps *out);

/* Writes the contents of an avcC box. 0, -EBADMSG without SPS or PPS, -ENOSPC. */
int avc_write_config(const struct avc_sets *sets, const struct avc_sps *sps, struct writer *w);

/* "avc1." and profile, constraints, level in hexadecimal (RFC 6381 3.3). */
void avc_format_codecs(const struct avc_sps *sps, char out[AVC_CODECS_MAX]);

#endif
