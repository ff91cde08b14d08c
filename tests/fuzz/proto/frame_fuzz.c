/* Ring records that claim to be frames. */
#include "lib/proto/frame.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame frame;
    const uint8_t *payload;
    if (frame_parse(data, size, &frame, &payload))
        return 0;
    unsigned sum = 0;
    assert(frame.len >= 1 && frame.len <= FRAME_PAYLOAD_MAX);
    assert(payload + frame.len == data + size);
    assert(frame.track < TRACK_COUNT && frame.codec < CODEC_COUNT);
    assert(frame.width <= FRAME_DIMENSION_MAX && frame.height <= FRAME_DIMENSION_MAX);
    for (size_t i = 0; i < frame.len; i++)
        sum += payload[i];
    (void)sum;
    return 0;
}
