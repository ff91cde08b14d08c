/* Heads of VP9, AV1 and H.265 frames of any shape; the first byte chooses. */
#include "transcode/codedhead.h"

#include "lib/proto/frame.h"
#include "transcode/hevchead.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const enum codec codecs[] = {CODEC_VP9, CODEC_AV1, CODEC_H265};
    struct codedhead head;
    if (len < 2)
        return 0;
    enum codec codec = codecs[data[0] % 3];
    uint8_t *copy = malloc(len - 1);
    if (copy == NULL)
        return 0;
    memcpy(copy, data + 1, len - 1);
    if (codedhead_parse(codec, copy, len - 1, &head) == 0) {
        assert(head.key == (head.width > 0 && head.height > 0));
        assert(head.width <= FRAME_DIMENSION_MAX && head.height <= FRAME_DIMENSION_MAX);
        if (codec == CODEC_H265)
            hevchead_to_start_codes(copy, len - 1);
    }
    free(copy);
    return 0;
}
