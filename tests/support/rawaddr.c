/* Addresses with ports as command lines of test programs give them. */
#include "tests/support/rawaddr.h"

#include <errno.h>
#include <string.h>

/* Splits "[v6]:port" or "v4:port"; a bare IPv6 literal has more than one colon, but no port. */
static int split(struct slice text, struct slice *out_host, struct slice *out_port)
{
    struct slice rest = text;
    if (slice_starts(text, "[")) {
        rest = slice_skip(text, 1);
        *out_host = slice_cut(&rest, ']');
        *out_port = rest.len > 0 ? slice_skip(rest, 1) : (struct slice){0};
        return rest.data != NULL && (rest.len == 0 || rest.data[0] == ':') ? 0 : -EBADMSG;
    }
    *out_host = slice_cut(&rest, ':');
    *out_port = rest;
    if (rest.len > 0 && memchr(rest.data, ':', rest.len) != NULL) {
        *out_host = text;
        *out_port = (struct slice){0};
    }
    return 0;
}

int rawaddr_parse(struct slice text, struct addr *out)
{
    struct slice host, port_text;
    struct addr address = {0};
    uint32_t port = 0;
    int rc = split(text, &host, &port_text);
    if (rc == 0)
        rc = addr_parse(host, &address);
    if (rc == 0 && port_text.data != NULL)
        rc = text_parse_u32(port_text, 65535, &port);
    if (rc != 0)
        return -EBADMSG;
    address.port = (uint16_t)port;
    *out = address;
    return 0;
}
