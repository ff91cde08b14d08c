/* Decode times of frames whose presentation times do not grow in decode order. */
#include "transcode/reorder.h"

#include <string.h>

void reorder_init(struct reorder *r)
{
    memset(r, 0, sizeof *r);
}

/* Puts pts in its place; returns how many are larger. */
static size_t insert(struct reorder *r, int64_t pts)
{
    size_t at = r->count;
    while (at > 0 && r->times[at - 1] > pts)
        at--;
    size_t larger = r->count - at;
    if (r->count < REORDER_DEPTH_MAX + 1) {
        memmove(r->times + at + 1, r->times + at, larger * sizeof *r->times);
        r->times[at] = pts;
        r->count++;
    } else if (at > 0) { /* the smallest one is forgotten */
        memmove(r->times, r->times + 1, (at - 1) * sizeof *r->times);
        r->times[at - 1] = pts;
    }
    return larger;
}

int64_t reorder_push(struct reorder *r, int64_t pts)
{
    size_t larger = insert(r, pts);
    if (larger > r->depth)
        r->depth = larger < REORDER_DEPTH_MAX ? larger : REORDER_DEPTH_MAX;
    size_t back = r->depth < r->count ? r->depth : r->count - 1;
    return r->times[r->count - 1 - back];
}
