/* The states of a published session, and which event leads from which to which.
 *
 *   BOUND --answered--> OFFERED --first check--> CONNECTED --keys--> KEYED --first frame--> LIVE
 *   every state --end--> ENDED, where all keys and media are wiped */
#ifndef SLUICE_INGEST_LIFECYCLE_H
#define SLUICE_INGEST_LIFECYCLE_H

enum session_state {
    SESSION_BOUND,
    SESSION_OFFERED,
    SESSION_CONNECTED,
    SESSION_KEYED,
    SESSION_LIVE,
    SESSION_ENDED,
    SESSION_STATE_COUNT,
};

enum session_event {
    SESSION_ANSWERED, /* an offer was answered with 201 */
    SESSION_CHECKED,  /* an authentic STUN check came */
    SESSION_SECURED,  /* DTLS is done, SRTP keys exist */
    SESSION_FRAME,    /* a frame went into the ring */
    SESSION_END,      /* for the reason given */
    SESSION_EVENT_COUNT,
};

const char *lifecycle_name(enum session_state state);

/* The state after the event, or -EPROTO when it does not belong there; such an event changes
 * nothing. */
int lifecycle_next(enum session_state state, enum session_event event);

#endif
