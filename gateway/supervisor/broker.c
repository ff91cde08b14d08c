#include "gateway/supervisor/broker.h"

#include "gateway/supervisor/control_rows.h"
#include "gateway/supervisor/fragment.h"
#include "gateway/supervisor/supervisor.h"
#include "gateway/supervisor/takeover.h"
#include "lib/proto/msg.h"

#include <errno.h>
#include <string.h>

#define WARM (1U << PHASE_WARM)
#define BOUND (1U << PHASE_BOUND)
#define ENDING (1U << PHASE_ENDING)
#define STARTING (1U << PHASE_STARTING)
#define STRAYS_GIVEN_MAX 16U

/* The body and its sizes are checked by chan; text fields are checked here. */
#define TEXT_OK(field) text_is_terminated(field, sizeof(field))

static int on_ready(void *ctx, const struct chan_message *m)
{
    struct process *p = ctx;
    int rc = process_on_ready(p, m->body);
    if (rc)
        return rc;
    switch (p->kind) {
    case PROCESS_EDGE:
        publication_tell_edge(p->sup);
        break;
    case PROCESS_AUTH:
        publication_tell_auth(p->sup);
        break;
    case PROCESS_WEB:
        playback_tell_web(p->sup, p);
        break;
    case PROCESS_INGEST:
        publication_on_worker(p->sup);
        break;
    case PROCESS_TRANSCODE:
        playback_on_worker(p->sup);
        break;
    case PROCESS_KIND_COUNT:
        break;
    }
    process_tell_serving(p->sup);
    if (process_all_ready(p->sup) && !p->sup->announced) {
        p->sup->announced = true;
        log_event(LOG_INFO, "ready", "port=%u", p->sup->conf.port);
    }
    return 0;
}

static int on_pong(void *ctx, const struct chan_message *m)
{
    struct process *p = ctx;
    const struct msg_number *pong = m->body;
    process_on_pong(p, pong->number);
    if (p->kind == PROCESS_TRANSCODE && p->owner)
        playback_on_pong(p->owner, p);
    return 0;
}

/* ---- web ---- */

static int on_publish(void *ctx, const struct chan_message *m)
{
    struct process *web = ctx;
    const struct msg_publish *publish = m->body;
    if (!TEXT_OK(publish->stream) || !TEXT_OK(publish->token) ||
        !stream_name_valid(slice_of(publish->stream)))
        return -EBADMSG;
    publication_request(web->sup, web, publish, m->blob, m->blob_len);
    return 0;
}

static int on_session(void *ctx, const struct chan_message *m)
{
    struct process *web = ctx;
    const struct msg_session *session = m->body;
    if (!TEXT_OK(session->url_id) || !TEXT_OK(session->token) || !TEXT_OK(session->if_match) ||
        session->op >= SESSION_OP_COUNT || session->match >= SESSION_MATCH_COUNT ||
        (session->op != SESSION_PATCH && m->blob_len > 0))
        return -EBADMSG;
    session_url_request(web->sup, web, session, m->blob, m->blob_len);
    return 0;
}

/* ---- auth ---- */

static int on_grant(void *ctx, const struct chan_message *m)
{
    struct process *auth = ctx;
    const struct msg_lease_grant *grant = m->body;
    if (!TEXT_OK(grant->grant.token_id) || grant->grant.verdict >= GRANT_VERDICT_COUNT ||
        grant->grant.clash >= CLASH_COUNT || !TEXT_OK(grant->turn.username) ||
        !TEXT_OK(grant->turn.password))
        return -EBADMSG;
    if (!session_url_on_grant(auth->sup, grant))
        publication_on_grant(auth->sup, grant);
    return 0;
}

static int on_lease_end(void *ctx, const struct chan_message *m)
{
    struct process *auth = ctx;
    const struct msg_lease_end *end = m->body;
    if (end->reason != END_REVOKED && end->reason != END_LIMIT)
        return -EBADMSG;
    struct publication *p = publication_by_lease(auth->sup, end->lease_id);
    struct publication *next = p ? takeover_successor(auth->sup, p->session) : NULL;
    /* of the same token: its own message follows, and until then it must not get p's place */
    if (next && end->reason == END_REVOKED &&
        strncmp(next->grant.token_id, p->grant.token_id, sizeof(p->grant.token_id)) == 0)
        publication_end(next, end->reason);
    if (p)
        publication_end(p, end->reason);
    return 0;
}

