/* What an ingest worker reports reaches people as JSON. */
#include "auth/adminjson.h"
#include "lib/proto/stats.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static json_t *media_of(const struct stats *stats, json_t **out_row)
{
    struct msg_ctl_row row = {.stats = *stats};
    *out_row = adminjson_stream(&row);
    assert_non_null(*out_row);
    json_t *media = json_object_get(*out_row, "media");
    assert_true(json_is_object(media));
    return media;
}

static int64_t at(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value))
        print_error("no number: %s\n", key);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    assert_non_null(text);
    return text;
}

static void stats_every_counter_is_told(void **state)
{
    json_t *row = NULL;
    struct stats stats = {.packets = 1,
                          .bytes = 2,
                          .nacks = 3,
                          .plis = 4,
                          .firs = 5,
                          .bad_srtp = 6,
                          .replayed = 7,
                          .malformed = 8,
                          .unexpected = 9,
                          .over_limit = 10,
                          .dropped = 11,
                          .round_trip_us = 52500,
                          .feedback = FEEDBACK_TRANSPORT_CC,
                          .client = CLIENT_FIREFOX,
                          .transport = TRANSPORT_TCP,
                          .family = 6,
                          .round_trip = ROUND_TRIP_RTCP};
    stats.tracks[TRACK_VIDEO] = (struct stats_track){.firs = 20,
                                                     .damaged = 21,
                                                     .held = 22,
                                                     .too_large = 23,
                                                     .too_many = 24,
                                                     .frame_rate_milli = 29970,
                                                     .pause_us = 66700,
                                                     .width = 1280,
                                                     .height = 720,
                                                     .codec = CODEC_VP9};
    (void)state;
    json_t *media = media_of(&stats, &row);
    static const char *const names[] = {"packets",    "bytes",      "nacks",    "plis",
                                        "firs",       "bad_srtp",   "replayed", "malformed",
                                        "unexpected", "over_limit", "dropped"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(at(media, names[i]), i + 1);
    assert_string_equal(text_at(media, "feedback"), "transport-cc");
    assert_string_equal(text_at(media, "client"), "Firefox");
    assert_string_equal(text_at(media, "transport"), "tcp");
    assert_string_equal(text_at(media, "family"), "ipv6");
    assert_string_equal(text_at(media, "round_trip_from"), "rtcp");
    const json_t *video = json_object_get(media, "video");
    const json_t *dropped = json_object_get(video, "frames_dropped");
    assert_int_equal(at(video, "firs"), 20);
    assert_int_equal(at(dropped, "damaged"), 21);
    assert_int_equal(at(dropped, "held"), 22);
    assert_int_equal(at(dropped, "too_large"), 23);
    assert_int_equal(at(dropped, "too_many"), 24);
    assert_int_equal(at(video, "width"), 1280);
    assert_string_equal(text_at(video, "codec"), "vp9");
    assert_true(json_real_value(json_object_get(video, "frame_rate")) > 29.96);
    assert_true(json_real_value(json_object_get(video, "pause_ms")) > 66.6);
    json_decref(row);
}

/* Every byte is the worker's choice. */
static void stats_of_a_hostile_worker_are_harmless(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        struct stats stats;
        json_t *row = NULL;
        memset(&stats, (int)byte, sizeof(stats));
        const json_t *media = media_of(&stats, &row);
        assert_true(at(media, "packets") >= 0);
        if (byte >= CLIENT_COUNT) {
            assert_string_equal(text_at(media, "client"), "unknown");
            assert_string_equal(text_at(media, "feedback"), "unknown");
            assert_string_equal(text_at(media, "round_trip_from"), "unknown");
            assert_string_equal(text_at(media, "transport"), "unknown");
            assert_string_equal(text_at(json_object_get(media, "video"), "codec"), "unknown");
        }
        char *text = json_dumps(row, JSON_COMPACT);
        assert_non_null(text);
        assert_null(strstr(text, "inf"));
        free(text);
        json_decref(row);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stats_every_counter_is_told),
        cmocka_unit_test(stats_of_a_hostile_worker_are_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
