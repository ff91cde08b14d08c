/* When to ask the publisher for a key frame, so that one comes when a segment is due. */
#include "transcode/keyask.h"

#define REACTION_MAX_US 400000
#define REACTION_WEIGHT 8

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

void keyask_init(struct keyask *k)
{
    *k = (struct keyask){.reaction_us = KEYASK_REACTION_US};
}

void keyask_on_key(struct keyask *k, uint64_t now_us)
{
    if (k->waiting && now_us - k->asked_us <= REACTION_MAX_US)
        k->reaction_us += ((int64_t)(now_us - k->asked_us) - k->reaction_us) / REACTION_WEIGHT;
    k->waiting = false;
    k->key_us = now_us;
}

uint64_t keyask_due(const struct keyask *k, uint64_t wanted_us)
{
    uint64_t due = wanted_us - (uint64_t)k->reaction_us;
    if (k->asked_us != 0 && k->waiting)
        due = later(due, k->asked_us + KEYASK_REPEAT_US);
    if (k->key_us != 0)
        due = later(due, k->key_us + KEYASK_AFTER_KEY_US);
    return due;
}

void keyask_on_sent(struct keyask *k, uint64_t now_us)
{
    k->asked_us = now_us;
    k->waiting = true;
}
