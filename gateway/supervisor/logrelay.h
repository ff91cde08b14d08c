/* The roles' log pipes: lines are cut, escaped, limited in rate, dated, and written to standard
 * error.
 *
 * What a role writes is hostile: control bytes become `\xNN`, lines over LOG_LINE_MAX are cut, and
 * above LOGRELAY_LINES_PER_SECOND lines of one pipe are counted instead of written. So are lines
 * that standard error does not take at once: writing never waits. */
#ifndef SLUICE_SUPERVISOR_LOGRELAY_H
#define SLUICE_SUPERVISOR_LOGRELAY_H

#include "lib/base/log.h"
#include "lib/base/loop.h"

#include <stddef.h>
#include <stdint.h>

#define LOGRELAY_LINES_PER_SECOND 200u

/* One pipe. Not open while watch.fd is -1. */
struct logrelay {
    struct loop *loop;
    struct loop_watch watch;
    uint32_t pid;
    size_t len;
    char line[LOG_LINE_MAX];
    uint64_t second;
    uint32_t lines;
    uint32_t dropped;
};

/* Takes over the read end fd. pid is added to each line (0: not). 0 or a negative errno. */
int logrelay_open(struct logrelay *relay, struct loop *loop, int fd, uint32_t pid);
/* Writes what the pipe still holds, then closes it. */
void logrelay_close(struct logrelay *relay);

/* Escapes line into out (NUL-terminated, at most cap); returns the length. For tests. */
size_t logrelay_escape(const char *line, size_t len, char *out, size_t cap);

#endif
