/* The first bytes of a VP8 frame: is it a key frame, and how large a picture does it claim. */
#include "transcode/vp8head.h"

#include "lib/base/reader.h"

#include <errno.h>

#define VERSION_MAX 3
#define START_CODE 0x9d012au
#define SIZE_MASK 0x3fff /* the two bits above are a scaling hint for the display */

static uint16_t read_u16_little(struct reader *r)
{
    uint8_t low = reader_u8(r);
    return (uint16_t)(low | reader_u8(r) << 8);
}

int vp8head_parse(const uint8_t *data, size_t len, struct codedhead *out)
{
    struct reader r;
    reader_init(&r, data, len);
    uint32_t tag = reader_u8(&r);
    tag |= (uint32_t)read_u16_little(&r) << 8;
    struct codedhead head = {.key = (tag & 1) == 0};
    if (head.key) {
        uint32_t start = reader_u24(&r);
        if (reader_ok(&r) && start != START_CODE)
            return -EBADMSG;
        head.width = read_u16_little(&r) & SIZE_MASK;
        head.height = read_u16_little(&r) & SIZE_MASK;
    }
    if (!reader_ok(&r) || (tag >> 1 & 7) > VERSION_MAX || tag >> 5 > reader_left(&r))
        return -EBADMSG;
    if (head.key && (head.width == 0 || head.height == 0))
        return -EBADMSG;
    *out = head;
    return 0;
}
