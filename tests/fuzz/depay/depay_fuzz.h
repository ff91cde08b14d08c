/* Drives a depacketiser with packets cut from fuzz input, and reads all that comes out.
 *
 * Input: per packet one byte of flags (1 marker, 2 next timestamp, 4 gap before it), one or two
 * bytes of length (8: 256 times the first byte more), then the payload. */
#ifndef SLUICE_TESTS_DEPAY_FUZZ_H
#define SLUICE_TESTS_DEPAY_FUZZ_H

#include "gateway/depay/av1_obu.h"
#include "gateway/depay/depay.h"
#include "gateway/depay/vp9_superframe.h"
#include "lib/base/reader.h"

#include <assert.h>
#include <stdlib.h>

static uint64_t depay_fuzz_sum;

/* NAL units fill the unit exactly. */
static inline void depay_fuzz_nals(const struct depay_unit *unit)
{
    struct reader r;
    reader_init(&r, unit->data, unit->len);
    while (reader_left(&r) > 0) {
        uint32_t len = reader_u32(&r);
        assert(len > 0);
        reader_bytes(&r, len);
        assert(reader_ok(&r));
    }
}

/* So do OBUs; all have size fields, and key frames a sequence header in front, as no other. */
static inline void depay_fuzz_obus(const struct depay_unit *unit)
{
    struct reader r;
    reader_init(&r, unit->data, unit->len);
    for (size_t i = 0; reader_left(&r) > 0; i++) {
        uint8_t head = reader_u8(&r);
        assert((head & 0x82) == 2 && (head >> 3 == 1) == (unit->key && i == 0));
        if (head & 4)
            reader_u8(&r);
        uint32_t len = av1_read_leb128(&r);
        reader_bytes(&r, len);
        assert(reader_ok(&r));
    }
}

/* The index that a decoder will follow is the only one. */
static inline void depay_fuzz_index(const struct depay_unit *unit)
{
    struct vp9_frames frames = {0};
    size_t len;
    int rc = vp9_superframe_split(unit->data, unit->len, &frames, &len);
    assert(rc == 0);
    depay_fuzz_sum += (uint64_t)rc + len;
}

static inline void depay_fuzz_unit(void *ctx, const struct depay_unit *unit)
{
    const enum codec *codec = ctx;
    assert(unit->len > 0 && unit->len <= FRAME_PAYLOAD_MAX);
    for (size_t i = 0; i < unit->len; i++)
        depay_fuzz_sum += unit->data[i];
    if (*codec == CODEC_H264 || *codec == CODEC_H265)
        depay_fuzz_nals(unit);
    if (*codec == CODEC_AV1)
        depay_fuzz_obus(unit);
    if (*codec == CODEC_VP9)
        depay_fuzz_index(unit);
}

static inline int depay_fuzz_run(enum codec codec, const uint8_t *data, size_t size)
{
    struct depay *d = NULL;
    struct reader r;
    struct depay_packet packet = {.rtp_time = 0xfffffff0u};
    if (depay_new(codec, 0, 0, depay_fuzz_unit, &codec, &d) != 0)
        abort();
    reader_init(&r, data, size);
    while (reader_left(&r) > 0) {
        uint8_t flags = reader_u8(&r);
        size_t len = reader_u8(&r);
        if (flags & 8)
            len = len << 8 | reader_u8(&r);
        if (len > reader_left(&r))
            len = reader_left(&r);
        /* an exact copy, so that reads behind the payload are seen */
        uint8_t *copy = malloc(len == 0 ? 1 : len);
        const uint8_t *bytes = reader_bytes(&r, len);
        if (!copy)
            abort();
        for (size_t i = 0; bytes && i < len; i++)
            copy[i] = bytes[i];
        packet.data = copy;
        packet.len = len;
        packet.marker = flags & 1;
        packet.rtp_time += flags & 2 ? 3000 : 0;
        packet.arrival_us++;
        if (flags & 4)
            depay_gap(d);
        (void)depay_push(d, &packet);
        free(copy);
    }
    depay_free(d);
    return 0;
}

#endif
