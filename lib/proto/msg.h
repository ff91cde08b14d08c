/* Every message on the control channels between the supervisor and the roles.
 *
 * Bodies are fixed structs without hidden padding; blobs are opaque to the supervisor, which only
 * carries them (design.md 2a). Text fields are NUL-terminated inside their field. Who may send what
 * in which phase is the receiver's rule table; sizes and descriptor counts come from msg_shape().
 */
#ifndef SLUICE_PROTO_MSG_H
#define SLUICE_PROTO_MSG_H

#include "lib/base/addr.h"
#include "lib/base/chan.h"
#include "lib/base/sandbox.h"
#include "lib/proto/grant.h"
#include "lib/proto/settings.h"
#include "lib/proto/stats.h"
#include "lib/proto/stream.h"

#include <stdint.h>

enum msg_type {
    MSG_SETTINGS = 1, /* S>role: struct settings_*, descriptors as settings.h says */
    MSG_READY,        /* role>S: struct msg_ready; blob: descriptor table as text */
    MSG_PING,         /* S>role: struct msg_number, once a second */
    MSG_PONG,         /* role>S: the same number */
    MSG_TEST,         /* S>role: struct msg_number: run escape attempt; only with test_hooks */

    MSG_PUBLISH,        /* web>S: struct msg_publish; blob: the offer */
    MSG_PUBLISH_RESULT, /* S>web: struct msg_publish_result; blob: the answer */
    MSG_SESSION,        /* web>S: struct msg_session; SESSION_PATCH: blob: the fragment */
    MSG_SESSION_RESULT, /* S>web: struct msg_session_result; 200 to a PATCH: blob: our fragment */
    MSG_STREAM_LINK,    /* S>web: struct msg_stream_link; 1 descriptor: pair end to transcode */
    MSG_STREAM_STATE,   /* S>web: struct msg_stream_state */

    MSG_LEASE_ASK,     /* S>auth: struct msg_lease_ask */
    MSG_LEASE_GRANT,   /* auth>S: struct msg_lease_grant */
    MSG_LEASE_RELEASE, /* S>auth: struct msg_lease_release */
    MSG_LEASE_LIVE,    /* S>auth: struct msg_lease_live, for each live lease after a restart */
    MSG_LEASE_END,     /* auth>S: struct msg_lease_end */
    MSG_CTL,           /* auth>S: struct msg_ctl: a stream command of sluicectl */
    MSG_CTL_ROW,       /* S>auth: struct msg_ctl_row, any number of times */
    MSG_CTL_DONE,      /* S>auth: struct msg_ctl_done */

    MSG_EXPECT,     /* S>edge: struct msg_expect */
    MSG_FORGET,     /* S>edge: struct msg_number: the session */
    MSG_PATH,       /* edge>S>ingest: struct msg_path; UDP: blob: first datagram; 1 descriptor */
    MSG_PATH_BYTES, /* edge>S>ingest: struct msg_path; blob: a datagram of a known UDP tuple */
    MSG_STRAY,      /* edge>S>ingest: struct msg_path; blob: media of an unknown UDP tuple that may
                       be this session's (gateway/edge/stray.h) */
    MSG_PATH_WANT,  /* ingest>S>edge: struct msg_path: that tuple is ours; answered by MSG_PATH
                       without datagram, or not at all */
    MSG_PATH_GONE,  /* ingest>S>edge: struct msg_path: socket closed, the tuple is free again */

    MSG_INGEST_BIND, /* S>ingest: struct msg_ingest_bind; descriptors: ring, transcode's eventfd */
    MSG_RING_MAPPED, /* ingest>S: struct msg_number: the session; now the supervisor seals */
    MSG_OFFER,       /* S>ingest: struct msg_number: the session; blob: the offer */
    MSG_ANSWER,      /* ingest>S: struct msg_answer; blob: the answer */
    MSG_FRAGMENT,    /* S>ingest: struct msg_fragment; blob: the publisher's fragment */
    MSG_FRAGMENT_RESULT, /* ingest>S: struct msg_fragment_result; 200: blob: our fragment */
    MSG_INGEST_STATE,    /* ingest>S: struct msg_ingest_state */
    MSG_STATS,           /* ingest>S: struct stats */
    MSG_END,             /* S>ingest, S>transcode: struct msg_end */
    MSG_WANT_KEYFRAME,   /* transcode>S>ingest: struct msg_number: the track */

    MSG_TRANSCODE_BIND, /* S>transcode: struct msg_transcode_bind; descriptors: ring, eventfd */
    MSG_CONSUMER,       /* S>transcode: struct msg_number: who; 1 descriptor: pair end, instead of
                           the one that it had */
    MSG_SEGMENT_OPENED, /* transcode>S: struct msg_segment_opened */
    MSG_PLAYABLE,       /* transcode>S: struct msg_number: the session: first part is out */
    MSG_REFUSED,        /* transcode>S: struct msg_number: the session: its video is of no use */

