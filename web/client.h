/* Who counts as one client: an IPv4 address, or an IPv6 /64, because that is what one gets. */
#ifndef SLUICE_WEB_CLIENT_H
#define SLUICE_WEB_CLIENT_H

#include "lib/base/addr.h"

#include <stdbool.h>
#include <stdint.h>

/* Ports and the lower half of an IPv6 address do not count. */
struct client_key {
    uint64_t words[2];
};

struct client_key client_key_of(const struct addr *addr);
bool client_key_equal(struct client_key a, struct client_key b);
/* For tables: clients choose their addresses, but with a random salt not where they come to lie. */
uint32_t client_key_hash(struct client_key key, uint64_t salt);

#endif
