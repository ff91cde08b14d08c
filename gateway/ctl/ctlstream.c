/* One live stream for people: publisher, network, and each track's counters. */
#include "gateway/ctl/ctlstream.h"

#include "gateway/ctl/ctlunits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define VALUE_MAX 96 /* at least CTLUNITS_MAX */
#define TITLE_WIDTH 24
#define COLUMN_WIDTH 14

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

/* Writes the value when there is one; `to` holds "-" before. */
typedef void (*value_fn)(const json_t *object, const char *key, char to[VALUE_MAX]);

static void word(const json_t *object, const char *key, char to[VALUE_MAX])
{
    snprintf(to, VALUE_MAX, "%s", text_of(object, key));
}

static void count(const json_t *object, const char *key, char to[VALUE_MAX])
{
    int64_t value = number_of(object, key);
    if (value >= 0)
        snprintf(to, VALUE_MAX, "%" PRId64, value);
}

static void tenths(const json_t *object, const char *key, const char *unit, char to[VALUE_MAX])
{
    const json_t *value = json_object_get(object, key);
    double number = json_number_value(value);
    if (json_is_number(value) && number >= 0 && number < 1e9)
        snprintf(to, VALUE_MAX, "%.1f%s", number, unit);
}

static void milliseconds(const json_t *object, const char *key, char to[VALUE_MAX])
{
    tenths(object, key, " ms", to);
}

static void rate(const json_t *object, const char *key, char to[VALUE_MAX])
{
    tenths(object, key, "", to);
}

static void permille(const json_t *object, const char *key, char to[VALUE_MAX])
{
    int64_t value = number_of(object, key);
    if (value >= 0 && value <= 1000)
        snprintf(to, VALUE_MAX, "%d.%d %%", (int)value / 10, (int)value % 10);
}

static void bitrate(const json_t *object, const char *key, char to[VALUE_MAX])
{
    int64_t bps = number_of(object, key);
    if (bps >= 0)
        ctlunits_bitrate((uint64_t)bps, to);
}

/* Of audio there is none. */
static void picture(const json_t *object, const char *key, char to[VALUE_MAX])
{
    int64_t width = number_of(object, key), height = number_of(object, "height");
    if (width > 0 && height > 0)
        snprintf(to, VALUE_MAX, "%" PRId64 "x%" PRId64, width, height);
}

static void duration(const json_t *object, const char *key, char to[VALUE_MAX])
{
    int64_t seconds = number_of(object, key);
    if (seconds >= 0)
        ctlunits_duration((uint64_t)seconds, to);
}

struct value {
    char text[VALUE_MAX];
};

static struct value shown(value_fn format, const json_t *object, const char *key)
{
    struct value value = {.text = "-"};
    format(object, key, value.text);
    return value;
}

/* ---- the page ---- */

/* One figure of each track: in the track's object, or in its `group`. */
struct track_row {
    const char *title;
    const char *key; /* NULL: a heading */
    value_fn format;
    const char *group;
};

static const struct track_row track_rows[] = {
    {"Codec", "codec", word, NULL},
    {"Picture", "width", picture, NULL},
    {"Layers", "layers", count, NULL},
    {"Bitrate", "bitrate_bps", bitrate, NULL},
    {"Frames per second", "frame_rate", rate, NULL},
    {"Longest pause", "pause_ms", milliseconds, NULL},
    {"Frames", NULL, NULL, NULL},
    {"  passed on", "frames", count, NULL},
    {"  of them key frames", "key_frames", count, NULL},
    {"  dropped, damaged", "damaged", count, "frames_dropped"},
    {"  dropped, no key frame", "held", count, "frames_dropped"},
    {"  dropped, too large", "too_large", count, "frames_dropped"},
    {"  dropped, too many", "too_many", count, "frames_dropped"},
    {"Packets", NULL, NULL, NULL},
    {"  received", "packets", count, NULL},
    {"  overtaken", "overtaken", count, NULL},
    {"  repaired by RTX", "recovered_rtx", count, NULL},
    {"  repaired by repeat", "recovered_same", count, NULL},
    {"  given up as lost", "lost", count, NULL},
    {"Requests", NULL, NULL, NULL},
    {"  for packets (NACK)", "nacked", count, NULL},
    {"  for key frames (PLI)", "plis", count, NULL},
    {"  for key frames (FIR)", "firs", count, NULL},
    {"Network", NULL, NULL, NULL},
    {"  loss before repair", "loss_permille", permille, NULL},
    {"  jitter", "jitter_ms", milliseconds, NULL},
    {"  mean wait for order", "hold_ms", milliseconds, NULL},
    {"  longest wait", "hold_max_ms", milliseconds, NULL},
    {"  longest wait allowed", "deadline_ms", milliseconds, NULL},
};

