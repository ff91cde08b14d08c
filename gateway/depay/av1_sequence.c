/* Parses an AV1 sequence header as far as the sample format. */
#include "gateway/depay/av1_sequence.h"

#include "gateway/depay/rbsp.h"
#include "lib/proto/frame.h"

#include <errno.h>

#define TIER_LEVEL 7u /* levels above have a tier */
#define SELECT 2u     /* decided per frame */

/* timing_info and decoder_model_info, 5.5.3, 5.5.4. Returns the bits of one buffer delay; 0: there
 * is no decoder model. */
static unsigned skip_timing(struct rbsp *r)
{
    if (!rbsp_flag(r))
        return 0;
    rbsp_skip(r, 64);
    if (rbsp_flag(r))
        rbsp_ue(r); /* uvlc(), 4.10.3, is coded like ue(v) */
    if (!rbsp_flag(r))
        return 0;
    unsigned delay_bits = rbsp_bits(r, 5) + 1;
    rbsp_skip(r, 32 + 5 + 5);
    return delay_bits;
}

static void skip_operating_points(struct rbsp *r, unsigned delay_bits)
{
    bool has_display_delay = rbsp_flag(r);
    uint32_t count = rbsp_bits(r, 5) + 1;
    for (uint32_t i = 0; i < count && rbsp_ok(r); i++) {
        rbsp_skip(r, 12);
        if (rbsp_bits(r, 5) > TIER_LEVEL)
            rbsp_flag(r);
        if (delay_bits > 0 && rbsp_flag(r))
            rbsp_skip(r, 2 * delay_bits + 1);
        if (has_display_delay && rbsp_flag(r))
            rbsp_skip(r, 4);
    }
}

/* From the frame numbers to loop restoration, 5.5.1. */
static void skip_tools(struct rbsp *r)
{
    if (rbsp_flag(r))
        rbsp_skip(r, 4 + 3); /* lengths of frame numbers */
    rbsp_skip(r, 3);         /* superblocks, filter intra, intra edge */
    rbsp_skip(r, 4);         /* inter-intra, masked, warped, dual filter */
    bool order_hint = rbsp_flag(r);
    if (order_hint)
        rbsp_skip(r, 2);
    uint32_t screen = SELECT;
    if (!rbsp_flag(r))
        screen = rbsp_bits(r, 1);
    if (screen > 0 && !rbsp_flag(r))
        rbsp_flag(r); /* seq_force_integer_mv */
    if (order_hint)
        rbsp_skip(r, 3);
    rbsp_skip(r, 3); /* super resolution, CDEF, restoration */
}

int av1_sequence_parse(const uint8_t *payload, size_t len, struct av1_sequence *out)
{
    struct rbsp r;
    rbsp_init_plain(&r, payload, len);
    uint32_t profile = rbsp_bits(&r, 3);
    bool still = rbsp_flag(&r);
    bool reduced = rbsp_flag(&r);
    if (!rbsp_ok(&r))
        return -EBADMSG;
    if (profile != 0 || still || reduced)
        return -ENOTSUP;
    unsigned delay_bits = skip_timing(&r);
    skip_operating_points(&r, delay_bits);
    unsigned width_bits = rbsp_bits(&r, 4) + 1;
    unsigned height_bits = rbsp_bits(&r, 4) + 1;
    uint32_t width = rbsp_bits(&r, width_bits) + 1;
    uint32_t height = rbsp_bits(&r, height_bits) + 1;
    skip_tools(&r);
    bool deep = rbsp_flag(&r);
    bool monochrome = rbsp_flag(&r);
    if (!rbsp_ok(&r))
        return -EBADMSG;
    if (deep || monochrome)
        return -ENOTSUP;
    if (width > FRAME_DIMENSION_MAX || height > FRAME_DIMENSION_MAX)
        return -EMSGSIZE;
    *out = (struct av1_sequence){.width = (uint16_t)width, .height = (uint16_t)height};
    return 0;
}
