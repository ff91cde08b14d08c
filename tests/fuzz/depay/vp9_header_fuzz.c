/* One superframe: its index into vp9_superframe_split, each frame into vp9_header_parse. */
#include "gateway/depay/vp9_header.h"
#include "gateway/depay/vp9_superframe.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vp9_frames frames = {0};
    struct vp9_refs refs = {0};
    size_t len = 0, at = 0;
    if (vp9_superframe_split(data, size, &frames, &len) != 0)
        return 0;
    for (size_t i = 0; i < frames.count; i++) {
        struct vp9_header h;
        assert(frames.sizes[i] > 0 && frames.sizes[i] <= len - at);
        if (vp9_header_parse(data + at, frames.sizes[i], &refs, &h) == 0) {
            assert(h.size.width > 0 && h.size.height > 0 && h.size.width <= 65536);
            vp9_header_apply(&refs, &h);
        }
        at += frames.sizes[i];
    }
    assert(at == len);
    return 0;
}
