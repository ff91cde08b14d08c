/* The fixed table of paths: what a request is for, from its path alone. */
#include "web/route.h"

#include "lib/base/addr.h"
#include "lib/proto/part.h"

#include <errno.h>
#include <string.h>

#define ASSET_NAME_MAX 64u

static bool has_odd_bytes(struct slice path)
{
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.data[i];
        if (c <= 0x20 || c >= 0x7f || c == '%' || c == '\\')
            return true;
    }
    return false;
}

/* One path element: cuts it off *rest; NULL data in *rest then means that it was the last. */
static struct slice element(struct slice *rest)
{
    return slice_cut(rest, '/');
}

static bool is_last(struct slice rest)
{
    return rest.data == NULL;
}

static bool ends_with(struct slice s, const char *suffix)
{
    size_t len = strlen(suffix);
    return s.len >= len && memcmp(s.data + s.len - len, suffix, len) == 0;
}

static int parse_hex64(struct slice s, uint64_t *out)
{
    uint8_t bytes[ROUTE_HASH_LEN / 2];
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] >= 'A' && s.data[i] <= 'F')
            return -ENOENT; /* one name for one thing */
    }
    if (text_unhex(s, bytes, sizeof(bytes)))
        return -ENOENT;
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(bytes); i++)
        value = value << 8 | bytes[i];
    *out = value;
    return 0;
}

static bool is_canonical_number(struct slice s)
{
    return s.len == 1 || (s.len > 1 && s.data[0] != '0');
}

static int parse_numbers(struct slice s, struct route *out)
{
    struct slice msn = slice_cut(&s, '.');
    if (!is_canonical_number(msn) || text_parse_u64(msn, PART_MSN_MAX, &out->msn))
        return -ENOENT;
    out->kind = ROUTE_SEGMENT;
    if (is_last(s))
        return 0;
    if (!is_canonical_number(s) || text_parse_u32(s, PART_PER_SEGMENT_MAX - 1, &out->part))
        return -ENOENT;
    out->kind = ROUTE_PART;
    return 0;
}

static int parse_media_file(struct slice file, struct route *out)
{
    bool is_init = ends_with(file, ".mp4");
    if (!is_init && !ends_with(file, ".m4s"))
        return -ENOENT;
    file.len -= strlen(".m4s");
    struct slice epoch = slice_cut(&file, '-');
    if (is_last(file) || parse_hex64(epoch, &out->epoch))
        return -ENOENT;
    if (!is_init)
        return parse_numbers(file, out);
    if (parse_hex64(file, &out->msn))
        return -ENOENT;
    out->kind = ROUTE_INIT;
    return 0;
}

/* behind /live/ */
static int parse_live(struct slice rest, struct route *out)
{
    out->name = element(&rest);
    if (!stream_name_valid(out->name) || is_last(rest))
        return -ENOENT;
    struct slice second = element(&rest);
    if (is_last(rest)) {
        if (!slice_is(second, "index.m3u8"))
            return -ENOENT;
        out->kind = ROUTE_MULTIVARIANT;
        return 0;
    }
    struct slice file = element(&rest);
    if (!is_last(rest) || !is_canonical_number(second) ||
        text_parse_u32(second, PART_RENDITIONS_MAX - 1, &out->rendition))
        return -ENOENT;
    if (!slice_is(file, "media.m3u8"))
        return parse_media_file(file, out);
    out->kind = ROUTE_MEDIA;
    return 0;
}

/* behind /whip/ */
static int parse_whip(struct slice rest, struct route *out)
{
    uint8_t bytes[STREAM_URL_ID_LEN / 2];
    out->name = element(&rest);
    if (is_last(rest)) {
        out->kind = ROUTE_WHIP;
        return stream_name_valid(out->name) ? 0 : -ENOENT;
    }
    if (!slice_is(out->name, "session"))
        return -ENOENT;
    out->name = element(&rest);
    if (!is_last(rest) || text_unhex(out->name, bytes, sizeof(bytes)))
        return -ENOENT;
    out->kind = ROUTE_SESSION;
    return 0;
}

