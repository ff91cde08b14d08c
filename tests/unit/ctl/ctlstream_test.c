/* One stream for people. */
#include "gateway/ctl/ctlstream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TRACK                                                                                      \
    "{\"codec\":\"h264\",\"packets\":101,\"frames\":102,\"key_frames\":103,\"lost\":104,"          \
    "\"overtaken\":105,\"layers\":3,\"recovered_rtx\":106,\"recovered_same\":107,\"nacked\":108,"  \
    "\"plis\":109,\"firs\":110,\"frames_dropped\":{\"damaged\":111,\"held\":112,"                  \
    "\"too_large\":113,\"too_many\":114},\"width\":1280,\"height\":720,\"frame_rate\":29.97,"      \
    "\"pause_ms\":66.7,\"bitrate_bps\":2400000,\"loss_permille\":123,\"jitter_ms\":4.26,"          \
    "\"hold_ms\":7,\"hold_max_ms\":209.6,\"deadline_ms\":300}"
#define STREAM                                                                                     \
    "{\"stream\":\"demo\",\"state\":\"live\",\"token\":\"t_1\",\"age_s\":65,\"remaining_s\":null," \
    "\"media\":{\"client\":\"Firefox\",\"feedback\":\"transport-cc\",\"bitrate_bps\":2500000,"     \
    "\"packets\":100,\"round_trip_ms\":52.5,\"round_trip_from\":\"rtcp\",\"transport\":\"udp\","   \
    "\"family\":\"ipv6\",\"bad_srtp\":201,\"replayed\":202,\"malformed\":205,"                     \
    "\"unexpected\":206,\"over_limit\":203,\"dropped\":204,\"video\":" TRACK                       \
    ",\"audio\":{\"codec\":\"none\"}}}"

static char *print(const char *json)
{
    char *text = NULL;
    size_t len = 0;
    json_t *stream = json_loads(json, 0, NULL);
    assert_non_null(stream);
    FILE *to = open_memstream(&text, &len);
    assert_non_null(to);
    ctlstream_print(to, stream);
    assert_int_equal(fclose(to), 0);
    json_decref(stream);
    return text;
}

/* The line that begins with the title, with its first and last word: title and the video's value.
 */
static void expect_line(const char *text, const char *title, const char *value)
{
    char line[200];
    size_t len = strlen(title);
    for (const char *at = text; at; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, title, len) != 0 || at[len] != ' ')
            continue;
        size_t end = strcspn(at, "\n");
        assert_true(end < sizeof(line));
        memcpy(line, at, end);
        line[end] = '\0';
        if (!strstr(line, value))
            print_error("%s: no %s\n", line, value);
        assert_non_null(strstr(line, value));
        return;
    }
    print_error("no line %s in\n%s", title, text);
    fail();
}

static void stats_every_counter_has_a_line(void **state)
{
    static const char *const wanted[][2] = {
        {"Stream", "demo"},
        {"State", "live"},
        {"Live for", "1m 5s"},
        {"Time left", "no limit"},
        {"Token", "t_1"},
        {"Publisher", "Firefox"},
        {"Path", "udp, ipv6"},
        {"Round trip", "52.5 ms (from rtcp)"},
        {"Received", "2.5 Mbit/s, 100 packets"},
        {"Rate control", "transport-cc"},
        {"Codec", "h264"},
        {"Picture", "1280x720"},
        {"Layers", "3"},
        {"Bitrate", "2.4 Mbit/s"},
        {"Frames per second", "30.0"},
        {"Longest pause", "66.7 ms"},
        {"  passed on", "102"},
        {"  of them key frames", "103"},
        {"  dropped, damaged", "111"},
        {"  dropped, no key frame", "112"},
        {"  dropped, too large", "113"},
        {"  dropped, too many", "114"},
        {"  received", "101"},
        {"  overtaken", "105"},
        {"  repaired by RTX", "106"},
        {"  repaired by repeat", "107"},
        {"  given up as lost", "104"},
        {"  for packets (NACK)", "108"},
        {"  for key frames (PLI)", "109"},
        {"  for key frames (FIR)", "110"},
        {"  loss before repair", "12.3 %"},
        {"  jitter", "4.3 ms"},
        {"  mean wait for order", "7.0 ms"},
        {"  longest wait", "209.6 ms"},
        {"  longest wait allowed", "300.0 ms"},
        {"  not authentic", "201"},
        {"  replayed", "202"},
        {"  malformed", "205"},
        {"  unexpected", "206"},
        {"  over the limit", "203"},
        {"  other", "204"},
    };
    (void)state;
    char *text = print(STREAM);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        expect_line(text, wanted[i][0], wanted[i][1]);
    free(text);
}

/* The figures of both tracks end in the same columns. */
static void stats_columns_are_aligned(void **state)
{
    (void)state;
    char *text = print(STREAM);
    const char *head = strstr(text, "video");
    assert_non_null(head);
    size_t width = strcspn(head, "\n") + (size_t)(head - strstr(text, "\n\n")) - 2;
    const char *at = strstr(text, "Codec");
    for (; at && strncmp(at, "Refused", 7) != 0; at = strchr(at, '\n') + 1) {
        size_t len = strcspn(at, "\n");
        if (strchr("FPRN", at[0]) && len < 20)
            continue; /* a heading */
        assert_int_equal(len, width);
    }
    free(text);
}

static void odd_values_are_dashes(void **state)
{
    static const char *const answers[] = {
        "{}", "{\"media\":7}",
        "{\"stream\":1,\"age_s\":-5,\"media\":{\"video\":[],\"width\":\"x\"}}",
        "{\"media\":{\"round_trip_ms\":-1}}",
        "{\"media\":{\"video\":{\"loss_permille\":5000,\"jitter_ms\":1e300}}}"};
    static const char *const figures[] = {"Live for",      "Time left",   "Round trip",
                                          "Received",      "Picture",     "Bitrate",
                                          "Longest pause", "  received",  "  given up as lost",
                                          "  jitter",      "  malformed", "  loss before repair"};
    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        char *text = print(answers[i]);
        for (size_t k = 0; k < sizeof(figures) / sizeof(figures[0]); k++)
            expect_line(text, figures[k], " -");
        assert_null(strstr(text, "e+"));
        free(text);
    }
}

static void the_stream_is_picked_by_name(void **state)
{
    (void)state;
    static const char list[] = "{\"ok\":true,\"streams\":[{\"stream\":\"a\",\"age_s\":1},"
                               "{\"stream\":\"b\",\"age_s\":2},{},7]}";
    json_t *answer = json_loads(list, 0, NULL);
    assert_int_equal(ctlstream_pick(&answer, "b"), 0);
    assert_true(json_is_true(json_object_get(answer, "ok")));
    assert_int_equal(json_integer_value(json_object_get(answer, "age_s")), 2);
    json_decref(answer);
    answer = json_loads(list, 0, NULL);
    assert_int_equal(ctlstream_pick(&answer, "c"), 0);
    assert_true(json_is_false(json_object_get(answer, "ok")));
    assert_non_null(json_string_value(json_object_get(answer, "message")));
    json_decref(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stats_every_counter_has_a_line),
        cmocka_unit_test(stats_columns_are_aligned),
        cmocka_unit_test(odd_values_are_dashes),
        cmocka_unit_test(the_stream_is_picked_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
