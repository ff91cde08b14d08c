/* PATCH on a live session: trickle and ICE restart (RFC 9725 4.3). The fragment is opaque here; the
 * entity tag, the turns and the credentials of the restarted session are ours.
 *
 * A session's worker has one fragment at a time; the next ones wait their turn, so that each meets
 * the tag that those before it left (WHIP-67). */
#ifndef SLUICE_SUPERVISOR_FRAGMENT_H
#define SLUICE_SUPERVISOR_FRAGMENT_H

#include "lib/proto/msg.h"

#include <stddef.h>
#include <stdint.h>

/* Of one session; one more is at the worker. A browser opens 6 connections. */
#define FRAGMENT_QUEUE_MAX 5u
#define FRAGMENT_BURST 32u /* PATCHes of one session at once (WHIP-28) */
#define FRAGMENT_RATE 4u   /* and per second */

struct publication;
struct session_url_ask;

/* The PATCH of somebody who may: takes its turn, or is refused at once. */
void fragment_add(struct publication *p, struct session_url_ask *ask);

/* The worker's answer: 0, or -EPROTO and -EBADMSG for one that cannot be. */
int fragment_on_result(struct publication *p, const struct msg_fragment_result *m,
                       const uint8_t *fragment, size_t len);

/* The session is over: what waits for it gets 404. */
void fragment_drop(struct publication *p);

#endif
