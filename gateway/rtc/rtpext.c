/* Header extension elements of an RTP packet, one-byte and two-byte form (RFC 8285 4.2, 4.3). */
#include "gateway/rtc/rtpext.h"

#include <errno.h>

#define PROFILE_ONE_BYTE 0xbede
#define PROFILE_TWO_BYTE 0x1000 /* the low four bits are application data */
#define ONE_BYTE_STOP 15

void rtpext_begin(struct rtpext_walk *walk, const struct rtp_packet *packet)
{
    *walk = (struct rtpext_walk){.done = true};
    if (!packet->has_extension || packet->extension_len == 0)
        return;
    walk->two_byte = (packet->extension_profile & 0xfff0) == PROFILE_TWO_BYTE;
    walk->done = !walk->two_byte && packet->extension_profile != PROFILE_ONE_BYTE;
    reader_init(&walk->r, packet->extension, packet->extension_len);
}

bool rtpext_next(struct rtpext_walk *walk, struct rtpext_element *out)
{
    while (!walk->done && reader_left(&walk->r) > 0) {
        uint8_t first = reader_u8(&walk->r);
        if (first == 0) /* padding between elements */
            continue;
        uint8_t id = first;
        size_t len = 0;
        if (walk->two_byte) {
            len = reader_u8(&walk->r);
        } else {
            id = first >> 4;
            len = (first & 15u) + 1u;
        }
        if (!walk->two_byte && id == ONE_BYTE_STOP)
            break;
        const uint8_t *data = reader_bytes(&walk->r, len);
        if (!reader_ok(&walk->r))
            break;
        if (id == 0) /* one-byte form, id 0 with a length: its bytes are skipped */
            continue;
        *out = (struct rtpext_element){.id = id, .data = data, .len = len};
        return true;
    }
    walk->done = true;
    return false;
}

bool rtpext_ok(const struct rtpext_walk *walk)
{
    return reader_ok(&walk->r);
}

int rtpext_find(const struct rtp_packet *packet, uint8_t id, struct slice *out)
{
    struct rtpext_walk walk;
    struct rtpext_element element;
    struct slice found = {.data = NULL};
    bool seen = false;
    rtpext_begin(&walk, packet);
    while (rtpext_next(&walk, &element)) {
        if (element.id == id && !seen) {
            found = slice_make(element.data, element.len);
            seen = true;
        }
    }
    if (!rtpext_ok(&walk))
        return -EBADMSG;
    if (!seen)
        return -ENOENT;
    *out = found;
    return 0;
}
