/* Command lines as requests. */
#include "gateway/ctl/ctlrequest.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_request(const struct ctlargs *args, const char *expected)
{
    json_t *request = ctlrequest_make(args);
    char *text = json_dumps(request, JSON_COMPACT);
    assert_string_equal(text, expected);
    free(text);
    json_decref(request);
}

static void every_command(void **state)
{
    (void)state;
    struct ctlargs args = {.command = CTL_TOKEN_CREATE, .stream = "*"};
    assert_request(&args, "{\"op\":\"token.create\",\"stream\":\"*\",\"label\":\"\"}");
    args = (struct ctlargs){.command = CTL_TOKEN_CREATE,
                            .stream = "demo",
                            .label = "a \"b\"",
                            .expires_s = 7200,
                            .max_duration_s = 3600,
                            .sessions_given = true,
                            .on_clash = "take-over"};
    assert_request(&args, "{\"op\":\"token.create\",\"stream\":\"demo\","
                          "\"label\":\"a \\\"b\\\"\",\"expires_s\":7200,"
                          "\"max_duration_s\":3600,\"max_sessions\":0,\"on_clash\":\"take-over\"}");
    args = (struct ctlargs){.command = CTL_TOKEN_LIST};
    assert_request(&args, "{\"op\":\"token.list\"}");
    args = (struct ctlargs){.command = CTL_TOKEN_SHOW, .subject = "t_1"};
    assert_request(&args, "{\"op\":\"token.show\",\"id\":\"t_1\"}");
    args.command = CTL_TOKEN_REVOKE;
    assert_request(&args, "{\"op\":\"token.revoke\",\"id\":\"t_1\"}");
    args = (struct ctlargs){.command = CTL_STREAM_LIST};
    assert_request(&args, "{\"op\":\"stream.list\"}");
    args = (struct ctlargs){.command = CTL_STREAM_SHOW, .subject = "demo"};
    assert_request(&args, "{\"op\":\"stream.list\"}");
    args = (struct ctlargs){.command = CTL_STREAM_KICK, .subject = "demo"};
    assert_request(&args, "{\"op\":\"stream.kick\",\"stream\":\"demo\"}");
    args = (struct ctlargs){.command = CTL_STATUS_SHOW};
    assert_request(&args, "{\"op\":\"status\"}");
}

static void text_that_is_not_utf8_is_none(void **state)
{
    (void)state;
    struct ctlargs args = {.command = CTL_STREAM_KICK, .subject = "\xff"};
    assert_null(ctlrequest_make(&args));
    args = (struct ctlargs){.command = CTL_TOKEN_CREATE, .stream = "a", .label = "\xc3"};
    assert_null(ctlrequest_make(&args));
}

static void next_page_begins_behind_the_last_token(void **state)
{
    (void)state;
    json_t *page = json_pack("{s:b, s:[{s:s, s:I}, {s:s, s:I}]}", "more", 1, "tokens", "id", "t_a",
                             "created_ms", (json_int_t)5, "id", "t_b", "created_ms", (json_int_t)7);
    json_t *request = ctlrequest_next_page(page);
    char *text = json_dumps(request, JSON_COMPACT);
    assert_string_equal(text, "{\"op\":\"token.list\",\"after_ms\":7,\"after_id\":\"t_b\"}");
    free(text);
    json_decref(request);
    json_object_set_new(page, "more", json_false());
    assert_null(ctlrequest_next_page(page));
    json_object_set_new(page, "more", json_true());
    json_object_set_new(page, "tokens", json_array());
    assert_null(ctlrequest_next_page(page));
    json_object_set_new(page, "tokens", json_pack("[i]", 1));
    assert_null(ctlrequest_next_page(page));
    json_decref(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command),
        cmocka_unit_test(text_that_is_not_utf8_is_none),
        cmocka_unit_test(next_page_begins_behind_the_last_token),
    };
    return cmocka_run_group_tests_name("ctlrequest", tests, NULL, NULL);
}
