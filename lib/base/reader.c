/* Bounds-checked reading of wire bytes with a sticky error. */
#include "lib/base/reader.h"

void reader_init(struct reader *r, const void *data, size_t len)
{
    *r = (struct reader){.data = data, .len = data ? len : 0};
}

bool reader_ok(const struct reader *r)
{
    return !r->failed;
}

size_t reader_left(const struct reader *r)
{
    return r->failed ? 0 : r->len - r->pos;
}

const uint8_t *reader_bytes(struct reader *r, size_t len)
{
    static const uint8_t nothing[1];
    if (r->failed || len > r->len - r->pos) {
        r->failed = true;
        return NULL;
    }
    if (!r->data)
        return nothing; /* an empty range without memory: len is 0 */
    const uint8_t *at = r->data + r->pos;
    r->pos += len;
    return at;
}

struct reader reader_sub(struct reader *r, size_t len)
{
    struct reader sub = {.failed = true};
    const uint8_t *at = reader_bytes(r, len);
    if (at)
        reader_init(&sub, at, len);
    return sub;
}

static uint64_t read_big_endian(struct reader *r, size_t size)
{
    const uint8_t *at = reader_bytes(r, size);
    uint64_t value = 0;
    for (size_t i = 0; at && i < size; i++)
        value = value << 8 | at[i];
    return value;
}

uint8_t reader_u8(struct reader *r)
{
    return (uint8_t)read_big_endian(r, 1);
}

uint16_t reader_u16(struct reader *r)
{
    return (uint16_t)read_big_endian(r, 2);
}

uint32_t reader_u24(struct reader *r)
{
    return (uint32_t)read_big_endian(r, 3);
}

uint32_t reader_u32(struct reader *r)
{
    return (uint32_t)read_big_endian(r, 4);
}

uint64_t reader_u64(struct reader *r)
{
    return read_big_endian(r, 8);
}
