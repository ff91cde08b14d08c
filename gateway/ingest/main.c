/* The ingest role: one process per published stream, from offer to frames in the ring.
 *
 * Started warm: libraries used once, certificate made, sandbox entered. Then it is bound to a
 * stream and its ring, answers one offer, and ends with its session. */
#include "gateway/ingest/paths.h"
#include "gateway/ingest/session.h"
#include "gateway/rtc/cert.h"
#include "gateway/rtc/rtcwarm.h"
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/secret.h"
#include "lib/proto/role.h"

#include <errno.h>
#include <inttypes.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>

#define INGEST_FILES_MAX 32u
#define INGEST_ADDRESS_MAX (UINT64_C(1) << 30) /* code, heap, and the largest ring */
#define INGEST_DATA_MAX (512u << 20)
#define JITTER_DEADLINE_MAX_US 2000000u
#define COALESCE_MAX_US 100000u

/* Phases of the control channel. */
enum phase {
    PHASE_WARM,    /* waits for its stream */
    PHASE_BOUND,   /* waits for the offer */
    PHASE_RUNNING, /* has answered; also after a refusal, until the supervisor ends it */
};
#define IN(phase) (1u << (phase))

/* The process's state. */
struct ingest {
    struct role role;
    struct settings_ingest settings;
    struct rtcwarm *warm;
    struct cert *cert;
    struct ring_writer *ring;
    struct msg_ingest_bind bind;
    struct session *session;
    struct paths *paths;
    struct loop_timer timer;
};

/* ---- time ---- */

static void on_timer(void *ctx);

/* One timer for all that the session waits for. */
static void arm(struct ingest *in, uint64_t now_us)
{
    uint64_t due_us = session_due_us(in->session, now_us);
    if (due_us == UINT64_MAX)
        loop_timer_cancel(&in->role.loop, &in->timer);
    else
        (void)loop_timer_set(&in->role.loop, &in->timer, due_us, on_timer, in);
}

static void on_batch(void *ctx, uint64_t now_us)
{
    struct ingest *in = ctx;
    if (session_due_us(in->session, now_us) <= now_us)
        session_on_timer(in->session, now_us);
    enum session_state state = session_state(in->session);
    paths_rest(in->paths, state == SESSION_KEYED || state == SESSION_LIVE);
    arm(in, now_us);
}

static void on_timer(void *ctx)
{
    on_batch(ctx, clock_now_us());
}

/* ---- what the session does ---- */

static void io_send(void *ctx, size_t path, const uint8_t *data, size_t len)
{
    struct ingest *in = ctx;
    paths_send(in->paths, path, data, len);
}

static void close_path(struct ingest *in, size_t path)
{
    const struct msg_path gone = {.session = in->bind.session,
                                  .local = *paths_local(in->paths, path),
                                  .remote = *paths_remote(in->paths, path),
                                  .transport = paths_transport(in->paths, path)};
    paths_close(in->paths, path);
    (void)role_send(&in->role, MSG_PATH_GONE, &gone, NULL, 0, NULL);
}

static void io_close_path(void *ctx, size_t path)
{
    close_path(ctx, path);
}

static void io_want_path(void *ctx, const struct msg_path *path)
{
    struct ingest *in = ctx;
    (void)role_send(&in->role, MSG_PATH_WANT, path, NULL, 0, NULL);
}

/* A publisher's TCP connection ended; its session may go on by another path. */
static void on_path_closed(void *ctx, size_t path)
{
    struct ingest *in = ctx;
    session_close_path(in->session, path);
    close_path(in, path);
}

static void io_report(void *ctx, const struct msg_ingest_state *state)
{
    struct ingest *in = ctx;
    (void)role_send(&in->role, MSG_INGEST_STATE, state, NULL, 0, NULL);
    if (state->state == INGEST_ENDED)
        loop_stop(&in->role.loop); /* role_run sends what is queued */
}

