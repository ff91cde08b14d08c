/* The first bits of a VP9 frame: is it a key frame, and how large a picture does it claim. */
#include "transcode/vp9head.h"

#include "transcode/bits.h"

#include <errno.h>

#define FRAME_MARKER 2
#define SYNC_CODE 0x498342u
#define COLOR_SPACE_RGB 7

/* 4:4:4 only, which profile 0 does not have. */
static int parse_color(struct bits *b)
{
    if (bits_read(b, 3) == COLOR_SPACE_RGB)
        return -EBADMSG;
    bits_skip(b, 1); /* range */
    return 0;
}

int vp9head_parse(const uint8_t *data, size_t len, struct codedhead *out)
{
    struct bits b;
    bits_init(&b, data, len);
    if (bits_read(&b, 2) != FRAME_MARKER)
        return -EBADMSG;
    uint32_t profile = bits_read(&b, 1);
    profile |= bits_read(&b, 1) << 1;
    if (b.failed)
        return -EBADMSG;
    if (profile != 0)
        return -ENOTSUP;
    struct codedhead head = {0};
    if (bits_read(&b, 1) == 0) /* else an earlier frame is shown again */
        head.key = bits_read(&b, 1) == 0;
    if (!head.key) {
        *out = head;
        return b.failed ? -EBADMSG : 0;
    }
    bits_skip(&b, 2); /* shown, error resilient */
    if (bits_read(&b, 24) != SYNC_CODE || parse_color(&b) != 0)
        return -EBADMSG;
    uint32_t width = bits_read(&b, 16) + 1, height = bits_read(&b, 16) + 1;
    if (b.failed || width > UINT16_MAX || height > UINT16_MAX)
        return -EBADMSG;
    head.width = (uint16_t)width;
    head.height = (uint16_t)height;
    *out = head;
    return 0;
}
