/* H.264 access units: what is in them, and the decoder configuration made from their SPS and PPS.
 */
#include "transcode/avc.h"

#include "lib/base/reader.h"
#include "lib/proto/frame.h"
#include "transcode/bits.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SPS_ID_MAX 31u
#define CROP_MAX 64u /* pixels: more than alignment needs; they are decoded all the same */

enum nal_type { /* ITU-T H.264 table 7-1 */
                NAL_SLICE = 1,
                NAL_IDR = 5,
                NAL_SPS = 7,
                NAL_PPS = 8,
                NAL_DELIMITER = 9,
                NAL_END_OF_SEQUENCE = 10,
                NAL_END_OF_STREAM = 11,
                NAL_FILLER = 12,
};

static void skip_scaling_list(struct bits *b, unsigned size)
{
    int32_t last = 8, next = 8;
    for (unsigned i = 0; i < size && !b->failed; i++) {
        if (next != 0)
            next = (int32_t)(((uint32_t)last + (uint32_t)bits_se(b)) & 0xff);
        last = next != 0 ? next : last;
    }
}

/* Decoders disagree on the syntax of further ones, and so on the size they allocate (M3). */
static bool is_known_profile(uint8_t profile)
{
    static const uint8_t profiles[] = {66, 77, 88, 100, 110, 122, 244, 44};
    return memchr(profiles, profile, sizeof profiles) != NULL;
}

static bool has_chroma_fields(uint8_t profile)
{
    return profile != 66 && profile != 77 && profile != 88;
}

static void parse_chroma(struct bits *b, struct avc_sps *sps)
{
    uint32_t format = bits_ue(b);
    if (format == 3)
        bits_read(b, 1);
    uint32_t luma = bits_ue(b), chroma = bits_ue(b);
    if (format > 3 || luma > 6 || chroma > 6)
        b->failed = true;
    sps->chroma_format = (uint8_t)(format & 3);
    sps->luma_bits = (uint8_t)((luma & 7) + 8);
    sps->chroma_bits = (uint8_t)((chroma & 7) + 8);
    bits_read(b, 1);
    if (bits_read(b, 1) == 0)
        return;
    for (unsigned i = 0; i < (format == 3 ? 12u : 8u); i++) {
        if (bits_read(b, 1) != 0)
            skip_scaling_list(b, i < 6 ? 16 : 64);
    }
}

static void skip_picture_order(struct bits *b)
{
    if (bits_ue(b) > 12) /* log2_max_frame_num_minus4 */
        b->failed = true;
    uint32_t type = bits_ue(b);
    if (type > 2 || (type == 0 && bits_ue(b) > 12))
        b->failed = true;
    if (type == 1) {
        bits_read(b, 1);
        bits_se(b);
        bits_se(b);
        uint32_t count = bits_ue(b);
        if (count > 255)
            b->failed = true;
        for (; count > 0 && !b->failed; count--)
            bits_se(b);
    }
    if (bits_ue(b) > 16) /* max_num_ref_frames */
        b->failed = true;
    bits_read(b, 1); /* gaps_in_frame_num_value_allowed_flag */
}

static int parse_size(struct bits *b, struct avc_sps *sps)
{
    uint64_t width = (uint64_t)bits_ue(b) + 1, height = (uint64_t)bits_ue(b) + 1;
    uint32_t fields = 1 - bits_read(b, 1);
    if (fields != 0)
        bits_read(b, 1);
    bits_read(b, 1);
    width *= 16;
    height *= 16 * (1 + fields);
    if (bits_read(b, 1) != 0) {
        uint64_t unit_x = sps->chroma_format == 1 || sps->chroma_format == 2 ? 2 : 1;
        uint64_t unit_y = (sps->chroma_format == 1 ? 2u : 1u) * (1 + fields);
        uint64_t left = bits_ue(b), right = bits_ue(b), top = bits_ue(b), bottom = bits_ue(b);
        uint64_t crop_x = (left + right) * unit_x, crop_y = (top + bottom) * unit_y;
        if (crop_x >= width || crop_y >= height)
            return -EBADMSG;
        if (crop_x >= CROP_MAX || crop_y >= CROP_MAX)
            return -ENOTSUP;
        width -= crop_x;
        height -= crop_y;
    }
    if (b->failed)
        return -EBADMSG;
    if (width < AVC_DIMENSION_MIN || width > FRAME_DIMENSION_MAX || height < AVC_DIMENSION_MIN ||
        height > FRAME_DIMENSION_MAX)
        return -ENOTSUP;
    sps->width = (uint16_t)width;
    sps->height = (uint16_t)height;
    return 0;
}

