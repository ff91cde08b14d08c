/* Answers to sluicectl's stream commands, which auth passes on. */
#ifndef SLUICE_SUPERVISOR_CONTROL_ROWS_H
#define SLUICE_SUPERVISOR_CONTROL_ROWS_H

#include "lib/proto/msg.h"

struct supervisor;
struct process;

/* Sends MSG_CTL_ROW for each row, then MSG_CTL_DONE. */
void control_rows_answer(struct supervisor *sup, struct process *auth, const struct msg_ctl *m);

#endif
