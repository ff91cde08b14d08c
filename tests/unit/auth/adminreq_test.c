/* Lines of control.sock: what is a request and what is not. */
#include "auth/adminreq.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int parse(const char *line, struct adminreq *out, const char **problem)
{
    *problem = NULL;
    int rc = adminreq_parse(line, strlen(line), out, problem);
    assert_true((rc < 0) == (*problem != NULL));
    return rc;
}

static void every_operation(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum adminreq_op op;
    } cases[] = {
        {"{\"op\":\"token.create\",\"stream\":\"*\"}", ADMINREQ_TOKEN_CREATE},
        {"{\"op\":\"token.list\"}", ADMINREQ_TOKEN_LIST},
        {"{\"op\":\"token.show\",\"id\":\"t_0123456789\"}", ADMINREQ_TOKEN_SHOW},
        {"{\"op\":\"token.revoke\",\"id\":\"t_0123456789\"}", ADMINREQ_TOKEN_REVOKE},
        {"{\"op\":\"stream.list\"}", ADMINREQ_STREAM_LIST},
        {"{\"op\":\"stream.kick\",\"stream\":\"demo\"}", ADMINREQ_STREAM_KICK},
        {" { \"op\" : \"status\" } ", ADMINREQ_STATUS},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct adminreq req;
        const char *problem;
        assert_int_equal(parse(cases[i].line, &req, &problem), 0);
        assert_int_equal(req.op, cases[i].op);
    }
    assert_string_equal(adminreq_op_name(ADMINREQ_STREAM_KICK), "stream.kick");
    assert_string_equal(adminreq_op_name(ADMINREQ_OP_COUNT), "unknown");
}

static void create_takes_all_its_keys(void **state)
{
    (void)state;
    struct adminreq req;
    const char *problem;
    assert_int_equal(parse("{\"op\":\"token.create\",\"stream\":\"cam-*\",\"label\":\"a \\u00fc\","
                           "\"expires_s\":7200,\"max_duration_s\":3600,\"max_sessions\":0,"
                           "\"max_bitrate_kbps\":2500,\"on_clash\":\"take-over\"}",
                           &req, &problem),
                     0);
    assert_string_equal(req.stream, "cam-*");
    assert_string_equal(req.label, "a \xc3\xbc");
    assert_int_equal(req.expires_s, 7200);
    assert_int_equal(req.max_duration_s, 3600);
    assert_int_equal(req.max_bitrate_kbps, 2500);
    assert_int_equal(req.max_sessions, 0);
    assert_true(req.sessions_given);
    assert_int_equal(req.clash, CLASH_TAKE_OVER);
}

static void D7_refuses_everything_else(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "null",
        "[]",
        "{}",
        "{",
        "{\"op\":1}",
        "{\"op\":\"\"}",
        "{\"op\":\"token.drop\"}",
        "{\"op\":\"status\",\"op\":\"status\"}",
        "{\"op\":\"status\"} x",
        "{\"op\":\"status\",\"id\":\"t_0123456789\"}",
        "{\"op\":\"status\",\"more\":1}",
        "{\"op\":\"token.create\"}",
        "{\"op\":\"token.create\",\"stream\":5}",
        "{\"op\":\"token.create\",\"stream\":\"\"}",
        "{\"op\":\"token.create\",\"stream\":\"a b\"}",
        "{\"op\":\"token.create\",\"stream\":\"a\\u0000b\"}",
        "{\"op\":\"token.create\",\"stream\":\"a\",\"label\":\"\\n\"}",
        "{\"op\":\"token.create\",\"stream\":\"a\",\"label\":null}",
        "{\"op\":\"token.create\",\"stream\":\"a\",\"expires_s\":-1}",
        "{\"op\":\"token.create\",\"stream\":\"a\",\"expires_s\":1.5}",
        "{\"op\":\"token.create\",\"stream\":\"a\",\"expires_s\":\"1h\"}",
        "{\"op\":\"token.create\",\"stream\":\"a\",\"expires_s\":99999999999}",
        "{\"op\":\"token.create\",\"stream\":\"a\",\"max_sessions\":65536}",
        "{\"op\":\"token.create\",\"stream\":\"a\",\"on_clash\":\"fight\"}",
        "{\"op\":\"token.create\",\"stream\":\"a\",\"on_clash\":1}",
        "{\"op\":\"token.show\"}",
        "{\"op\":\"token.show\",\"id\":\"\"}",
        "{\"op\":\"token.show\",\"id\":\"t_' OR 1=1\"}",
        "{\"op\":\"token.revoke\",\"id\":[\"t_0123456789\"]}",
        "{\"op\":\"token.list\",\"after_id\":\"x\"}",
        "{\"op\":\"stream.kick\"}",
        "{\"op\":\"stream.kick\",\"stream\":\"*\"}",
        "{\"op\":\"stream.kick\",\"stream\":\"../x\"}",
        "{\"op\":\"token.list\",\"after_ms\":[[[[[[]]]]]]}",
        "\xff\xfe",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct adminreq req = {.after_ms = 4711};
        const char *problem;
        assert_int_equal(parse(lines[i], &req, &problem), -EBADMSG);
        assert_true(strlen(problem) > 10);
        assert_true(req.after_ms == 4711);
    }
}

static void truncation_at_every_length(void **state)
{
    (void)state;
    static const char line[] = "{\"op\":\"token.create\",\"stream\":\"*\",\"label\":\"x\","
                               "\"expires_s\":7200,\"max_sessions\":1}";
    struct adminreq req;
    const char *problem;
    for (size_t len = 0; len < sizeof(line) - 1; len++)
        assert_int_equal(adminreq_parse(line, len, &req, &problem), -EBADMSG);
    assert_int_equal(adminreq_parse(line, sizeof(line) - 1, &req, &problem), 0);
}

static void length_and_depth_are_capped(void **state)
{
    (void)state;
    static char line[ADMINREQ_LINE_MAX + 2];
    struct adminreq req;
    const char *problem;
    memset(line, ' ', sizeof(line));
    memcpy(line, "{\"op\":\"status\"}", 15);
    assert_int_equal(adminreq_parse(line, ADMINREQ_LINE_MAX, &req, &problem), 0);
    assert_int_equal(adminreq_parse(line, ADMINREQ_LINE_MAX + 1, &req, &problem), -EBADMSG);
    memset(line, '[', ADMINREQ_LINE_MAX);
    assert_int_equal(adminreq_parse(line, ADMINREQ_LINE_MAX, &req, &problem), -EBADMSG);
    assert_non_null(strstr(problem, "deep"));
    /* brackets in a text are no depth */
    const char *text = "{\"op\":\"token.create\",\"stream\":\"a\",\"label\":\"[[\\\"[[[[[[[\"}";
    assert_int_equal(parse(text, &req, &problem), 0);
    assert_string_equal(req.label, "[[\"[[[[[[[");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation),
        cmocka_unit_test(create_takes_all_its_keys),
        cmocka_unit_test(D7_refuses_everything_else),
        cmocka_unit_test(truncation_at_every_length),
        cmocka_unit_test(length_and_depth_are_capped),
    };
    return cmocka_run_group_tests_name("adminreq", tests, NULL, NULL);
}
