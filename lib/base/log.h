/* One event, one line: `level role event key=value ...` to the descriptor given at start.
 *
 * Roles write to a pipe that the supervisor reads; the supervisor adds the time, escapes control
 * bytes, limits the rate and writes to standard error. Never pass a token, key, ICE password or SDP
 * to these functions (threats.md S5). A line that does not fit the pipe is dropped and counted; the
 * next line then carries dropped=N. Control bytes in values become '?'. One thread of a process
 * only. */
#ifndef SLUICE_BASE_LOG_H
#define SLUICE_BASE_LOG_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

#define LOG_LINE_MAX 1024 /* bytes with the line end; longer lines are cut */
#define LOG_FD 4          /* where a role finds its log pipe */

/* Later lines go to fd, which becomes non-blocking unless it is standard error, and carry role, a
 * string that lives for ever. */
void log_open(int fd, const char *role, enum log_level least);

/* format gives the key=value pairs; values with blanks are quoted by the caller. NULL: no pairs. */
void log_event(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

const char *log_level_name(enum log_level level);

#endif
