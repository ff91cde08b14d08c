/* The gate before any handler: refuses request heads that two HTTP parsers could read differently.
 */
#include "web/gate.h"

#include "web/request.h"

#include <string.h>

static void refuse(struct gate *gate, unsigned status)
{
    if (gate->status == 0)
        gate->status = status;
}

/* RFC 9110 5.6.2 */
static bool is_token(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return s.len > 0;
}

static bool has_control(struct slice s, bool blank_too)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c == '\t' && !blank_too)
            continue;
        if (c < 0x20 || c == 0x7f || (c == ' ' && blank_too))
            return true;
    }
    return false;
}

void gate_line(struct gate *gate, struct slice target, struct slice version)
{
    gate->http11 = slice_is(version, "HTTP/1.1");
    if (target.len > REQUEST_TARGET_MAX) {
        refuse(gate, 414);
        return; /* not all of it may be there */
    }
    if (!gate->http11 && !slice_is(version, "HTTP/1.0"))
        refuse(gate, 400);
    if (target.len == 0 || target.data[0] != '/' || has_control(target, true))
        refuse(gate, 400);
}

static void check_length(struct gate *gate, struct slice value)
{
    if (text_parse_u64(value, UINT64_MAX / 2, &gate->content_length))
        refuse(gate, 400);
}

void gate_header(struct gate *gate, struct slice name, struct slice value)
{
    gate->header_bytes += name.len + value.len;
    if (gate->header_bytes > REQUEST_HEADERS_MAX)
        refuse(gate, 431);
    if (!is_token(name) || has_control(value, false))
        refuse(gate, 400);
    if (slice_is_nocase(name, "Host"))
        gate->hosts++;
    if (slice_is_nocase(name, "Authorization"))
        gate->authorizations++;
    if (slice_is_nocase(name, "Content-Length")) {
        gate->lengths++;
        check_length(gate, value);
    }
    if (slice_is_nocase(name, "Expect"))
        gate->expects = slice_is_nocase(slice_trim(value), "100-continue");
    if (slice_is_nocase(name, "Transfer-Encoding")) {
        gate->encodings++;
        gate->chunked = true;
        if (!slice_is_nocase(value, "chunked"))
            refuse(gate, 400);
    }
}

unsigned gate_verdict(const struct gate *gate)
{
    if (gate->status)
        return gate->status;
    if (gate->hosts > 1 || gate->authorizations > 1 || gate->lengths + gate->encodings > 1)
        return 400;
    if (gate->http11 ? gate->hosts == 0 : gate->encodings > 0)
        return 400; /* RFC 9112 3.2 and 6.1 */
    return 0;
}

enum gate_body gate_body(const struct gate *gate, uint64_t limit, uint64_t max_dropped)
{
    bool has_body = gate->chunked || gate->content_length > 0;
    bool waits = gate->expects && gate->http11; /* RFC 9110 10.1.1: HTTP/1.0 has no 100 */
    if (gate->content_length > max_dropped)
        return GATE_BODY_REFUSE;
    if (!has_body || (limit > 0 && gate->content_length <= limit))
        return GATE_BODY_TAKE;
    return waits ? GATE_BODY_REFUSE : GATE_BODY_DROP;
}
