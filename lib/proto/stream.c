/* Names, limits and vocabulary that all roles share about a stream. */
#include "lib/proto/stream.h"

struct reason_row {
    const char *name;
    const char *text;
    bool final;
};

static const struct reason_row reasons[END_REASON_COUNT] = {
    [END_NONE] = {"none", "The stream has not ended.", false},
    [END_DELETED] = {"deleted", "The publisher ended the stream.", true},
    [END_CLOSED] = {"closed", "The publisher closed the connection.", false},
    [END_KICKED] = {"kicked", "An operator ended this stream.", true},
    [END_REVOKED] = {"revoked", "The token of this stream was revoked.", true},
    [END_LIMIT] = {"limit", "The maximum duration of this stream is reached.", true},
    [END_SHUTDOWN] = {"shutdown", "The gateway is shutting down.", true},
    [END_SILENT] = {"silent", "Nothing was received from the publisher for 30 seconds.", false},
    [END_NOT_STARTED] = {"not-started",
                         "No connection was made in time: no network path between the browser and "
                         "the gateway's media port.",
                         false},
    [END_REFUSED] = {"refused", "The encrypted connection was not acceptable.", false},
    [END_CRASHED] = {"crashed", "The process for this stream failed. Start again.", false},
    [END_BROKEN] = {"broken", "The media of this stream can not be processed.", false},
    [END_OVER_LIMIT] = {"over-limit",
                        "The publisher sent more than its bitrate limit for too long.", true},
    [END_REPLACED] = {"replaced", "The stream was taken over by a new session.", false},
};

static const struct reason_row *reason_row(enum end_reason reason)
{
    static const struct reason_row unknown = {"unknown", "The stream ended.", false};
    return (unsigned)reason < END_REASON_COUNT ? &reasons[reason] : &unknown;
}

bool end_reason_is_final(enum end_reason reason)
{
    return reason_row(reason)->final;
}

const char *end_reason_name(enum end_reason reason)
{
    return reason_row(reason)->name;
}

const char *end_reason_text(enum end_reason reason)
{
    return reason_row(reason)->text;
}

const char *codec_name(enum codec codec)
{
    static const char *const names[CODEC_COUNT] = {"none", "h264", "vp8", "opus",
                                                   "aac",  "h265", "vp9", "av1"};
    return (unsigned)codec < CODEC_COUNT ? names[codec] : "unknown";
}

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

bool stream_name_valid(struct slice name)
{
    if (name.len < 1 || name.len > STREAM_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (!name_char(name.data[i]))
            return false;
    }
    return true;
}

bool stream_pattern_valid(struct slice pattern)
{
    if (pattern.len < 1 || pattern.len > STREAM_NAME_MAX)
        return false;
    for (size_t i = 0; i < pattern.len; i++) {
        if (pattern.data[i] != '*' && !name_char(pattern.data[i]))
            return false;
    }
    return true;
}

/* Goes back to the last star only, so the work is at most pattern.len * name.len. */
bool stream_pattern_matches(struct slice pattern, struct slice name)
{
    size_t p = 0;
    size_t n = 0;
    size_t star = SIZE_MAX; /* index of the last star seen */
    size_t resume = 0;      /* where in name its run ends so far */
    while (n < name.len) {
        if (p < pattern.len && pattern.data[p] == '*') {
            star = p++;
            resume = n;
        } else if (p < pattern.len && pattern.data[p] == name.data[n]) {
            p++;
            n++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            n = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.data[p] == '*')
        p++;
    return p == pattern.len;
}

static bool ice_chars(struct slice text, size_t min, size_t max)
{
    if (text.len < min || text.len > max)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '_' || c == '-' || (!name_char(c) && c != '+' && c != '/'))
            return false;
    }
    return true;
}

bool stream_pair_valid(const char *ufrag, const char *pwd)
{
    return ice_chars(slice_of(ufrag), 4, STREAM_UFRAG_LEN) &&
           ice_chars(slice_of(pwd), 22, STREAM_PWD_LEN);
}
