/* Slots for parameter sets of H.264 and H.265. */
#include "gateway/depay/nalset.h"

#include <string.h>

struct nalset *nalset_find(struct nalset *slots, size_t count, uint32_t id)
{
    for (size_t i = 0; i < count; i++)
        if (slots[i].len != 0 && slots[i].id == id)
            return &slots[i];
    return NULL;
}

/* The slot of this id, else an empty one, else the oldest. */
static struct nalset *slot_for(struct nalset *slots, size_t count, uint32_t id)
{
    struct nalset *slot = nalset_find(slots, count, id);
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

struct nalset *nalset_store(struct nalset *slots, size_t count, uint32_t id, const uint8_t *nal,
                            size_t len, uint32_t *order)
{
    struct nalset *slot = slot_for(slots, count, id);
    bool same = slot->len == len && slot->id == id && memcmp(slot->data, nal, len) == 0;
    if (!same)
        slot->passed = false;
    memcpy(slot->data, nal, len);
    slot->len = (uint16_t)len;
    slot->id = (uint16_t)id;
    slot->received = ++*order;
    return slot;
}

void nalset_forget_passed(struct nalset *slots, size_t count)
{
    for (size_t i = 0; i < count; i++)
        slots[i].passed = false;
}

void nalset_write(struct nalset *set, struct writer *w)
{
    if (set->passed)
        return;
    writer_u32(w, set->len);
    writer_bytes(w, set->data, set->len);
    set->passed = true;
}
