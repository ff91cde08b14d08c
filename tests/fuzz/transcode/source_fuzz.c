/* Records of the frame ring of any shape. */
#include "transcode/source.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NOW_US UINT64_C(1000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct frame frame;
    uint8_t *payload;
    volatile unsigned sum = 0;
    uint8_t *copy = malloc(len + 1);
    if (copy == NULL)
        return 0;
    memcpy(copy, data, len);
    if (source_check(copy, len, NOW_US, &frame, &payload) == SOURCE_FRAME) {
        assert(payload + frame.len == copy + len);
        for (uint32_t i = 0; i < frame.len; i++)
            sum += payload[i];
    }
    free(copy);
    return 0;
}
