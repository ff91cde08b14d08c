/* One event, one line. */
#include "lib/base/log.h"

#include "lib/base/fd.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int pipe_fds[2];

static int set_up(void **state)
{
    (void)state;
    return pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK);
}

static int tear_down(void **state)
{
    (void)state;
    log_open(-1, "", LOG_INFO);
    fd_close_all(pipe_fds, 2);
    return 0;
}

static const char *line(void)
{
    static char text[LOG_LINE_MAX * 2];
    ssize_t got = read(pipe_fds[0], text, sizeof(text) - 1);
    text[got < 0 ? 0 : got] = '\0';
    return text;
}

static void lines_have_level_role_event_pairs(void **state)
{
    (void)state;
    log_open(pipe_fds[1], "edge", LOG_DEBUG);
    log_event(LOG_WARN, "ice-refused", "stream=%s count=%d", "demo", 3);
    assert_string_equal(line(), "warn edge ice-refused stream=demo count=3\n");
    log_event(LOG_DEBUG, "bare", NULL);
    assert_string_equal(line(), "debug edge bare\n");
    assert_string_equal(log_level_name((enum log_level)9), "unknown");
}

static void levels_below_are_silent(void **state)
{
    (void)state;
    log_event(LOG_ERROR, "nowhere", NULL); /* before log_open */
    log_open(pipe_fds[1], "edge", LOG_WARN);
    log_event(LOG_INFO, "quiet", NULL);
    assert_string_equal(line(), "");
    log_event(LOG_ERROR, "loud", NULL);
    assert_string_equal(line(), "error edge loud\n");
}

static void S5_values_make_no_second_line(void **state)
{
    (void)state;
    log_open(pipe_fds[1], "web", LOG_INFO);
    log_event(LOG_INFO, "request", "path=%s", "/\r\nerror web forged\x1b[31m\x7f");
    assert_string_equal(line(), "info web request path=/??error web forged?[31m?\n");
}

static void long_lines_are_cut(void **state)
{
    char value[3000];
    (void)state;
    log_open(pipe_fds[1], "web", LOG_INFO);
    for (size_t len = LOG_LINE_MAX - 40; len < LOG_LINE_MAX + 20; len++) {
        memset(value, 'v', len);
        value[len] = '\0';
        log_event(LOG_INFO, "long", "v=%s", value);
        const char *text = line();
        size_t got = strlen(text);
        assert_true(got <= LOG_LINE_MAX);
        assert_int_equal(text[got - 1], '\n');
        assert_memory_equal(text, "info web long v=v", 17);
    }
    memset(value, 'e', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    log_event(LOG_INFO, value, "never=%s", "seen");
    assert_true(strlen(line()) <= LOG_LINE_MAX);
}

static void full_pipe_drops_and_counts(void **state)
{
    char drain[4096];
    (void)state;
    log_open(pipe_fds[1], "web", LOG_INFO);
    for (int i = 0; i < 20000; i++)
        log_event(LOG_INFO, "flood", "number=%d", i);
    while (read(pipe_fds[0], drain, sizeof(drain)) > 0)
        continue;
    log_event(LOG_INFO, "after", "a=1");
    const char *text = line();
    assert_memory_equal(text, "info web after dropped=1", 24);
    assert_non_null(strstr(text, " a=1\n"));
    log_event(LOG_INFO, "next", NULL);
    assert_string_equal(line(), "info web next\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lines_have_level_role_event_pairs), TEST(levels_below_are_silent),
        TEST(S5_values_make_no_second_line),     TEST(long_lines_are_cut),
        TEST(full_pipe_drops_and_counts),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
