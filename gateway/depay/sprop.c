/* Reads H.264 parameter sets from a session description. */
#include "gateway/depay/sprop.h"

#include <errno.h>

/* The value of a base64 character, -1 for any other. */
static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

/* At most two, and only where they belong (RFC 4648 4). */
static struct slice strip_padding(struct slice text)
{
    if (text.len % 4 != 0)
        return text;
    for (unsigned i = 0; i < 2 && text.len > 0 && text.data[text.len - 1] == '='; i++)
        text.len--;
    return text;
}

int sprop_next(struct slice *rest, uint8_t *out, size_t *out_len)
{
    if (rest->len == 0)
        return -ENOENT;
    struct slice text = strip_padding(slice_cut(rest, ','));
    if (text.len < 2 || text.len % 4 == 1)
        return -EBADMSG;
    if (text.len * 3 / 4 > SPROP_NAL_MAX)
        return -EMSGSIZE;
    uint32_t bits = 0;
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = sextet(text.data[i]);
        if (value < 0)
            return -EBADMSG;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 != 0)
            out[len++] = (uint8_t)(bits >> (6 - i % 4 * 2));
    }
    *out_len = len;
    return 0;
}
