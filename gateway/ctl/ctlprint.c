/* The gateway's answers, for people. */
#include "gateway/ctl/ctlprint.h"

#include "gateway/ctl/ctlstream.h"
#include "gateway/ctl/ctltable.h"
#include "gateway/ctl/ctlunits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#define CELL_MAX 64
_Static_assert(CELL_MAX >= CTLUNITS_MAX, "units fit a cell");

/* ---- values of an answer ---- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text && text[0] != '\0' ? text : "-";
}

/* False for null, a missing key, and what is no number of ours. */
static bool number_of(const json_t *object, const char *key, uint64_t *out)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *out = (uint64_t)json_integer_value(value);
    return true;
}

static void count_cell(const json_t *object, const char *key, const char *none, char to[CELL_MAX])
{
    uint64_t value = 0;
    if (number_of(object, key, &value))
        snprintf(to, CELL_MAX, "%" PRIu64, value);
    else
        snprintf(to, CELL_MAX, "%s", none);
}

static void duration_cell(const json_t *object, const char *key, const char *none,
                          char to[CELL_MAX])
{
    uint64_t seconds = 0;
    if (number_of(object, key, &seconds))
        ctlunits_duration(seconds, to);
    else
        snprintf(to, CELL_MAX, "%s", none);
}

/* "in 2h", "3d ago", or none. */
static void distance_cell(const json_t *object, const char *key, const char *none, uint64_t now_ms,
                          char to[CELL_MAX])
{
    uint64_t ms = 0;
    char distance[CTLUNITS_MAX];
    if (!number_of(object, key, &ms)) {
        snprintf(to, CELL_MAX, "%s", none);
    } else if (ms >= now_ms) {
        ctlunits_duration((ms - now_ms + 999) / 1000, distance);
        snprintf(to, CELL_MAX, "in %s", distance);
    } else {
        ctlunits_duration((now_ms - ms) / 1000, distance);
        snprintf(to, CELL_MAX, "%s ago", distance);
    }
}

/* ---- tokens ---- */

static void print_time(FILE *to, const char *title, const json_t *token, const char *key,
                       const char *none, uint64_t now_ms)
{
    uint64_t ms = 0;
    char distance[CELL_MAX];
    char time[CTLUNITS_MAX];
    distance_cell(token, key, none, now_ms, distance);
    if (number_of(token, key, &ms)) {
        ctlunits_time(ms, time);
        fprintf(to, "%-14s %s (%s)\n", title, time, distance);
    } else {
        fprintf(to, "%-14s %s\n", title, none);
    }
}

static void print_token(FILE *to, const json_t *token, uint64_t now_ms)
{
    char sessions[CELL_MAX];
    char duration[CELL_MAX];
    char live[CELL_MAX];
    char kbps[CELL_MAX];
    count_cell(token, "max_sessions", "no limit", sessions);
    count_cell(token, "max_bitrate_kbps", "the gateway's", kbps);
    duration_cell(token, "max_duration_s", "no limit", duration);
    count_cell(token, "live", "-", live);
    fprintf(to, "%-14s %s\n", "id:", text_of(token, "id"));
    fprintf(to, "%-14s %s\n", "stream:", text_of(token, "stream"));
    fprintf(to, "%-14s %s\n", "state:", text_of(token, "state"));
    fprintf(to, "%-14s %s\n", "label:", text_of(token, "label"));
    print_time(to, "created:", token, "created_ms", "-", now_ms);
    print_time(to, "expires:", token, "expires_ms", "never", now_ms);
    fprintf(to, "%-14s %s\n", "max duration:", duration);
    fprintf(to, "%-14s %s\n", "max sessions:", sessions);
    fprintf(to, "%-14s %s\n", "max kbit/s:", kbps);
    fprintf(to, "%-14s %s\n", "on clash:", text_of(token, "on_clash"));
    fprintf(to, "%-14s %s\n", "live now:", live);
    if (json_is_integer(json_object_get(token, "revoked_ms")))
        print_time(to, "revoked:", token, "revoked_ms", "-", now_ms);
}

static void print_created(FILE *to, const json_t *token, uint64_t now_ms)
{
    fprintf(to, "%-14s %s\n", "token:", text_of(token, "token"));
    print_token(to, token, now_ms);
    fputs("Keep the token now: it is stored only as a hash and cannot be shown again.\n", to);
}

static int add_token(struct ctltable *table, const json_t *token, uint64_t now_ms)
{
    char expires[CELL_MAX];
    char duration[CELL_MAX];
    char sessions[CELL_MAX];
    char live[CELL_MAX];
    distance_cell(token, "expires_ms", "never", now_ms, expires);
    duration_cell(token, "max_duration_s", "no limit", duration);
    count_cell(token, "max_sessions", "no limit", sessions);
    count_cell(token, "live", "-", live);
    const char *cells[] = {text_of(token, "id"),
                           text_of(token, "state"),
                           text_of(token, "stream"),
                           expires,
                           duration,
                           sessions,
                           text_of(token, "on_clash"),
                           live,
                           text_of(token, "label")};
    return ctltable_add(table, cells);
}

/* ---- streams and processes ---- */

static void codec_cell(const json_t *media, char to[CELL_MAX])
{
    snprintf(to, CELL_MAX, "%.20s/%.20s", text_of(media, "video_codec"),
             text_of(media, "audio_codec"));
}

static void size_cell(const json_t *media, char to[CELL_MAX])
{
    uint64_t width = 0;
    uint64_t height = 0;
    if (number_of(media, "width", &width) && number_of(media, "height", &height) && width > 0)
        snprintf(to, CELL_MAX, "%" PRIu64 "x%" PRIu64, width, height);
    else
        snprintf(to, CELL_MAX, "-");
}

