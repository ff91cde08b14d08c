/* The size of what a decoder shows of a coded picture, and the limits on it. */
#ifndef SLUICE_DEPAY_FRAMESIZE_H
#define SLUICE_DEPAY_FRAMESIZE_H

#include <stdint.h>

/* All in luma samples: the decoded picture, and how much of it is cropped; any numbers. 0;
 * -EBADMSG when nothing is left; -ENOTSUP for cropping 64 or more, which is more than alignment
 * needs: what is cropped is decoded all the same; -EMSGSIZE for a side above FRAME_DIMENSION_MAX
 * (M3). */
int framesize_shown(uint64_t width, uint64_t height, uint64_t cut_x, uint64_t cut_y,
                    uint16_t *out_width, uint16_t *out_height);

#endif
