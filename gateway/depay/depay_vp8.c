/* VP8 from RTP (RFC 7741): the descriptor is removed, the payloads of one frame are joined. */
#include "gateway/depay/depay.h"

#include "lib/base/reader.h"

#include <errno.h>

#define KEY_HEADER_LEN 10 /* frame tag, start code, sizes: RFC 6386 9.1 */

/* One payload behind its descriptor, RFC 7741 4.2:
 *   |X|R|N|S|R| PID |   S: first packet of a partition
 *   |I|L|T|K| RSV   |   when X
 *   |M| PictureID   |   when I; 16 bits when M
 *   |   TL0PICIDX   |   when L
 *   |TID|Y| KEYIDX  |   when T or K */
static int parse_descriptor(const uint8_t *payload, size_t len, bool *out_first,
                            struct reader *out_rest)
{
    struct reader r;
    reader_init(&r, payload, len);
    uint8_t head = reader_u8(&r);
    if (head & 0x80) {
        uint8_t extension = reader_u8(&r);
        if (extension & 0x80) {
            uint8_t id = reader_u8(&r);
            if (id & 0x80)
                reader_u8(&r);
        }
        if (extension & 0x40)
            reader_u8(&r);
        if (extension & 0x30)
            reader_u8(&r);
    }
    if (!reader_ok(&r) || reader_left(&r) == 0)
        return -EBADMSG;
    *out_first = (head & 0x10) != 0 && (head & 0x07) == 0;
    *out_rest = r;
    return 0;
}

static bool vp8_begins(const uint8_t *payload, size_t len)
{
    bool first = false;
    struct reader rest;
    return parse_descriptor(payload, len, &first, &rest) == 0 && first;
}

static void vp8_start(struct depay *d)
{
    (void)d;
}

static int vp8_append(struct depay *d, const uint8_t *payload, size_t len)
{
    bool first = false;
    struct reader rest;
    int rc = parse_descriptor(payload, len, &first, &rest);
    if (rc < 0)
        return rc;
    if (first != (d->len == 0)) /* a frame begins here, and only here */
        return -EBADMSG;
    size_t left = reader_left(&rest);
    return depay_put(d, reader_bytes(&rest, left), left);
}

static int vp8_finish(struct depay *d, struct depay_unit *unit)
{
    const uint8_t *body = depay_body(d);
    unit->data = body;
    unit->len = d->len;
    if (d->len == 0)
        return -EBADMSG;
    unit->key = (body[0] & 1) == 0;
    if (!unit->key)
        return 0;
    struct reader r;
    reader_init(&r, body, d->len < KEY_HEADER_LEN ? d->len : KEY_HEADER_LEN);
    reader_u24(&r);
    uint32_t start_code = reader_u24(&r);
    /* sizes are little-endian, with two bits of scaling on top */
    uint32_t width = reader_u8(&r);
    width |= (uint32_t)(reader_u8(&r) & 0x3f) << 8;
    uint32_t height = reader_u8(&r);
    height |= (uint32_t)(reader_u8(&r) & 0x3f) << 8;
    if (!reader_ok(&r) || start_code != 0x9d012a)
        return -EBADMSG;
    int rc = depay_check_size(d, width, height);
    if (rc < 0)
        return rc;
    unit->width = (uint16_t)width;
    unit->height = (uint16_t)height;
    return 0;
}

const struct depay_ops depay_vp8_ops = {
    .state_len = 1,
    .has_keys = true,
    .single = false,
    .begins = vp8_begins,
    .start = vp8_start,
    .append = vp8_append,
    .finish = vp8_finish,
};