static int add_stream(struct ctltable *table, const json_t *stream, uint64_t now_ms)
{
    char age[CELL_MAX];
    char left[CELL_MAX];
    char bitrate[CELL_MAX] = "-";
    char size[CELL_MAX];
    char codecs[CELL_MAX];
    char lost[CELL_MAX];
    const json_t *media = json_object_get(stream, "media");
    uint64_t bps = 0;
    (void)now_ms;
    duration_cell(stream, "age_s", "-", age);
    duration_cell(stream, "remaining_s", "no limit", left);
    if (number_of(media, "bitrate_bps", &bps))
        ctlunits_bitrate(bps, bitrate);
    size_cell(media, size);
    codec_cell(media, codecs);
    count_cell(media, "lost", "-", lost);
    const char *cells[] = {
        text_of(stream, "stream"), text_of(stream, "state"), age, left, bitrate, size, codecs, lost,
        text_of(stream, "token")};
    return ctltable_add(table, cells);
}

static int add_process(struct ctltable *table, const json_t *process, uint64_t now_ms)
{
    char pid[CELL_MAX];
    (void)now_ms;
    count_cell(process, "pid", "-", pid);
    bool ready = json_is_true(json_object_get(process, "ready"));
    const char *cells[] = {text_of(process, "name"), pid, ready ? "ready" : "starting"};
    return ctltable_add(table, cells);
}

/* ---- tables ---- */

typedef int (*add_fn)(struct ctltable *table, const json_t *row, uint64_t now_ms);

static int print_rows(FILE *to, const json_t *rows, const char *const *titles, size_t columns,
                      add_fn add, uint64_t now_ms)
{
    struct ctltable *table = ctltable_new(titles, columns);
    if (!table)
        return -ENOMEM;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < json_array_size(rows); i++)
        rc = add(table, json_array_get(rows, i), now_ms);
    if (rc == 0)
        ctltable_print(table, to);
    ctltable_free(table);
    return rc;
}

#define COUNT(titles) (sizeof(titles) / sizeof((titles)[0]))

static int print_tokens(FILE *to, const json_t *answer, uint64_t now_ms)
{
    static const char *const titles[] = {"ID",      "STATE",    "STREAM", "EXPIRES", "LONGEST",
                                         "AT ONCE", "ON CLASH", "LIVE",   "LABEL"};
    const json_t *rows = json_object_get(answer, "tokens");
    if (json_array_size(rows) == 0) {
        fputs("There are no tokens. Make one: sluicectl token create --stream NAME\n", to);
        return 0;
    }
    return print_rows(to, rows, titles, COUNT(titles), add_token, now_ms);
}

static int print_streams(FILE *to, const json_t *answer, uint64_t now_ms)
{
    static const char *const titles[] = {"STREAM", "STATE",  "AGE",  "LEFT", "BITRATE",
                                         "SIZE",   "CODECS", "LOST", "TOKEN"};
    const json_t *rows = json_object_get(answer, "streams");
    if (json_array_size(rows) == 0) {
        fputs("No stream is live.\n", to);
        return 0;
    }
    return print_rows(to, rows, titles, COUNT(titles), add_stream, now_ms);
}

static int print_status(FILE *to, const json_t *answer, uint64_t now_ms)
{
    static const char *const titles[] = {"PROCESS", "PID", "STATE"};
    bool ready = json_is_true(json_object_get(answer, "ready"));
    fprintf(to, "The gateway is %s.\n", ready ? "ready" : "not ready");
    return print_rows(to, json_object_get(answer, "processes"), titles, COUNT(titles), add_process,
                      now_ms);
}

static void print_revoked(FILE *to, const json_t *answer)
{
    uint64_t ended = 0;
    (void)number_of(answer, "ended", &ended);
    fprintf(to, "Token %s is revoked; %" PRIu64 " live stream%s cut.\n", text_of(answer, "id"),
            ended, ended == 1 ? " is" : "s are");
    if (!json_is_true(json_object_get(answer, "durable")))
        fprintf(to, "Not durable: %s.\n", text_of(answer, "message"));
}

int ctlprint_answer(FILE *to, enum ctl_command command, const json_t *answer, uint64_t now_ms)
{
    switch (command) {
    case CTL_TOKEN_CREATE:
        print_created(to, answer, now_ms);
        return 0;
    case CTL_TOKEN_LIST:
        return print_tokens(to, answer, now_ms);
    case CTL_TOKEN_SHOW:
        print_token(to, answer, now_ms);
        return 0;
    case CTL_TOKEN_REVOKE:
        print_revoked(to, answer);
        return 0;
    case CTL_STREAM_LIST:
        return print_streams(to, answer, now_ms);
    case CTL_STREAM_SHOW:
        ctlstream_print(to, answer);
        return 0;
    case CTL_STREAM_KICK:
        fputs("The stream is cut.\n", to);
        return 0;
    case CTL_STATUS_SHOW:
        return print_status(to, answer, now_ms);
    default:
        return -EINVAL;
    }
}

int ctlprint_json(FILE *to, const json_t *answer)
{
    int rc = -ENOMEM;
    json_t *copy =
        json_copy((json_t *)(uintptr_t)answer); /* reads only; jansson has no const here */
    if (copy && json_object_del(copy, "ok") == 0) {
        char *text = json_dumps(copy, JSON_COMPACT);
        if (text) {
            fprintf(to, "%s\n", text);
            rc = 0;
        }
        free(text);
    }
    json_decref(copy);
    return rc;
}
