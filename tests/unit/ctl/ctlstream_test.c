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
    "\"plis\":109,\"bitrate_bps\":2400000,\"loss_permille\":123,\"jitter_ms\":4.26,"               \
    "\"hold_ms\":7,\"hold_max_ms\":209.6}"
#define STREAM                                                                                     \
    "{\"stream\":\"demo\",\"state\":\"live\",\"token\":\"t_1\",\"age_s\":65,\"remaining_s\":null," \
    "\"media\":{\"client\":\"Firefox\",\"feedback\":\"transport-cc\",\"bitrate_bps\":2500000,"     \
    "\"width\":1280,\"height\":720,\"round_trip_ms\":52.5,\"bad_srtp\":201,\"replayed\":202,"      \
    "\"over_limit\":203,\"dropped\":204,\"video\":" TRACK ",\"audio\":{\"codec\":\"none\"}}}"

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

static void every_counter_is_shown(void **state)
{
    static const char *const wanted[] = {
        "demo",          "live",         "t_1",          "1m 5s",     "no limit",
        "Firefox",       "transport-cc", "2.5 Mbit/s",   "1280x720",  "52.5 ms",
        "201 not authe", "202 replayed", "203 over the", "204 other", "h264, 2.4 Mbit/s",
        "101 packets",   "102 frames",   "103 key",      "104 lost",  "105 overtaken",
        "106 by RTX",    "107 repeated", "108 asked",    "109 PLI",   "loss 12.3 %",
        "jitter 4.3 ms", "waits 7.0 ms", "209.6 ms",     "layers: 3", "none"};
    (void)state;
    char *text = print(STREAM);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (!strstr(text, wanted[i]))
            print_error("missing: %s in\n%s", wanted[i], text);
        assert_non_null(strstr(text, wanted[i]));
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
    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        char *text = print(answers[i]);
        assert_non_null(strstr(text, "-"));
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
        cmocka_unit_test(every_counter_is_shown),
        cmocka_unit_test(odd_values_are_dashes),
        cmocka_unit_test(the_stream_is_picked_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
