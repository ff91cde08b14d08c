/* The state machine of one published session: offer to answer, ICE, DTLS, SRTP, media, end.
 *
 * Its states are those of lifecycle.h; in ENDED all keys and media are wiped.
 *
 * Does no I/O and reads no clock: datagrams and now_us in, datagrams and reports out through
 * session_io. Forged packets are counted and never end or change anything (threats.md U9, U10). */
#ifndef SLUICE_INGEST_SESSION_H
#define SLUICE_INGEST_SESSION_H

#include "gateway/ingest/lifecycle.h"
#include "gateway/rtc/cert.h"
#include "lib/base/addr.h"
#include "lib/base/ring.h"
#include "lib/base/text.h"
#include "lib/proto/msg.h"
#include "lib/proto/stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SESSION_KEYS_US (10u * 1000000u)     /* from the answer to keys (WHIP-70) */
#define SESSION_ABANDONED_US (3u * 1000000u) /* a path silent so long may be somebody else's */
#define SESSION_SILENCE_US (30u * 1000000u)  /* without an authenticated packet (WHIP-72) */
#define SESSION_RTCP_PER_S 200u              /* compounds taken per second (U14) */
#define SESSION_RESTARTS_PER_S 4u            /* ICE restarts taken per second */
#define SESSION_WANTS_PER_S 4u               /* flows asked for per second, without a check */
#define SESSION_WANT_US 200000u              /* until the same one is asked for again */

/* What the owner does for the session; called inside the functions below and must not call them. */
struct session_io {
    void (*send)(void *ctx, size_t path, const uint8_t *data, size_t len);
    void (*close_path)(void *ctx, size_t path);                /* its flow goes back to edge */
    void (*want_path)(void *ctx, const struct msg_path *path); /* edge is asked for that flow */
    void (*report)(void *ctx, const struct msg_ingest_state *state);
    /* Each second once keyed; path: the one in use, TUPLES_NONE without one. */
    void (*stats)(void *ctx, size_t path, const struct stats *stats);
};

/* What a session needs besides the offer. cert and ring stay the caller's and must outlive it. */
struct session_config {
    const struct settings_ingest *settings;
    const struct msg_ingest_bind *bind;
    const struct cert *cert;
    struct ring_writer *ring;
    int64_t wall_offset_us; /* wall clock minus CLOCK_MONOTONIC */
};

struct session;

/* 0 or -ENOMEM. config is copied. */
int session_new(const struct session_config *config, const struct session_io *io, void *ctx,
                struct session **out);
void session_free(struct session *s); /* wipes, without a word to anybody; NULL allowed */

/* Answers the offer: fills *out (status 201 and credentials, or 4xx and a reason) and writes the
 * answer's text to text[cap]; *out_len is 0 for a refusal, after which the session has ended. */
void session_offer(struct session *s, struct slice offer, uint64_t now_us, struct msg_answer *out,
                   char *text, size_t cap, size_t *out_len);

/* A trickle, or an ICE restart: fills *out with a status and a reason (WHIP-57 to 62), after a
 * restart also with our new pair, for which edge must let checks in before the publisher is told;
 * our fragment then goes to text[cap], *out_len is 0 otherwise. Whatever is refused leaves the
 * session as it was; DTLS, SRTP and all paths go on in any case (WHIP-63). */
void session_fragment(struct session *s, const struct msg_fragment *fragment, struct slice body,
                      struct msg_fragment_result *out, char *text, size_t cap, size_t *out_len);

/* A socket of the tuple exists at this place; nothing about it is trusted before its first
 * authentic check. */
void session_open_path(struct session *s, size_t path, const struct addr *remote, uint64_t now_us);
/* The path's socket is gone. */
void session_close_path(struct session *s, size_t path);
/* Takes one datagram of a path; data is overwritten by decryption. */
void session_receive(struct session *s, size_t path, uint8_t *data, size_t len, uint64_t now_us);
/* Takes a media packet from a tuple that has no path here, as edge showed it to us: the publisher's
 * NAT may have given it a new port, seconds before its next check (U17). Only an authentic one of a
 * known source counts; then it is media, and edge is asked for the flow. Media is taken from such a
 * path, but nothing is sent to it, and its DTLS is dropped, until an authentic check came from it
 * (ICE-07, W8). One that is not authentic costs one look at its tag and nothing else. */
void session_stray(struct session *s, const struct msg_path *path, uint8_t *data, size_t len,
                   uint64_t now_us);
/* To be called after a batch of datagrams and when session_due_us has come. */
void session_on_timer(struct session *s, uint64_t now_us);
uint64_t session_due_us(const struct session *s, uint64_t now_us);

void session_want_keyframe(struct session *s);
/* Sends close_notify, wipes and reports INGEST_ENDED, once. */
void session_end(struct session *s, enum end_reason reason);

enum session_state session_state(const struct session *s);

#endif
