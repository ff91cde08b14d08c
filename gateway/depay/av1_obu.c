/* Reads the frame of one AV1 OBU: its header, its optional size field, its payload. */
#include "gateway/depay/av1_obu.h"

#include <errno.h>

#define FORBIDDEN 0x80u
#define HAS_EXTENSION 0x04u
#define HAS_SIZE 0x02u

uint32_t av1_read_leb128(struct reader *r)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < AV1_LEB128_MAX; i++) {
        uint8_t byte = reader_u8(r);
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0 && value <= UINT32_MAX)
            return (uint32_t)value;
    }
    r->failed = true;
    return 0;
}

size_t av1_write_leb128(uint32_t value, uint8_t to[AV1_LEB128_MAX])
{
    size_t len = 0;
    for (; value > 0x7f; value >>= 7)
        to[len++] = (uint8_t)(value | 0x80);
    to[len++] = (uint8_t)value;
    return len;
}

int av1_obu_parse(const uint8_t *data, size_t len, struct av1_obu *out)
{
    struct reader r;
    struct av1_obu obu = {.head_len = 1};
    reader_init(&r, data, len);
    uint8_t head = reader_u8(&r);
    if (head & HAS_EXTENSION) {
        reader_u8(&r);
        obu.head_len = 2;
    }
    size_t size = 0;
    if (head & HAS_SIZE)
        size = av1_read_leb128(&r);
    else
        size = reader_left(&r);
    if (!reader_ok(&r) || (head & FORBIDDEN) != 0 || size != reader_left(&r))
        return -EBADMSG;
    obu.type = head >> 3 & 0xf;
    obu.payload_at = len - size;
    obu.payload_len = size;
    *out = obu;
    return 0;
}
