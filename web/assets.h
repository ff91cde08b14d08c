/* The static files of web/ui, embedded into the program by assets.sh; each also packed with gzip
 * when the process starts, so that nothing is opened or packed later. */
#ifndef SLUICE_WEB_ASSETS_H
#define SLUICE_WEB_ASSETS_H

#include "lib/base/text.h"

#include <stddef.h>
#include <stdint.h>

#define ASSETS_TAG_MAX 24u

struct asset {
    const char *name; /* without folder */
    const char *type; /* Content-Type */
    const uint8_t *data;
    size_t len;
    const uint8_t *packed; /* gzip; NULL when that would not be shorter */
    size_t packed_len;
    char tag[ASSETS_TAG_MAX]; /* ETag with its quotes: a hash of data */
};

struct assets;

/* 0 or -ENOMEM. */
int assets_new(struct assets **out);
void assets_free(struct assets *assets); /* NULL allowed */

const struct asset *assets_find(const struct assets *assets, struct slice name); /* or NULL */
size_t assets_count(const struct assets *assets);

#endif
