/* Parses an H.264 sequence parameter set as far as the picture size (ITU-T H.264 7.3.2.1.1).
 *
 * The VUI behind it is not read. Sizes are those after cropping. */
#ifndef SLUICE_DEPAY_SPS_H
#define SLUICE_DEPAY_SPS_H

#include <stddef.h>
#include <stdint.h>

#define SPS_IDS 32u /* seq_parameter_set_id is 0..31 */

struct sps {
    uint8_t profile_idc;
    uint8_t constraints;
    uint8_t level_idc;
    uint8_t id;
    uint16_t width;
    uint16_t height;
};

/* nal is the whole NAL unit with its header byte. 0; -EBADMSG when it is malformed; -ENOTSUP for
 * 4:4:4 (COD-02), for one that crops 64 samples or more of what is decoded, and for profiles that
 * decoders read differently (M3); -EMSGSIZE for a side of 0 or above FRAME_DIMENSION_MAX (M3). */
int sps_parse(const uint8_t *nal, size_t len, struct sps *out);

#endif
