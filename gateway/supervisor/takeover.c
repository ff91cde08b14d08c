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

bool takeover_is_heir(const struct publication *p)
{
    return p->state == PUBLICATION_LIVE && p->replaces != 0;
}

struct publication *takeover_successor(struct supervisor *sup, uint64_t session)
{
    for (size_t i = 0; i < STREAM_MAX; i++) {
        struct publication *p = sup->publications[i];
        if (p && p->state != PUBLICATION_ENDING && p->replaces == session)
            return p;
    }
    return NULL;
}

static bool is_own(const struct publication *p, const struct publication *other)
{
    return strncmp(p->grant.token_id, other->grant.token_id, sizeof(p->grant.token_id)) == 0;
}

struct publication *takeover_stale_heir(const struct publication *p, uint64_t now_us)
{
    for (size_t i = 0; i < STREAM_MAX; i++) {
        struct publication *other = p->sup->publications[i];
        if (other && other != p && takeover_is_heir(other) && is_stale(other, now_us) &&
            is_own(p, other) && strcmp(p->stream, other->stream) == 0)
            return other;
    }
    return NULL;
}

/* The other publications of p's stream that auth has let in: the one that has the playback, and one
 * that is to come after it. NULL where there is none. */
static void find_rivals(const struct publication *p, const struct publication **out_live,
                        const struct publication **out_pending)
{
    for (size_t i = 0; i < STREAM_MAX; i++) {
        const struct publication *other = p->sup->publications[i];
        if (!other || other == p || strcmp(other->stream, p->stream) != 0)
            continue;
        if (other->state == PUBLICATION_WAITING || other->state == PUBLICATION_OFFERED ||
            takeover_is_heir(other))
            *out_pending = other;
        else if (other->state == PUBLICATION_LIVE)
            *out_live = other;
    }
}

enum takeover takeover_judge(const struct publication *p, uint64_t now_us, uint64_t *out_old)
{
    const struct publication *live = NULL, *pending = NULL;
    find_rivals(p, &live, &pending);
    if (!live && !pending)
        return TAKEOVER_FREE;
    const struct publication *rival = pending ? pending : live;
    bool own = is_own(p, rival);
    bool stale = !pending && own && is_stale(live, now_us);
    if (stale || (!pending && p->grant.clash == CLASH_TAKE_OVER)) {
        *out_old = live->session;
        return stale ? TAKEOVER_STALE : TAKEOVER_ALLOWED;
    }
    return own ? TAKEOVER_REFUSED_OWN : TAKEOVER_REFUSED;
}