static void io_stats(void *ctx, size_t path, const struct stats *stats)
{
    struct ingest *in = ctx;
    struct stats all = *stats;
    all.dropped += paths_strays(in->paths);
    if (path < STREAM_PATHS_MAX)
        all.transport = (uint8_t)paths_transport(in->paths, path);
    (void)role_send(&in->role, MSG_STATS, &all, NULL, 0, NULL);
}

static void on_datagram(void *ctx, size_t path, uint8_t *data, size_t len, uint64_t now_us)
{
    struct ingest *in = ctx;
    session_receive(in->session, path, data, len, now_us);
}

/* ---- what the supervisor says ---- */

static int open_session(struct ingest *in)
{
    const struct session_config config = {
        .settings = &in->settings,
        .bind = &in->bind,
        .cert = in->cert,
        .ring = in->ring,
        .wall_offset_us = (int64_t)clock_wall_us() - (int64_t)clock_now_us(),
    };
    const struct session_io io = {.send = io_send,
                                  .close_path = io_close_path,
                                  .want_path = io_want_path,
                                  .report = io_report,
                                  .stats = io_stats};
    int rc = session_new(&config, &io, in, &in->session);
    if (rc < 0)
        return rc;
    return paths_new(&in->role.loop, in->settings.coalesce_us, on_datagram, on_batch,
                     on_path_closed, in, &in->paths);
}

static int on_bind(void *ctx, const struct chan_message *message)
{
    struct ingest *in = ctx;
    int locked = 0;
    memcpy(&in->bind, message->body, sizeof(in->bind));
    if (!text_is_terminated(in->bind.stream, sizeof(in->bind.stream)) ||
        !stream_name_valid(slice_of(in->bind.stream)))
        return -EBADMSG;
    if (in->bind.candidate_count == 0 || in->bind.candidate_count > STREAM_ADDRESSES_MAX ||
        in->bind.tcp_count > STREAM_ADDRESSES_MAX)
        return -EBADMSG;
    int rc = ring_writer_new(message->fds[0], &in->ring, &locked);
    if (rc < 0)
        return rc;
    rc = ring_writer_add_wakeup(in->ring, message->fds[1]);
    if (rc < 0)
        return rc;
    message->fds[1] = -1;
    rc = open_session(in);
    if (rc < 0)
        return rc;
    chan_set_phase(in->role.chan, PHASE_BOUND);
    log_event(LOG_INFO, "bound", "session=%" PRIu64 " stream=%s ring_locked=%d", in->bind.session,
              in->bind.stream, locked);
    const struct msg_number mapped = {.number = in->bind.session};
    return role_send(&in->role, MSG_RING_MAPPED, &mapped, NULL, 0, NULL);
}

static int on_offer(void *ctx, const struct chan_message *message)
{
    struct ingest *in = ctx;
    const struct msg_number *session = message->body;
    struct msg_answer answer;
    char text[STREAM_ANSWER_MAX];
    size_t len = 0;
    if (session->number != in->bind.session)
        return -EPROTO;
    chan_set_phase(in->role.chan, PHASE_RUNNING);
    uint64_t now_us = clock_now_us();
    session_offer(in->session, slice_make(message->blob, message->blob_len), now_us, &answer, text,
                  sizeof(text), &len);
    int rc = role_send(&in->role, MSG_ANSWER, &answer, text, len, NULL);
    secret_wipe(&answer, sizeof(answer));
    secret_wipe(text, sizeof(text));
    arm(in, now_us);
    return rc;
}

static int on_fragment(void *ctx, const struct chan_message *message)
{
    struct ingest *in = ctx;
    const struct msg_fragment *fragment = message->body;
    struct msg_fragment_result result;
    char text[STREAM_ANSWER_MAX];
    size_t len = 0;
    if (fragment->session != in->bind.session)
        return -EPROTO;
    if (fragment->may_restart > 1)
        return -EBADMSG;
    session_fragment(in->session, fragment, slice_make(message->blob, message->blob_len), &result,
                     text, sizeof(text), &len);
    int rc = role_send(&in->role, MSG_FRAGMENT_RESULT, &result, text, len, NULL);
    secret_wipe(&result, sizeof(result));
    secret_wipe(text, sizeof(text));
    return rc;
}

