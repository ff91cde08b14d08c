/* A Binding request without credentials, and what comes back. */
#include "gateway/rtc/stunask.h"

#include "lib/base/reader.h"

#include <errno.h>
#include <string.h>

#define TYPE_REQUEST 0x0001u
#define TYPE_SUCCESS 0x0101u
#define COOKIE 0x2112a442u
#define ATTRIBUTE_XOR_MAPPED 0x0020u
#define FAMILY_IP4 1u
#define FAMILY_IP6 2u
#define HEADER_LEN 20u

void stunask_request(const uint8_t id[STUNASK_ID_LEN], uint8_t out[STUNASK_REQUEST_LEN])
{
    static const uint8_t head[8] = {
        TYPE_REQUEST >> 8, TYPE_REQUEST & 0xff, 0, 0, 0x21, 0x12, 0xa4, 0x42};
    memcpy(out, head, sizeof(head));
    memcpy(out + sizeof(head), id, STUNASK_ID_LEN);
}

/* Port and address are XORed with the cookie and, beyond it, the transaction id (RFC 8489 14.2). */
static int parse_mapped(struct reader *value, const uint8_t id[STUNASK_ID_LEN], struct addr *out)
{
    uint8_t mask[16] = {0x21, 0x12, 0xa4, 0x42};
    struct addr a = {0};
    memcpy(mask + 4, id, STUNASK_ID_LEN);
    (void)reader_u8(value);
    uint8_t family = reader_u8(value);
    a.port = (uint16_t)(reader_u16(value) ^ COOKIE >> 16);
    size_t len = family == FAMILY_IP4 ? 4 : 16;
    const uint8_t *ip = reader_bytes(value, len);
    if (!reader_ok(value) || (family != FAMILY_IP4 && family != FAMILY_IP6) || a.port == 0)
        return -EBADMSG;
    a.family = family == FAMILY_IP4 ? 4 : 6;
    for (size_t i = 0; i < len; i++)
        a.ip[i] = ip[i] ^ mask[i];
    *out = a;
    return 0;
}

int stunask_parse(const uint8_t *data, size_t len, const uint8_t id[STUNASK_ID_LEN],
                  struct addr *out)
{
    struct reader r;
    reader_init(&r, data, len);
    uint16_t type = reader_u16(&r), body = reader_u16(&r);
    uint32_t cookie = reader_u32(&r);
    const uint8_t *echoed = reader_bytes(&r, STUNASK_ID_LEN);
    if (!reader_ok(&r) || type != TYPE_SUCCESS || cookie != COOKIE || body != len - HEADER_LEN ||
        body % 4 != 0 || memcmp(echoed, id, STUNASK_ID_LEN) != 0)
        return -EBADMSG;
    while (reader_left(&r) > 0) {
        struct reader value;
        uint16_t attribute = reader_u16(&r), size = reader_u16(&r);
        const uint8_t *bytes = reader_bytes(&r, size);
        (void)reader_bytes(&r, (4u - size % 4u) % 4u);
        if (!reader_ok(&r))
            return -EBADMSG;
        if (attribute != ATTRIBUTE_XOR_MAPPED)
            continue;
        reader_init(&value, bytes, size);
        return parse_mapped(&value, id, out);
    }
    return -EBADMSG;
}
