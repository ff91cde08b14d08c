/* An If-Match header. */
#include "web/if_match.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum session_match match = SESSION_MATCH_COUNT;
    char tag[STREAM_ETAG_LEN + 1] = "untouched";
    char *copy = malloc(size ? size : 1);
    if (!copy)
        return 0;
    if (size > 0)
        memcpy(copy, data, size);
    struct slice header = slice_make(copy, size);
    if (if_match_parse(header, &match, tag)) {
        assert(match == SESSION_MATCH_COUNT && strcmp(tag, "untouched") == 0);
    } else {
        struct slice s = slice_trim(header);
        assert(match == MATCH_ANY || match == MATCH_TAG);
        assert(strlen(tag) <= STREAM_ETAG_LEN && !strchr(tag, '"') && !strchr(tag, ' '));
        assert(tag[0] == '\0' ||
               (strlen(tag) + 2 == s.len && memcmp(s.data + 1, tag, s.len - 2) == 0));
    }
    free(copy);
    return 0;
}
