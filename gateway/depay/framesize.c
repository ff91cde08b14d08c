/* The size of what a decoder shows of a coded picture, and the limits on it. */
#include "gateway/depay/framesize.h"

#include "lib/proto/frame.h"

#include <errno.h>

#define CROP_MAX 64u

int framesize_shown(uint64_t width, uint64_t height, uint64_t cut_x, uint64_t cut_y,
                    uint16_t *out_width, uint16_t *out_height)
{
    if (cut_x >= width || cut_y >= height)
        return -EBADMSG;
    if (cut_x >= CROP_MAX || cut_y >= CROP_MAX)
        return -ENOTSUP;
    width -= cut_x;
    height -= cut_y;
    if (width > FRAME_DIMENSION_MAX || height > FRAME_DIMENSION_MAX)
        return -EMSGSIZE;
    *out_width = (uint16_t)width;
    *out_height = (uint16_t)height;
    return 0;
}
