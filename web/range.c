/* The Range header of a media request (RFC 9110 14.2): one range of bytes, or all of it. */
#include "web/range.h"

#include <stdint.h>
#include <string.h>

/* A number above what we can hold lies behind the end just as well. False for anything else. */
static bool parse_position(struct slice s, uint64_t *out)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9')
            return false;
    }
    if (s.len == 0)
        return false;
    if (text_parse_u64(s, UINT64_MAX, out))
        *out = UINT64_MAX;
    return true;
}

/* "-500": the last 500 bytes */
static enum range_verdict parse_suffix(struct slice s, size_t total, size_t *out_first,
                                       size_t *out_len)
{
    uint64_t count;
    if (!parse_position(s, &count))
        return RANGE_WHOLE;
    if (count == 0 || total == 0)
        return RANGE_OUTSIDE;
    *out_len = count < total ? (size_t)count : total;
    *out_first = total - *out_len;
    return RANGE_PARTIAL;
}

enum range_verdict range_parse(struct slice header, size_t total, size_t *out_first,
                               size_t *out_len)
{
    uint64_t first, last = UINT64_MAX;
    if (!slice_starts_nocase(header, "bytes="))
        return RANGE_WHOLE;
    struct slice rest = slice_trim(slice_skip(header, strlen("bytes=")));
    if (rest.len == 0 || memchr(rest.data, ',', rest.len))
        return RANGE_WHOLE;
    if (rest.data[0] == '-')
        return parse_suffix(slice_skip(rest, 1), total, out_first, out_len);
    if (!memchr(rest.data, '-', rest.len) || !parse_position(slice_cut(&rest, '-'), &first))
        return RANGE_WHOLE;
    if (rest.len > 0 && !parse_position(rest, &last))
        return RANGE_WHOLE;
    if (last < first)
        return RANGE_WHOLE;
    if (first >= total)
        return RANGE_OUTSIDE;
    if (last >= total)
        last = total - 1;
    *out_first = (size_t)first;
    *out_len = (size_t)(last - first + 1);
    return RANGE_PARTIAL;
}
