#include "gateway/supervisor/iceuri.h"

#include "lib/base/addr.h"

#include <string.h>

static bool is_turn(struct slice uri)
{
    return slice_starts(uri, "turn:") || slice_starts(uri, "turns:");
}

static bool name_valid(struct slice name)
{
    bool after_dot = true;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && ((c != '.' && c != '-') || after_dot))
            return false;
        after_dot = c == '.';
    }
    return name.len > 0 && !after_dot;
}

/* Takes the host off the front of *rest, which is then empty or begins with the port's colon. */
static bool take_host(struct slice *rest)
{
    struct addr parsed;
    if (slice_starts(*rest, "[")) {
        *rest = slice_skip(*rest, 1);
        const char *close = memchr(rest->data, ']', rest->len);
        if (!close)
            return false;
        struct slice host = slice_make(rest->data, (size_t)(close - rest->data));
        *rest = slice_skip(*rest, host.len + 1);
        return addr_parse(host, &parsed) == 0 && parsed.family == 6;
    }
    size_t len = 0;
    while (len < rest->len && rest->data[len] != ':')
        len++;
    struct slice host = slice_make(rest->data, len);
    *rest = slice_skip(*rest, len);
    return name_valid(host);
}

bool iceuri_valid(struct slice uri)
{
    uint32_t port = 0;
    bool turn = is_turn(uri);
    if (uri.len > ICEURI_MAX || (!turn && !slice_starts(uri, "stun:")))
        return false;
    struct slice query = uri;
    struct slice rest = slice_cut(&query, '?');
    bool asks = rest.len < uri.len;
    (void)slice_cut(&rest, ':');
    if (asks && (!turn || (!slice_is(query, "transport=udp") && !slice_is(query, "transport=tcp"))))
        return false;
    if (!take_host(&rest))
        return false;
    if (rest.len == 0)
        return true;
    return slice_starts(rest, ":") && text_parse_u32(slice_skip(rest, 1), 65535, &port) == 0 &&
           port > 0;
}

bool iceuri_has_turn(struct slice uris)
{
    while (uris.len > 0) {
        if (is_turn(slice_cut(&uris, ' ')))
            return true;
    }
    return false;
}
