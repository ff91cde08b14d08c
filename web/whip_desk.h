/* What the endpoint and the session URLs of WHIP share: the token, the limits, and the requests
 * that wait for the supervisor's answer, each for a bounded time. */
#ifndef SLUICE_WEB_WHIP_DESK_H
#define SLUICE_WEB_WHIP_DESK_H

#include "web/rates.h"
#include "web/request.h"
#include "web/whip.h"

#include <stdbool.h>
#include <stdint.h>

enum whip_queue { WHIP_PUBLISHING, WHIP_ASKING, WHIP_QUEUE_COUNT };

/* Invariant: the queues are in order of due_us. Of a request in one of them, wait.number is its
 * message's number, wait.kind its enum rates_kind, wait.part its enum msg_session_op and wait.epoch
 * the first half of its session's id. */
struct whip {
    struct whip_config config;
    struct peers *peers;
    struct rates *rates;
    struct loop *loop;
    struct loop_timer timer;
    uint64_t last_number;
    struct wait_list queues[WHIP_QUEUE_COUNT];
};

/* A question to the supervisor. body holds number already. */
struct whip_errand {
    enum whip_queue queue;
    enum rates_kind rate;
    enum msg_type type;
    uint64_t number; /* from whip_desk_number */
    const void *body;
    struct slice blob;
    enum msg_session_op op; /* WHIP_ASKING */
    uint64_t session_key;   /* WHIP_ASKING */
};

/* Answers at once with an error. */
void whip_desk_refuse(struct whip *whip, struct request *request, unsigned status,
                      const char *detail, unsigned retry_after_s);

/* True when whip_desk_token will copy a token. */
bool whip_desk_has_token(const struct request *request);
/* Copies the token. False when the request has been refused: 401, or 403 for a token over plain
 * HTTP from another machine (WHIP-38). */
bool whip_desk_token(struct whip *whip, struct request *request,
                     char out_token[STREAM_TOKEN_MAX + 1]);
/* WHIP-02: compares type and subtype only, without case and parameters. */
bool whip_desk_type_is(const struct request *request, const char *type);

uint64_t whip_desk_number(const struct whip *whip); /* of the next errand */

/* Checks the limits, asks, and puts the request aside; or refuses it with 429 or 503. */
void whip_desk_submit(struct whip *whip, struct request *request, const struct whip_errand *errand,
                      uint64_t now_us);

/* The request that waits for this answer, taken out of its queue; NULL when there is none any more.
 * A request that was refused for its token (status 401), or because of others' wrong tokens (429
 * with guessing), does not count for its client's rate: a neighbour's guessing is not to use up
 * what belongs to a valid token (threats.md H8). Every other 429 is the sender's own doing, and
 * counts. */
struct request *whip_desk_take(struct whip *whip, enum whip_queue queue, uint64_t number,
                               unsigned status, bool guessing);

#endif
