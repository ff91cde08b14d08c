/* One live stream for people: publisher, network, and each track's counters. */
#ifndef SLUICE_CTL_CTLSTREAM_H
#define SLUICE_CTL_CTLSTREAM_H

#include <jansson.h>
#include <stdio.h>

/* Puts the stream of that name from the list in *answer in its place, or a refusal when it is not
 * live. 0 or -ENOMEM; *answer is then as before. */
int ctlstream_pick(json_t **answer, const char *name);

/* Keys that are missing or odd are shown as "-". */
void ctlstream_print(FILE *to, const json_t *stream);

#endif
