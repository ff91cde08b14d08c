/* control.sock: lines, limits, who is served. */
#include "auth/control.h"

#include "lib/base/fd.h"
#include "tests/unit/auth/scratch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

struct fixture {
    struct scratch dir;
    struct loop loop;
    struct control *control;
    int listen_fd;
    char line[CONTROL_LINE_MAX + 1];
    size_t line_len;
    uint64_t conn;
    unsigned lines;
    bool answer_at_once;
};

static void on_line(void *ctx, uint64_t conn, const char *line, size_t len)
{
    struct fixture *f = ctx;
    memcpy(f->line, line, len);
    f->line[len] = '\0';
    f->line_len = len;
    f->conn = conn;
    f->lines++;
    if (f->answer_at_once)
        assert_int_equal(control_answer(f->control, conn, line, len), 0);
}

static struct sockaddr_un name_of(const struct fixture *f)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof(name.sun_path), "%s/control.sock", f->dir.path);
    return name;
}

static int set_up(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof(f));
    *state = &f;
    if (loop_init(&f.loop) < 0 || !scratch_open(&f.dir))
        return -1;
    f.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un name = name_of(&f);
    int rc = bind(f.listen_fd, (const struct sockaddr *)&name, sizeof(name));
    if (rc == 0)
        rc = listen(f.listen_fd, 32);
    if (rc == 0)
        rc = control_new(&f.loop, f.listen_fd, getuid(), on_line, &f, &f.control);
    if (rc < 0)
        scratch_remove(&f.dir);
    return rc;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    control_free(f->control);
    loop_done(&f->loop);
    fd_close(&f->listen_fd);
    scratch_remove(&f->dir);
    return 0;
}

static int dial(const struct fixture *f)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un name = name_of(f);
    assert_int_equal(connect(fd, (const struct sockaddr *)&name, sizeof(name)), 0);
    return fd;
}

/* Lets everything happen that can happen at once. */
static void settle(struct fixture *f)
{
    for (int i = 0; i < 40; i++)
        assert_int_equal(loop_turn(&f->loop, 0), 0);
}

static void say(struct fixture *f, int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    settle(f);
}

/* What there is to read, NUL-terminated; -1 for nothing yet, 0 for the end. */
static ssize_t hear(int fd, char *to, size_t cap)
{
    ssize_t got = recv(fd, to, cap - 1, MSG_DONTWAIT);
    to[got > 0 ? got : 0] = '\0';
    return got;
}

static void one_question_one_answer(void **state)
{
    struct fixture *f = *state;
    char text[100];
    int fd = dial(f);
    say(f, fd, "hel");
    assert_int_equal(f->lines, 0);
    say(f, fd, "lo\nsecond\n");
    assert_int_equal(f->lines, 1);
    assert_string_equal(f->line, "hello");
    assert_int_equal(control_answer(f->control, f->conn, "world", 5), 0);
    assert_int_equal(control_answer(f->control, f->conn, "again", 5), -ENOENT);
    settle(f);
    assert_int_equal(hear(fd, text, sizeof(text)), 6);
    assert_string_equal(text, "world\n");
    assert_int_equal(f->lines, 2); /* the second line waited */
    assert_string_equal(f->line, "second");
    assert_int_equal(control_answer(f->control, f->conn, "", 0), 0);
    settle(f);
    assert_int_equal(hear(fd, text, sizeof(text)), 1);
    fd_close(&fd);
    settle(f);
}

static void answer_inside_the_callback_works(void **state)
{
    struct fixture *f = *state;
    char text[100];
    f->answer_at_once = true;
    int fd = dial(f);
    say(f, fd, "a\nbc\n");
    assert_int_equal(hear(fd, text, sizeof(text)), 5);
    assert_string_equal(text, "a\nbc\n");
    fd_close(&fd);
}

static void line_over_the_limit_ends_the_connection(void **state)
{
    struct fixture *f = *state;
    static char text[CONTROL_LINE_MAX + 2];
    char answer[10];
    memset(text, 'a', CONTROL_LINE_MAX + 1);
    int fd = dial(f);
    text[CONTROL_LINE_MAX] = '\n';
    text[CONTROL_LINE_MAX + 1] = '\0';
    say(f, fd, text);
    assert_int_equal(f->line_len, CONTROL_LINE_MAX);
    assert_int_equal(control_answer(f->control, f->conn, "ok", 2), 0);
    settle(f);
    assert_int_equal(hear(fd, answer, sizeof(answer)), 3);
    text[CONTROL_LINE_MAX] = 'a';
    say(f, fd, text);
    assert_int_equal(f->lines, 1);
    assert_int_equal(hear(fd, answer, sizeof(answer)), 0);
    fd_close(&fd);
}

