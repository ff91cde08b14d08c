/* Parses an H.265 sequence parameter set as far as the sample format. */
#include "gateway/depay/h265_sps.h"

#include "gateway/depay/framesize.h"
#include "gateway/depay/rbsp.h"

#include <errno.h>

#define SUB_LAYERS_MAX 6u
#define PROFILE_BITS 88u
#define LEVEL_BITS 8u
#define CHROMA_420 1u
#define CHROMA_444 3u

/* profile_tier_level, 7.3.3: the general part, then those of the sub-layers that are there. */
static void skip_profile(struct rbsp *r, uint32_t sub_layers)
{
    unsigned bits = 0;
    rbsp_skip(r, PROFILE_BITS + LEVEL_BITS);
    for (uint32_t i = 0; i < sub_layers; i++) {
        bits += rbsp_flag(r) ? PROFILE_BITS : 0;
        bits += rbsp_flag(r) ? LEVEL_BITS : 0;
    }
    if (sub_layers > 0)
        rbsp_skip(r, 2 * (8 - sub_layers)); /* reserved, up to eight pairs */
    rbsp_skip(r, bits);
}

/* From the numbers of the sets to the chroma format. */
static int parse_front(struct rbsp *r, struct h265_sps *sps, uint32_t *out_chroma)
{
    sps->vps_id = (uint8_t)rbsp_bits(r, 4);
    uint32_t sub_layers = rbsp_bits(r, 3);
    rbsp_flag(r); /* sps_temporal_id_nesting_flag */
    if (!rbsp_ok(r) || sub_layers > SUB_LAYERS_MAX)
        return -EBADMSG;
    skip_profile(r, sub_layers);
    uint32_t id = rbsp_ue(r);
    uint32_t chroma = rbsp_ue(r);
    if (!rbsp_ok(r) || id >= H265_SPS_IDS || chroma > CHROMA_444)
        return -EBADMSG;
    sps->id = (uint8_t)id;
    *out_chroma = chroma;
    return 0;
}

/* The size behind conformance_window, in units of two samples for 4:2:0. */
static int parse_size(struct rbsp *r, struct h265_sps *sps)
{
    uint64_t width = rbsp_ue(r);
    uint64_t height = rbsp_ue(r);
    uint64_t crop[4] = {0};
    if (rbsp_flag(r))
        for (size_t i = 0; i < 4; i++)
            crop[i] = rbsp_ue(r);
    uint64_t cut_x = 2 * (crop[0] + crop[1]);
    uint64_t cut_y = 2 * (crop[2] + crop[3]);
    if (!rbsp_ok(r))
        return -EBADMSG;
    return framesize_shown(width, height, cut_x, cut_y, &sps->width, &sps->height);
}

int h265_sps_parse(const uint8_t *nal, size_t len, struct h265_sps *out)
{
    struct h265_sps sps = {0};
    struct rbsp r;
    uint32_t chroma = 0;
    if (len <= H265_NAL_HEAD_LEN)
        return -EBADMSG;
    rbsp_init(&r, nal + H265_NAL_HEAD_LEN, len - H265_NAL_HEAD_LEN);
    int rc = parse_front(&r, &sps, &chroma);
    if (rc < 0)
        return rc;
    if (chroma != CHROMA_420)
        return -ENOTSUP;
    rc = parse_size(&r, &sps);
    if (rc < 0)
        return rc;
    uint32_t luma_more = rbsp_ue(&r);
    uint32_t chroma_more = rbsp_ue(&r);
    if (!rbsp_ok(&r))
        return -EBADMSG;
    if (luma_more != 0 || chroma_more != 0)
        return -ENOTSUP;
    *out = sps;
    return 0;
}
