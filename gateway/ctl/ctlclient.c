/* Questions to the gateway over STATE/control.sock: one JSON object a line, one answer each. */
#include "gateway/ctl/ctlclient.h"

#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* What a failed connect means for the one who typed the command. */
static void explain(const char *state, int rc, char problem[CTLCLIENT_PROBLEM_MAX])
{
    const char *advice = "";
    switch (rc) {
    case -ENOENT:
        advice = "is the gateway started? Name its state folder with --state DIR";
        break;
    case -ECONNREFUSED:
        advice = "the gateway has stopped; start it again";
        break;
    case -EACCES:
    case -EPERM:
        advice = "run this as the user who started the gateway, or as root";
        break;
    default:
        advice = "the gateway cannot be reached";
        break;
    }
    snprintf(problem, CTLCLIENT_PROBLEM_MAX, "%.400s/" CTLCLIENT_SOCKET ": %s: %s", state,
             strerror(-rc), advice);
}

/* By way of the folder's descriptor, because a socket's path may have only 107 characters. */
static int connect_in(int folder_fd, int fd, uint32_t patience_s)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof(name.sun_path), "/proc/self/fd/%d/" CTLCLIENT_SOCKET, folder_fd);
    struct timeval patience = {.tv_sec = CTLCLIENT_PATIENCE_S};
    if (patience_s < CTLCLIENT_PATIENCE_S)
        patience.tv_sec = patience_s;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&name, sizeof(name)) < 0)
        return -errno;
    return 0;
}

int ctlclient_open(const char *state, uint32_t patience_s, int *out_fd,
                   char problem[CTLCLIENT_PROBLEM_MAX])
{
    int rc = 0;
    int fd = -1;
    int folder_fd = open(state, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder_fd < 0) {
        rc = -errno;
        goto out;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        rc = -errno;
        goto out;
    }
    rc = connect_in(folder_fd, fd, patience_s);
    if (rc == 0) {
        *out_fd = fd;
        fd = -1;
    }
out:
    fd_close(&fd);
    fd_close(&folder_fd);
    if (rc < 0)
        explain(state, rc, problem);
    return rc;
}

static int send_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return -errno;
        data += sent;
        len -= (size_t)sent;
    }
    return 0;
}

/* Reads to the line end into a buffer of CTLCLIENT_ANSWER_MAX. */
static int receive_line(int fd, char *to, size_t *out_len)
{
    size_t len = 0;
    while (len < CTLCLIENT_ANSWER_MAX) {
        ssize_t got = recv(fd, to + len, CTLCLIENT_ANSWER_MAX - len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        if (got == 0)
            return -EPIPE;
        const char *end = memchr(to + len, '\n', (size_t)got);
        if (end) {
            *out_len = (size_t)(end - to);
            return 0;
        }
        len += (size_t)got;
    }
    return -EMSGSIZE;
}

int ctlclient_ask(int fd, const json_t *request, json_t **out, char problem[CTLCLIENT_PROBLEM_MAX])
{
    json_t *answer = NULL;
    char *line = malloc(CTLCLIENT_ANSWER_MAX);
    char *text = json_dumps(request, JSON_COMPACT);
    size_t len = 0;
    int rc = line && text ? 0 : -ENOMEM;
    if (rc == 0)
        rc = send_all(fd, text, strlen(text));
    if (rc == 0)
        rc = send_all(fd, "\n", 1);
    if (rc == 0 || rc == -EPIPE) {
        int received = receive_line(fd, line, &len); /* one who is refused is told so */
        rc = received == 0 || rc == 0 ? received : rc;
    }
    if (rc == 0) {
        answer = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(answer) || !json_is_boolean(json_object_get(answer, "ok")))
            rc = -EBADMSG;
    }
    if (rc == 0) {
        *out = answer;
        answer = NULL;
    } else {
        snprintf(problem, CTLCLIENT_PROBLEM_MAX, "the gateway did not answer (%s); look at its log",
                 strerror(-rc));
    }
    json_decref(answer);
    free(text);
    free(line);
    return rc;
}
