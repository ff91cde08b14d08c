/* One OBU into av1_obu_parse, its payload into av1_sequence_parse. */
#include "gateway/depay/av1_obu.h"
#include "gateway/depay/av1_sequence.h"
#include "lib/proto/frame.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct av1_obu obu;
    struct av1_sequence sequence;
    if (av1_obu_parse(data, size, &obu) != 0)
        return 0;
    assert(obu.payload_at + obu.payload_len == size && obu.head_len <= obu.payload_at);
    if (av1_sequence_parse(data + obu.payload_at, obu.payload_len, &sequence) == 0) {
        assert(sequence.width > 0 && sequence.width <= FRAME_DIMENSION_MAX);
        assert(sequence.height > 0 && sequence.height <= FRAME_DIMENSION_MAX);
    }
    return 0;
}
