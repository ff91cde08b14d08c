#include "gateway/edge/held.h"

#include <string.h>

void held_keep(struct held *held, const struct addr *local, const struct addr *remote,
               const uint8_t *data, size_t len, uint64_t now_us)
{
    struct held_packet *packet = &held->packets[held->next];
    if (len == 0 || len > sizeof(packet->bytes))
        return;
    held->next = (held->next + 1) % HELD_MAX;
    packet->local = *local;
    packet->remote = *remote;
    packet->at_us = now_us;
    packet->len = len;
    memcpy(packet->bytes, data, len);
}

const struct held_packet *held_take(struct held *held, const struct addr *local,
                                    const struct addr *remote, uint64_t now_us, size_t *out_len)
{
    for (size_t i = 0; i < HELD_MAX; i++) {
        struct held_packet *packet = &held->packets[(held->next + i) % HELD_MAX];
        if (packet->len == 0 || now_us - packet->at_us > HELD_US ||
            !addr_equal(&packet->remote, remote) || !addr_equal(&packet->local, local))
            continue;
        *out_len = packet->len;
        packet->len = 0;
        return packet;
    }
    return NULL;
}
