/* Packets of one RTP source into depay_vp8. */
#include "tests/fuzz/depay/depay_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return depay_fuzz_run(CODEC_VP8, data, size);
}
