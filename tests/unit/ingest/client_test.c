#include "gateway/ingest/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static enum stats_client guess_file(const char *name)
{
    char path[128], text[20000];
    (void)snprintf(path, sizeof(path), "tests/fixtures/offers/%s.sdp", name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t len = fread(text, 1, sizeof(text), file);
    (void)fclose(file);
    return client_guess(slice_make(text, len));
}

static enum stats_client guess(const char *text)
{
    return client_guess(slice_of(text));
}

static void recorded_offers_are_told_apart(void **state)
{
    static const struct {
        const char *name;
        enum stats_client client;
    } files[] = {{"chromium_av", CLIENT_LIBWEBRTC},
                 {"chromium_simulcast", CLIENT_LIBWEBRTC},
                 {"safari", CLIENT_LIBWEBRTC},
                 {"larix", CLIENT_LIBWEBRTC},
                 {"firefox_av", CLIENT_FIREFOX},
                 {"firefox_vp8", CLIENT_FIREFOX},
                 {"obs", CLIENT_LIBDATACHANNEL},
                 {"obs_simulcast", CLIENT_LIBDATACHANNEL},
                 {"ffmpeg_passive", CLIENT_FFMPEG},
                 {"ffmpeg_active", CLIENT_FFMPEG},
                 {"gstreamer_many", CLIENT_GSTREAMER},
                 {"gstreamer", CLIENT_GSTREAMER},
                 {"gstreamer_rtx_vp8", CLIENT_GSTREAMER},
                 {"firefox_simulcast", CLIENT_FIREFOX},
                 {"aiortc_h264", CLIENT_AIORTC},
                 {"aiortc_vp8", CLIENT_AIORTC}};
    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        assert_int_equal(guess_file(files[i].name), files[i].client);
}

static void others_are_guessed_by_their_habits(void **state)
{
    (void)state;
    assert_int_equal(guess("v=0\r\no=- 3892 3892 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
                           "a=group:BUNDLE 0 1\r\na=msid-semantic:WMS *\r\nm=audio 9 X 0\r\n"),
                     CLIENT_AIORTC);
    assert_int_equal(guess("v=0\no=- 77 88 IN IP4 0.0.0.0\ns=-\nt=0 0\n"
                           "a=msid-semantic:WMS*\na=extmap-allow-mixed\nm=audio 9 X 0\n"),
                     CLIENT_PION);
}

static void nonsense_is_unknown(void **state)
{
    static const char *const offers[] = {"",
                                         "o=",
                                         "o=x",
                                         "v=0\no=- 1 2 IN IP6 ::\n",
                                         "m=audio\no=rtc 1 2 IN IP4 0.0.0.0\n",
                                         "v=0\no=who 77 88 IN IP4 0.0.0.0\nm=audio 9 X 0\n",
                                         "v=0\n\no=rtc 1 2 IN IP4 0.0.0.0\n"};
    char large[3 * CLIENT_LOOK_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++)
        assert_int_equal(guess(offers[i]), CLIENT_UNKNOWN);
    memset(large, 'a', sizeof(large));
    assert_int_equal(client_guess(slice_make(large, sizeof(large))), CLIENT_UNKNOWN);
    assert_string_equal(stats_client_name(CLIENT_COUNT), "unknown");
}

static void truncation_is_harmless(void **state)
{
    static const char offer[] = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\na=msid-semantic: WMS\r\n"
                                "a=extmap-allow-mixed\r\nm=audio 9 X 0\r\n";
    (void)state;
    for (size_t len = 0; len < sizeof(offer); len++) {
        enum stats_client client = client_guess(slice_make(offer, len));
        assert_true(client < CLIENT_COUNT);
    }
    assert_int_equal(guess(offer), CLIENT_LIBWEBRTC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_offers_are_told_apart),
        cmocka_unit_test(others_are_guessed_by_their_habits),
        cmocka_unit_test(nonsense_is_unknown),
        cmocka_unit_test(truncation_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
