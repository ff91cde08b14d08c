/* Questions and answers over a socket pair; what is said when there is no gateway. */
#include "gateway/ctl/ctlclient.h"

#include "lib/base/fd.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Asks with an answer that waits already; the far end is closed if hang_up. */
static int ask(const char *answer, bool hang_up, json_t **out, char *problem)
{
    int ends[2];
    json_t *request = json_pack("{s:s}", "op", "status");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(send(ends[1], answer, strlen(answer), MSG_NOSIGNAL), strlen(answer));
    if (hang_up)
        fd_close(&ends[1]);
    int rc = ctlclient_ask(ends[0], request, out, problem);
    if (!hang_up) {
        char asked[100] = "";
        assert_true(recv(ends[1], asked, sizeof(asked) - 1, MSG_DONTWAIT) > 0);
        assert_string_equal(asked, "{\"op\":\"status\"}\n");
    }
    fd_close_all(ends, 2);
    json_decref(request);
    return rc;
}

static void one_answer(void **state)
{
    (void)state;
    char problem[CTLCLIENT_PROBLEM_MAX];
    json_t *answer = NULL;
    assert_int_equal(ask("{\"ok\":true}\n", false, &answer, problem), 0);
    assert_true(json_is_true(json_object_get(answer, "ok")));
    json_decref(answer);
    /* one who is refused before he asked still reads why */
    assert_int_equal(ask("{\"ok\":false}\n", true, &answer, problem), 0);
    assert_true(json_is_false(json_object_get(answer, "ok")));
    json_decref(answer);
}

static void answers_that_are_none(void **state)
{
    (void)state;
    static const char *const texts[] = {"\n",           "{}\n",           "[]\n",
                                        "{\"ok\":1}\n", "{\"ok\":true\n", "x\n"};
    char problem[CTLCLIENT_PROBLEM_MAX];
    json_t *answer = NULL;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(ask(texts[i], false, &answer, problem), -EBADMSG);
        assert_null(answer);
        assert_non_null(strstr(problem, "log"));
    }
    assert_true(ask("{\"ok\":", true, &answer, problem) < 0);
    assert_true(ask("", true, &answer, problem) < 0);
}

static void no_gateway_is_explained(void **state)
{
    (void)state;
    char problem[CTLCLIENT_PROBLEM_MAX];
    char path[] = "/tmp/sluice-ctl-XXXXXX";
    int fd = -1;
    assert_non_null(mkdtemp(path));
    assert_int_equal(ctlclient_open("/tmp/no/such/folder", 1, &fd, problem), -ENOENT);
    assert_non_null(strstr(problem, "--state"));
    assert_int_equal(ctlclient_open(path, 1, &fd, problem), -ENOENT);
    assert_non_null(strstr(problem, path));

    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof(name.sun_path), "%s/control.sock", path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)&name, sizeof(name)), 0);
    assert_int_equal(ctlclient_open(path, 1, &fd, problem), -ECONNREFUSED);
    assert_non_null(strstr(problem, "stopped"));
    assert_int_equal(fd, -1);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(ctlclient_open(path, 1, &fd, problem), 0);
    fd_close(&fd);
    fd_close(&listener);
    unlink(name.sun_path);
    rmdir(path);
}

/* A socket's path has room for 107 characters; a state folder's path may be longer. */
static void long_paths_work(void **state)
{
    (void)state;
    char problem[CTLCLIENT_PROBLEM_MAX];
    char path[400] = "/tmp/sluice-ctl-XXXXXX";
    char root[32];
    assert_non_null(mkdtemp(path));
    memcpy(root, path, sizeof(root));
    path[strlen(root)] = '/';
    memset(path + strlen(root) + 1, 'd', 200);
    assert_int_equal(mkdir(path, 0700), 0);
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof(name.sun_path), "/proc/self/fd/%d/control.sock", folder);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd = -1;
    assert_int_equal(bind(listener, (const struct sockaddr *)&name, sizeof(name)), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(ctlclient_open(path, 1, &fd, problem), 0);
    fd_close(&fd);
    fd_close(&listener);
    unlinkat(folder, "control.sock", 0);
    fd_close(&folder);
    rmdir(path);
    rmdir(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_answer),
        cmocka_unit_test(answers_that_are_none),
        cmocka_unit_test(no_gateway_is_explained),
        cmocka_unit_test(long_paths_work),
    };
    return cmocka_run_group_tests_name("ctlclient", tests, NULL, NULL);
}
