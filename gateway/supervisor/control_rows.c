#include "gateway/supervisor/control_rows.h"

#include "gateway/supervisor/supervisor.h"
#include "lib/base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void send_row(struct process *auth, const struct msg_ctl_row *row)
{
    (void)process_send(auth, MSG_CTL_ROW, row, NULL, 0, NULL);
}

static uint32_t pid_of(const struct process *p)
{
    return p ? (uint32_t)p->pid : 0;
}

static void stream_row(struct supervisor *sup, struct process *auth, uint64_t request,
                       const struct playback *pb)
{
    struct msg_ctl_row row = {.request = request,
                              .session = pb->session,
                              .remaining_us = UINT64_MAX,
                              .state = pb->state,
                              .pid_transcode = pid_of(pb->transcode)};
    const struct publication *p = publication_by_session(sup, pb->session);
    memcpy(row.name, pb->stream, sizeof(row.name));
    if (p) {
        uint64_t boot = clock_boottime_us();
        row.age_us = clock_now_us() - p->started_us;
        if (p->end_at_boottime_us != UINT64_MAX)
            row.remaining_us = p->end_at_boottime_us > boot ? p->end_at_boottime_us - boot : 0;
        row.pid_ingest = pid_of(p->ingest);
        row.stats = p->stats;
        memcpy(row.token_id, p->grant.token_id, sizeof(row.token_id));
    }
    send_row(auth, &row);
}

static void process_row(struct process *auth, uint64_t request, const struct process *p)
{
    struct msg_ctl_row row = {.request = request,
                              .age_us = clock_now_us() - p->started_us,
                              .pid_ingest = (uint32_t)p->pid,
                              .state = p->ready};
    snprintf(row.name, sizeof(row.name), "%s", process_name(p->kind));
    send_row(auth, &row);
}

void control_rows_answer(struct supervisor *sup, struct process *auth, const struct msg_ctl *m)
{
    struct msg_ctl_done done = {.request = m->request, .ready = process_all_ready(sup)};
    if (m->op == CTL_STREAMS) {
        for (size_t i = 0; i < PLAYBACK_MAX; i++) {
            if (sup->playbacks[i])
                stream_row(sup, auth, m->request, sup->playbacks[i]);
        }
    } else if (m->op == CTL_STATUS) {
        for (size_t i = 0; i < PROCESS_MAX; i++) {
            if (sup->processes[i])
                process_row(auth, m->request, sup->processes[i]);
        }
    } else {
        done.result = publication_end_stream(sup, m->stream, END_KICKED) > 0 ? 0 : -ENOENT;
    }
    (void)process_send(auth, MSG_CTL_DONE, &done, NULL, 0, NULL);
}