static int deliver(struct ingest *in, size_t path, const struct chan_message *message)
{
    uint8_t datagram[STREAM_DATAGRAM_MAX];
    uint64_t now_us = clock_now_us();
    if (message->blob_len > 0 && message->blob_len <= sizeof(datagram)) {
        memcpy(datagram, message->blob, message->blob_len);
        session_receive(in->session, path, datagram, message->blob_len, now_us);
    }
    on_batch(in, now_us);
    return 0;
}

static int on_path(void *ctx, const struct chan_message *message)
{
    struct ingest *in = ctx;
    const struct msg_path *path = message->body;
    size_t at = 0;
    if (path->session != in->bind.session)
        return -EPROTO;
    if (session_state(in->session) == SESSION_ENDED)
        return 0;
    if (path->transport >= TRANSPORT_COUNT)
        return -EBADMSG;
    int rc = paths_add(in->paths, message->fds[0], (enum transport)path->transport, &path->local,
                       &path->remote, &at);
    if (rc < 0) /* all places taken: edge may have the flow back */
        return role_send(&in->role, MSG_PATH_GONE, path, NULL, 0, NULL);
    message->fds[0] = -1;
    session_open_path(in->session, at, &path->remote, clock_now_us());
    return deliver(in, at, message);
}

static int on_path_bytes(void *ctx, const struct chan_message *message)
{
    struct ingest *in = ctx;
    const struct msg_path *path = message->body;
    size_t at = 0;
    if (path->session != in->bind.session)
        return -EPROTO;
    if (session_state(in->session) == SESSION_ENDED)
        return 0;
    if (path->transport != TRANSPORT_UDP)
        return -EBADMSG;
    if (paths_find(in->paths, TRANSPORT_UDP, &path->local, &path->remote, &at) < 0)
        return role_send(&in->role, MSG_PATH_GONE, path, NULL, 0, NULL);
    return deliver(in, at, message);
}

static int on_stray(void *ctx, const struct chan_message *message)
{
    struct ingest *in = ctx;
    const struct msg_path *path = message->body;
    uint8_t datagram[STREAM_DATAGRAM_MAX];
    uint64_t now_us = clock_now_us();
    size_t at = 0;
    if (path->session != in->bind.session)
        return -EPROTO;
    if (path->transport != TRANSPORT_UDP)
        return -EBADMSG;
    if (message->blob_len == 0 || message->blob_len > sizeof(datagram))
        return 0;
    if (paths_find(in->paths, TRANSPORT_UDP, &path->local, &path->remote, &at) == 0)
        return deliver(in, at, message); /* it was opened while this was on its way */
    memcpy(datagram, message->blob, message->blob_len);
    paths_read(in->paths, now_us); /* a copy of a packet must not come before it */
    session_stray(in->session, path, datagram, message->blob_len, now_us);
    on_batch(in, now_us);
    return 0;
}

static int on_want_keyframe(void *ctx, const struct chan_message *message)
{
    struct ingest *in = ctx;
    const struct msg_number *track = message->body;
    if (track->number >= TRACK_COUNT)
        return -EBADMSG;
    if (track->number != TRACK_VIDEO)
        return 0;
    session_want_keyframe(in->session);
    on_timer(in);
    return 0;
}

static int on_end(void *ctx, const struct chan_message *message)
{
    struct ingest *in = ctx;
    const struct msg_end *end = message->body;
    if (end->reason == END_NONE || end->reason >= END_REASON_COUNT)
        return -EBADMSG;
    if (in->session && end->session != in->bind.session)
        return -EPROTO;
    if (in->session)
        session_end(in->session, (enum end_reason)end->reason);
    loop_stop(&in->role.loop); /* also when there was nothing to end */
    return 0;
}

