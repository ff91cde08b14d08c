/* What a session is made of, for the files that session.h is implemented in. */
#ifndef SLUICE_INGEST_SESSION_STATE_H
#define SLUICE_INGEST_SESSION_STATE_H

#include "gateway/ingest/ceiling.h"
#include "gateway/ingest/client.h"
#include "gateway/ingest/feedback.h"
#include "gateway/ingest/media.h"
#include "gateway/ingest/session.h"
#include "gateway/ingest/tuples.h"
#include "gateway/rtc/answer.h"
#include "gateway/rtc/dtls.h"
#include "gateway/rtc/icestate.h"
#include "gateway/rtc/srtp.h"

/* Invariant: answer exists from OFFERED on, dtls and media too; srtp from KEYED on; none of them in
 * ENDED. */
struct session {
    enum session_state state;
    struct session_io io;
    void *ctx;
    struct settings_ingest settings;
    struct msg_ingest_bind bind;
    const struct cert *cert;
    struct ring_writer *ring;
    int64_t wall_offset_us;
    struct answer *answer;
    struct icestate ice;
    struct tuples tuples;
    struct dtls *dtls;
    struct srtp *srtp;
    struct media *media;
    struct feedback feedback;
    struct ceiling ceiling;
    uint64_t answered_us;
    uint64_t alive_us;
    uint64_t tick_us;
    uint64_t last_packet_us; /* survives the media for the last report */
    unsigned rtcp_this_second;
    unsigned restarts_this_second;
    unsigned wants_this_second;
    struct msg_path wanted; /* last */
    uint64_t wanted_us;
    enum stats_client client;
    uint64_t bad_srtp; /* this one and those below: packets, for the stats */
    uint64_t replayed;
    uint64_t over_limit;
    uint64_t malformed;
    uint64_t unexpected;
    uint64_t dropped;
};

/* ---- session.c ---- */

/* Takes the session to where the event leads, if it belongs there (lifecycle.h). */
void session_step(struct session *s, enum session_event event, enum end_reason reason);
/* Frees and overwrites all keys, media and credentials. */
void session_wipe(struct session *s);

/* ---- session_offer.c ---- */

/* What our side brings to an answer or a fragment, with our newest pair; borrows from the session.
 */
struct answer_local session_local(const struct session *s);

/* ---- session_receive.c ---- */

/* For dtls_new; ctx is the session. */
void session_send_dtls(void *ctx, const uint8_t *data, size_t len);
/* What DTLS said, also by its timer. May end the session. */
void session_on_dtls(struct session *s, enum dtls_event event, uint64_t now_us);
/* The path's flow goes back to edge (design.md 2a); TUPLES_NONE: nothing. */
void session_return_path(struct session *s, size_t path);
/* A packet of RTP, when there are keys. True when it was authentic; the session may have ended. */
bool session_take_rtp(struct session *s, uint8_t *data, size_t len, uint64_t now_us);

#endif
