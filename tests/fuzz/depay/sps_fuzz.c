/* SPS parser: any bytes. */
#include "gateway/depay/sps.h"
#include "lib/proto/frame.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sps sps;
    if (sps_parse(data, size, &sps) != 0)
        return 0;
    assert(sps.width > 0 && sps.width <= FRAME_DIMENSION_MAX);
    assert(sps.height > 0 && sps.height <= FRAME_DIMENSION_MAX);
    assert(sps.id < SPS_IDS);
    return 0;
}