static int on_ctl(void *ctx, const struct chan_message *m)
{
    struct process *auth = ctx;
    const struct msg_ctl *ctl = m->body;
    if (!TEXT_OK(ctl->stream) || ctl->op >= CTL_OP_COUNT)
        return -EBADMSG;
    control_rows_answer(auth->sup, auth, ctl);
    return 0;
}

/* ---- edge: datagrams pass through as opaque bytes ---- */

static int on_path(void *ctx, const struct chan_message *m)
{
    struct process *edge = ctx;
    const struct msg_path *path = m->body;
    struct publication *p = publication_by_session(edge->sup, path->session);
    if (path->transport >= TRANSPORT_COUNT)
        return -EBADMSG;
    if (!p || p->state != PUBLICATION_LIVE)
        return 0; /* it ended while this was on its way; the descriptor is closed by chan */
    if (edge->sup->root && path->transport == TRANSPORT_UDP)
        (void)listen_set_receive_buffer(m->fds[0], (int)edge->sup->conf.receive_buffer_bytes);
    p->paths_given++;
    flows_add(&p->flows, path);
    (void)process_send(p->ingest, MSG_PATH, path, m->blob, m->blob_len, m->fds);
    return 0;
}

/* Passes m on to the publication's worker: *out_to, or NULL when it has not got it. Datagrams may
 * be lost; a worker that cannot keep up may not be killed through this door. */
static int pass_datagram(struct process *edge, const struct chan_message *m,
                         struct publication **out_to)
{
    const struct msg_path *path = m->body;
    struct publication *p = publication_by_session(edge->sup, path->session);
    *out_to = NULL;
    if (path->transport != TRANSPORT_UDP)
        return -EBADMSG;
    if (p && p->state == PUBLICATION_LIVE &&
        process_try_send(p->ingest, m->type, path, m->blob, m->blob_len, NULL) == 0)
        *out_to = p;
    return 0;
}

static int on_path_bytes(void *ctx, const struct chan_message *m)
{
    struct publication *to;
    int rc = pass_datagram(ctx, m, &to);
    if (to)
        to->paths_given++;
    return rc;
}

/* Media of a tuple that nobody knows, for a worker that may know it. */
static int on_stray(void *ctx, const struct chan_message *m)
{
    struct publication *to;
    int rc = pass_datagram(ctx, m, &to);
    if (to && to->strays_given < STRAYS_GIVEN_MAX)
        to->strays_given++;
    return rc;
}

/* What a STUN server told edge; for the answers from now on. */
static int on_seen_address(void *ctx, const struct chan_message *m)
{
    struct process *edge = ctx;
    struct listeners *l = &edge->sup->listeners;
    const struct msg_seen_address *found = m->body;
    char text[ADDR_TEXT_MAX];
    bool news = false;
    if ((found->seen.family != 4 && found->seen.family != 6) ||
        edge->sup->conf.stun_server.family == 0)
        return -EBADMSG;
    for (size_t i = 0; i < l->media_count; i++) {
        bool told = edge->seen_mask & (1U << i);
        if (told || !addr_same_host(&l->media[i], &found->local) ||
            found->seen.family != l->media[i].family)
            continue;
        l->seen[i] = found->seen;
        edge->seen_mask |= 1U << i;
        news = true;
    }
    if (!news)
        return -EPROTO; /* one report per address: more would let edge steer the candidates */
    addr_format_private(&found->seen, text);
    log_event(LOG_INFO, "seen_address", "as=%s nat=%d", text,
              !addr_same_host(&found->local, &found->seen));
    return 0;
}

/* ---- ingest: whatever it says is about the publication it was bound to ---- */

static struct publication *publication_of(struct process *ingest, uint64_t session)
{
    struct publication *p = ingest->owner;
    return p && p->session == session ? p : NULL;
}

static int on_mapped(void *ctx, const struct chan_message *m)
{
    const struct msg_number *session = m->body;
    struct publication *p = publication_of(ctx, session->number);
    if (!p || p->mapped)
        return -EPROTO;
    publication_on_mapped(p);
    return 0;
}

