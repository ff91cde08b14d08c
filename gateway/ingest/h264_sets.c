/* Cache of H.264 parameter sets. */
#include "gateway/ingest/h264_sets.h"

#include "gateway/ingest/rbsp.h"

#include <errno.h>
#include <string.h>

#define PPS_IDS 256u

static struct h264_set *find(struct h264_set *slots, size_t count, uint32_t id)
{
    for (size_t i = 0; i < count; i++)
        if (slots[i].len != 0 && slots[i].id == id)
            return &slots[i];
    return NULL;
}

/* The slot of this id, else an empty one, else the oldest. */
static struct h264_set *slot_for(struct h264_set *slots, size_t count, uint32_t id)
{
    struct h264_set *slot = find(slots, count, id);
    if (slot)
        return slot;
    slot = &slots[0];
    for (size_t i = 0; i < count; i++) {
        if (slots[i].len == 0)
            return &slots[i];
        if (slots[i].received < slot->received)
            slot = &slots[i];
    }
    return slot;
}

static void store(struct h264_sets *s, struct h264_set *slot, uint32_t id, const uint8_t *nal,
                  size_t len)
{
    bool same = slot->len == len && slot->id == id && memcmp(slot->data, nal, len) == 0;
    if (!same)
        slot->passed = false;
    memcpy(slot->data, nal, len);
    slot->len = (uint16_t)len;
    slot->id = (uint16_t)id;
    slot->received = ++s->received;
}

int h264_sets_add_sps(struct h264_sets *s, const uint8_t *nal, size_t len)
{
    struct sps sps;
    if (len > H264_SET_LEN_MAX)
        return -EMSGSIZE;
    int rc = sps_parse(nal, len, &sps);
    if (rc < 0)
        return rc;
    struct h264_set *slot = slot_for(s->sps, H264_SPS_SLOTS, sps.id);
    store(s, slot, sps.id, nal, len);
    slot->sps = sps;
    return 0;
}

int h264_sets_add_pps(struct h264_sets *s, const uint8_t *nal, size_t len)
{
    if (len > H264_SET_LEN_MAX)
        return -EMSGSIZE;
    if (len < 2)
        return -EBADMSG;
    struct rbsp r;
    rbsp_init(&r, nal + 1, len - 1);
    uint32_t id = rbsp_ue(&r);
    uint32_t sps_id = rbsp_ue(&r);
    if (!rbsp_ok(&r) || id >= PPS_IDS || sps_id >= SPS_IDS)
        return -EBADMSG;
    struct h264_set *slot = slot_for(s->pps, H264_PPS_SLOTS, id);
    store(s, slot, id, nal, len);
    slot->sps_id = (uint16_t)sps_id;
    return 0;
}

struct h264_set *h264_sets_find_pps(struct h264_sets *s, uint32_t id)
{
    return find(s->pps, H264_PPS_SLOTS, id);
}

struct h264_set *h264_sets_find_sps(struct h264_sets *s, uint32_t id)
{
    return find(s->sps, H264_SPS_SLOTS, id);
}

void h264_sets_forget_passed(struct h264_sets *s)
{
    for (size_t i = 0; i < H264_SPS_SLOTS; i++)
        s->sps[i].passed = false;
    for (size_t i = 0; i < H264_PPS_SLOTS; i++)
        s->pps[i].passed = false;
}
