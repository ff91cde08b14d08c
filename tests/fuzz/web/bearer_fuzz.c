/* An Authorization header. */
#include "web/bearer.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char token[STREAM_TOKEN_MAX + 1] = "untouched";
    char *copy = malloc(size ? size : 1);
    if (!copy)
        return 0;
    if (size > 0)
        memcpy(copy, data, size);
    if (bearer_parse(slice_make(copy, size), token) == 0)
        assert(strlen(token) >= 1 && strlen(token) <= STREAM_TOKEN_MAX && !strchr(token, ' '));
    else
        assert(strcmp(token, "untouched") == 0);
    free(copy);
    return 0;
}
