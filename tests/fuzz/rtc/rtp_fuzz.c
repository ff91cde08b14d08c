/* Fuzzes RTP headers: the parts always add up to the datagram. */
#include "gateway/rtc/rtp.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void touch(const uint8_t *data, size_t len)
{
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < len; i++)
        sum = (uint8_t)(sum + data[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rtp_packet p;
    struct rtp_packet original;
    if (rtp_parse_header(data, size, &p) == 0 && p.header_len + p.payload_len != size)
        abort();
    if (rtp_parse(data, size, &p) < 0)
        return 0;
    if (p.header_len + p.payload_len + p.padding_len != size)
        abort();
    touch(p.extension, p.extension_len);
    touch(p.payload, p.payload_len);
    if (rtp_unwrap_rtx(&p, 96, 1, &original) == 0)
        touch(original.payload, original.payload_len);
    return 0;
}
