/* Fuzzes the packet classes: each class has its shortest length. */
#include "gateway/rtc/demux.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t least[] = {
        [DEMUX_DROP] = 0, [DEMUX_STUN] = 20, [DEMUX_DTLS] = 13, [DEMUX_RTP] = 12, [DEMUX_RTCP] = 8};
    enum demux_class class = demux_classify(data, size);
    if (class > DEMUX_RTCP || size < least[class])
        abort();
    return 0;
}
