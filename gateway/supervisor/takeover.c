#include "gateway/supervisor/takeover.h"

#include "gateway/supervisor/supervisor.h"

#include <string.h>

static bool is_stale(const struct publication *p, uint64_t now_us)
{
    /* without keys there was no packet, whatever the worker says */
    uint64_t alive_us = p->keyed ? p->keyed_us : p->accepted_us;
    if (p->keyed && alive_us < p->stats.last_packet_us)
        alive_us = p->stats.last_packet_us;
    /* a time to come is a lie of the worker, which may not hold its stream with it */
    return now_us < alive_us || now_us - alive_us > TAKEOVER_STALE_US;
}

/* The other publications of p's stream that auth has let in; NULL where there is none. */
static void find_rivals(const struct publication *p, const struct publication **out_live,
                        const struct publication **out_pending)
{
    for (size_t i = 0; i < STREAM_MAX; i++) {
        const struct publication *other = p->sup->publications[i];
        if (!other || other == p || strcmp(other->stream, p->stream) != 0)
            continue;
        if (other->state == PUBLICATION_LIVE)
            *out_live = other;
        if (other->state == PUBLICATION_WAITING || other->state == PUBLICATION_OFFERED)
            *out_pending = other;
    }
}

enum takeover takeover_judge(const struct publication *p, uint64_t now_us, uint64_t *out_old)
{
    const struct publication *live = NULL, *pending = NULL;
    find_rivals(p, &live, &pending);
    if (!live && !pending)
        return TAKEOVER_FREE;
    const struct publication *rival = pending ? pending : live;
    bool own = strncmp(rival->grant.token_id, p->grant.token_id, sizeof(p->grant.token_id)) == 0;
    if (!pending && (p->grant.clash == CLASH_TAKE_OVER || (own && is_stale(live, now_us)))) {
        *out_old = live->session;
        return TAKEOVER_ALLOWED;
    }
    return own ? TAKEOVER_REFUSED_OWN : TAKEOVER_REFUSED;
}
