/* Cache of H.265 parameter sets. */
#include "gateway/depay/h265_sets.h"

#include "gateway/depay/h265_sps.h"
#include "gateway/depay/rbsp.h"

#include <errno.h>

static int add_vps(struct h265_sets *s, const uint8_t *nal, size_t len)
{
    (void)nalset_store(s->vps, H265_VPS_SLOTS, nal[H265_NAL_HEAD_LEN] >> 4, nal, len, &s->received);
    return 0;
}

static int add_sps(struct h265_sets *s, const uint8_t *nal, size_t len)
{
    struct h265_sps sps;
    int rc = h265_sps_parse(nal, len, &sps);
    if (rc < 0)
        return rc;
    struct nalset *set = nalset_store(s->sps, H265_SPS_SLOTS, sps.id, nal, len, &s->received);
    set->parent_id = sps.vps_id;
    set->width = sps.width;
    set->height = sps.height;
    return 0;
}

static int add_pps(struct h265_sets *s, const uint8_t *nal, size_t len)
{
    struct rbsp r;
    rbsp_init(&r, nal + H265_NAL_HEAD_LEN, len - H265_NAL_HEAD_LEN);
    uint32_t id = rbsp_ue(&r);
    uint32_t sps_id = rbsp_ue(&r);
    if (!rbsp_ok(&r) || id >= H265_PPS_IDS || sps_id >= H265_SPS_IDS)
        return -EBADMSG;
    struct nalset *set = nalset_store(s->pps, H265_PPS_SLOTS, id, nal, len, &s->received);
    set->parent_id = (uint16_t)sps_id;
    return 0;
}

int h265_sets_add(struct h265_sets *s, const uint8_t *nal, size_t len)
{
    if (len > NALSET_LEN_MAX)
        return -EMSGSIZE;
    if (len <= H265_NAL_HEAD_LEN)
        return -EBADMSG;
    switch (nal[0] >> 1 & 0x3f) {
    case H265_VPS:
        return add_vps(s, nal, len);
    case H265_SPS:
        return add_sps(s, nal, len);
    case H265_PPS:
        return add_pps(s, nal, len);
    default:
        return -EBADMSG;
    }
}

int h265_sets_find(struct h265_sets *s, uint32_t pps_id, struct h265_chain *out)
{
    struct h265_chain chain = {.pps = nalset_find(s->pps, H265_PPS_SLOTS, pps_id)};
    if (chain.pps)
        chain.sps = nalset_find(s->sps, H265_SPS_SLOTS, chain.pps->parent_id);
    if (chain.sps)
        chain.vps = nalset_find(s->vps, H265_VPS_SLOTS, chain.sps->parent_id);
    if (!chain.vps)
        return -ENOENT;
    *out = chain;
    return 0;
}

void h265_sets_forget_passed(struct h265_sets *s)
{
    nalset_forget_passed(s->vps, H265_VPS_SLOTS);
    nalset_forget_passed(s->sps, H265_SPS_SLOTS);
    nalset_forget_passed(s->pps, H265_PPS_SLOTS);
}
