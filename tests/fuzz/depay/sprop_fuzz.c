/* Parameter sets in a hostile session description, into the cache. */
#include "gateway/depay/h264_sets.h"
#include "gateway/depay/sprop.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct h264_sets sets;
    struct slice rest = slice_make(data, size);
    uint8_t nal[SPROP_NAL_MAX];
    size_t len = 0;
    memset(&sets, 0, sizeof(sets));
    for (int rc = sprop_next(&rest, nal, &len); rc != -ENOENT; rc = sprop_next(&rest, nal, &len)) {
        if (rc != 0)
            continue;
        assert(len > 0 && len <= sizeof(nal));
        (void)h264_sets_add_sps(&sets, nal, len);
        (void)h264_sets_add_pps(&sets, nal, len);
    }
    return 0;
}
