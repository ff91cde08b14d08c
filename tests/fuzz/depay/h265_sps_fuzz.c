/* One NAL unit into h265_sps_parse, and into the cache of sets. */
#include "gateway/depay/h265_sets.h"
#include "gateway/depay/h265_sps.h"
#include "lib/proto/frame.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct h265_sets sets;
    struct h265_sps sps;
    struct h265_chain chain;
    if (h265_sps_parse(data, size, &sps) == 0) {
        assert(sps.id < H265_SPS_IDS && sps.vps_id < H265_VPS_IDS);
        assert(sps.width > 0 && sps.width <= FRAME_DIMENSION_MAX);
        assert(sps.height > 0 && sps.height <= FRAME_DIMENSION_MAX);
    }
    if (h265_sets_add(&sets, data, size) == 0 && h265_sets_find(&sets, 0, &chain) == 0)
        assert(chain.vps->len > 0 && chain.sps->width > 0 && chain.pps->id == 0);
    return 0;
}
