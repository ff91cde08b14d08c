/* The gateway's answers, for people. */
#ifndef SLUICE_CTL_CTLPRINT_H
#define SLUICE_CTL_CTLPRINT_H

#include "gateway/ctl/ctlargs.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

/* Prints an answer with "ok": true of the command. now_ms (wall clock) turns times into distances.
 * Keys that are missing or odd are shown as "-". 0 or -ENOMEM. */
int ctlprint_answer(FILE *to, enum ctl_command command, const json_t *answer, uint64_t now_ms);

/* The answer as one line of JSON, without "ok". 0 or -ENOMEM. */
int ctlprint_json(FILE *to, const json_t *answer);

#endif
