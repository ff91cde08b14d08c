/* A request's path, and the same bytes as a Host header. */
#include "lib/proto/part.h"
#include "web/route.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct route route;
    char *copy = malloc(size ? size : 1);
    if (!copy)
        return 0;
    if (size > 0)
        memcpy(copy, data, size);
    struct slice text = slice_make(copy, size);
    if (route_parse(text, &route) == 0) {
        assert(route.kind != ROUTE_NONE);
        assert(route.rendition < PART_RENDITIONS_MAX && route.part < PART_PER_SEGMENT_MAX);
        assert(size == 0 || !memchr(copy, '%', size));
        for (size_t i = 0; i < route.name.len; i++)
            assert(route.name.data[i] != '/' && route.name.data[i] != '\0');
    } else {
        assert(route.kind == ROUTE_NONE);
    }
    if (route_host_named(text, "a.example b.example"))
        assert(route_host_allowed(text, "a.example b.example"));
    free(copy);
    return 0;
}
