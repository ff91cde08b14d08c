/* A request head: target, version and headers, one a line; the same values as Range,
 * Accept-Encoding and If-None-Match. */
#include "web/gate.h"
#include "web/range.h"
#include "web/request.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_value(struct slice value, size_t total)
{
    size_t first = 0, len = 0;
    struct request request = {.headers.accept_encoding = value, .headers.if_none_match = value};
    if (range_parse(value, total, &first, &len) == RANGE_PARTIAL)
        assert(len >= 1 && first < total && len <= total - first);
    (void)request_takes_gzip(&request);
    (void)request_has_tag(&request, "\"0123456789abcdef-1.m4s\"");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gate gate = {0};
    unsigned lengths = 0;
    char *copy = malloc(size ? size : 1);
    if (!copy)
        return 0;
    if (size > 0)
        memcpy(copy, data, size);
    struct slice rest = slice_make(copy, size);
    struct slice version = slice_cut(&rest, '\n');
    struct slice target = slice_cut(&version, ' ');
    gate_line(&gate, target, version);
    while (rest.len > 0) {
        struct slice value = slice_cut(&rest, '\n');
        struct slice name = slice_cut(&value, ':');
        lengths +=
            slice_is_nocase(name, "content-length") || slice_is_nocase(name, "transfer-encoding");
        gate_header(&gate, name, value);
        read_value(value, size);
    }
    if (gate_verdict(&gate) == 0) {
        assert(target.len >= 1 && target.len <= REQUEST_TARGET_MAX && target.data[0] == '/');
        assert(lengths <= 1 && gate.header_bytes <= REQUEST_HEADERS_MAX);
    }
    free(copy);
    return 0;
}