    MSG_SEEN_ADDRESS, /* edge>S: struct msg_seen_address */
    MSG_SERVING,      /* S>web: struct msg_number: 1 = a publisher would be served, else 0 */
    MSG_LINK_WANTED,  /* web>S: struct msg_stream_link: this live stream's link was lost */
    MSG_PATH_HELD,    /* S>edge: struct msg_path: that tuple was open before edge was restarted */
    MSG_TYPE_COUNT,
};

struct msg_number {
    uint64_t number;
};

struct msg_ready {
    struct sandbox_report sandbox;
    uint32_t memory_locked; /* 1: the role's secrets are locked in memory */
    uint32_t fd_count;      /* descriptors open in the role */
};

struct msg_publish {
    uint64_t request; /* web's own number, echoed */
    struct addr peer;
    uint32_t pad;
    char stream[STREAM_NAME_MAX + 8];
    char token[STREAM_TOKEN_MAX + 8];
};

/* status is the HTTP status that web gives; reason a sentence for the problem body. */
struct msg_publish_result {
    uint64_t request;
    uint16_t status;
    uint16_t retry_after_s; /* 0 = none */
    uint16_t guessing;      /* 1: a 429 because of others' wrong tokens from this address (H8) */
    uint16_t pad;
    char url_id[STREAM_URL_ID_LEN + 8];
    char etag[STREAM_ETAG_LEN + 8];
    char reason[STREAM_REASON_MAX];
    struct turn_credential turn; /* for the Link headers of a 201 (WHIP-49) */
};

enum msg_session_op { SESSION_GET, SESSION_DELETE, SESSION_PATCH, SESSION_OP_COUNT };

/* What If-Match said (RFC 9110 13.1.1). */
enum session_match { MATCH_NONE, MATCH_ANY, MATCH_TAG, SESSION_MATCH_COUNT };

struct msg_session {
    uint64_t request;
    uint32_t op; /* enum msg_session_op */
    struct addr peer;
    uint32_t match; /* SESSION_PATCH: enum session_match */
    char url_id[STREAM_URL_ID_LEN + 8];
    char token[STREAM_TOKEN_MAX + 8];   /* may be empty for SESSION_GET */
    char if_match[STREAM_ETAG_LEN + 8]; /* MATCH_TAG: the tag without its quotes */
};

/* status is the HTTP status that web gives; reason a sentence for the problem body, or empty. */
struct msg_session_result {
    uint64_t request;
    uint16_t status;
    uint16_t end_reason;    /* enum end_reason, when the session has ended a short time ago */
    uint16_t retry_after_s; /* 0 = none */
    uint16_t guessing;      /* 1: a 429 because of others' wrong tokens from this address (H8) */
    char etag[STREAM_ETAG_LEN + 8]; /* after an ICE restart the new one, else empty */
    char reason[STREAM_REASON_MAX];
};

/* A transcode worker for this stream exists; its part messages come on the descriptor. */
struct msg_stream_link {
    uint64_t session;
    char stream[STREAM_NAME_MAX + 8];
};

enum stream_state {
    STREAM_LIVE,
    STREAM_REJOIN, /* publisher lost: the playlist stays open for rejoin_window */
    STREAM_ENDED,  /* ENDLIST */
    STREAM_GONE,   /* forget it */
    STREAM_STATE_COUNT,
};

struct msg_stream_state {
    uint64_t session;
    uint32_t state;  /* enum stream_state */
    uint32_t reason; /* enum end_reason */
    char stream[STREAM_NAME_MAX + 8];
};

/* purpose: may this token publish this stream (a lease is made), or: which token is it (session
 * requests; stream is empty, no lease is made, only verdict and token_id count). */
enum msg_lease_purpose { LEASE_PUBLISH, LEASE_IDENTIFY, LEASE_PURPOSE_COUNT };

struct msg_lease_ask {
    uint64_t request;
    uint32_t purpose;
    struct addr peer;
    char stream[STREAM_NAME_MAX + 8];
    char token[STREAM_TOKEN_MAX + 8];
};

struct msg_lease_grant {
    uint64_t request;
    struct grant grant;
    struct turn_credential turn; /* LEASE_PUBLISH with GRANT_OK, if TURN servers are configured */
};

struct msg_lease_release {
    uint64_t lease_id;
    uint64_t used_us;
};

struct msg_lease_live {
    uint64_t lease_id;
    char token_id[STREAM_TOKEN_ID_MAX + 8];
    char stream[STREAM_NAME_MAX + 8];
};

struct msg_lease_end {
    uint64_t lease_id;
    uint32_t reason; /* END_REVOKED or END_LIMIT */
    uint32_t pad;
};

enum msg_ctl_op { CTL_STREAMS, CTL_KICK, CTL_STATUS, CTL_OP_COUNT };

struct msg_ctl {
    uint64_t request;
    uint32_t op; /* enum msg_ctl_op */
    uint32_t pad;
    char stream[STREAM_NAME_MAX + 8]; /* CTL_KICK */
};

