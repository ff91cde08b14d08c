/* The command line: every command, every option, everything that is none. */
#include "gateway/ctl/ctlargs.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WORDS_MAX 24

/* Parses the words of a line; "_" in it stands for a blank. */
static int parse(const char *line, const char *environment, struct ctlargs *out, char *problem)
{
    static char text[512];
    char *argv[WORDS_MAX] = {(char[]){"sluicectl"}};
    int argc = 1;
    snprintf(text, sizeof(text), "%s", line);
    char *rest = text;
    for (char *word = strsep(&rest, " "); word && argc < WORDS_MAX; word = strsep(&rest, " ")) {
        for (char *c = word; *c != '\0'; c++)
            *c = *c == '_' ? ' ' : *c;
        if (*word != '\0')
            argv[argc++] = word;
    }
    problem[0] = '\0';
    int rc = ctlargs_parse(argc, argv, environment, out, problem);
    assert_true((rc < 0) == (problem[0] != '\0'));
    return rc;
}

static struct ctlargs good(const char *line)
{
    struct ctlargs args;
    char problem[CTLARGS_PROBLEM_MAX];
    int rc = parse(line, NULL, &args, problem);
    if (rc < 0)
        print_error("%s: %s\n", line, problem);
    assert_int_equal(rc, 0);
    return args;
}

static void every_command(void **state)
{
    (void)state;
    assert_int_equal(good("token create --stream demo").command, CTL_TOKEN_CREATE);
    assert_int_equal(good("token list").command, CTL_TOKEN_LIST);
    assert_int_equal(good("token show t_0123456789").command, CTL_TOKEN_SHOW);
    assert_int_equal(good("token revoke t_0123456789").command, CTL_TOKEN_REVOKE);
    assert_int_equal(good("stream list").command, CTL_STREAM_LIST);
    assert_int_equal(good("stream show demo").command, CTL_STREAM_SHOW);
    assert_string_equal(good("stream show demo").subject, "demo");
    assert_string_equal(ctlargs_command_name(CTL_STREAM_SHOW), "stream show");
    assert_int_equal(good("stream kick demo").command, CTL_STREAM_KICK);
    assert_int_equal(good("status").command, CTL_STATUS_SHOW);
    assert_string_equal(good("stream kick demo").subject, "demo");
    assert_string_equal(ctlargs_command_name(CTL_STREAM_KICK), "stream kick");
}

static void options_may_stand_anywhere(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "--state /x --json --wait 30 token create --stream * --expires 2h --max-duration 1h "
        "--label a_b --max-sessions 0 --max-bitrate 2500 --on-clash take-over",
        "token --json create --stream=* --max-duration=60m --max-sessions=0 --label=a_b "
        "--expires=120m --max-bitrate=2500 --on-clash=take-over --wait=30 --state=/x",
    };
    for (size_t i = 0; i < 2; i++) {
        struct ctlargs a = good(lines[i]);
        assert_string_equal(a.state, "/x");
        assert_true(a.json);
        assert_int_equal(a.wait_s, 30);
        assert_string_equal(a.stream, "*");
        assert_int_equal(a.expires_s, 7200);
        assert_int_equal(a.max_duration_s, 3600);
        assert_string_equal(a.label, "a b");
        assert_true(a.sessions_given);
        assert_int_equal(a.max_sessions, 0);
        assert_int_equal(a.max_bitrate_kbps, 2500);
        assert_string_equal(a.on_clash, "take-over");
    }
    assert_false(good("token create --stream *").sessions_given);
}

static void state_comes_from_option_environment_default(void **state)
{
    (void)state;
    struct ctlargs args;
    char problem[CTLARGS_PROBLEM_MAX];
    assert_string_equal(good("status").state, CTLARGS_STATE_DEFAULT);
    assert_int_equal(parse("status", "/env", &args, problem), 0);
    assert_string_equal(args.state, "/env");
    assert_int_equal(parse("status", "", &args, problem), 0);
    assert_string_equal(args.state, CTLARGS_STATE_DEFAULT);
    assert_int_equal(parse("status --state /opt", "/env", &args, problem), 0);
    assert_string_equal(args.state, "/opt");
}

static void subjects_may_begin_with_a_dash(void **state)
{
    (void)state;
    assert_string_equal(good("stream kick -- -x").subject, "-x");
    assert_string_equal(good("stream kick --json -- --json").subject, "--json");
}

static void wrong_usage_says_what(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *word; /* that the sentence must have */
    } cases[] = {
        {"", "command"},
        {"--json", "command"},
        {"nothing", "nothing"},
        {"token", "token"},
        {"token nothing", "nothing"},
        {"token create", "--stream"},
        {"token show", "ID"},
        {"token revoke", "ID"},
        {"stream kick", "NAME"},
        {"token list more", "more"},
        {"token show a b", "b"},
        {"token show a b c d", "too many"},
        {"token list --stream x", "--stream"},
        {"stream kick demo --label x", "--label"},
        {"status --nothing", "nothing"},
        {"status -x", "-x"},
        {"status --", NULL},
        {"status --state", "value"},
        {"status --json=1", "no value"},
        {"status --wait x", "--wait"},
        {"status --wait -1", "--wait"},
        {"status --wait 3601", "--wait"},
        {"token create --stream a --expires", "value"},
        {"token create --stream a --expires 0", "--expires"},
        {"token create --stream a --expires 1y", "--expires"},
        {"token create --stream a --expires 99999d", "--expires"},
        {"token create --stream a --max-duration -1h", "--max-duration"},
        {"token create --stream a --max-sessions 65536", "--max-sessions"},
        {"token create --stream a --on-clash", "value"},
        {"token create --stream a --on-clash fight", "fight"},
        {"token list --on-clash refuse", "--on-clash"},
        {"token create --stream a --=x", "option"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ctlargs args;
        char problem[CTLARGS_PROBLEM_MAX];
        int rc = parse(cases[i].line, NULL, &args, problem);
        assert_int_equal(rc, cases[i].word ? -EINVAL : 0);
        if (cases[i].word && !strstr(problem, cases[i].word))
            fail_msg("%s: %s", cases[i].line, problem);
    }
}

static char *usage_of(const char *line)
{
    struct ctlargs args = good(line);
    char *text = NULL;
    size_t len = 0;
    assert_true(args.help);
    FILE *to = open_memstream(&text, &len);
    assert_non_null(to);
    ctlargs_print_usage(to, &args);
    assert_int_equal(fclose(to), 0);
    return text;
}

static void help_of_all_and_of_one(void **state)
{
    (void)state;
    static const char *const all[] = {"--help", "-h", "token --help"};
    for (size_t i = 0; i < 3; i++) {
        char *text = usage_of(all[i]);
        assert_non_null(strstr(text, "token create"));
        assert_non_null(strstr(text, "stream kick"));
        assert_non_null(strstr(text, "--max-duration"));
        assert_non_null(strstr(text, "Exit status"));
        free(text);
    }
    char *text = usage_of("stream kick --help");
    assert_non_null(strstr(text, "stream kick NAME"));
    assert_null(strstr(text, "token create"));
    assert_null(strstr(text, "--max-duration"));
    free(text);
    text = usage_of("status --help");
    assert_null(strstr(text, "token create"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command),
        cmocka_unit_test(options_may_stand_anywhere),
        cmocka_unit_test(state_comes_from_option_environment_default),
        cmocka_unit_test(subjects_may_begin_with_a_dash),
        cmocka_unit_test(wrong_usage_says_what),
        cmocka_unit_test(help_of_all_and_of_one),
    };
    return cmocka_run_group_tests_name("ctlargs", tests, NULL, NULL);
}
