/* Slices of text that are not NUL-terminated, and strict number parsing. */
#include "lib/base/text.h"

#include <errno.h>
#include <string.h>

struct slice slice_of(const char *text)
{
    return (struct slice){.data = text, .len = text ? strlen(text) : 0};
}

struct slice slice_make(const void *data, size_t len)
{
    return (struct slice){.data = data, .len = data ? len : 0};
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool slice_is(struct slice s, const char *text)
{
    return slice_equal(s, slice_of(text));
}

static bool starts_nocase(struct slice s, struct slice prefix)
{
    if (s.len < prefix.len)
        return false;
    for (size_t i = 0; i < prefix.len; i++) {
        if (lower(s.data[i]) != lower(prefix.data[i]))
            return false;
    }
    return true;
}

bool slice_is_nocase(struct slice s, const char *text)
{
    struct slice other = slice_of(text);
    return s.len == other.len && starts_nocase(s, other);
}

bool slice_starts(struct slice s, const char *prefix)
{
    struct slice start = slice_of(prefix);
    return s.len >= start.len && slice_equal(slice_make(s.data, start.len), start);
}

bool slice_starts_nocase(struct slice s, const char *prefix)
{
    return starts_nocase(s, slice_of(prefix));
}

struct slice slice_skip(struct slice s, size_t count)
{
    if (count > s.len)
        count = s.len;
    if (count == 0)
        return s;
    return slice_make(s.data + count, s.len - count);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice s)
{
    while (s.len > 0 && is_blank(s.data[0]))
        s = slice_skip(s, 1);
    while (s.len > 0 && is_blank(s.data[s.len - 1]))
        s.len--;
    return s;
}

struct slice slice_cut(struct slice *rest, char separator)
{
    struct slice head = *rest;
    const char *at = rest->len ? memchr(rest->data, separator, rest->len) : NULL;
    if (!at) {
        *rest = (struct slice){.data = NULL, .len = 0};
        return head;
    }
    head.len = (size_t)(at - rest->data);
    *rest = slice_skip(*rest, head.len + 1);
    return head;
}

struct slice slice_line(struct slice *rest)
{
    struct slice line = slice_cut(rest, '\n');
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    return line;
}

int text_copy(char *to, size_t cap, struct slice s)
{
    if (cap == 0)
        return -EMSGSIZE;
    to[0] = '\0';
    if (s.len >= cap)
        return -EMSGSIZE;
    if (s.len == 0)
        return 0;
    if (memchr(s.data, '\0', s.len))
        return -EBADMSG;
    memcpy(to, s.data, s.len);
    to[s.len] = '\0';
    return 0;
}

bool text_is_terminated(const char *field, size_t cap)
{
    return cap > 0 && memchr(field, '\0', cap) != NULL;
}

int text_parse_u64(struct slice s, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    bool above = false;
    if (s.len == 0)
        return -EBADMSG;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9')
            return -EBADMSG;
        uint64_t digit = (uint64_t)(s.data[i] - '0');
        /* value * 10 + digit <= max, without overflow */
        if (above || digit > max || value > (max - digit) / 10)
            above = true;
        else
            value = value * 10 + digit;
    }
    if (above)
        return -EMSGSIZE;
    *out = value;
    return 0;
}

int text_parse_u32(struct slice s, uint32_t max, uint32_t *out)
{
    uint64_t value;
    int rc = text_parse_u64(s, max, &value);
    if (rc)
        return rc;
    *out = (uint32_t)value;
    return 0;
}

int text_parse_duration_s(struct slice s, uint64_t max_s, uint64_t *out_s)
{
    static const struct {
        char unit;
        uint64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    uint64_t factor = 1;
    for (size_t i = 0; s.len > 0 && i < sizeof(units) / sizeof(units[0]); i++) {
        if (s.data[s.len - 1] == units[i].unit) {
            factor = units[i].seconds;
            s.len--;
            break;
        }
    }
    uint64_t value;
    int rc = text_parse_u64(s, max_s / factor, &value);
    if (rc)
        return rc;
    *out_s = value * factor;
    return 0;
}

void text_hex(const void *data, size_t len, char *to)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i++) {
        to[2 * i] = digits[bytes[i] >> 4];
        to[2 * i + 1] = digits[bytes[i] & 15];
    }
    to[2 * len] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int text_unhex(struct slice s, void *to, size_t len)
{
    uint8_t *bytes = to;
    if (s.len / 2 != len || s.len % 2)
        return -EBADMSG;
    for (size_t i = 0; i < s.len; i++) {
        if (hex_digit(s.data[i]) < 0)
            return -EBADMSG;
    }
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(hex_digit(s.data[2 * i]) << 4 | hex_digit(s.data[2 * i + 1]));
    return 0;
}