/* One live stream (CTL_STREAMS) or one process (CTL_STATUS: name and pid only). */
struct msg_ctl_row {
    uint64_t request;
    uint64_t session;
    uint64_t age_us;
    uint64_t remaining_us; /* UINT64_MAX = no limit */
    uint32_t pid_ingest;   /* CTL_STATUS: the process itself */
    uint32_t pid_transcode;
    uint32_t state; /* enum stream_state; CTL_STATUS: 1 = ready */
    uint32_t pad;
    char name[STREAM_NAME_MAX + 8]; /* stream, or role */
    char token_id[STREAM_TOKEN_ID_MAX + 8];
    struct stats stats;
};

struct msg_ctl_done {
    uint64_t request;
    int32_t result; /* 0 or a negative errno: -ENOENT for an unknown stream */
    uint32_t ready; /* CTL_STATUS: 1 = every role is up */
};

struct msg_expect {
    uint64_t session;
    char ufrag[STREAM_UFRAG_LEN + 8];
    char pwd[STREAM_PWD_LEN + 8];
};

/* A TCP path's first frame is still unread in its socket. */
struct msg_path {
    uint64_t session;
    struct addr local;
    struct addr remote;
    uint32_t transport; /* enum transport */
    uint32_t pad;
};

/* A STUN server saw our socket at `local` as `seen`: there is a NAT if they differ. */
struct msg_seen_address {
    struct addr local;
    struct addr seen;
};

struct msg_ingest_bind {
    uint64_t session;
    uint64_t max_bitrate_bps;
    uint32_t ring_bytes;
    uint16_t max_width;
    uint16_t max_height;
    uint32_t candidate_count; /* at least 1 */
    uint32_t tcp_count;
    struct addr candidates[STREAM_ADDRESSES_MAX]; /* UDP, in the answer, best first */
    struct addr tcp[STREAM_ADDRESSES_MAX];        /* ICE-TCP passive (RFC 6544) */
    char stream[STREAM_NAME_MAX + 8];
};

/* status 201 with an answer, or the 4xx that web gives, with a reason and no blob. */
struct msg_answer {
    uint64_t session;
    uint16_t status;
    uint16_t renditions; /* mask 1 video, 2 audio: what the answer accepted */
    uint16_t pad[2];
    char ufrag[STREAM_UFRAG_LEN + 8];
    char pwd[STREAM_PWD_LEN + 8];
    char reason[STREAM_REASON_MAX];
};

/* A trickle or an ICE restart (RFC 9725 4.3). One at a time for a session. */
struct msg_fragment {
    uint64_t session;
    uint64_t request;     /* the supervisor's own number, echoed */
    uint32_t may_restart; /* 1: If-Match was *; 0: a fragment that restarts gets 428 (WHIP-59) */
    uint32_t pad;
};

/* status 204 for a trickle; 200 with ufrag, pwd and a fragment for a restart; or the 4xx that web
 * gives, with a reason. ufrag and pwd are empty but for a restart. */
struct msg_fragment_result {
    uint64_t session;
    uint64_t request;
    uint16_t status;
    uint16_t pad[3];
    char ufrag[STREAM_UFRAG_LEN + 8];
    char pwd[STREAM_PWD_LEN + 8];
    char reason[STREAM_REASON_MAX];
};

enum ingest_state { INGEST_CONNECTED, INGEST_KEYED, INGEST_LIVE, INGEST_ENDED, INGEST_STATE_COUNT };

struct msg_ingest_state {
    uint64_t session;
    uint64_t last_packet_us; /* INGEST_ENDED: CLOCK_MONOTONIC of the last accepted media packet */
    uint32_t state;          /* enum ingest_state */
    uint32_t reason;         /* INGEST_ENDED: enum end_reason */
};

struct msg_end {
    uint64_t session;
    uint32_t reason; /* enum end_reason */
    uint32_t pad;
};

struct msg_transcode_bind {
    uint64_t session;
    uint64_t epoch;
    uint64_t next_msn;
    uint64_t next_discontinuity; /* sequence number of the first segment */
    uint64_t max_bitrate_bps;
    uint32_t continues;  /* 1: successor: first segment carries a discontinuity */
    uint32_t renditions; /* mask 1 video, 2 audio, from msg_answer */
    char stream[STREAM_NAME_MAX + 8];
};

struct msg_segment_opened {
    uint64_t session;
    uint64_t msn;
    uint64_t discontinuity_sequence;
};

/* What a message of this type looks like, for rule tables: chan_rule fields of the same names.
 * MSG_SETTINGS: body_len is 0 because each role has its own, fd_count is CHAN_FDS_ANY. */
struct msg_shape {
    const char *name;
    size_t body_len;
    size_t blob_max;
    size_t fd_count;
};
const struct msg_shape *msg_shape(enum msg_type type); /* NULL for an unknown type */
const char *msg_name(unsigned type);                   /* "unknown" for an unknown type */

#endif
