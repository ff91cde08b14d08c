/* Names and patterns: the bytes before the first blank are the pattern. */
#include "lib/proto/stream.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice name = slice_make(data, size);
    struct slice pattern = slice_cut(&name, ' ');
    bool matches = stream_pattern_matches(pattern, name);
    if (stream_name_valid(pattern)) {
        assert(stream_pattern_valid(pattern)); /* a name is the pattern of itself alone */
        assert(matches == slice_equal(pattern, name));
    }
    if (slice_is(pattern, "*"))
        assert(matches);
    return 0;
}
