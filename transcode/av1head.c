/* The sequence header of an AV1 temporal unit: the largest picture that the stream may have. */
#include "transcode/av1head.h"

#include "lib/base/reader.h"
#include "transcode/bits.h"

#include <errno.h>

#define OBU_SEQUENCE_HEADER 1
#define OBUS_MAX 512u
#define LEB128_BYTES 5 /* enough for 32 bits */
#define SELECT 2u      /* seq_choose_...: decided per frame */

/* What of the timing affects the places of later fields. */
struct timing {
    bool decoder_model;
    unsigned delay_bits;
};

static uint32_t read_leb128(struct reader *r)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < LEB128_BYTES; i++) {
        uint8_t byte = reader_u8(r);
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0)
            return value <= UINT32_MAX ? (uint32_t)value : UINT32_MAX;
    }
    return UINT32_MAX; /* more than any OBU has */
}

static void skip_uvlc(struct bits *b)
{
    unsigned zeros = 0;
    while (!b->failed && bits_read(b, 1) == 0)
        zeros++;
    if (zeros < 32)
        bits_skip(b, zeros);
}

static struct timing parse_timing(struct bits *b)
{
    struct timing t = {0};
    if (bits_read(b, 1) == 0)
        return t;
    bits_skip(b, 64); /* units in a tick, time scale */
    if (bits_read(b, 1) != 0)
        skip_uvlc(b);
    t.decoder_model = bits_read(b, 1) != 0;
    if (t.decoder_model) {
        t.delay_bits = bits_read(b, 5) + 1;
        bits_skip(b, 32 + 5 + 5);
    }
    return t;
}

static void skip_operating_points(struct bits *b, const struct timing *t)
{
    bool has_delay = bits_read(b, 1) != 0;
    uint32_t count = bits_read(b, 5) + 1;
    for (uint32_t i = 0; i < count && !b->failed; i++) {
        bits_skip(b, 12);
        if (bits_read(b, 5) > 7)
            bits_skip(b, 1); /* tier */
        if (t->decoder_model && bits_read(b, 1) != 0)
            bits_skip(b, 2 * t->delay_bits + 1);
        if (has_delay && bits_read(b, 1) != 0)
            bits_skip(b, 4);
    }
}

static void parse_size(struct bits *b, struct codedhead *out)
{
    unsigned width_bits = bits_read(b, 4) + 1, height_bits = bits_read(b, 4) + 1;
    uint32_t width = bits_read(b, width_bits) + 1, height = bits_read(b, height_bits) + 1;
    if (width > UINT16_MAX || height > UINT16_MAX)
        b->failed = true;
    out->width = (uint16_t)width;
    out->height = (uint16_t)height;
}

/* From the frame size to the colour configuration. */
static void skip_tools(struct bits *b, bool reduced)
{
    if (!reduced && bits_read(b, 1) != 0) /* frame numbers */
        bits_skip(b, 4 + 3);
    bits_skip(b, 3); /* superblocks, filter intra, intra edge */
    if (!reduced) {
        bits_skip(b, 4); /* inter-intra, masked, warped, dual filter */
        bool order_hint = bits_read(b, 1) != 0;
        if (order_hint)
            bits_skip(b, 2);
        uint32_t screen = bits_read(b, 1) != 0 ? SELECT : bits_read(b, 1);
        if (screen > 0 && bits_read(b, 1) == 0)
            bits_skip(b, 1);
        if (order_hint)
            bits_skip(b, 3);
    }
    bits_skip(b, 3); /* super resolution, CDEF, restoration */
}

static int parse_sequence(const uint8_t *data, size_t len, struct codedhead *out)
{
    struct bits b;
    bits_init(&b, data, len);
    uint32_t profile = bits_read(&b, 3);
    bits_skip(&b, 1); /* still picture */
    bool reduced = bits_read(&b, 1) != 0;
    if (reduced) {
        bits_skip(&b, 5);
    } else {
        struct timing timing = parse_timing(&b);
        skip_operating_points(&b, &timing);
    }
    parse_size(&b, out);
    skip_tools(&b, reduced);
    bool high_depth = bits_read(&b, 1) != 0;
    if (b.failed)
        return -EBADMSG;
    out->key = true;
    return profile != 0 || high_depth ? -ENOTSUP : 0;
}

int av1head_parse(const uint8_t *data, size_t len, struct codedhead *out)
{
    struct reader r;
    struct codedhead head = {0};
    reader_init(&r, data, len);
    for (unsigned i = 0; reader_left(&r) > 0; i++) {
        uint8_t start = reader_u8(&r);
        if (start & 4) /* extension: layers */
            reader_u8(&r);
        uint32_t size = read_leb128(&r);
        const uint8_t *obu = reader_bytes(&r, size);
        if (!reader_ok(&r) || (start & 0x82) != 2 || i == OBUS_MAX)
            return -EBADMSG; /* forbidden bit, or no size field */
        if ((start >> 3 & 0xf) != OBU_SEQUENCE_HEADER || head.key)
            continue;
        int result = parse_sequence(obu, size, &head);
        if (result != 0)
            return result;
    }
    *out = head;
    return len > 0 ? 0 : -EBADMSG;
}
