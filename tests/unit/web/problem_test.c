/* Problem bodies (RFC 9457): always valid JSON, whatever the reason is. */
#include "web/problem.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static json_t *parse(const struct reply *reply)
{
    json_error_t error;
    json_t *json = json_loadb(reply->body, reply->body_len, JSON_REJECT_DUPLICATES, &error);
    assert_non_null(json);
    assert_string_equal(reply_find(reply, "Content-Type"), "application/problem+json");
    return json;
}

static void WHIP_11_the_reason_is_in_the_body(void **state)
{
    (void)state;
    struct reply *reply = problem_reply(409, "The stream is live.", NULL);
    json_t *json = parse(reply);
    assert_string_equal(json_string_value(json_object_get(json, "title")), "Conflict");
    assert_string_equal(json_string_value(json_object_get(json, "detail")), "The stream is live.");
    assert_int_equal(json_integer_value(json_object_get(json, "status")), 409);
    assert_null(json_object_get(json, "end"));
    json_decref(json);
    reply_unref(reply);
}

static void WHIP_39_the_end_of_a_session_is_a_member(void **state)
{
    (void)state;
    struct reply *reply = problem_reply(404, NULL, "revoked");
    json_t *json = parse(reply);
    assert_string_equal(json_string_value(json_object_get(json, "end")), "revoked");
    assert_null(json_object_get(json, "detail"));
    json_decref(json);
    reply_unref(reply);
}

static void H7_any_bytes_make_valid_json(void **state)
{
    char all[256];
    (void)state;
    for (int i = 0; i < 255; i++)
        all[i] = (char)(i + 1);
    all[255] = '\0';
    struct reply *reply = problem_reply(400, all, "\"}{\\");
    json_t *json = parse(reply);
    assert_string_equal(json_string_value(json_object_get(json, "end")), "\"}{\\");
    json_decref(json);
    reply_unref(reply);
}

static void H4_a_reason_without_end_is_left_out(void **state)
{
    char text[4000];
    (void)state;
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    struct reply *reply = problem_reply(500, text, NULL);
    json_t *json = parse(reply);
    assert_null(json_object_get(json, "detail"));
    json_decref(json);
    reply_unref(reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(WHIP_11_the_reason_is_in_the_body),
        cmocka_unit_test(WHIP_39_the_end_of_a_session_is_a_member),
        cmocka_unit_test(H7_any_bytes_make_valid_json),
        cmocka_unit_test(H4_a_reason_without_end_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
