#include "gateway/supervisor/logrelay.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void control_bytes_are_escaped(void **state)
{
    char out[64];
    (void)state;
    size_t len = logrelay_escape("a\x1b[31m\tb\xff", 9, out, sizeof(out));
    assert_string_equal(out, "a\\x1b[31m\\x09b\\xff");
    assert_int_equal(len, strlen(out));
}

static void the_escaped_line_fits_at_every_capacity(void **state)
{
    char out[64];
    (void)state;
    for (size_t cap = 1; cap < sizeof(out); cap++) {
        memset(out, 'x', sizeof(out));
        size_t len = logrelay_escape("\x01\x02\x03\x04\x05\x06\x07\x08plain text", 18, out, cap);
        assert_true(len < cap);
        assert_int_equal(out[len], '\0');
    }
}

/* Standard error goes into a file while fn runs; returns the lines written. */
static int lines_of(void (*fn)(void))
{
    FILE *file = tmpfile();
    assert_non_null(file);
    int saved = dup(STDERR_FILENO), lines = 0, c;
    dup2(fileno(file), STDERR_FILENO);
    fn();
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    while ((c = fgetc(file)) != EOF)
        lines += c == '\n';
    fclose(file);
    return lines;
}

static void flood(void)
{
    struct loop loop;
    struct logrelay relay;
    int fds[2];
    char line[LOG_LINE_MAX + 500];
    memset(line, 'a', sizeof(line));
    line[sizeof(line) - 1] = '\n';
    assert_int_equal(loop_init(&loop), 0);
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(logrelay_open(&relay, &loop, fds[0], 7), 0);
    assert_int_equal(write(fds[1], line, sizeof(line)), sizeof(line));
    assert_int_equal(loop_turn(&loop, 0), 0);
    assert_int_equal(relay.len, 0); /* cut, and the next line starts clean */
    for (unsigned i = 0; i < 5 * LOGRELAY_LINES_PER_SECOND; i++)
        assert_int_equal(write(fds[1], "\n", 1), 1);
    close(fds[1]);
    logrelay_close(&relay);
    assert_int_equal(relay.watch.fd, -1);
    loop_done(&loop);
}

static void a_long_line_is_cut_and_a_flood_is_limited(void **state)
{
    (void)state;
    int lines = lines_of(flood);
    /* a second may end in between, and then one line tells what was dropped */
    assert_in_range(lines, LOGRELAY_LINES_PER_SECOND, 2 * LOGRELAY_LINES_PER_SECOND + 1);
}

/* A pager that nobody scrolls, a terminal after Ctrl-S. */
static void a_reader_that_stopped_holds_nothing(void **state)
{
    int fds[2];
    char byte = 'x';
    (void)state;
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    while (write(fds[1], &byte, 1) == 1)
        ;
    assert_int_equal(fcntl(fds[1], F_SETFL, 0), 0);
    int saved = dup(STDERR_FILENO);
    dup2(fds[1], STDERR_FILENO);
    alarm(20); /* if it blocks after all */
    flood();
    alarm(0);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_bytes_are_escaped),
        cmocka_unit_test(the_escaped_line_fits_at_every_capacity),
        cmocka_unit_test(a_long_line_is_cut_and_a_flood_is_limited),
        cmocka_unit_test(a_reader_that_stopped_holds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
