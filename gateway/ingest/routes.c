/* The tuples of one session: which of them count, and which one we send on. */
#include "gateway/ingest/routes.h"

#include <string.h>

void routes_init(struct routes *r)
{
    memset(r, 0, sizeof(*r));
    r->selected = ROUTES_NONE;
}

void routes_open(struct routes *r, size_t at, const struct addr *remote, uint64_t now_us)
{
    routes_close(r, at);
    r->list[at] = (struct route){.open = true, .remote = *remote, .alive_us = now_us};
}

void routes_close(struct routes *r, size_t at)
{
    r->list[at].open = false;
    if (r->selected != at)
        return;
    r->selected = ROUTES_NONE;
    r->nominated = false;
}

bool routes_select(struct routes *r, size_t at, bool nominate)
{
    if (r->nominated && !nominate)
        return false;
    bool moved = nominate && r->selected != at;
    r->nominated = r->nominated || nominate;
    r->selected = at;
    return moved;
}

/* The one in no use that was silent longest, if for `least_us`. */
static size_t most_silent(const struct routes *r, uint64_t now_us, uint64_t least_us)
{
    size_t oldest = ROUTES_NONE;
    for (size_t i = 0; i < STREAM_PATHS_MAX; i++) {
        const struct route *route = &r->list[i];
        if (!route->open || i == r->selected || now_us - route->alive_us < least_us)
            continue;
        if (oldest == ROUTES_NONE || route->alive_us < r->list[oldest].alive_us)
            oldest = i;
    }
    return oldest;
}

size_t routes_silent(const struct routes *r, uint64_t now_us)
{
    return most_silent(r, now_us, ROUTES_SILENCE_US);
}

size_t routes_spare(const struct routes *r, uint64_t now_us)
{
    for (size_t i = 0; i < STREAM_PATHS_MAX; i++)
        if (!r->list[i].open)
            return ROUTES_NONE;
    return most_silent(r, now_us, ROUTES_SPARE_US);
}
