/* The access units since the last key frame. */
#include "transcode/gop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int gop_init(struct gop *g)
{
    *g = (struct gop){.data = malloc(GOP_BYTES)}; /* pages are taken as they are used */
    return g->data != NULL ? 0 : -ENOMEM;
}

void gop_done(struct gop *g)
{
    free(g->data);
    g->data = NULL;
}

void gop_clear(struct gop *g)
{
    g->len = 0;
    g->count = 0;
    g->whole = false;
}

void gop_add(struct gop *g, const uint8_t *data, size_t len, int64_t pts, bool key)
{
    if (key) {
        gop_clear(g);
        g->whole = true;
    }
    if (!g->whole)
        return;
    if (g->count == GOP_UNITS || len > GOP_BYTES - g->len) {
        g->whole = false;
        return;
    }
    memcpy(g->data + g->len, data, len);
    g->len += len;
    g->pts[g->count] = pts;
    g->sizes[g->count++] = len;
}
