/* Heads of VP8 frames of any shape. */
#include "transcode/vp8head.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct codedhead head;
    if (vp8head_parse(data, len, &head) == 0)
        assert(head.key == (head.width > 0 && head.height > 0));
    return 0;
}