static int on_answer(void *ctx, const struct chan_message *m)
{
    const struct msg_answer *answer = m->body;
    struct publication *p = publication_of(ctx, answer->session);
    if (!p || p->state != PUBLICATION_OFFERED)
        return -EPROTO;
    if (!TEXT_OK(answer->ufrag) || !TEXT_OK(answer->pwd) || !TEXT_OK(answer->reason) ||
        answer->renditions > 3 ||
        (answer->status == 201 && (answer->renditions == 0 || m->blob_len == 0 ||
                                   !stream_pair_valid(answer->ufrag, answer->pwd))))
        return -EBADMSG; /* edge would end with a pair that it cannot hold */
    publication_on_answer(p, answer, m->blob, m->blob_len);
    return 0;
}

static int on_fragment_result(void *ctx, const struct chan_message *m)
{
    const struct msg_fragment_result *result = m->body;
    struct publication *p = publication_of(ctx, result->session);
    if (!TEXT_OK(result->ufrag) || !TEXT_OK(result->pwd) || !TEXT_OK(result->reason))
        return -EBADMSG;
    if (!p)
        return -EPROTO;
    if (p->state != PUBLICATION_LIVE)
        return 0; /* it ended meanwhile */
    return fragment_on_result(p, result, m->blob, m->blob_len);
}

/* The supervisor's own reasons are not the worker's to give: they decide about ENDLIST and are told
 * to the publisher. */
static bool is_own_end(uint32_t reason)
{
    return reason == END_CLOSED || reason == END_SILENT || reason == END_NOT_STARTED ||
           reason == END_REFUSED || reason == END_BROKEN || reason == END_OVER_LIMIT;
}

static int on_ingest_state(void *ctx, const struct chan_message *m)
{
    const struct msg_ingest_state *state = m->body;
    struct process *ingest = ctx;
    struct publication *p = publication_of(ingest, state->session);
    if (state->state >= INGEST_STATE_COUNT || state->reason >= END_REASON_COUNT)
        return -EBADMSG;
    if (!p || p->state != PUBLICATION_LIVE)
        return 0;
    if (state->state == INGEST_ENDED ? !is_own_end(state->reason) : state->reason != END_NONE)
        return -EPROTO;
    publication_on_state(p, state);
    return 0;
}

static int on_stats(void *ctx, const struct chan_message *m)
{
    struct process *ingest = ctx;
    struct publication *p = ingest->owner;
    if (p)
        memcpy(&p->stats, m->body, sizeof(p->stats));
    return 0;
}

static int on_path_gone(void *ctx, const struct chan_message *m)
{
    struct process *ingest = ctx;
    const struct msg_path *path = m->body;
    struct publication *p = publication_of(ingest, path->session);
    if (path->transport >= TRANSPORT_COUNT)
        return -EBADMSG;
    if (!p)
        return 0;
    if (p->paths_given == 0) /* without end they would fill edge's queue, which all streams share */
        return -EPROTO;
    p->paths_given--;
    flows_remove(&p->flows, path);
    (void)process_send(process_find(ingest->sup, PROCESS_EDGE), MSG_PATH_GONE, path, NULL, 0, NULL);
    return 0;
}

/* Edge checks itself that it has shown the worker a packet of this tuple. */
static int on_path_want(void *ctx, const struct chan_message *m)
{
    struct process *ingest = ctx;
    const struct msg_path *path = m->body;
    struct publication *p = publication_of(ingest, path->session);
    if (path->transport != TRANSPORT_UDP)
        return -EBADMSG;
    if (!p)
        return 0;
    if (p->strays_given == 0) /* one for each stray, else it could fill edge's queue */
        return -EPROTO;
    p->strays_given--;
    (void)process_send(process_find(ingest->sup, PROCESS_EDGE), MSG_PATH_WANT, path, NULL, 0, NULL);
    return 0;
}

/* ---- transcode ---- */

static int on_want_keyframe(void *ctx, const struct chan_message *m)
{
    struct process *transcode = ctx;
    struct playback *pb = transcode->owner;
    const struct msg_number *track = m->body;
    struct publication *p = pb && pb->transcode == transcode
                                ? publication_by_session(transcode->sup, pb->session)
                                : NULL;
    if (track->number >= TRACK_COUNT)
        return -EBADMSG;
    if (p && p->state == PUBLICATION_LIVE)
        (void)process_send(p->ingest, MSG_WANT_KEYFRAME, track, NULL, 0, NULL);
    return 0;
}

