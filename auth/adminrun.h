/* Carries out administrators' requests: tokens here, streams and status through the supervisor.
 *
 * Every request gets exactly one answer, a JSON object with "ok"; if it is false, "error" is one
 * word (bad_request, not_found, disk_full, busy, timeout, unavailable) and "message" a sentence
 * that says what happened and what to do. */
#ifndef SLUICE_AUTH_ADMINRUN_H
#define SLUICE_AUTH_ADMINRUN_H

#include "auth/admission.h"
#include "auth/control.h"
#include "lib/base/loop.h"
#include "lib/proto/msg.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define ADMINRUN_PENDING_MAX CONTROL_CONNECTIONS_MAX
#define ADMINRUN_ROWS_MAX (STREAM_MAX + 64) /* rows of one answer; more are not shown */
#define ADMINRUN_PATIENCE_US 5000000u       /* for the supervisor's answer */

/* Writes the answer of connection conn; the text is borrowed. */
typedef void (*adminrun_answer_fn)(void *ctx, uint64_t conn, const char *text, size_t len);
/* Sends MSG_CTL. 0 or a negative errno. */
typedef int (*adminrun_ctl_fn)(void *ctx, const struct msg_ctl *ctl);

/* A request that the supervisor is working on. Free while request is 0. */
struct adminrun_pending {
    struct adminrun *owner;
    uint64_t request;
    uint64_t conn;
    enum adminreq_op op;
    json_t *rows;
    struct loop_timer patience;
};

struct adminrun {
    struct admission *admission; /* borrowed */
    struct loop *loop;           /* borrowed */
    adminrun_answer_fn answer;
    adminrun_ctl_fn ctl;
    void *ctx;
    uint64_t last_request;
    struct adminrun_pending pending[ADMINRUN_PENDING_MAX];
};

void adminrun_init(struct adminrun *a, struct admission *admission, struct loop *loop,
                   adminrun_answer_fn answer, adminrun_ctl_fn ctl, void *ctx);
void adminrun_done(struct adminrun *a);

/* A line from conn at now_ms (timekeep.h). */
void adminrun_line(struct adminrun *a, uint64_t conn, const char *line, size_t len,
                   uint64_t now_ms);

/* The supervisor's rows and end. A late one, whose request has timed out, is ignored. 0, or
 * -EBADMSG for a row that breaks its layout. */
int adminrun_row(struct adminrun *a, const struct msg_ctl_row *row);
void adminrun_finish(struct adminrun *a, const struct msg_ctl_done *done);

#endif
