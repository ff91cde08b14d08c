/* Counters per client address, so that one source cannot use up what all share. */
#include "web/peers.h"

#include "lib/base/secret.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

struct entry {
    uint64_t key[2];
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

static void key_of(const struct addr *addr, uint64_t out_key[2])
{
    out_key[0] = addr->family;
    memcpy(&out_key[1], addr->ip, sizeof(out_key[1])); /* IPv4: all of it; IPv6: the /64 */
}

static uint32_t *bucket_of(const struct peers *peers, const uint64_t key[2])
{
    uint64_t hash = (key[1] ^ peers->salt) * UINT64_C(0x9e3779b97f4a7c15) + key[0];
    hash ^= hash >> 32;
    hash *= UINT64_C(0xd6e8feb86659fd93);
    return &peers->buckets[(uint32_t)(hash >> 32) & peers->mask];
}

static uint32_t *find(const struct peers *peers, const uint64_t key[2])
{
    uint32_t *at = bucket_of(peers, key);
    while (*at != NONE &&
           memcmp(peers->entries[*at].key, key, sizeof(peers->entries[*at].key)) != 0)
        at = &peers->entries[*at].next;
    return at;
}

bool peers_take(struct peers *peers, const struct addr *addr, enum peers_what what, uint32_t limit)
{
    uint64_t key[2];
    key_of(addr, key);
    uint32_t index = *find(peers, key);
    if (index == NONE) {
        index = peers->free;
        if (index == NONE || limit == 0)
            return false;
        struct entry *entry = &peers->entries[index];
        uint32_t *bucket = bucket_of(peers, key);
        peers->free = entry->next;
        memcpy(entry->key, key, sizeof(entry->key));
        memset(entry->count, 0, sizeof(entry->count));
        entry->next = *bucket;
        *bucket = index;
    }
    if (peers->entries[index].count[what] >= limit)
        return false;
    peers->entries[index].count[what]++;
    return true;
}

void peers_drop(struct peers *peers, const struct addr *addr, enum peers_what what)
{
    uint64_t key[2];
    key_of(addr, key);
    uint32_t *at = find(peers, key);
    assert(*at != NONE);
    struct entry *entry = &peers->entries[*at];
    assert(entry->count[what] > 0);
    entry->count[what]--;
    for (size_t i = 0; i < PEERS_WHAT_COUNT; i++) {
        if (entry->count[i] > 0)
            return;
    }
    uint32_t index = *at;
    *at = entry->next;
    entry->next = peers->free;
    peers->free = index;
}

uint32_t peers_count(const struct peers *peers, const struct addr *addr, enum peers_what what)
{
    uint64_t key[2];
    key_of(addr, key);
    uint32_t index = *find(peers, key);
    return index == NONE ? 0 : peers->entries[index].count[what];
}
