/* The If-Match header of a PATCH. */
#include "web/if_match.h"

#include <errno.h>

/* etagc (RFC 9110 8.8.3): %x21 / %x23-7E / obs-text */
static bool is_tag_text(struct slice s, bool ascii_only)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c < 0x21 || c == '"' || c == 0x7f || (ascii_only && c > 0x7f))
            return false;
    }
    return true;
}

bool if_match_tag_valid(struct slice tag)
{
    return tag.len > 0 && tag.len <= STREAM_ETAG_LEN && is_tag_text(tag, true);
}

int if_match_parse(struct slice header, enum session_match *out_match,
                   char out_tag[STREAM_ETAG_LEN + 1])
{
    struct slice s = slice_trim(header);
    if (slice_is(s, "*") || slice_is(s, "\"*\"")) {
        *out_match = MATCH_ANY;
        out_tag[0] = '\0';
        return 0;
    }
    if (s.len < 2 || s.data[0] != '"' || s.data[s.len - 1] != '"')
        return -EBADMSG;
    struct slice tag = slice_make(s.data + 1, s.len - 2);
    if (!is_tag_text(tag, false))
        return -EBADMSG;
    *out_match = MATCH_TAG;
    out_tag[0] = '\0';
    if (tag.len <= STREAM_ETAG_LEN)
        return text_copy(out_tag, STREAM_ETAG_LEN + 1, tag);
    return 0;
}
