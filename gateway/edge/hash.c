/* Hashes for bucket tables of authenticated entries: seeded, without cryptography. */
#include "gateway/edge/hash.h"

#include <string.h>

#define HASH_FACTOR 0x9e3779b97f4a7c15ull

uint64_t hash_word(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * HASH_FACTOR;
    return hash ^ hash >> 32;
}

uint64_t hash_bytes(uint64_t hash, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    while (len > 0) {
        uint64_t word = 0;
        size_t take = len < sizeof(word) ? len : sizeof(word);
        memcpy(&word, bytes, take);
        hash = hash_word(hash, word);
        bytes += take;
        len -= take;
    }
    return hash;
}
