/* Parses an H.264 sequence parameter set as far as the picture size. */
#include "gateway/depay/sps.h"

#include "gateway/depay/framesize.h"
#include "gateway/depay/rbsp.h"

#include <errno.h>
#include <stdbool.h>

#define NAL_SPS 7
#define CHROMA_444 3u
#define REF_FRAMES_IN_CYCLE_MAX 255u
#define MBS_MAX 4096u /* macroblocks of one side: far above any level, keeps products small */

/* Decoders disagree on the syntax of further ones, and so on the size they allocate (M3). */
static bool is_known_profile(uint8_t profile_idc)
{
    static const uint8_t profiles[] = {66, 77, 88, 100, 110, 122, 244, 44};
    for (size_t i = 0; i < sizeof(profiles); i++)
        if (profiles[i] == profile_idc)
            return true;
    return false;
}

/* 7.3.2.1.1: these profiles carry the chroma format and scaling lists. */
static bool has_chroma_format(uint8_t profile_idc)
{
    static const uint8_t profiles[] = {100, 110, 122, 244, 44};
    for (size_t i = 0; i < sizeof(profiles); i++)
        if (profiles[i] == profile_idc)
            return true;
    return false;
}

/* 7.3.2.1.1.1 */
static void skip_scaling_list(struct rbsp *r, unsigned size)
{
    int32_t last = 8;
    int32_t next = 8;
    for (unsigned i = 0; i < size && rbsp_ok(r); i++) {
        if (next != 0) {
            int32_t delta = rbsp_se(r);
            if (delta < -128 || delta > 127)
                r->failed = true;
            next = (last + (r->failed ? 0 : delta) + 256) % 256;
        }
        last = next == 0 ? last : next;
    }
}

static int parse_high_part(struct rbsp *r, uint32_t *out_chroma)
{
    uint32_t chroma = rbsp_ue(r);
    if (!rbsp_ok(r) || chroma > 3)
        return -EBADMSG;
    if (chroma == CHROMA_444)
        return -ENOTSUP;
    uint32_t luma_depth = rbsp_ue(r);
    uint32_t chroma_depth = rbsp_ue(r);
    rbsp_flag(r); /* qpprime_y_zero_transform_bypass_flag */
    if (rbsp_flag(r)) {
        for (unsigned i = 0; i < 8; i++)
            if (rbsp_flag(r))
                skip_scaling_list(r, i < 6 ? 16 : 64);
    }
    if (!rbsp_ok(r) || luma_depth > 6 || chroma_depth > 6)
        return -EBADMSG;
    *out_chroma = chroma;
    return 0;
}

/* log2_max_frame_num, picture order count, reference frames. */
static int skip_order_count(struct rbsp *r)
{
    if (rbsp_ue(r) > 12)
        return -EBADMSG;
    uint32_t type = rbsp_ue(r);
    if (type > 2)
        return -EBADMSG;
    if (type == 0 && rbsp_ue(r) > 12)
        return -EBADMSG;
    if (type == 1) {
        rbsp_flag(r);
        rbsp_se(r);
        rbsp_se(r);
        uint32_t count = rbsp_ue(r);
        if (count > REF_FRAMES_IN_CYCLE_MAX)
            return -EBADMSG;
        for (uint32_t i = 0; i < count && rbsp_ok(r); i++)
            rbsp_se(r);
    }
    if (rbsp_ue(r) > 16) /* max_num_ref_frames */
        return -EBADMSG;
    rbsp_flag(r); /* gaps_in_frame_num_value_allowed_flag */
    return rbsp_ok(r) ? 0 : -EBADMSG;
}

/* Crop units follow the chroma format and field coding, 7.4.2.1.1 */
static int parse_size(struct rbsp *r, uint32_t chroma, struct sps *sps)
{
    uint32_t width_mbs = rbsp_ue(r);
    uint32_t height_units = rbsp_ue(r);
    bool frames_only = rbsp_flag(r);
    if (!frames_only)
        rbsp_flag(r); /* mb_adaptive_frame_field_flag */
    rbsp_flag(r);     /* direct_8x8_inference_flag */
    uint32_t crop[4] = {0};
    if (rbsp_flag(r))
        for (size_t i = 0; i < 4; i++)
            crop[i] = rbsp_ue(r);
    if (!rbsp_ok(r))
        return -EBADMSG;
    if (width_mbs >= MBS_MAX || height_units >= MBS_MAX)
        return -EMSGSIZE;
    uint64_t width = (uint64_t)(width_mbs + 1) * 16;
    uint64_t height = (uint64_t)(height_units + 1) * 16 * (frames_only ? 1 : 2);
    uint64_t unit_x = chroma == 0 ? 1 : 2;
    uint64_t unit_y = (uint64_t)(chroma == 1 ? 2 : 1) * (frames_only ? 1 : 2);
    uint64_t cut_x = ((uint64_t)crop[0] + crop[1]) * unit_x;
    uint64_t cut_y = ((uint64_t)crop[2] + crop[3]) * unit_y;
    return framesize_shown(width, height, cut_x, cut_y, &sps->width, &sps->height);
}

int sps_parse(const uint8_t *nal, size_t len, struct sps *out)
{
    if (len < 4 || (nal[0] & 0x80) != 0 || (nal[0] & 0x1f) != NAL_SPS)
        return -EBADMSG;
    struct sps sps = {0};
    struct rbsp r;
    rbsp_init(&r, nal + 1, len - 1);
    sps.profile_idc = (uint8_t)rbsp_bits(&r, 8);
    sps.constraints = (uint8_t)rbsp_bits(&r, 8);
    sps.level_idc = (uint8_t)rbsp_bits(&r, 8);
    uint32_t id = rbsp_ue(&r);
    if (!rbsp_ok(&r) || id >= SPS_IDS)
        return -EBADMSG;
    sps.id = (uint8_t)id;
    if (!is_known_profile(sps.profile_idc))
        return -ENOTSUP;
    uint32_t chroma = 1;
    int rc = 0;
    if (has_chroma_format(sps.profile_idc))
        rc = parse_high_part(&r, &chroma);
    if (rc == 0)
        rc = skip_order_count(&r);
    if (rc == 0)
        rc = parse_size(&r, chroma, &sps);
    if (rc < 0)
        return rc;
    *out = sps;
    return 0;
}
