/* Sizes and names of the control messages. */
#include "lib/proto/msg.h"

#define READY_TABLE_MAX 8192u /* characters of a descriptor table */

#define ROW(type, body, blob, fds)                                                                 \
    [MSG_##type] = {.name = #type, .body_len = (body), .blob_max = (blob), .fd_count = (fds)}
#define BODY(name) sizeof(struct name)

static const struct msg_shape shapes[MSG_TYPE_COUNT] = {
    ROW(SETTINGS, 0, CHAN_BLOB_MAX, CHAN_FDS_ANY),
    ROW(READY, BODY(msg_ready), READY_TABLE_MAX, 0),
    ROW(PING, BODY(msg_number), 0, 0),
    ROW(PONG, BODY(msg_number), 0, 0),
    ROW(TEST, BODY(msg_number), 0, 0),

    ROW(PUBLISH, BODY(msg_publish), STREAM_OFFER_MAX, 0),
    ROW(PUBLISH_RESULT, BODY(msg_publish_result), STREAM_ANSWER_MAX, 0),
    ROW(SESSION, BODY(msg_session), STREAM_FRAGMENT_MAX, 0),
    ROW(SESSION_RESULT, BODY(msg_session_result), STREAM_ANSWER_MAX, 0),
    ROW(STREAM_LINK, BODY(msg_stream_link), 0, 1),
    ROW(STREAM_STATE, BODY(msg_stream_state), 0, 0),

    ROW(LEASE_ASK, BODY(msg_lease_ask), 0, 0),
    ROW(LEASE_GRANT, BODY(msg_lease_grant), 0, 0),
    ROW(LEASE_RELEASE, BODY(msg_lease_release), 0, 0),
    ROW(LEASE_LIVE, BODY(msg_lease_live), 0, 0),
    ROW(LEASE_END, BODY(msg_lease_end), 0, 0),
    ROW(CTL, BODY(msg_ctl), 0, 0),
    ROW(CTL_ROW, BODY(msg_ctl_row), 0, 0),
    ROW(CTL_DONE, BODY(msg_ctl_done), 0, 0),

    ROW(EXPECT, BODY(msg_expect), 0, 0),
    ROW(FORGET, BODY(msg_number), 0, 0),
    ROW(PATH, BODY(msg_path), STREAM_DATAGRAM_MAX, 1),
    ROW(PATH_BYTES, BODY(msg_path), STREAM_DATAGRAM_MAX, 0),
    ROW(STRAY, BODY(msg_path), STREAM_DATAGRAM_MAX, 0),
    ROW(PATH_WANT, BODY(msg_path), 0, 0),
    ROW(PATH_GONE, BODY(msg_path), 0, 0),

    ROW(INGEST_BIND, BODY(msg_ingest_bind), 0, 2),
    ROW(RING_MAPPED, BODY(msg_number), 0, 0),
    ROW(OFFER, BODY(msg_number), STREAM_OFFER_MAX, 0),
    ROW(ANSWER, BODY(msg_answer), STREAM_ANSWER_MAX, 0),
    ROW(FRAGMENT, BODY(msg_fragment), STREAM_FRAGMENT_MAX, 0),
    ROW(FRAGMENT_RESULT, BODY(msg_fragment_result), STREAM_ANSWER_MAX, 0),
    ROW(INGEST_STATE, BODY(msg_ingest_state), 0, 0),
    ROW(STATS, BODY(stats), 0, 0),
    ROW(END, BODY(msg_end), 0, 0),
    ROW(WANT_KEYFRAME, BODY(msg_number), 0, 0),

    ROW(TRANSCODE_BIND, BODY(msg_transcode_bind), 0, 2),
    ROW(CONSUMER, BODY(msg_number), 0, 1),
    ROW(SEGMENT_OPENED, BODY(msg_segment_opened), 0, 0),
    ROW(PLAYABLE, BODY(msg_number), 0, 0),
    ROW(REFUSED, BODY(msg_number), 0, 0),

    ROW(SEEN_ADDRESS, BODY(msg_seen_address), 0, 0),
    ROW(SERVING, BODY(msg_number), 0, 0),
    ROW(LINK_WANTED, BODY(msg_stream_link), 0, 0),
    ROW(PATH_HELD, BODY(msg_path), 0, 0),
};
_Static_assert(STREAM_OFFER_MAX <= CHAN_BLOB_MAX, "an offer travels in one message");
_Static_assert(sizeof(struct settings_web) <= CHAN_BODY_MAX, "body limit");
_Static_assert(sizeof(struct settings_edge) <= CHAN_BODY_MAX, "body limit");
_Static_assert(sizeof(struct settings_ingest) <= CHAN_BODY_MAX, "body limit");
_Static_assert(SETTINGS_UDP_MAX + STREAM_ADDRESSES_MAX <= CHAN_FDS_MAX, "descriptor limit");
_Static_assert(sizeof(struct msg_ingest_bind) <= CHAN_BODY_MAX, "body limit");
_Static_assert(sizeof(struct msg_ctl_row) <= CHAN_BODY_MAX, "body limit");
_Static_assert(sizeof(struct msg_answer) <= CHAN_BODY_MAX, "body limit");

const struct msg_shape *msg_shape(enum msg_type type)
{
    if ((unsigned)type >= MSG_TYPE_COUNT || !shapes[type].name)
        return NULL;
    return &shapes[type];
}

const char *msg_name(unsigned type)
{
    const struct msg_shape *shape = msg_shape((enum msg_type)type);
    return shape ? shape->name : "unknown";
}
