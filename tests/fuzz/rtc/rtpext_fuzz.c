/* Fuzzes header extensions: a whole RTP packet in, every element read. */
#include "gateway/rtc/rtpext.h"

#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rtp_packet p;
    struct rtpext_walk walk;
    struct rtpext_element e;
    volatile uint8_t sum = 0;
    if (rtp_parse(data, size, &p) < 0)
        return 0;
    rtpext_begin(&walk, &p);
    while (rtpext_next(&walk, &e)) {
        struct slice found;
        for (size_t i = 0; i < e.len; i++)
            sum = (uint8_t)(sum + e.data[i]);
        int err = rtpext_find(&p, e.id, &found);
        if (e.id == 0 || (err != 0 && err != -EBADMSG))
            abort();
    }
    return 0;
}
