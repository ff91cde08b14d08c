/* Every text function on the same bytes: slices, numbers, addresses. */
#include "lib/base/addr.h"
#include "lib/base/text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void numbers(struct slice s)
{
    uint32_t small = 0;
    uint64_t big = 0;
    uint8_t bytes[16];
    char hex[33];
    struct addr a;
    if (text_parse_u32(s, 1000, &small) == 0)
        assert(small <= 1000);
    if (text_parse_u64(s, UINT64_MAX - 1, &big) == 0)
        assert(big < UINT64_MAX);
    if (text_parse_duration_s(s, 86400, &big) == 0)
        assert(big <= 86400);
    if (text_unhex(s, bytes, sizeof(bytes)) == 0) {
        text_hex(bytes, sizeof(bytes), hex);
        assert(slice_is_nocase(s, hex));
    }
    if (addr_parse(s, &a) == 0) {
        char text[ADDR_TEXT_MAX];
        struct addr again;
        addr_format_ip(&a, text);
        int rc = addr_parse(slice_of(text), &again);
        assert(rc == 0 && addr_equal(&a, &again));
        addr_format_private(&a, text);
        assert(text_is_terminated(text, sizeof(text)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice all = slice_make(data, size);
    struct slice rest = all;
    size_t seen = 0;
    char copy[32];
    while (rest.data) {
        struct slice line = slice_line(&rest);
        assert(line.len <= size - seen);
        seen += line.len;
        struct slice pieces = line;
        while (pieces.data)
            numbers(slice_trim(slice_cut(&pieces, ' ')));
        if (text_copy(copy, sizeof(copy), line) == 0)
            assert(slice_is(line, copy));
        else
            assert(copy[0] == '\0');
        (void)slice_starts_nocase(line, "bearer ");
    }
    numbers(all);
    return 0;
}
