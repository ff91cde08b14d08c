/* Datagrams on their way: a bounded queue by time to send. */
#include "tests/support/relayqueue.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int relayqueue_init(struct relayqueue *queue)
{
    *queue = (struct relayqueue){0};
    queue->slots = calloc(RELAYQUEUE_SLOTS, sizeof(*queue->slots));
    queue->heap = calloc(RELAYQUEUE_SLOTS, sizeof(*queue->heap));
    if (queue->slots == NULL || queue->heap == NULL) {
        relayqueue_done(queue);
        return -ENOMEM;
    }
    for (size_t i = 0; i < RELAYQUEUE_SLOTS; i++)
        queue->heap[i] = i;
    return 0;
}

void relayqueue_done(struct relayqueue *queue)
{
    free(queue->slots);
    free(queue->heap);
    *queue = (struct relayqueue){0};
}

static bool is_before(const struct relayqueue *queue, size_t a, size_t b)
{
    const struct relayqueue_slot *first = &queue->slots[queue->heap[a]];
    const struct relayqueue_slot *second = &queue->slots[queue->heap[b]];
    if (first->tag.due_us != second->tag.due_us)
        return first->tag.due_us < second->tag.due_us;
    return first->order < second->order;
}

static void swap(struct relayqueue *queue, size_t a, size_t b)
{
    size_t slot = queue->heap[a];
    queue->heap[a] = queue->heap[b];
    queue->heap[b] = slot;
}

int relayqueue_push(struct relayqueue *queue, const struct relayqueue_tag *tag, const void *data,
                    size_t len)
{
    if (len > RELAYQUEUE_LEN_MAX)
        return -EMSGSIZE;
    if (queue->count == RELAYQUEUE_SLOTS)
        return -ENOSPC;
    size_t place = queue->count++;
    struct relayqueue_slot *slot = &queue->slots[queue->heap[place]];
    slot->tag = *tag;
    slot->order = queue->pushed++;
    slot->len = len;
    memcpy(slot->bytes, data, len);
    while (place > 0 && is_before(queue, place, (place - 1) / 2)) {
        swap(queue, place, (place - 1) / 2);
        place = (place - 1) / 2;
    }
    return 0;
}

const struct relayqueue_slot *relayqueue_first(const struct relayqueue *queue)
{
    return queue->count > 0 ? &queue->slots[queue->heap[0]] : NULL;
}

void relayqueue_drop(struct relayqueue *queue)
{
    assert(queue->count > 0); /* the caller has just seen the first */
    swap(queue, 0, --queue->count);
    for (size_t place = 0, child = 1; child < queue->count; place = child, child = place * 2 + 1) {
        if (child + 1 < queue->count && is_before(queue, child + 1, child))
            child++;
        if (!is_before(queue, child, place))
            break;
        swap(queue, place, child);
    }
}
