/* Bits of NAL units by hand; none needs emulation prevention. */
#ifndef SLUICE_TESTS_BITMAKE_H
#define SLUICE_TESTS_BITMAKE_H

#include <stddef.h>
#include <stdint.h>

struct bit_writer {
    uint8_t data[64];
    size_t bits;
};

static inline void put_bits(struct bit_writer *w, uint32_t value, unsigned count)
{
    while (count-- > 0) {
        if (value >> count & 1)
            w->data[w->bits / 8] |= (uint8_t)(0x80 >> w->bits % 8);
        w->bits++;
    }
}

static inline void put_ue(struct bit_writer *w, uint32_t value)
{
    unsigned zeros = 0;
    while ((value + 1) >> (zeros + 1) != 0)
        zeros++;
    put_bits(w, 0, zeros);
    put_bits(w, value + 1, zeros + 1);
}

static inline size_t bit_len(const struct bit_writer *w)
{
    return (w->bits + 7) / 8;
}

#endif
