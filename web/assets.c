/* The static files of web/ui, embedded into the program by assets.sh. */
#include "web/assets.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define GZIP_LEVEL 6

/* What assets.sh prints; the entry behind the last one is all NULL. */
struct assets_entry {
    const char *name;
    const uint8_t *start;
    const uint8_t *end;
    const char *type;
};
extern const struct assets_entry assets_table[] __attribute__((visibility("hidden")));

struct assets {
    size_t count;
    struct asset *list;
};

/* The gzip form in fresh memory; NULL when there is no memory or nothing is won. */
static uint8_t *pack(const uint8_t *data, size_t len, size_t *out_len)
{
    z_stream z = {0};
    uint8_t *to = NULL;
    if (len == 0 || deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY))
        return NULL;
    to = malloc(len);
    if (to) {
        /* next_in is not const in zlib's older interface; deflate only reads through it. */
        memcpy(&z.next_in, &data, sizeof(data));
        z.avail_in = (uInt)len;
        z.next_out = to;
        z.avail_out = (uInt)len;
        if (deflate(&z, Z_FINISH) == Z_STREAM_END) {
            *out_len = len - z.avail_out;
        } else {
            free(to);
            to = NULL;
        }
    }
    (void)deflateEnd(&z);
    return to;
}

static void fill(struct asset *asset, const struct assets_entry *entry)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    asset->name = entry->name;
    asset->type = entry->type;
    asset->data = entry->start;
    asset->len = (size_t)(entry->end - entry->start);
    for (size_t i = 0; i < asset->len; i++)
        hash = (hash ^ asset->data[i]) * UINT64_C(0x100000001b3);
    (void)snprintf(asset->tag, sizeof(asset->tag), "\"%016" PRIx64 "\"", hash);
    asset->packed = pack(asset->data, asset->len, &asset->packed_len);
}

int assets_new(struct assets **out)
{
    struct assets *assets = calloc(1, sizeof(*assets));
    size_t count = 0;
    if (!assets)
        return -ENOMEM;
    while (assets_table[count].name)
        count++;
    assets->list = calloc(count + 1, sizeof(*assets->list));
    if (!assets->list) {
        free(assets);
        return -ENOMEM;
    }
    assets->count = count;
    for (size_t i = 0; i < count; i++)
        fill(&assets->list[i], &assets_table[i]);
    *out = assets;
    return 0;
}

void assets_free(struct assets *assets)
{
    if (!assets)
        return;
    for (size_t i = 0; i < assets->count; i++) {
        uint8_t *packed;
        memcpy(&packed, &assets->list[i].packed, sizeof(packed)); /* ours, const for users */
        free(packed);
    }
    free(assets->list);
    free(assets);
}

const struct asset *assets_find(const struct assets *assets, struct slice name)
{
    for (size_t i = 0; i < assets->count; i++) {
        if (slice_is(name, assets->list[i].name))
            return &assets->list[i];
    }
    return NULL;
}

size_t assets_count(const struct assets *assets)
{
    return assets->count;
}
