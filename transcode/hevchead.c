/* H.265 access units: are they key frames, and how large a picture does the SPS claim. */
#include "transcode/hevchead.h"

#include "lib/base/reader.h"
#include "transcode/bits.h"

#include <errno.h>
#include <string.h>

#define NAL_IRAP_FIRST 16 /* ITU-T H.265 table 7-1 */
#define NAL_IRAP_LAST 23
#define NAL_SPS 33
#define NALS_MAX 512u
#define LENGTH_LEN 4
#define NAL_HEAD_LEN 2
#define SUB_LAYERS_MAX 6u
#define CROP_MAX 64u /* the largest coding unit: nobody has to crop more */

struct crop {
    uint64_t x, y;
};

/* profile_tier_level (7.3.3) with its general part. */
static void skip_profile(struct bits *b, uint32_t sub_layers)
{
    bool profile[8] = {false}, level[8] = {false};
    bits_skip(b, 88 + 8);
    for (uint32_t i = 0; i < sub_layers; i++) {
        profile[i] = bits_read(b, 1) != 0;
        level[i] = bits_read(b, 1) != 0;
    }
    if (sub_layers > 0)
        bits_skip(b, (size_t)(8 - sub_layers) * 2);
    for (uint32_t i = 0; i < sub_layers; i++)
        bits_skip(b, (profile[i] ? 88u : 0u) + (level[i] ? 8u : 0u));
}

/* conformance_window: pixels at both sides together, for 4:2:0. */
static struct crop parse_crop(struct bits *b)
{
    struct crop crop = {0};
    if (bits_read(b, 1) == 0)
        return crop;
    uint64_t left = bits_ue(b), right = bits_ue(b), top = bits_ue(b), bottom = bits_ue(b);
    crop.x = 2 * (left + right);
    crop.y = 2 * (top + bottom);
    return crop;
}

static int parse_sps(const uint8_t *nal, size_t len, struct codedhead *out)
{
    struct bits b;
    bits_init_nal(&b, nal + NAL_HEAD_LEN, len - NAL_HEAD_LEN);
    bits_skip(&b, 4); /* VPS */
    uint32_t sub_layers = bits_read(&b, 3);
    bits_skip(&b, 1);
    if (b.failed || sub_layers > SUB_LAYERS_MAX)
        return -EBADMSG;
    skip_profile(&b, sub_layers);
    bits_ue(&b); /* identifier */
    uint32_t chroma = bits_ue(&b);
    if (chroma == 3)
        bits_skip(&b, 1);
    uint32_t width = bits_ue(&b), height = bits_ue(&b);
    struct crop crop = parse_crop(&b);
    uint32_t luma_more = bits_ue(&b), chroma_more = bits_ue(&b);
    if (b.failed || width <= crop.x || height <= crop.y || width > UINT16_MAX ||
        height > UINT16_MAX)
        return -EBADMSG;
    out->width = (uint16_t)(width - crop.x);
    out->height = (uint16_t)(height - crop.y);
    if (crop.x >= CROP_MAX || crop.y >= CROP_MAX)
        return -ENOTSUP; /* what is cropped is decoded all the same */
    return chroma != 1 || luma_more != 0 || chroma_more != 0 ? -ENOTSUP : 0;
}

int hevchead_parse(const uint8_t *data, size_t len, struct codedhead *out)
{
    struct reader r;
    struct codedhead head = {0};
    bool irap = false;
    reader_init(&r, data, len);
    for (unsigned i = 0; reader_left(&r) > 0; i++) {
        uint32_t size = reader_u32(&r);
        const uint8_t *nal = reader_bytes(&r, size);
        if (!reader_ok(&r) || size <= NAL_HEAD_LEN || i == NALS_MAX)
            return -EBADMSG;
        unsigned type = nal[0] >> 1 & 0x3f;
        irap |= type >= NAL_IRAP_FIRST && type <= NAL_IRAP_LAST;
        int result = type == NAL_SPS ? parse_sps(nal, size, &head) : 0;
        if (result != 0)
            return result;
    }
    head.key = irap && head.width > 0;
    if (!head.key)
        head.width = head.height = 0;
    *out = head;
    return len > 0 ? 0 : -EBADMSG;
}

void hevchead_to_start_codes(uint8_t *data, size_t len)
{
    static const uint8_t start_code[LENGTH_LEN] = {0, 0, 0, 1};
    struct reader r;
    reader_init(&r, data, len);
    for (size_t at = 0; reader_left(&r) >= LENGTH_LEN; at = len - reader_left(&r)) {
        uint32_t size = reader_u32(&r);
        reader_bytes(&r, size);
        memcpy(data + at, start_code, sizeof start_code);
    }
}
