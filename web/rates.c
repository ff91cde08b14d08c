/* How often one client may ask for work: a token bucket for each kind of request. */
#include "web/rates.h"

#include "lib/base/clock.h"
#include "lib/base/secret.h"
#include "web/client.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define WAYS 8u /* places that a client may lie in */

/* full_us: when the bucket is full again (0 or past: it is full). A request moves it on by the time
 * that one token needs to come back; it is refused if the bucket would be more than empty. */
struct entry {
    struct client_key key;
    uint64_t full_us[RATES_KIND_COUNT];
};

struct rates {
    uint64_t salt;
    uint32_t mask; /* of sets */
    struct entry *entries;
};

static const struct rates_limit limits[RATES_KIND_COUNT] = {
    [RATES_POST] = {.burst = 200, .per_second = 40},
    [RATES_PATCH] = {.burst = 400, .per_second = 100},
    [RATES_DELETE] = {.burst = 400, .per_second = 100},
};

const struct rates_limit *rates_limit_of(enum rates_kind kind)
{
    return kind < RATES_KIND_COUNT ? &limits[kind] : NULL;
}

int rates_new(size_t clients, struct rates **out)
{
    uint32_t sets = 1;
    while ((size_t)sets * WAYS < clients)
        sets *= 2;
    struct rates *rates = calloc(1, sizeof(*rates));
    if (!rates)
        return -ENOMEM;
    rates->entries = calloc((size_t)sets * WAYS, sizeof(*rates->entries));
    if (!rates->entries) {
        free(rates);
        return -ENOMEM;
    }
    rates->mask = sets - 1;
    secret_random(&rates->salt, sizeof(rates->salt));
    *out = rates;
    return 0;
}

void rates_free(struct rates *rates)
{
    if (!rates)
        return;
    free(rates->entries);
    free(rates);
}

static struct entry *set_of(const struct rates *rates, struct client_key key)
{
    return rates->entries + (size_t)(client_key_hash(key, rates->salt) & rates->mask) * WAYS;
}

static struct entry *find(const struct rates *rates, struct client_key key)
{
    struct entry *set = set_of(rates, key);
    for (size_t i = 0; i < WAYS; i++) {
        if (client_key_equal(set[i].key, key))
            return &set[i];
    }
    return NULL;
}

static uint64_t last_full_us(const struct entry *entry)
{
    uint64_t last_us = 0;
    for (size_t i = 0; i < RATES_KIND_COUNT; i++) {
        if (entry->full_us[i] > last_us)
            last_us = entry->full_us[i];
    }
    return last_us;
}

/* The place of whoever is first to have full buckets; unused ones always have. */
static struct entry *take_place(const struct rates *rates, struct client_key key)
{
    struct entry *set = set_of(rates, key), *least = set;
    for (size_t i = 1; i < WAYS; i++) {
        if (last_full_us(&set[i]) < last_full_us(least))
            least = &set[i];
    }
    memset(least, 0, sizeof(*least));
    least->key = key;
    return least;
}

uint32_t rates_take(struct rates *rates, const struct addr *addr, enum rates_kind kind,
                    uint64_t now_us)
{
    if (kind >= RATES_KIND_COUNT)
        return 0;
    struct client_key key = client_key_of(addr);
    struct entry *entry = find(rates, key);
    uint64_t token_us = CLOCK_SECOND_US / limits[kind].per_second;
    uint64_t empty_us = now_us + token_us * limits[kind].burst;
    if (!entry)
        entry = take_place(rates, key);
    uint64_t full_us = entry->full_us[kind] > now_us ? entry->full_us[kind] : now_us;
    if (full_us + token_us > empty_us) {
        uint64_t wait_us = full_us + token_us - empty_us;
        return (uint32_t)((wait_us + CLOCK_SECOND_US - 1) / CLOCK_SECOND_US);
    }
    entry->full_us[kind] = full_us + token_us;
    return 0;
}

void rates_give_back(struct rates *rates, const struct addr *addr, enum rates_kind kind)
{
    struct entry *entry = kind < RATES_KIND_COUNT ? find(rates, client_key_of(addr)) : NULL;
    uint64_t token_us = entry ? CLOCK_SECOND_US / limits[kind].per_second : 0;
    if (entry && entry->full_us[kind] >= token_us)
        entry->full_us[kind] -= token_us;
}
