/* One live stream for people: publisher, network, and each track's counters. */
#include "gateway/ctl/ctlstream.h"

#include "gateway/ctl/ctlunits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define VALUE_MAX 96

/* ---- picking ---- */

int ctlstream_pick(json_t **answer, const char *name)
{
    json_t *picked = NULL;
    const json_t *rows = json_object_get(*answer, "streams");
    for (size_t i = 0; i < json_array_size(rows) && !picked; i++) {
        json_t *row = json_array_get(rows, i);
        const char *stream = json_string_value(json_object_get(row, "stream"));
        if (stream && strcmp(stream, name) == 0)
            picked = json_copy(row);
    }
    if (!picked)
        picked = json_pack("{s:b, s:s}", "ok", 0, "message", "no stream of that name is live");
    else if (json_object_set_new(picked, "ok", json_true()) < 0) {
        json_decref(picked);
        picked = NULL;
    }
    if (!picked)
        return -ENOMEM;
    json_decref(*answer);
    *answer = picked;
    return 0;
}

/* ---- values ---- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text && text[0] != '\0' ? text : "-";
}

/* Negative when it is no number of ours. */
static int64_t number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : -1;
}

static void count(const json_t *object, const char *key, char to[VALUE_MAX])
{
    int64_t value = number_of(object, key);
    if (value < 0)
        snprintf(to, VALUE_MAX, "-");
    else
        snprintf(to, VALUE_MAX, "%" PRId64, value);
}

static void milliseconds(const json_t *object, const char *key, char to[VALUE_MAX])
{
    const json_t *value = json_object_get(object, key);
    double ms = json_number_value(value);
    if (json_is_number(value) && ms >= 0 && ms < 1e9)
        snprintf(to, VALUE_MAX, "%.1f ms", ms);
    else
        snprintf(to, VALUE_MAX, "-");
}

static void duration(const json_t *object, const char *key, const char *none, char to[VALUE_MAX])
{
    int64_t seconds = number_of(object, key);
    char text[CTLUNITS_MAX];
    if (seconds >= 0)
        ctlunits_duration((uint64_t)seconds, text);
    snprintf(to, VALUE_MAX, "%s", seconds >= 0 ? text : none);
}

static void bitrate(const json_t *object, char to[VALUE_MAX])
{
    int64_t bps = number_of(object, "bitrate_bps");
    char text[CTLUNITS_MAX];
    if (bps >= 0)
        ctlunits_bitrate((uint64_t)bps, text);
    snprintf(to, VALUE_MAX, "%s", bps >= 0 ? text : "-");
}

/* ---- the page ---- */

static void line(FILE *to, const char *title, const char *value)
{
    fprintf(to, "%-14s %s\n", title, value);
}

/* One line: what is counted, under which keys. */
static void counts(FILE *to, const char *title, const json_t *object, const char *const keys[][2],
                   size_t key_count)
{
    fprintf(to, "%-14s ", title);
    for (size_t i = 0; i < key_count; i++) {
        char value[VALUE_MAX];
        count(object, keys[i][1], value);
        fprintf(to, "%s%s %s", i > 0 ? ", " : "", value, keys[i][0]);
    }
    fputs("\n", to);
}

#define COUNTS(to, title, object, keys)                                                            \
    counts(to, title, object, keys, sizeof(keys) / sizeof((keys)[0]))

static void print_way(FILE *to, const json_t *track)
{
    int64_t permille = number_of(track, "loss_permille");
    char jitter[VALUE_MAX], hold[VALUE_MAX], hold_max[VALUE_MAX], loss[VALUE_MAX] = "-";
    milliseconds(track, "jitter_ms", jitter);
    milliseconds(track, "hold_ms", hold);
    milliseconds(track, "hold_max_ms", hold_max);
    if (permille >= 0 && permille <= 1000)
        snprintf(loss, sizeof(loss), "%d.%d %%", (int)permille / 10, (int)permille % 10);
    fprintf(to, "%-14s loss %s, jitter %s, waits %s, at most %s\n", "  network:", loss, jitter,
            hold, hold_max);
}

static void print_track(FILE *to, const char *name, const json_t *track)
{
    static const char *const frames[][2] = {{"frames", "frames"}, {"key frames", "key_frames"}};
    static const char *const packets[][2] = {
        {"packets", "packets"}, {"lost", "lost"}, {"overtaken", "overtaken"}};
    static const char *const repairs[][2] = {{"by RTX", "recovered_rtx"},
                                             {"repeated", "recovered_same"},
                                             {"asked for", "nacked"},
                                             {"PLI", "plis"}};
    char rate[VALUE_MAX], layers[VALUE_MAX];
    const char *codec = text_of(track, "codec");
    bitrate(track, rate);
    count(track, "layers", layers);
    fprintf(to, "%-14s %s, %s, layers: %s\n", name, codec, rate, layers);
    if (strcmp(codec, "none") == 0)
        return;
    COUNTS(to, "  media:", track, frames);
    COUNTS(to, "  packets:", track, packets);
    COUNTS(to, "  repairs:", track, repairs);
    print_way(to, track);
}

static void print_session(FILE *to, const json_t *media)
{
    static const char *const refused[][2] = {{"not authentic", "bad_srtp"},
                                             {"replayed", "replayed"},
                                             {"over the limit", "over_limit"},
                                             {"other", "dropped"}};
    char value[VALUE_MAX], width[VALUE_MAX], height[VALUE_MAX];
    line(to, "client:", text_of(media, "client"));
    bitrate(media, value);
    line(to, "bitrate:", value);
    count(media, "width", width);
    count(media, "height", height);
    fprintf(to, "%-14s %sx%s\n", "picture:", width, height);
    milliseconds(media, "round_trip_ms", value);
    line(to, "round trip:", value);
    line(to, "feedback:", text_of(media, "feedback"));
    COUNTS(to, "refused:", media, refused);
}

void ctlstream_print(FILE *to, const json_t *stream)
{
    const json_t *media = json_object_get(stream, "media");
    char value[VALUE_MAX];
    line(to, "stream:", text_of(stream, "stream"));
    line(to, "state:", text_of(stream, "state"));
    line(to, "token:", text_of(stream, "token"));
    duration(stream, "age_s", "-", value);
    line(to, "age:", value);
    duration(stream, "remaining_s", "no limit", value);
    line(to, "left:", value);
    print_session(to, media);
    print_track(to, "video:", json_object_get(media, "video"));
    print_track(to, "audio:", json_object_get(media, "audio"));
}
