/* Requests on session URLs: GET tells whether a session lives or why it ended, DELETE ends it when
 * the token is its own (WHIP-22, WHIP-30, threats.md W4). */
#ifndef SLUICE_SUPERVISOR_SESSION_URL_H
#define SLUICE_SUPERVISOR_SESSION_URL_H

#include "lib/proto/msg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SESSION_URL_ENDED_MAX 256u     /* ended sessions whose reason can still be asked */
#define SESSION_URL_ENDED_US 60000000u /* for so long */
#define SESSION_URL_ASKS_MAX 64u       /* requests waiting for auth */

struct supervisor;
struct process;

struct session_url_end {
    uint64_t until_us;
    enum end_reason reason;
    char url_id[STREAM_URL_ID_LEN + 8];
};

/* A DELETE whose token auth is identifying. Free while web is NULL. */
struct session_url_ask {
    uint64_t request; /* ours, to auth */
    struct process *web;
    uint64_t web_request;
    char url_id[STREAM_URL_ID_LEN + 8];
};

/* All zero at the start. */
struct session_urls {
    struct session_url_end ended[SESSION_URL_ENDED_MAX];
    size_t ended_next;
    struct session_url_ask asks[SESSION_URL_ASKS_MAX];
};

/* web's request. */
void session_url_request(struct supervisor *sup, struct process *web, const struct msg_session *m);
/* auth's answer; false when it belongs to no request here. */
bool session_url_on_grant(struct supervisor *sup, const struct msg_lease_grant *m);
void session_url_ended(struct supervisor *sup, const char *url_id, enum end_reason reason);
void session_url_on_web_exit(struct supervisor *sup, const struct process *web);
void session_url_on_auth_exit(struct supervisor *sup); /* what waits for it gets 503 */

#endif
