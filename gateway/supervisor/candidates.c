/* The candidates of one answer. */
#include "gateway/supervisor/candidates.h"

struct list {
    struct addr addresses[STREAM_ADDRESSES_MAX];
    uint32_t count;
};

static void add(struct list *list, const struct addr *a)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (addr_same_host(&list->addresses[i], a))
            return;
    }
    if (list->count < STREAM_ADDRESSES_MAX)
        list->addresses[list->count++] = *a;
}

static void add_media(struct list *list, const struct listeners *l, const struct conf *conf)
{
    size_t hidden4 = 0, hidden6 = 0; /* media addresses that a public one stands for */
    for (size_t i = 0; i < conf->public_address_count; i++)
        *(conf->public_address[i].family == 4 ? &hidden4 : &hidden6) += 1;
    for (size_t i = 0; i < l->media_count; i++) {
        const struct addr *a = l->seen[i].family != 0 ? &l->seen[i] : &l->media[i];
        size_t *hidden = l->media[i].family == 4 ? &hidden4 : &hidden6;
        if (!addr_is_loopback(&l->media[i]) && *hidden > 0)
            (*hidden)--;
        else
            add(list, a);
    }
}

void candidates_fill(const struct listeners *l, const struct conf *conf, uint64_t turn,
                     struct msg_ingest_bind *out)
{
    struct list list = {.count = 0};
    uint16_t port = l->media[0].port;
    for (size_t i = 0; i < conf->public_address_count; i++)
        add(&list, &conf->public_address[i]);
    add_media(&list, l, conf);
    for (uint32_t i = 0; i < list.count; i++) {
        out->candidates[i] = list.addresses[i];
        out->candidates[i].port = (uint16_t)(port + turn % conf->media_port_count);
        out->tcp[i] = list.addresses[i];
        out->tcp[i].port = port;
    }
    out->candidate_count = list.count;
    out->tcp_count = list.count;
}
