/* The tuples of one session: which of them count, and which one we send on. */
#include "gateway/ingest/tuples.h"

#include <string.h>

void tuples_init(struct tuples *r)
{
    memset(r, 0, sizeof(*r));
    r->selected = TUPLES_NONE;
}

void tuples_open(struct tuples *r, size_t at, const struct addr *remote, uint64_t now_us)
{
    tuples_close(r, at);
    r->list[at] = (struct tuple){.open = true, .remote = *remote, .alive_us = now_us};
}

void tuples_close(struct tuples *r, size_t at)
{
    r->list[at].open = false;
    if (r->selected != at)
        return;
    r->selected = TUPLES_NONE;
    r->nominated = false;
}

bool tuples_select(struct tuples *r, size_t at, bool nominate)
{
    if (r->nominated && !nominate)
        return false;
    bool moved = nominate && r->selected != at;
    r->nominated = r->nominated || nominate;
    r->selected = at;
    return moved;
}

/* The one in no use that was silent longest, if for `least_us`; unchecked: of those only. */
static size_t most_silent(const struct tuples *r, bool unchecked, uint64_t now_us,
                          uint64_t least_us)
{
    size_t oldest = TUPLES_NONE;
    for (size_t i = 0; i < STREAM_PATHS_MAX; i++) {
        const struct tuple *tuple = &r->list[i];
        if (!tuple->open || i == r->selected || (unchecked && tuple->validated) ||
            now_us - tuple->alive_us < least_us)
            continue;
        if (oldest == TUPLES_NONE || tuple->alive_us < r->list[oldest].alive_us)
            oldest = i;
    }
    return oldest;
}

size_t tuples_silent(const struct tuples *r, uint64_t now_us)
{
    return most_silent(r, false, now_us, TUPLES_SILENCE_US);
}

size_t tuples_spare(const struct tuples *r, uint64_t now_us)
{
    for (size_t i = 0; i < STREAM_PATHS_MAX; i++)
        if (!r->list[i].open)
            return TUPLES_NONE;
    return most_silent(r, false, now_us, TUPLES_SPARE_US);
}

static size_t count_unchecked(const struct tuples *r)
{
    size_t count = 0;
    for (size_t i = 0; i < STREAM_PATHS_MAX; i++)
        count += r->list[i].open && !r->list[i].validated;
    return count;
}

size_t tuples_overdue(const struct tuples *r, uint64_t now_us)
{
    return most_silent(r, true, now_us, TUPLES_UNCHECKED_US);
}

size_t tuples_unchecked_spare(const struct tuples *r, uint64_t now_us)
{
    if (count_unchecked(r) < TUPLES_UNCHECKED_MAX)
        return TUPLES_NONE;
    return most_silent(r, true, now_us, TUPLES_SPARE_US);
}

bool tuples_has_room(const struct tuples *r)
{
    size_t open = 0;
    for (size_t i = 0; i < STREAM_PATHS_MAX; i++)
        open += r->list[i].open;
    return open < STREAM_PATHS_MAX && count_unchecked(r) < TUPLES_UNCHECKED_MAX;
}
