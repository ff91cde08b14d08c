/* The delivery directives in a playlist request's query. */
#include "web/directives.h"

#include <errno.h>

static int take_msn(struct directives *d, struct slice value)
{
    if (d->has_msn)
        return -EBADMSG;
    d->has_msn = true;
    int rc = text_parse_u64(value, UINT64_MAX, &d->msn);
    if (rc == -EMSGSIZE)
        d->msn = UINT64_MAX;
    return rc == -EMSGSIZE ? 0 : rc;
}

static int take_part(struct directives *d, struct slice value)
{
    if (d->has_part)
        return -EBADMSG;
    d->has_part = true;
    int rc = text_parse_u32(value, UINT32_MAX, &d->part);
    if (rc == -EMSGSIZE)
        d->part = UINT32_MAX;
    return rc == -EMSGSIZE ? 0 : rc;
}

int directives_parse(struct slice query, struct directives *out)
{
    struct directives d = {0};
    while (query.len > 0) {
        struct slice value = slice_cut(&query, '&');
        struct slice name = slice_cut(&value, '=');
        int rc = 0;
        if (slice_is(name, "_HLS_msn"))
            rc = take_msn(&d, value);
        else if (slice_is(name, "_HLS_part"))
            rc = take_part(&d, value);
        if (rc)
            return rc;
    }
    if (d.has_part && !d.has_msn)
        return -EBADMSG;
    *out = d;
    return 0;
}
