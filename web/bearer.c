/* The bearer token of an Authorization header (RFC 6750 2.1). */
#include "web/bearer.h"

#include <errno.h>
#include <string.h>

/* b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=" */
static bool is_b64token(struct slice s)
{
    size_t i = 0;
    for (; i < s.len; i++) {
        char c = s.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && (c == '\0' || !strchr("-._~+/", c)))
            break;
    }
    if (i == 0)
        return false;
    while (i < s.len && s.data[i] == '=')
        i++;
    return i == s.len;
}

int bearer_parse(struct slice header, char out_token[STREAM_TOKEN_MAX + 1])
{
    header = slice_trim(header);
    if (!slice_starts_nocase(header, "Bearer"))
        return -ENOENT;
    struct slice rest = slice_skip(header, strlen("Bearer"));
    if (rest.len > 0 && rest.data[0] != ' ')
        return -ENOENT;
    struct slice token = slice_trim(rest);
    if (token.len > STREAM_TOKEN_MAX || !is_b64token(token))
        return -EBADMSG;
    return text_copy(out_token, STREAM_TOKEN_MAX + 1, token);
}