int avc_parse_sps(const uint8_t *data, size_t len, struct avc_sps *out)
{
    struct bits b;
    struct avc_sps sps = {.chroma_format = 1, .luma_bits = 8, .chroma_bits = 8};
    if (len < 4 || len > AVC_SET_MAX || (data[0] & 0x1f) != NAL_SPS)
        return -EBADMSG;
    bits_init_nal(&b, data + 1, len - 1);
    sps.profile = (uint8_t)bits_read(&b, 8);
    sps.constraints = (uint8_t)bits_read(&b, 8);
    sps.level = (uint8_t)bits_read(&b, 8);
    if (bits_ue(&b) > SPS_ID_MAX)
        b.failed = true;
    if (b.failed)
        return -EBADMSG;
    if (!is_known_profile(sps.profile))
        return -ENOTSUP;
    if (has_chroma_fields(sps.profile))
        parse_chroma(&b, &sps);
    skip_picture_order(&b);
    int result = parse_size(&b, &sps);
    if (result == 0)
        *out = sps;
    return result;
}

static int keep_set(struct avc_set *set, const uint8_t *nal, size_t len)
{
    if (len > AVC_SET_MAX)
        return -EMSGSIZE;
    memset(set, 0, sizeof *set);
    set->len = (uint16_t)len;
    memcpy(set->bytes, nal, len);
    return 0;
}

/* The first PPS of an access unit replaces all earlier ones. */
static int keep_pps(struct avc_sets *sets, unsigned *count, const uint8_t *nal, size_t len)
{
    if (*count == 0)
        memset(sets->pps, 0, sizeof sets->pps);
    if (*count == AVC_PPS_MAX)
        return -EMSGSIZE;
    return keep_set(&sets->pps[(*count)++], nal, len);
}

int avc_strip(uint8_t *data, size_t len, struct avc_sets *sets, struct avc_unit *out)
{
    struct reader r;
    struct avc_unit unit = {0};
    unsigned nals = 0, pps_count = 0;
    reader_init(&r, data, len);
    while (reader_left(&r) > 0) {
        uint32_t size = reader_u32(&r);
        const uint8_t *nal = reader_bytes(&r, size);
        if (!reader_ok(&r) || size == 0 || ++nals > AVC_NALS_MAX)
            return -EBADMSG;
        unsigned type = nal[0] & 0x1f;
        int result = 0;
        if (type == NAL_SPS)
            result = keep_set(&sets->sps, nal, size);
        else if (type == NAL_PPS)
            result = keep_pps(sets, &pps_count, nal, size);
        if (result != 0)
            return result;
        unit.has_sets |= type == NAL_SPS || type == NAL_PPS;
        unit.idr |= type == NAL_IDR;
        unit.picture |= type >= NAL_SLICE && type <= NAL_IDR;
        if (type < NAL_SPS || type > NAL_FILLER) {
            memmove(data + unit.len, nal - 4, (size_t)size + 4);
            unit.len += (size_t)size + 4;
        }
    }
    *out = unit;
    return 0;
}

int avc_write_config(const struct avc_sets *sets, const struct avc_sps *sps, struct writer *w)
{
    unsigned count = 0;
    while (count < AVC_PPS_MAX && sets->pps[count].len > 0)
        count++;
    if (sets->sps.len == 0 || count == 0)
        return -EBADMSG;
    writer_u8(w, 1);
    writer_u8(w, sps->profile);
    writer_u8(w, sps->constraints);
    writer_u8(w, sps->level);
    writer_u8(w, 0xff); /* lengths of 4 bytes */
    writer_u8(w, 0xe0 | 1);
    writer_u16(w, sets->sps.len);
    writer_bytes(w, sets->sps.bytes, sets->sps.len);
    writer_u8(w, (uint8_t)count);
    for (unsigned i = 0; i < count; i++) {
        writer_u16(w, sets->pps[i].len);
        writer_bytes(w, sets->pps[i].bytes, sets->pps[i].len);
    }
    if (sps->profile == 100 || sps->profile == 110 || sps->profile == 122) {
        writer_u8(w, 0xfc | sps->chroma_format); /* ISO 14496-15 5.3.3.1.2 */
        writer_u8(w, (uint8_t)(0xf8 | (sps->luma_bits - 8)));
        writer_u8(w, (uint8_t)(0xf8 | (sps->chroma_bits - 8)));
        writer_u8(w, 0);
    }
    return writer_ok(w) ? 0 : -ENOSPC;
}

void avc_format_codecs(const struct avc_sps *sps, char out[AVC_CODECS_MAX])
{
    snprintf(out, AVC_CODECS_MAX, "avc1.%02x%02x%02x", sps->profile, sps->constraints, sps->level);
}
