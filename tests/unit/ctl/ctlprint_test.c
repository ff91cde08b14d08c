/* Answers as people and scripts read them. */
#include "gateway/ctl/ctlprint.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS 1700000000000u

static char *print(enum ctl_command command, const char *answer)
{
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    json_t *object = json_loads(answer, 0, NULL);
    assert_non_null(to);
    assert_non_null(object);
    assert_int_equal(ctlprint_answer(to, command, object, NOW_MS), 0);
    assert_int_equal(fclose(to), 0);
    json_decref(object);
    return text;
}

static void assert_has(char *text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!strstr(text, words[i]))
            fail_msg("\"%s\" is not in:\n%s", words[i], text);
    }
    free(text);
}

#define ASSERT_HAS(text, ...)                                                                      \
    assert_has(text, (const char *const[]){__VA_ARGS__},                                           \
               sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

#define TOKEN                                                                                      \
    "\"id\":\"t_0123456789\",\"stream\":\"cam-*\",\"label\":\"left\",\"state\":\"active\","        \
    "\"created_ms\":1699999990000,\"expires_ms\":1700007200000,\"max_duration_s\":3600,"           \
    "\"max_sessions\":null,\"on_clash\":\"take-over\",\"revoked_ms\":null,\"live\":2"

static void created_token_is_shown_once(void **state)
{
    (void)state;
    ASSERT_HAS(print(CTL_TOKEN_CREATE, "{\"ok\":true,\"token\":\"sluice_secret\"," TOKEN "}"),
               "sluice_secret", "t_0123456789", "cam-*", "2023-11-15 00:13:20Z (in 2h)", "1h",
               "no limit", "cannot be shown again");
    char *text = print(CTL_TOKEN_SHOW, "{\"ok\":true," TOKEN "}");
    assert_null(strstr(text, "secret"));
    assert_null(strstr(text, "revoked"));
    ASSERT_HAS(text, "t_0123456789", "10s ago", "left", "take-over");
}

static void token_table(void **state)
{
    (void)state;
    ASSERT_HAS(print(CTL_TOKEN_LIST, "{\"ok\":true,\"tokens\":[{" TOKEN "}, {}]}"), "ID", "LABEL",
               "t_0123456789", "in 2h", "left", "never", "ON CLASH", "take-over");
    ASSERT_HAS(print(CTL_TOKEN_LIST, "{\"ok\":true,\"tokens\":[]}"), "no tokens", "token create");
}

static void revoked_with_and_without_disk(void **state)
{
    (void)state;
    char *text =
        print(CTL_TOKEN_REVOKE, "{\"ok\":true,\"id\":\"t_1\",\"ended\":1,\"durable\":true}");
    assert_null(strstr(text, "durable"));
    ASSERT_HAS(text, "t_1", "1 live stream is cut");
    ASSERT_HAS(print(CTL_TOKEN_REVOKE, "{\"ok\":true,\"id\":\"t_1\",\"ended\":0,"
                                       "\"durable\":false,\"message\":\"make room\"}"),
               "0 live streams are cut", "Not durable: make room");
}

static void stream_table(void **state)
{
    (void)state;
    ASSERT_HAS(
        print(CTL_STREAM_LIST, "{\"ok\":true,\"streams\":[{\"stream\":\"demo\",\"state\":\"live\","
                               "\"token\":\"t_1\",\"age_s\":65,\"remaining_s\":null,\"media\":{"
                               "\"bitrate_bps\":2500000,\"width\":1280,\"height\":720,\"lost\":3,"
                               "\"video_codec\":\"h264\",\"audio_codec\":\"opus\"}},"
                               "{\"stream\":\"new\"}]}"),
        "demo", "live", "1m 5s", "no limit", "2.5 Mbit/s", "1280x720", "h264/opus", "t_1", "new");
    ASSERT_HAS(print(CTL_STREAM_LIST, "{\"ok\":true,\"streams\":[]}"), "No stream");
    ASSERT_HAS(print(CTL_STREAM_KICK, "{\"ok\":true}"), "cut");
}

static void status_table(void **state)
{
    (void)state;
    ASSERT_HAS(print(CTL_STATUS_SHOW,
                     "{\"ok\":true,\"ready\":false,\"processes\":[{\"name\":\"web\",\"pid\":42,"
                     "\"ready\":true},{\"name\":\"edge\",\"pid\":43,\"ready\":false}]}"),
               "not ready", "web", "42", "starting");
    ASSERT_HAS(print(CTL_STATUS_SHOW, "{\"ok\":true,\"ready\":true,\"processes\":[]}"),
               "gateway is ready");
}

static void odd_answers_are_dashes(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "{}", "{\"tokens\":5,\"streams\":{},\"processes\":\"x\"}",
        "{\"tokens\":[1,null],\"streams\":[[]],\"processes\":[{\"pid\":-1,\"name\":7}]}"};
    for (size_t i = 0; i < 3; i++) {
        for (unsigned c = 0; c < CTL_COMMAND_COUNT; c++)
            free(print((enum ctl_command)c, answers[i]));
    }
}

static void json_is_the_answer_without_ok(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    json_t *answer = json_loads("{\"ok\":true,\"id\":\"t_1\",\"token\":\"x\"}", 0, NULL);
    assert_int_equal(ctlprint_json(to, answer), 0);
    assert_int_equal(fclose(to), 0);
    assert_string_equal(text, "{\"id\":\"t_1\",\"token\":\"x\"}\n");
    assert_true(json_is_true(json_object_get(answer, "ok")));
    json_decref(answer);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(created_token_is_shown_once),
        cmocka_unit_test(token_table),
        cmocka_unit_test(revoked_with_and_without_disk),
        cmocka_unit_test(stream_table),
        cmocka_unit_test(status_table),
        cmocka_unit_test(odd_answers_are_dashes),
        cmocka_unit_test(json_is_the_answer_without_ok),
    };
    return cmocka_run_group_tests_name("ctlprint", tests, NULL, NULL);
}
