/* Children that enter the sandbox and try one thing. */
#ifndef SLUICE_TESTS_SANDBOXED_H
#define SLUICE_TESTS_SANDBOXED_H

#include "lib/base/sandbox.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define KILLED 1000 /* above all exit statuses */

static inline struct sandbox_spec plain(void)
{
    return (struct sandbox_spec){
        .empty_network = true,
        .empty_files = true,
        .directory_fd = -1,
        .max_files = 64,
        .max_data_bytes = SANDBOX_LIMIT_KEEP,
    };
}

typedef int (*attempt_fn)(const void *arg);

/* Not _exit: AddressSanitizer puts a sigaltstack in front of it, which the filter rightly kills. */
static inline void leave(int status)
{
    (void)syscall(SYS_exit_group, status);
}

/* The status of a child that enters the sandbox and then tries: what fn returned, KILLED when
 * seccomp ended it, 200 when it could not enter. */
static inline int in_sandbox(const struct sandbox_spec *spec, attempt_fn fn, const void *arg)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct sandbox_report report;
        leave(sandbox_enter(spec, &report) ? 200 : fn(arg));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGSYS);
        return KILLED;
    }
    return WEXITSTATUS(status);
}

#endif
