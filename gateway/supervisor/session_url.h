/* Requests on session URLs: GET tells whether a session lives or why it ended; DELETE ends it and
 * PATCH goes on to fragment.h when the token is the session's own (WHIP-22, WHIP-36, threats.md
 * W4). */
#ifndef SLUICE_SUPERVISOR_SESSION_URL_H
#define SLUICE_SUPERVISOR_SESSION_URL_H

#include "lib/base/loop.h"
#include "lib/proto/msg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SESSION_URL_ENDED_MAX 256u     /* ended sessions whose reason can still be asked */
#define SESSION_URL_ENDED_US 60000000u /* for so long */
#define SESSION_URL_WAIT_US 2000000u   /* a request waits for auth and a worker */

/* Requests that wait: on URLs of sessions that are or were, which none but their publishers know;
 * and on any others, which are only asked about because a wrong token gets the same answer there.
 * From one address an eighth of either. Beyond that 503. */
#define SESSION_URL_KNOWN_MAX 256u
#define SESSION_URL_UNKNOWN_MAX 64u
#define SESSION_URL_ASKS_MAX (SESSION_URL_KNOWN_MAX + SESSION_URL_UNKNOWN_MAX)
#define SESSION_URL_SHARE 8u

struct supervisor;
struct process;
struct publication;

struct session_url_end {
    uint64_t until_us;
    uint64_t session;
    enum end_reason reason;
    char url_id[STREAM_URL_ID_LEN + 8];
    char token_id[STREAM_TOKEN_ID_MAX + 8];
};

enum session_url_phase {
    ASK_FREE,
    ASK_AUTH,   /* auth is identifying the token */
    ASK_QUEUED, /* a PATCH waits its turn */
    ASK_SENT,   /* its fragment is with the worker */
};

/* A DELETE or PATCH that is not answered yet. The fragment is its own. */
struct session_url_ask {
    struct supervisor *sup;
    enum session_url_phase phase;
    uint64_t order; /* later ones have higher numbers; auth's answer bears it */
    struct addr peer;
    struct process *web;
    uint64_t web_request;
    uint64_t session; /* from ASK_QUEUED on */
    uint32_t op;      /* enum msg_session_op */
    uint32_t match;   /* enum session_match */
    char url_id[STREAM_URL_ID_LEN + 8];
    char if_match[STREAM_ETAG_LEN + 8];
    uint8_t *fragment;
    size_t fragment_len;
    struct loop_timer timer;
};

/* All zero at the start. The first SESSION_URL_KNOWN_MAX asks are for known URLs. */
struct session_urls {
    struct session_url_end ended[SESSION_URL_ENDED_MAX];
    size_t ended_next;
    struct session_url_ask asks[SESSION_URL_ASKS_MAX];
};

/* web's request; the fragment is copied. */
void session_url_request(struct supervisor *sup, struct process *web, const struct msg_session *m,
                         const uint8_t *fragment, size_t len);
/* auth's answer; false when it belongs to no request here. */
bool session_url_on_grant(struct supervisor *sup, const struct msg_lease_grant *m);
void session_url_ended(struct supervisor *sup, const struct publication *p, enum end_reason reason);
void session_url_on_web_exit(struct supervisor *sup, const struct process *web);
void session_url_on_auth_exit(struct supervisor *sup); /* what waits for it gets 503 */
void session_url_free_all(struct supervisor *sup);     /* without an answer */

/* Answers and frees the ask; m->request is set here. */
void session_url_reply(struct session_url_ask *ask, struct msg_session_result *m,
                       const uint8_t *fragment, size_t len);
void session_url_refuse(struct session_url_ask *ask, uint16_t status, uint16_t retry_after_s,
                        const char *reason);
void session_url_gone(struct session_url_ask *ask); /* 404, with the reason if it is known */

#endif
