/* The configuration as each role's typed settings, sent as the first message of its channel. */
#ifndef SLUICE_SUPERVISOR_SETTINGS_LOAD_H
#define SLUICE_SUPERVISOR_SETTINGS_LOAD_H

struct process;

/* 0 or the error of chan_send. */
int settings_send(struct process *p);

#endif
