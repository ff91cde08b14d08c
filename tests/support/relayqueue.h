/* Datagrams on their way: a bounded queue by time to send, equal times in the order of pushing. */
#ifndef SLUICE_SUPPORT_RELAYQUEUE_H
#define SLUICE_SUPPORT_RELAYQUEUE_H

#include <stddef.h>
#include <stdint.h>

#define RELAYQUEUE_SLOTS 16384u
#define RELAYQUEUE_LEN_MAX 4096u /* bytes of a datagram */

/* What travels with the bytes; the queue reads due_us only. */
struct relayqueue_tag {
    uint64_t due_us;
    uint64_t arrival; /* number among those of its link */
    size_t client;    /* place in the table, */
    uint64_t serial;  /* and who had that place */
    unsigned direction;
};

struct relayqueue_slot {
    struct relayqueue_tag tag;
    uint64_t order;
    size_t len;
    uint8_t bytes[RELAYQUEUE_LEN_MAX];
};

/* Invariant: heap[0..count-1] are the slots in use, heap[count..] the free ones. */
struct relayqueue {
    struct relayqueue_slot *slots;
    size_t *heap;
    size_t count;
    uint64_t pushed;
};

int relayqueue_init(struct relayqueue *queue); /* 0 or -ENOMEM */
void relayqueue_done(struct relayqueue *queue);

/* Copies the datagram. 0, -ENOSPC when all slots are in use, -EMSGSIZE. */
int relayqueue_push(struct relayqueue *queue, const struct relayqueue_tag *tag, const void *data,
                    size_t len);

/* The one to send first, NULL when there is none; valid until relayqueue_drop or a push. */
const struct relayqueue_slot *relayqueue_first(const struct relayqueue *queue);
void relayqueue_drop(struct relayqueue *queue); /* that one; there must be one */

#endif
