/* One event, one line, to the descriptor given at start. */
#include "lib/base/log.h"

#include "lib/base/fd.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The process-wide exception to "no mutable globals" (style.md). */
static struct {
    int fd;
    const char *role;
    enum log_level least;
    unsigned long dropped; /* lines since the last one that got through */
} target = {.fd = -1, .role = "", .least = LOG_INFO};

const char *log_level_name(enum log_level level)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    return (unsigned)level < sizeof(names) / sizeof(names[0]) ? names[level] : "unknown";
}

void log_open(int fd, const char *role, enum log_level least)
{
    target.fd = fd;
    target.role = role;
    target.least = least;
    target.dropped = 0;
    /* Ours alone when it is a role's pipe; standard error is shared and stays as it is. */
    if (fd > STDERR_FILENO)
        (void)fd_nonblock(fd);
}

/* A line end inside a value must not make a second line. */
static void mask_controls(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7f)
            text[i] = '?';
    }
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    char line[LOG_LINE_MAX];
    const size_t room = sizeof(line) - 1; /* for the line end */
    if (target.fd < 0 || level < target.least)
        return;
    int made = snprintf(line, room, "%s %s %s", log_level_name(level), target.role, event);
    size_t len = made < 0 ? 0 : (size_t)made;
    if (target.dropped > 0 && len < room) {
        made = snprintf(line + len, room - len, " dropped=%lu", target.dropped);
        len += made < 0 ? 0 : (size_t)made;
    }
    if (format && len + 1 < room) {
        va_list args;
        line[len++] = ' ';
        va_start(args, format);
        made = vsnprintf(line + len, room - len, format, args);
        va_end(args);
        len += made < 0 ? 0 : (size_t)made;
    }
    if (len > room - 1)
        len = room - 1; /* cut: snprintf tells the length it wanted */
    mask_controls(line, len);
    line[len++] = '\n';
    if (write(target.fd, line, len) == (ssize_t)len)
        target.dropped = 0;
    else
        target.dropped++;
}
