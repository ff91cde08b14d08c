/* Frames on a byte stream. */
#include "gateway/rtc/framing.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

_Static_assert(FRAMING_IN_MAX >= 2 * (FRAMING_PREFIX + FRAMING_PACKET_MAX), "a frame always fits");

void framing_in_reset(struct framing_in *in)
{
    in->pos = in->len = in->skip = 0;
    in->oversized = 0;
}

uint8_t *framing_room(struct framing_in *in, size_t *out_room)
{
    memmove(in->bytes, in->bytes + in->pos, in->len - in->pos);
    in->len -= in->pos;
    in->pos = 0;
    *out_room = sizeof(in->bytes) - in->len;
    return in->bytes + in->len;
}

void framing_filled(struct framing_in *in, size_t len)
{
    assert(len <= sizeof(in->bytes) - in->len); /* framing_room said how much */
    in->len += len;
}

static void skip(struct framing_in *in)
{
    size_t left = in->len - in->pos;
    size_t step = in->skip < left ? in->skip : left;
    in->pos += step;
    in->skip -= step;
}

bool framing_next(struct framing_in *in, uint8_t **out_data, size_t *out_len)
{
    for (;;) {
        skip(in);
        size_t left = in->len - in->pos;
        if (in->skip > 0 || left < FRAMING_PREFIX)
            return false;
        size_t len = (size_t)in->bytes[in->pos] << 8 | in->bytes[in->pos + 1];
        if (len > 0 && len <= FRAMING_PACKET_MAX) {
            if (left < FRAMING_PREFIX + len)
                return false;
            *out_data = in->bytes + in->pos + FRAMING_PREFIX;
            *out_len = len;
            in->pos += FRAMING_PREFIX + len;
            return true;
        }
        in->oversized += len > 0;
        in->pos += FRAMING_PREFIX;
        in->skip = len;
    }
}

void framing_out_reset(struct framing_out *out)
{
    out->sent = out->len = 0;
}

int framing_put(struct framing_out *out, const uint8_t *data, size_t len)
{
    if (out->sent < out->len)
        return -EAGAIN;
    if (len > FRAMING_PACKET_MAX)
        return -EMSGSIZE;
    out->bytes[0] = (uint8_t)(len >> 8);
    out->bytes[1] = (uint8_t)len;
    memcpy(out->bytes + FRAMING_PREFIX, data, len);
    out->sent = 0;
    out->len = FRAMING_PREFIX + len;
    return 0;
}

size_t framing_rest(const struct framing_out *out, const uint8_t **out_data)
{
    *out_data = out->bytes + out->sent;
    return out->len - out->sent;
}

void framing_sent(struct framing_out *out, size_t len)
{
    assert(len <= out->len - out->sent); /* the caller sent what framing_rest gave */
    out->sent += len;
}
