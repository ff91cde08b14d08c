/* What an imperfect network does to one direction of one client's datagrams. */
#include "tests/support/relaylink.h"

#include "lib/base/clock.h"

#define MILLION 1000000u
#define HEADERS_LEN 28u /* IPv4 and UDP: a link's rate counts them */

/* What one datagram draws, in this order. */
struct draws {
    uint64_t burst;
    uint64_t loss;
    uint64_t duplicate;
    uint64_t reorder;
    uint64_t hold;
    uint64_t flip;
    uint64_t flip_bit;
    uint64_t jitter[RELAYLINK_COPIES_MAX];
};

/* SplitMix64. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

void relaylink_init(struct relaylink *link, uint64_t seed)
{
    *link = (struct relaylink){.random = seed};
    link->random = next_random(&link->random); /* neighbouring seeds: far apart */
}

static struct draws draw(struct relaylink *link)
{
    struct draws d;
    d.burst = next_random(&link->random);
    d.loss = next_random(&link->random);
    d.duplicate = next_random(&link->random);
    d.reorder = next_random(&link->random);
    d.hold = next_random(&link->random);
    d.flip = next_random(&link->random);
    d.flip_bit = next_random(&link->random);
    for (unsigned i = 0; i < RELAYLINK_COPIES_MAX; i++)
        d.jitter[i] = next_random(&link->random);
    return d;
}

static bool happens(uint64_t random, uint32_t millionths)
{
    return random % MILLION < millionths;
}

static bool is_lost(struct relaylink *link, const struct relaylink_config *config,
                    const struct draws *d)
{
    uint32_t chance = link->in_burst ? config->burst_leave : config->burst_enter;
    if (config->burst_enter == 0)
        link->in_burst = false;
    else if (happens(d->burst, chance))
        link->in_burst = !link->in_burst;
    return link->in_burst || happens(d->loss, config->loss);
}

/* When the bucket lets the datagram go; false when that is too late and the queue is full. */
static bool take_tokens(struct relaylink *link, const struct relaylink_config *config, size_t len,
                        uint64_t now_us, uint64_t *out_us)
{
    *out_us = now_us;
    if (config->rate_kbps == 0)
        return true;
    uint64_t cost_us = (uint64_t)(len + HEADERS_LEN) * 8 * CLOCK_MS_US / config->rate_kbps;
    uint64_t full_us = (link->bucket_us > now_us ? link->bucket_us : now_us) + cost_us;
    uint64_t go_us = full_us > now_us + RELAYLINK_BURST_US ? full_us - RELAYLINK_BURST_US : now_us;
    if (go_us - now_us > config->queue_us)
        return false;
    link->bucket_us = full_us;
    *out_us = go_us;
    return true;
}

static uint64_t due_of_copy(struct relaylink *link, const struct relaylink_config *config,
                            uint64_t go_us, uint64_t jitter)
{
    uint64_t due_us = go_us + config->delay_us + jitter % ((uint64_t)config->jitter_us + 1);
    if (config->in_order && due_us < link->last_due_us)
        due_us = link->last_due_us;
    link->last_due_us = due_us;
    return due_us;
}

struct relaylink_verdict relaylink_decide(struct relaylink *link,
                                          const struct relaylink_config *config, size_t len,
                                          uint64_t now_us)
{
    struct relaylink_verdict verdict = {.fate = RELAYLINK_PASS};
    struct draws d = draw(link);
    uint64_t go_us = now_us;
    if (is_lost(link, config, &d))
        verdict.fate = RELAYLINK_LOST;
    else if (now_us < config->block_until_us)
        verdict.fate = RELAYLINK_BLOCKED;
    else if (!take_tokens(link, config, len, now_us, &go_us))
        verdict.fate = RELAYLINK_QUEUE_DROP;
    if (verdict.fate != RELAYLINK_PASS)
        return verdict;
    verdict.copies = happens(d.duplicate, config->duplicate) ? 2 : 1;
    if (happens(d.reorder, config->reorder))
        go_us += RELAYLINK_HOLD_MIN_US + d.hold % (RELAYLINK_HOLD_MAX_US - RELAYLINK_HOLD_MIN_US);
    uint64_t last_due_us = link->last_due_us;
    for (unsigned i = 0; i < verdict.copies; i++)
        verdict.due_us[i] = due_of_copy(link, config, go_us, d.jitter[i]);
    if (happens(d.reorder, config->reorder))
        link->last_due_us = last_due_us; /* those behind it do not wait */
    verdict.flip = len > 0 && happens(d.flip, config->flip);
    verdict.flip_bit = len > 0 ? d.flip_bit % (len * 8) : 0;
    return verdict;
}
