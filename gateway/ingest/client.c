/* What software publishes, as far as its offer tells. */
#include "gateway/ingest/client.h"

#include <stdbool.h>

/* What is seen in the lines before the first section. */
struct traits {
    struct slice user; /* o=<user> <id> <version> IN IP4 <address> */
    bool same_version; /* id and version are one number */
    bool any_address;  /* 0.0.0.0 */
    bool mixed;        /* a=extmap-allow-mixed */
    bool semantic;     /* a=msid-semantic */
};

static void read_origin(struct traits *t, struct slice rest)
{
    t->user = slice_cut(&rest, ' ');
    struct slice id = slice_cut(&rest, ' ');
    struct slice version = slice_cut(&rest, ' ');
    t->same_version = slice_equal(id, version);
    t->any_address = slice_is(rest, "IN IP4 0.0.0.0");
}

static void read_traits(struct traits *t, struct slice offer)
{
    struct slice line = slice_line(&offer);
    for (; line.len > 0 && !slice_starts(line, "m="); line = slice_line(&offer)) {
        if (slice_starts(line, "o="))
            read_origin(t, slice_skip(line, 2));
        t->mixed = t->mixed || slice_is(line, "a=extmap-allow-mixed");
        t->semantic = t->semantic || slice_starts(line, "a=msid-semantic");
    }
}

enum stats_client client_guess(struct slice offer)
{
    struct traits t = {.user = slice_of(NULL)};
    if (offer.len > CLIENT_LOOK_MAX)
        offer.len = CLIENT_LOOK_MAX;
    read_traits(&t, offer);
    if (slice_starts(t.user, "mozilla"))
        return CLIENT_FIREFOX;
    if (slice_is(t.user, "rtc"))
        return CLIENT_LIBDATACHANNEL;
    if (slice_is(t.user, "FFmpeg"))
        return CLIENT_FFMPEG;
    if (!slice_is(t.user, "-"))
        return CLIENT_UNKNOWN;
    if (!t.any_address)
        return t.mixed && t.semantic ? CLIENT_LIBWEBRTC : CLIENT_UNKNOWN;
    if (t.mixed)
        return CLIENT_PION;
    if (t.semantic)
        return t.same_version ? CLIENT_AIORTC : CLIENT_UNKNOWN;
    return CLIENT_GSTREAMER;
}
