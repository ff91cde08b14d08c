#include "gateway/supervisor/statedir.h"

#include "lib/base/fd.h"
#include "lib/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CONTROL_NAME "control.sock"
#define PEPPER_NAME "pepper"
#define DATABASE_NAME "auth"
#define CONTROL_BACKLOG 8

static int complain(const char *path, const char *name, const char *what, int error)
{
    fprintf(stderr, "sluiced: state folder %s: %s%s%s: %s\n", path, what, name ? " " : "",
            name ? name : "", strerror(-error));
    return error;
}

static int make_folder(int at, const char *path)
{
    int rc = mkdirat(at, path, 0700);
    if (rc < 0 && errno != EEXIST)
        return -errno;
    int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int take_lock(struct statedir *state)
{
    state->lock_fd = openat(state->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (state->lock_fd < 0)
        return -errno;
    int rc = flock(state->lock_fd, LOCK_EX | LOCK_NB);
    if (rc < 0)
        return errno == EWOULDBLOCK ? -EBUSY : -errno;
    return 0;
}

/* The new file appears whole or not at all: a half-written pepper would lock every token out. */
static int make_pepper(int dir_fd)
{
    uint8_t fresh[STATEDIR_PEPPER_LEN];
    int rc = 0;
    int fd = openat(dir_fd, PEPPER_NAME ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0400);
    if (fd < 0)
        return -errno;
    secret_random(fresh, sizeof(fresh));
    ssize_t n = write(fd, fresh, sizeof(fresh));
    if (n != (ssize_t)sizeof(fresh))
        rc = n < 0 ? -errno : -EIO;
    else if (fsync(fd) < 0)
        rc = -errno;
    else if (renameat(dir_fd, PEPPER_NAME ".new", dir_fd, PEPPER_NAME) < 0)
        rc = -errno;
    else if (fsync(dir_fd) < 0)
        rc = -errno;
    secret_wipe(fresh, sizeof(fresh));
    fd_close(&fd);
    return rc;
}

static int read_pepper(struct statedir *state)
{
    struct stat st;
    int rc = 0;
    int fd = openat(state->dir_fd, PEPPER_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0)
        rc = -errno;
    else if ((st.st_mode & 0777) != 0400 || st.st_uid != geteuid() || !S_ISREG(st.st_mode))
        rc = -EPERM;
    else if (st.st_size != STATEDIR_PEPPER_LEN ||
             read(fd, state->pepper, sizeof(state->pepper)) != (ssize_t)sizeof(state->pepper))
        rc = -EBADMSG;
    fd_close(&fd);
    return rc;
}

static int open_pepper(struct statedir *state)
{
    int rc = read_pepper(state);
    if (rc != -ENOENT)
        return rc;
    rc = make_pepper(state->dir_fd);
    return rc ? rc : read_pepper(state);
}

/* Binds through /proc/self/fd so that long paths fit into sun_path. */
static int open_control(struct statedir *state)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/" CONTROL_NAME, state->dir_fd);
    if (unlinkat(state->dir_fd, CONTROL_NAME, 0) < 0 && errno != ENOENT)
        return -errno;
    state->control_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (state->control_fd < 0)
        return -errno;
    mode_t before = umask(0177);
    int rc = bind(state->control_fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
    umask(before);
    if (rc == 0 && listen(state->control_fd, CONTROL_BACKLOG) < 0)
        rc = -errno;
    return rc;
}

int statedir_open(struct statedir *state, const char *path, uid_t auth_uid)
{
    *state = (struct statedir){.dir_fd = -1, .lock_fd = -1, .database_fd = -1, .control_fd = -1};
    state->dir_fd = make_folder(AT_FDCWD, path);
    if (state->dir_fd < 0)
        return complain(path, NULL, "cannot make or open it", state->dir_fd);
    int rc = take_lock(state);
    if (rc == -EBUSY) {
        fprintf(stderr,
                "sluiced: state folder %s is in use by another running gateway: stop it or "
                "choose another folder (--state)\n",
                path);
        return rc;
    }
    if (rc)
        return complain(path, "lock", "cannot lock", rc);
    rc = open_pepper(state);
    if (rc == -EPERM) {
        fprintf(stderr,
                "sluiced: %s/" PEPPER_NAME " must belong to the user that starts the "
                "gateway and have mode 0400 (chmod 0400)\n",
                path);
        return rc;
    }
    if (rc)
        return complain(path, PEPPER_NAME, "cannot read or make", rc);
    state->database_fd = make_folder(state->dir_fd, DATABASE_NAME);
    if (state->database_fd < 0)
        return complain(path, DATABASE_NAME, "cannot make", state->database_fd);
    if (auth_uid != 0 && fchown(state->database_fd, auth_uid, auth_uid) < 0)
        return complain(path, DATABASE_NAME, "cannot give away", -errno);
    rc = open_control(state);
    return rc ? complain(path, CONTROL_NAME, "cannot listen on", rc) : 0;
}

void statedir_close(struct statedir *state)
{
    if (state->control_fd >= 0)
        unlinkat(state->dir_fd, CONTROL_NAME, 0);
    fd_close(&state->control_fd);
    fd_close(&state->database_fd);
    fd_close(&state->lock_fd);
    fd_close(&state->dir_fd);
    secret_wipe(state->pepper, sizeof(state->pepper));
}
