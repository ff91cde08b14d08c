/* The listening control.sock: connections of administrators, lines in, lines out.
 *
 * Only root and one configured user are served (peer credentials). A connection asks one question
 * at a time: the next line is read after the answer to the last one is written. Limits:
 * connections, bytes of a line, bytes of an answer, seconds without progress; a connection that
 * breaks one is closed. */
#ifndef SLUICE_AUTH_CONTROL_H
#define SLUICE_AUTH_CONTROL_H

#include "auth/adminreq.h"
#include "lib/base/loop.h"

#include <stddef.h>
#include <stdint.h>

#define CONTROL_CONNECTIONS_MAX 8
#define CONTROL_LINE_MAX ADMINREQ_LINE_MAX
#define CONTROL_ANSWER_MAX (512u << 10)
#define CONTROL_IDLE_US 30000000u

struct control;

/* A line without its line end came on connection conn, which waits for control_answer. line is
 * borrowed for the call. */
typedef void (*control_line_fn)(void *ctx, uint64_t conn, const char *line, size_t len);

/* Serves the listening socket, which stays the caller's. 0 or a negative errno. */
int control_new(struct loop *loop, int listen_fd, uint32_t admin_uid, control_line_fn fn, void *ctx,
                struct control **out);
void control_free(struct control *control); /* NULL allowed */

/* Sends text and a line end. 0, -ENOENT when the connection is gone or asked nothing, -EMSGSIZE,
 * -ENOMEM; after the last two it is closed. */
int control_answer(struct control *control, uint64_t conn, const char *text, size_t len);

#endif
