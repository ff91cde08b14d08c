/* A playlist request's query. */
#include "web/directives.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct directives d = {.msn = 4711};
    char *copy = malloc(size ? size : 1);
    if (!copy)
        return 0;
    if (size > 0)
        memcpy(copy, data, size);
    int rc = directives_parse(slice_make(copy, size), &d);
    if (rc)
        assert(d.msn == 4711);
    else
        assert(d.has_msn || !d.has_part);
    free(copy);
    return 0;
}