static int on_segment_opened(void *ctx, const struct chan_message *m)
{
    struct process *transcode = ctx;
    return transcode->owner ? playback_on_segment(transcode->owner, transcode, m->body) : 0;
}

static int on_playable(void *ctx, const struct chan_message *m)
{
    struct process *transcode = ctx;
    (void)m;
    if (transcode->owner)
        playback_on_playable(transcode->owner, transcode);
    return 0;
}

static int on_refused(void *ctx, const struct chan_message *m)
{
    struct process *transcode = ctx;
    const struct msg_number *session = m->body;
    if (transcode->owner)
        playback_on_refused(transcode->owner, transcode, session->number);
    return 0;
}

static int on_link_wanted(void *ctx, const struct chan_message *m)
{
    struct process *web = ctx;
    const struct msg_stream_link *wanted = m->body;
    if (!text_is_terminated(wanted->stream, sizeof(wanted->stream)))
        return -EBADMSG;
    playback_relink(web->sup, web, wanted);
    return 0;
}

/* type, phases, handler; sizes come from msg_shape. */
struct row {
    enum msg_type type;
    uint32_t phases;
    chan_handler_fn handle;
};

#define COMMON_ROWS                                                                                \
    {MSG_READY, STARTING, on_ready},                                                               \
    {                                                                                              \
        MSG_PONG, CHAN_ANY_PHASE, on_pong                                                          \
    }

static const struct row edge_rows[] = {
    COMMON_ROWS,
    {MSG_PATH, WARM, on_path},
    {MSG_PATH_BYTES, WARM, on_path_bytes},
    {MSG_STRAY, WARM, on_stray},
    {MSG_SEEN_ADDRESS, WARM, on_seen_address},
};
static const struct row auth_rows[] = {
    COMMON_ROWS,
    {MSG_LEASE_GRANT, WARM, on_grant},
    {MSG_LEASE_END, WARM, on_lease_end},
    {MSG_CTL, WARM, on_ctl},
};
static const struct row web_rows[] = {
    COMMON_ROWS,
    {MSG_PUBLISH, WARM, on_publish},
    {MSG_SESSION, WARM, on_session},
    {MSG_LINK_WANTED, WARM, on_link_wanted},
};
static const struct row ingest_rows[] = {
    COMMON_ROWS,
    {MSG_RING_MAPPED, BOUND, on_mapped},
    {MSG_ANSWER, BOUND, on_answer},
    {MSG_FRAGMENT_RESULT, BOUND | ENDING, on_fragment_result},
    {MSG_INGEST_STATE, BOUND | ENDING, on_ingest_state},
    {MSG_STATS, BOUND | ENDING, on_stats},
    {MSG_PATH_GONE, BOUND | ENDING, on_path_gone},
    {MSG_PATH_WANT, BOUND | ENDING, on_path_want},
};
static const struct row transcode_rows[] = {
    COMMON_ROWS,
    {MSG_WANT_KEYFRAME, BOUND | ENDING, on_want_keyframe},
    {MSG_SEGMENT_OPENED, BOUND | ENDING, on_segment_opened},
    {MSG_PLAYABLE, BOUND | ENDING, on_playable},
    {MSG_REFUSED, BOUND | ENDING, on_refused},
};

#define ROWS(table)                                                                                \
    {                                                                                              \
        table, sizeof(table) / sizeof((table)[0])                                                  \
    }

static const struct {
    const struct row *rows;
    size_t count;
} tables[PROCESS_KIND_COUNT] = {
    [PROCESS_EDGE] = ROWS(edge_rows),
    [PROCESS_AUTH] = ROWS(auth_rows),
    [PROCESS_WEB] = ROWS(web_rows),
    [PROCESS_INGEST] = ROWS(ingest_rows),
    [PROCESS_TRANSCODE] = ROWS(transcode_rows),
};

size_t broker_rules(enum process_kind kind, struct chan_rule *out, size_t cap)
{
    size_t count = tables[kind].count < cap ? tables[kind].count : cap;
    for (size_t i = 0; i < count; i++) {
        const struct row *row = &tables[kind].rows[i];
        const struct msg_shape *shape = msg_shape(row->type);
        out[i] = (struct chan_rule){.type = (uint16_t)row->type,
                                    .phases = row->phases,
                                    .body_len = shape->body_len,
                                    .blob_max = shape->blob_max,
                                    .fd_count = shape->fd_count,
                                    .handle = row->handle};
    }
    return count;
}
