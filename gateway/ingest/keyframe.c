/* When to ask the publisher for a key frame. */
#include "gateway/ingest/keyframe.h"

void keyframe_want(struct keyframe *k)
{
    k->wanted = true;
}

void keyframe_seen(struct keyframe *k, uint64_t now_us)
{
    k->wanted = false;
    k->waiting = false;
    k->came = true;
    k->last_key_us = now_us;
}

void keyframe_set_answer(struct keyframe *k, uint64_t answer_us)
{
    k->answer_us = answer_us;
}

static uint64_t spacing_us(const struct keyframe *k)
{
    if (k->answer_us < KEYFRAME_SPACING_US)
        return KEYFRAME_SPACING_US;
    return k->answer_us < KEYFRAME_SPACING_MAX_US ? k->answer_us : KEYFRAME_SPACING_MAX_US;
}

uint64_t keyframe_due_us(const struct keyframe *k)
{
    uint64_t due_us = 0;
    if (!k->wanted)
        return UINT64_MAX;
    if (k->asked)
        due_us = k->last_asked_us + spacing_us(k);
    if (k->came && k->last_key_us + KEYFRAME_REST_US > due_us)
        due_us = k->last_key_us + KEYFRAME_REST_US;
    return due_us;
}

enum keyframe_request keyframe_take(struct keyframe *k, bool may_order, uint64_t now_us)
{
    if (now_us < keyframe_due_us(k))
        return KEYFRAME_NOTHING;
    bool order = may_order && k->waiting && now_us - k->since_us >= KEYFRAME_IGNORED_US;
    k->asked = true;
    k->last_asked_us = now_us;
    if (order || !k->waiting)
        k->since_us = now_us;
    k->waiting = true;
    return order ? KEYFRAME_ORDER : KEYFRAME_ASK;
}

uint8_t keyframe_number(struct keyframe *k)
{
    return k->fir_number++;
}
