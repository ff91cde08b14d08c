#include "gateway/supervisor/spawn.h"

#include "lib/base/chan.h"
#include "lib/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ABOVE_PLAN 64 /* out of the way of the planned numbers */

/* In the child: only async-signal-safe calls. */
static void become(const char *program, int chan_fd, int log_fd, int null_fd)
{
    static char lang[] = "LC_ALL=C.UTF-8", zone[] = "TZ=UTC";
    char *environment[] = {lang, zone, NULL};
    char *arguments[2];
    sigset_t none;
    int chan_high = fcntl(chan_fd, F_DUPFD, ABOVE_PLAN);
    int log_high = fcntl(log_fd, F_DUPFD, ABOVE_PLAN);
    int null_high = fcntl(null_fd, F_DUPFD, ABOVE_PLAN);
    if (chan_high < 0 || log_high < 0 || null_high < 0)
        _exit(127);
    for (int fd = 0; fd <= 2; fd++) {
        if (dup2(null_high, fd) < 0)
            _exit(127);
    }
    if (dup2(chan_high, CHAN_CONTROL_FD) < 0 || dup2(log_high, LOG_FD) < 0)
        _exit(127);
    if (syscall(SYS_close_range, LOG_FD + 1, ~0U, 0) < 0)
        _exit(127);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    arguments[0] = (char *)(uintptr_t)program; /* execve does not write to it */
    arguments[1] = NULL;
    execve(program, arguments, environment);
    _exit(127);
}

int spawn_role(const char *program, int chan_fd, int log_fd, pid_t *out_pid, int *out_pidfd)
{
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd < 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0)
        become(program, chan_fd, log_fd, null_fd);
    int rc = pid < 0 ? -errno : 0;
    close(null_fd);
    if (rc)
        return rc;
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        rc = -errno;
        kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        return rc;
    }
    *out_pid = pid;
    *out_pidfd = pidfd;
    return 0;
}