static void connections_are_bounded(void **state)
{
    struct fixture *f = *state;
    int fds[CONTROL_CONNECTIONS_MAX];
    char text[200];
    for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
        fds[i] = dial(f);
    settle(f);
    int more = dial(f);
    settle(f);
    assert_true(hear(more, text, sizeof(text)) > 0);
    assert_non_null(strstr(text, "busy"));
    assert_int_equal(hear(more, text, sizeof(text)), 0);
    fd_close(&more);
    fd_close(&fds[0]);
    settle(f);
    more = dial(f);
    say(f, more, "x\n");
    assert_int_equal(f->lines, 1);
    fd_close(&more);
    fd_close_all(fds, CONTROL_CONNECTIONS_MAX);
}

static void reader_that_does_not_read_holds_only_its_own(void **state)
{
    struct fixture *f = *state;
    static char big[CONTROL_ANSWER_MAX];
    memset(big, 'b', sizeof(big));
    int slow = dial(f);
    int other = dial(f);
    say(f, slow, "x\n");
    assert_int_equal(control_answer(f->control, f->conn, big, CONTROL_ANSWER_MAX - 1), 0);
    settle(f);
    say(f, other, "y\n");
    assert_string_equal(f->line, "y");
    assert_int_equal(control_answer(f->control, f->conn, big, CONTROL_ANSWER_MAX), -EMSGSIZE);
    size_t total = 0;
    for (int i = 0; i < 1000 && total < CONTROL_ANSWER_MAX; i++) {
        static char text[65536];
        ssize_t got = hear(slow, text, sizeof(text));
        total += got > 0 ? (size_t)got : 0;
        settle(f);
    }
    assert_int_equal(total, CONTROL_ANSWER_MAX);
    fd_close(&slow);
    fd_close(&other);
}

static void answer_to_one_who_left(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "x\n");
    fd_close(&fd);
    settle(f);
    assert_int_equal(control_answer(f->control, f->conn, "late", 4), -ENOENT);
    assert_int_equal(control_answer(f->control, 999, "never", 5), -ENOENT);
}

static void one_who_closed_his_side_gets_his_answer(void **state)
{
    struct fixture *f = *state;
    char text[10];
    int fd = dial(f);
    assert_int_equal(send(fd, "x\n", 2, MSG_NOSIGNAL), 2);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    settle(f);
    assert_int_equal(control_answer(f->control, f->conn, "y", 1), 0);
    settle(f);
    assert_int_equal(hear(fd, text, sizeof(text)), 2);
    assert_int_equal(hear(fd, text, sizeof(text)), 0);
    fd_close(&fd);
}

static void other_users_are_refused(void **state)
{
    struct fixture *f = *state;
    char text[200];
    if (geteuid() != 0)
        skip(); /* only root can be somebody else */
    struct sockaddr_un name = name_of(f);
    assert_int_equal(fchmod(f->dir.fd, 0755), 0);
    assert_int_equal(chmod(name.sun_path, 0777), 0);
    assert_int_equal(seteuid(12345), 0);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc = connect(fd, (const struct sockaddr *)&name, sizeof(name));
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(rc, 0);
    settle(f);
    assert_true(hear(fd, text, sizeof(text)) > 0);
    assert_non_null(strstr(text, "forbidden"));
    assert_int_equal(hear(fd, text, sizeof(text)), 0);
    assert_int_equal(f->lines, 0);
    fd_close(&fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(one_question_one_answer),
        TEST(answer_inside_the_callback_works),
        TEST(line_over_the_limit_ends_the_connection),
        TEST(connections_are_bounded),
        TEST(reader_that_does_not_read_holds_only_its_own),
        TEST(answer_to_one_who_left),
        TEST(one_who_closed_his_side_gets_his_answer),
        TEST(other_users_are_refused),
    };
    return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
