/* Counters per client address, so that one source cannot use up what all share. */
#include "web/peers.h"

#include "lib/base/secret.h"
#include "web/client.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

struct entry {
    struct client_key key;
    uint32_t count[PEERS_WHAT_COUNT];
    uint32_t next; /* in its bucket, or in the free list */
};

struct peers {
    uint64_t salt; /* clients choose their addresses, not their buckets */
    uint32_t free;
    uint32_t mask;
    uint32_t *buckets;
    struct entry *entries;
};

int peers_new(size_t addresses, struct peers **out)
{
    size_t buckets = 16;
    while (buckets < addresses)
        buckets *= 2;
    struct peers *peers = calloc(1, sizeof(*peers));
    if (!peers)
        return -ENOMEM;
    peers->buckets = malloc(buckets * sizeof(*peers->buckets));
    peers->entries = calloc(addresses, sizeof(*peers->entries));
    if (!peers->buckets || !peers->entries) {
        peers_free(peers);
        return -ENOMEM;
    }
    secret_random(&peers->salt, sizeof(peers->salt));
    peers->mask = (uint32_t)(buckets - 1);
    memset(peers->buckets, 0xff, buckets * sizeof(*peers->buckets));
    for (size_t i = 0; i < addresses; i++)
        peers->entries[i].next = i + 1 < addresses ? (uint32_t)(i + 1) : NONE;
    peers->free = addresses > 0 ? 0 : NONE;
    *out = peers;
    return 0;
}

void peers_free(struct peers *peers)
{
    if (!peers)
        return;
    free(peers->buckets);
    free(peers->entries);
    free(peers);
}

static uint32_t *bucket_of(const struct peers *peers, struct client_key key)
{
    return &peers->buckets[client_key_hash(key, peers->salt) & peers->mask];
}

static uint32_t *find(const struct peers *peers, struct client_key key)
{
    uint32_t *at = bucket_of(peers, key);
    while (*at != NONE && !client_key_equal(peers->entries[*at].key, key))
        at = &peers->entries[*at].next;
    return at;
}

bool peers_take_many(struct peers *peers, const struct addr *addr, enum peers_what what, uint32_t n,
                     uint32_t limit)
{
    struct client_key key = client_key_of(addr);
    uint32_t index = *find(peers, key);
    if (index == NONE) {
        index = peers->free;
        if (index == NONE || n > limit)
            return false;
        struct entry *entry = &peers->entries[index];
        uint32_t *bucket = bucket_of(peers, key);
        peers->free = entry->next;
        entry->key = key;
        memset(entry->count, 0, sizeof(entry->count));
        entry->next = *bucket;
        *bucket = index;
    }
    uint32_t *count = &peers->entries[index].count[what];
    if (*count > limit || n > limit - *count)
        return false;
    *count += n;
    return true;
}

bool peers_take(struct peers *peers, const struct addr *addr, enum peers_what what, uint32_t limit)
{
    return peers_take_many(peers, addr, what, 1, limit);
}

void peers_drop_many(struct peers *peers, const struct addr *addr, enum peers_what what, uint32_t n)
{
    struct client_key key = client_key_of(addr);
    uint32_t *at = find(peers, key);
    assert(*at != NONE);
    struct entry *entry = &peers->entries[*at];
    assert(entry->count[what] >= n);
    entry->count[what] -= n;
    for (size_t i = 0; i < PEERS_WHAT_COUNT; i++) {
        if (entry->count[i] > 0)
            return;
    }
    uint32_t index = *at;
    *at = entry->next;
    entry->next = peers->free;
    peers->free = index;
}

void peers_drop(struct peers *peers, const struct addr *addr, enum peers_what what)
{
    peers_drop_many(peers, addr, what, 1);
}

uint32_t peers_count(const struct peers *peers, const struct addr *addr, enum peers_what what)
{
    struct client_key key = client_key_of(addr);
    uint32_t index = *find(peers, key);
    return index == NONE ? 0 : peers->entries[index].count[what];
}