static const struct {
    const char *title;
    const char *key;
} refused_rows[] = {
    {"  not authentic", "bad_srtp"},    {"  replayed", "replayed"},
    {"  malformed", "malformed"},       {"  unexpected", "unexpected"},
    {"  over the limit", "over_limit"}, {"  other", "dropped"},
};

static void line(FILE *to, const char *title, const char *value)
{
    fprintf(to, "%-*s %s\n", TITLE_WIDTH, title, value);
}

static void print_head(FILE *to, const json_t *stream, const json_t *media)
{
    bool unlimited = json_is_null(json_object_get(stream, "remaining_s"));
    line(to, "Stream", text_of(stream, "stream"));
    line(to, "State", text_of(stream, "state"));
    line(to, "Live for", shown(duration, stream, "age_s").text);
    line(to, "Time left", unlimited ? "no limit" : shown(duration, stream, "remaining_s").text);
    line(to, "Token", text_of(stream, "token"));
    line(to, "Publisher", text_of(media, "client"));
    fprintf(to, "%-*s %s, %s\n", TITLE_WIDTH, "Path", text_of(media, "transport"),
            text_of(media, "family"));
    fprintf(to, "%-*s %s (from %s)\n", TITLE_WIDTH, "Round trip",
            shown(milliseconds, media, "round_trip_ms").text, text_of(media, "round_trip_from"));
    fprintf(to, "%-*s %s, %s packets\n", TITLE_WIDTH, "Received",
            shown(bitrate, media, "bitrate_bps").text, shown(count, media, "packets").text);
    line(to, "Rate control", text_of(media, "feedback"));
}

static void print_tracks(FILE *to, const json_t *video, const json_t *audio)
{
    const json_t *const tracks[] = {video, audio};
    fprintf(to, "\n%-*s %*s%*s\n", TITLE_WIDTH, "", COLUMN_WIDTH, "video", COLUMN_WIDTH, "audio");
    for (size_t i = 0; i < sizeof(track_rows) / sizeof(track_rows[0]); i++) {
        const struct track_row *row = &track_rows[i];
        if (!row->key) {
            fprintf(to, "%s\n", row->title);
            continue;
        }
        fprintf(to, "%-*s ", TITLE_WIDTH, row->title);
        for (size_t k = 0; k < 2; k++) {
            const json_t *from = row->group ? json_object_get(tracks[k], row->group) : tracks[k];
            bool absent = strcmp(text_of(tracks[k], "codec"), "none") == 0;
            fprintf(to, "%*s", COLUMN_WIDTH,
                    absent ? "-" : shown(row->format, from, row->key).text);
        }
        fputs("\n", to);
    }
}

void ctlstream_print(FILE *to, const json_t *stream)
{
    const json_t *media = json_object_get(stream, "media");
    print_head(to, stream, media);
    print_tracks(to, json_object_get(media, "video"), json_object_get(media, "audio"));
    fputs("Refused packets\n", to);
    for (size_t i = 0; i < sizeof(refused_rows) / sizeof(refused_rows[0]); i++)
        fprintf(to, "%-*s %*s\n", TITLE_WIDTH, refused_rows[i].title, COLUMN_WIDTH,
                shown(count, media, refused_rows[i].key).text);
}
