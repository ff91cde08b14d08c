/* Questions to the gateway over STATE/control.sock: one JSON object a line, one answer each. */
#ifndef SLUICE_CTL_CTLCLIENT_H
#define SLUICE_CTL_CTLCLIENT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define CTLCLIENT_SOCKET "control.sock"
#define CTLCLIENT_ANSWER_MAX (1u << 20)
#define CTLCLIENT_PROBLEM_MAX 600
#define CTLCLIENT_PATIENCE_S 10

/* Connects. Each later answer may take patience_s, at most CTLCLIENT_PATIENCE_S. 0 with *out_fd, or
 * a negative errno with a sentence in problem that says what to do. */
int ctlclient_open(const char *state, uint32_t patience_s, int *out_fd,
                   char problem[CTLCLIENT_PROBLEM_MAX]);

/* Sends one request and waits for its answer, at most CTLCLIENT_PATIENCE_S. 0 with a new reference
 * to the answer, an object with "ok"; a negative errno with a sentence in problem when the gateway
 * went away or talks nonsense. */
int ctlclient_ask(int fd, const json_t *request, json_t **out, char problem[CTLCLIENT_PROBLEM_MAX]);

#endif
