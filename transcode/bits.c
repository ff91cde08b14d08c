/* Reads the bit fields of codec headers. */
#include "transcode/bits.h"

#include <string.h>

void bits_init(struct bits *b, const uint8_t *data, size_t len)
{
    size_t used = len < sizeof b->data ? len : sizeof b->data;
    memset(b, 0, sizeof *b);
    if (used > 0)
        memcpy(b->data, data, used);
    b->count = used * 8;
}

void bits_init_nal(struct bits *b, const uint8_t *data, size_t len)
{
    size_t used = 0;
    unsigned zeros = 0;
    memset(b, 0, sizeof *b);
    for (size_t i = 0; i < len && used < sizeof b->data; i++) {
        if (zeros >= 2 && data[i] == 3) { /* emulation_prevention_three_byte */
            zeros = 0;
            continue;
        }
        zeros = data[i] == 0 ? zeros + 1 : 0;
        b->data[used++] = data[i];
    }
    b->count = used * 8;
}

uint32_t bits_read(struct bits *b, unsigned count)
{
    uint32_t value = 0;
    if (b->failed || count > b->count - b->pos) {
        b->failed = true;
        return 0;
    }
    for (; count > 0; count--, b->pos++)
        value = value << 1 | (b->data[b->pos / 8] >> (7 - b->pos % 8) & 1u);
    return value;
}

void bits_skip(struct bits *b, size_t count)
{
    if (b->failed || count > b->count - b->pos)
        b->failed = true;
    else
        b->pos += count;
}

uint32_t bits_ue(struct bits *b)
{
    unsigned zeros = 0;
    while (!b->failed && bits_read(b, 1) == 0) {
        if (++zeros > 30)
            b->failed = true;
    }
    return b->failed ? 0 : (1u << zeros) - 1 + bits_read(b, zeros);
}

int32_t bits_se(struct bits *b)
{
    uint32_t code = bits_ue(b);
    return code & 1 ? (int32_t)(code / 2 + 1) : -(int32_t)(code / 2);
}
