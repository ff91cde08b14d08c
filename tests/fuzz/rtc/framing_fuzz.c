/* Fuzzes frames on a byte stream: however it is cut, the same packets come out, each within limits.
 * The first byte decides the cuts. */
#include "gateway/rtc/framing.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t digest(const uint8_t *data, size_t size, size_t step)
{
    static struct framing_in in;
    uint64_t hash = 1;
    framing_in_reset(&in);
    while (size > 0) {
        uint8_t *packet;
        size_t room, len;
        uint8_t *to = framing_room(&in, &room);
        if (room == 0)
            abort();
        size_t take = size < step ? size : step;
        take = take < room ? take : room;
        memcpy(to, data, take);
        framing_filled(&in, take);
        data += take;
        size -= take;
        while (framing_next(&in, &packet, &len)) {
            if (len == 0 || len > FRAMING_PACKET_MAX)
                abort();
            for (size_t i = 0; i < len; i++)
                hash = hash * 31 + packet[i] + 1;
            memset(packet, 0, len); /* as decryption does */
        }
    }
    return hash + in.oversized;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (digest(data + 1, size - 1, (size_t)data[0] + 1) != digest(data + 1, size - 1, size))
        abort();
    return 0;
}
