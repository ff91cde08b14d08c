/* Cache of H.264 parameter sets. */
#include "gateway/depay/h264_sets.h"

#include "gateway/depay/rbsp.h"
#include "gateway/depay/sps.h"

#include <errno.h>

#define PPS_IDS 256u

int h264_sets_add_sps(struct h264_sets *s, const uint8_t *nal, size_t len)
{
    struct sps sps;
    if (len > NALSET_LEN_MAX)
        return -EMSGSIZE;
    int rc = sps_parse(nal, len, &sps);
    if (rc < 0)
        return rc;
    struct nalset *set = nalset_store(s->sps, H264_SPS_SLOTS, sps.id, nal, len, &s->received);
    set->width = sps.width;
    set->height = sps.height;
    return 0;
}

int h264_sets_add_pps(struct h264_sets *s, const uint8_t *nal, size_t len)
{
    if (len > NALSET_LEN_MAX)
        return -EMSGSIZE;
    if (len < 2)
        return -EBADMSG;
    struct rbsp r;
    rbsp_init(&r, nal + 1, len - 1);
    uint32_t id = rbsp_ue(&r);
    uint32_t sps_id = rbsp_ue(&r);
    if (!rbsp_ok(&r) || id >= PPS_IDS || sps_id >= SPS_IDS)
        return -EBADMSG;
    struct nalset *set = nalset_store(s->pps, H264_PPS_SLOTS, id, nal, len, &s->received);
    set->parent_id = (uint16_t)sps_id;
    return 0;
}

struct nalset *h264_sets_find_pps(struct h264_sets *s, uint32_t id)
{
    return nalset_find(s->pps, H264_PPS_SLOTS, id);
}

struct nalset *h264_sets_find_sps(struct h264_sets *s, uint32_t id)
{
    return nalset_find(s->sps, H264_SPS_SLOTS, id);
}

void h264_sets_forget_passed(struct h264_sets *s)
{
    nalset_forget_passed(s->sps, H264_SPS_SLOTS);
    nalset_forget_passed(s->pps, H264_PPS_SLOTS);
}
