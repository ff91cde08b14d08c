/* The permission tables of the supervisor's channels: which role may send what in which phase, and
 * what is done with it (threats.md I5). */
#ifndef SLUICE_SUPERVISOR_BROKER_H
#define SLUICE_SUPERVISOR_BROKER_H

#include "gateway/supervisor/process.h"
#include "lib/base/chan.h"

#include <stddef.h>

/* Fills the rules for one kind, at most cap (PROCESS_RULES_MAX suffices); the handlers' ctx is the
 * struct process. Returns their number. */
size_t broker_rules(enum process_kind kind, struct chan_rule *out, size_t cap);

#endif
