#include "gateway/supervisor/logrelay.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TEXT_MAX (PIPE_BUF - 128) /* of a line, beside its date and process */

size_t logrelay_escape(const char *line, size_t len, char *out, size_t cap)
{
    static const char digits[] = "0123456789abcdef";
    size_t n = 0;
    for (size_t i = 0; i < len && n + 5 < cap; i++) {
        unsigned char c = (unsigned char)line[i];
        if (c >= 0x20 && c < 0x7f) {
            out[n++] = (char)c;
            continue;
        }
        out[n++] = '\\';
        out[n++] = 'x';
        out[n++] = digits[c >> 4];
        out[n++] = digits[c & 15];
    }
    out[n] = '\0';
    return n;
}

/* False when standard error takes nothing at this moment: a stopped terminal or a pager must not
 * hold the supervisor, whose deadlines would wait with it. */
static bool print(const struct logrelay *relay, const char *text)
{
    struct timespec now;
    struct tm utc;
    char date[32], pid[32] = "", line[PIPE_BUF];
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&ready, 1, 0) != 1 || !(ready.revents & POLLOUT))
        return false;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
    if (relay->pid)
        snprintf(pid, sizeof(pid), " pid=%u", relay->pid);
    /* A pipe that is ready takes PIPE_BUF bytes: the longest line is cut to it. */
    int made = snprintf(line, sizeof(line), "%s.%03ldZ %.*s%s\n", date, now.tv_nsec / 1000000,
                        TEXT_MAX, text, pid);
    return write(STDERR_FILENO, line, (size_t)made) == made;
}

static void emit(struct logrelay *relay)
{
    char text[LOG_LINE_MAX * 4 + 1];
    uint64_t second = clock_now_us() / CLOCK_SECOND_US;
    if (second != relay->second) {
        if (relay->dropped) {
            snprintf(text, sizeof(text), "warn log dropped lines=%u", relay->dropped);
            if (print(relay, text))
                relay->dropped = 0;
        }
        relay->second = second;
        relay->lines = 0;
    }
    if (++relay->lines > LOGRELAY_LINES_PER_SECOND) {
        relay->dropped++;
        return;
    }
    logrelay_escape(relay->line, relay->len, text, sizeof(text));
    if (!print(relay, text))
        relay->dropped++;
}

static void take(struct logrelay *relay, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\n') {
            emit(relay);
            relay->len = 0;
        } else if (relay->len < sizeof(relay->line)) {
            relay->line[relay->len++] = data[i];
        }
    }
}

/* One read per turn: a role that floods its pipe may not hold the loop. */
static void on_readable(void *ctx, uint32_t events)
{
    struct logrelay *relay = ctx;
    char data[4096];
    (void)events;
    ssize_t n = read(relay->watch.fd, data, sizeof(data));
    if (n > 0) {
        take(relay, data, (size_t)n);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        int fd = relay->watch.fd;
        loop_remove(relay->loop, &relay->watch);
        fd_close(&fd);
    }
}

int logrelay_open(struct logrelay *relay, struct loop *loop, int fd, uint32_t pid)
{
    *relay = (struct logrelay){.loop = loop, .watch = {.fd = -1}, .pid = pid};
    int rc = fd_nonblock(fd);
    if (rc == 0)
        rc = loop_add(loop, &relay->watch, fd, EPOLLIN, on_readable, relay);
    if (rc)
        fd_close(&fd);
    return rc;
}

void logrelay_close(struct logrelay *relay)
{
    int fd = relay->watch.fd;
    char data[4096];
    if (fd < 0)
        return;
    loop_remove(relay->loop, &relay->watch);
    ssize_t n;
    for (int i = 0; i < 16 && (n = read(fd, data, sizeof(data))) > 0; i++)
        take(relay, data, (size_t)n);
    if (relay->len)
        emit(relay);
    fd_close(&fd);
}