static bool is_asset_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && !strchr("._-", c))
            return false;
    }
    return s.len > 0 && s.len <= ASSET_NAME_MAX && s.data[0] != '.';
}

/* behind /<area>/ : one element */
static int parse_page(enum route_kind kind, struct slice rest, struct route *out)
{
    out->name = element(&rest);
    bool valid = kind == ROUTE_ASSET ? is_asset_name(out->name) : stream_name_valid(out->name);
    if (!is_last(rest) || !valid)
        return -ENOENT;
    out->kind = kind;
    return 0;
}

static int parse_table(struct slice path, struct route *out)
{
    if (slice_starts(path, "/live/"))
        return parse_live(slice_skip(path, strlen("/live/")), out);
    if (slice_starts(path, "/whip/"))
        return parse_whip(slice_skip(path, strlen("/whip/")), out);
    if (slice_starts(path, "/publish/"))
        return parse_page(ROUTE_PUBLISH, slice_skip(path, strlen("/publish/")), out);
    if (slice_starts(path, "/watch/"))
        return parse_page(ROUTE_WATCH, slice_skip(path, strlen("/watch/")), out);
    if (slice_starts(path, "/assets/"))
        return parse_page(ROUTE_ASSET, slice_skip(path, strlen("/assets/")), out);
    if (slice_is(path, "/"))
        out->kind = ROUTE_HOME;
    else if (slice_is(path, "/healthz"))
        out->kind = ROUTE_HEALTH;
    else if (slice_is(path, "/readyz"))
        out->kind = ROUTE_READY;
    return out->kind == ROUTE_NONE ? -ENOENT : 0;
}

int route_parse(struct slice path, struct route *out)
{
    struct route route = {.kind = ROUTE_NONE, .area = AREA_PAGES};
    if (slice_starts(path, "/live/"))
        route.area = AREA_LIVE;
    else if (slice_starts(path, "/whip/"))
        route.area = AREA_WHIP;
    int rc = has_odd_bytes(path) ? -EBADMSG : parse_table(path, &route);
    if (rc)
        route.kind = ROUTE_NONE;
    *out = route;
    return rc;
}

/* host without its port and without the brackets of an IPv6 literal; empty when malformed. */
static struct slice host_name(struct slice host)
{
    struct slice none = {0};
    uint32_t port;
    struct slice rest = host;
    struct slice name;
    if (host.len > 0 && host.data[0] == '[') {
        rest = slice_skip(host, 1);
        name = slice_cut(&rest, ']');
        if (is_last(rest))
            return none;
        if (rest.len > 0 && rest.data[0] != ':')
            return none;
        rest = rest.len > 0 ? slice_skip(rest, 1) : none;
    } else {
        name = slice_cut(&rest, ':');
    }
    if (rest.len > 0 && text_parse_u32(rest, UINT16_MAX, &port))
        return none;
    return name;
}

static bool is_listed(struct slice name, const char *allowed)
{
    struct slice rest = slice_of(allowed);
    while (rest.len > 0) {
        struct slice one = slice_cut(&rest, ' ');
        if (one.len > 0 && one.len == name.len && strncasecmp(one.data, name.data, one.len) == 0)
            return true;
    }
    return false;
}

bool route_host_named(struct slice host, const char *allowed)
{
    struct slice name = host_name(host);
    return name.len > 0 && is_listed(name, allowed);
}

bool route_host_allowed(struct slice host, const char *allowed)
{
    struct addr addr;
    struct slice name = host_name(host);
    if (name.len == 0)
        return false;
    if (slice_is_nocase(name, "localhost") || addr_parse(name, &addr) == 0)
        return true;
    return is_listed(name, allowed);
}
