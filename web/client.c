/* Who counts as one client: an IPv4 address, or an IPv6 /64, because that is what one gets. */
#include "web/client.h"

#include <string.h>

struct client_key client_key_of(const struct addr *addr)
{
    struct client_key key = {.words[0] = addr->family};
    memcpy(&key.words[1], addr->ip, sizeof(key.words[1])); /* IPv4: all of it; IPv6: the /64 */
    return key;
}

bool client_key_equal(struct client_key a, struct client_key b)
{
    return a.words[0] == b.words[0] && a.words[1] == b.words[1];
}

uint32_t client_key_hash(struct client_key key, uint64_t salt)
{
    uint64_t hash = (key.words[1] ^ salt) * UINT64_C(0x9e3779b97f4a7c15) + key.words[0];
    hash ^= hash >> 32;
    hash *= UINT64_C(0xd6e8feb86659fd93);
    return (uint32_t)(hash >> 32);
}
