/* Parses an H.265 sequence parameter set as far as the sample format (ITU-T H.265 7.3.2.2).
 *
 * Sizes are those after cropping. What stands behind the bit depths is not read. */
#ifndef SLUICE_DEPAY_H265_SPS_H
#define SLUICE_DEPAY_H265_SPS_H

#include <stddef.h>
#include <stdint.h>

#define H265_NAL_HEAD_LEN 2u
#define H265_VPS_IDS 16u
#define H265_SPS_IDS 16u
#define H265_PPS_IDS 64u

struct h265_sps {
    uint8_t vps_id;
    uint8_t id;
    uint16_t width;
    uint16_t height;
};

/* nal is the whole NAL unit with its two header bytes, known to be an SPS. 0; -EBADMSG when it is
 * malformed; -ENOTSUP for another format than 4:2:0 with 8 bits, or for more cropping than the
 * largest coding unit: what is cropped is decoded all the same; -EMSGSIZE for a side above
 * FRAME_DIMENSION_MAX (M3). */
int h265_sps_parse(const uint8_t *nal, size_t len, struct h265_sps *out);

#endif