static const struct chan_rule ingest_rules[] = {
    {MSG_INGEST_BIND, IN(PHASE_WARM), sizeof(struct msg_ingest_bind), 0, 2, on_bind},
    {MSG_OFFER, IN(PHASE_BOUND), sizeof(struct msg_number), STREAM_OFFER_MAX, 0, on_offer},
    {MSG_FRAGMENT, IN(PHASE_RUNNING), sizeof(struct msg_fragment), STREAM_FRAGMENT_MAX, 0,
     on_fragment},
    {MSG_PATH, IN(PHASE_RUNNING), sizeof(struct msg_path), STREAM_DATAGRAM_MAX, 1, on_path},
    {MSG_PATH_BYTES, IN(PHASE_RUNNING), sizeof(struct msg_path), STREAM_DATAGRAM_MAX, 0,
     on_path_bytes},
    {MSG_STRAY, IN(PHASE_RUNNING), sizeof(struct msg_path), STREAM_DATAGRAM_MAX, 0, on_stray},
    {MSG_WANT_KEYFRAME, IN(PHASE_BOUND) | IN(PHASE_RUNNING), sizeof(struct msg_number), 0, 0,
     on_want_keyframe},
    {MSG_END, IN(PHASE_WARM) | IN(PHASE_BOUND) | IN(PHASE_RUNNING), sizeof(struct msg_end), 0, 0,
     on_end},
};

/* ---- start ---- */

static int on_settings(void *ctx, const struct chan_message *message)
{
    struct ingest *in = ctx;
    memcpy(&in->settings, message->body, sizeof(in->settings));
    if (message->fd_count != 0 || message->blob_len != 0)
        return -EBADMSG;
    if (in->settings.jitter_deadline_us > JITTER_DEADLINE_MAX_US ||
        in->settings.coalesce_us > COALESCE_MAX_US)
        return -EBADMSG;
    return 0;
}

/* Everything that opens files or loads libraries happens here. */
static int warm_up(struct ingest *in)
{
    int rc = rtcwarm_new(&in->warm);
    if (rc == 0)
        rc = cert_new(&in->cert);
    if (rc < 0)
        log_event(LOG_ERROR, "crypto_unusable", "error=%d", -rc);
    return rc;
}

/* Beside the calls of every role. Sending is send(2) alone: sendto without an address (base table);
 * sendmsg and sendmmsg could name any destination. */
static const struct sandbox_rule ingest_calls[] = {
    {.call = SCMP_SYS(recvmmsg), .check = SANDBOX_ALWAYS},
};

static int ingest_enter(struct ingest *in)
{
    struct sandbox_spec spec = {
        .empty_network = true,
        .empty_files = true,
        .directory_fd = -1,
        .max_files = INGEST_FILES_MAX,
        .max_file_bytes = 0,
        .max_processes = 0,
        .max_data_bytes = INGEST_DATA_MAX,
        .max_address_bytes = INGEST_ADDRESS_MAX,
        .rules = ingest_calls,
        .rule_count = sizeof(ingest_calls) / sizeof(ingest_calls[0]),
    };
    return role_enter(&in->role, &spec);
}

/* rtcwarm stays: freeing it would unload libraries at the very end for nothing. */
static void ingest_free(struct ingest *in)
{
    session_free(in->session);
    paths_free(in->paths);
    ring_writer_free(in->ring); /* wipes all slots */
    cert_free(in->cert);
    free(in);
}

int main(void)
{
    int status = EXIT_FAILURE;
    struct ingest *in = calloc(1, sizeof(*in));
    if (!in)
        return EXIT_FAILURE;
    int rc = role_start(&in->role, "ingest", sizeof(struct settings_ingest), on_settings,
                        ingest_rules, sizeof(ingest_rules) / sizeof(ingest_rules[0]), in);
    if (rc == 0)
        rc = warm_up(in);
    if (rc == 0)
        rc = ingest_enter(in);
    if (rc == 0)
        status = role_run(&in->role);
    ingest_free(in);
    return status;
}
