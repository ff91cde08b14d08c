/* The transcode role: one stream's frames become CMAF segments. Reads its frame ring, writes its
 * own segments, and can do nothing else (design.md 1, 2, 3). */
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/proto/role.h"
#include "transcode/audio.h"
#include "transcode/avlib.h"
#include "transcode/decoder.h"
#include "transcode/encoder.h"
#include "transcode/feed.h"
#include "transcode/outlet.h"
#include "transcode/pipeline.h"
#include "transcode/source.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ADDRESS_MAX (UINT64_C(3) << 30) /* code, heap, ring, and a full window of segments */
#define FILES_MAX 256u                  /* segments of a full window, consumers, queued copies */
#define DATA_MAX (UINT64_C(512) << 20)  /* M5 */
#define LAST_TURNS 16                   /* at the end, so that a mad writer can not hold us */
#define NAP_MIN_US 15000
#define NAP_MAX_US 500000 /* whatever the times say */
#define WARM_SIZE 64

enum phase { PHASE_IDLE, PHASE_BOUND, PHASE_ENDED };
#define IN(phase) (1u << (phase))

/* The process's state. Invariant: pipeline is set from PHASE_BOUND on. */
struct transcode {
    struct role role;
    struct settings_transcode settings;
    struct msg_transcode_bind bind;
    struct source source;
    struct pipeline *pipeline;
    struct feed feed;
    struct loop_watch wakeup;
    struct loop_timer timer;
    int ring_fd;
    int wakeup_fd;
    bool naps; /* the wakeup is not watched */
    bool failed;
};

/* ---- media ---- */

static void fail(struct transcode *t, const char *event, int rc)
{
    log_event(LOG_ERROR, event, "session=%" PRIu64 " error=%s", t->bind.session,
              strerrorname_np(-rc));
    t->failed = true;
    loop_stop(&t->role.loop);
}

static void on_timer(void *ctx);

/* While nothing that comes can complete a part, frames gather in the ring: a turn for each would
 * cost as much as the work itself. */
static uint64_t nap(struct transcode *t, uint64_t now_us)
{
    uint64_t until_us = pipeline_quiet_us(t->pipeline);
    bool naps = until_us > now_us + NAP_MIN_US && until_us < now_us + NAP_MAX_US;
    if (naps != t->naps && loop_change(&t->role.loop, &t->wakeup, naps ? 0 : EPOLLIN) == 0)
        t->naps = naps;
    return t->naps ? until_us : UINT64_MAX;
}

static void arm(struct transcode *t, bool at_once)
{
    uint64_t now_us = clock_now_us();
    uint64_t due_us = at_once ? now_us : pipeline_due_us(t->pipeline, now_us);
    if (!at_once) {
        uint64_t until_us = nap(t, now_us);
        due_us = until_us < due_us ? until_us : due_us;
    }
    if (due_us == UINT64_MAX)
        loop_timer_cancel(&t->role.loop, &t->timer);
    else
        (void)loop_timer_set(&t->role.loop, &t->timer, due_us, on_timer, t);
}

static void work(struct transcode *t)
{
    bool more = false;
    int rc = feed_turn(&t->feed, &more);
    if (rc == 0 && !more)
        rc = pipeline_tick(t->pipeline, clock_now_us());
    if (rc != 0)
        fail(t, "media_failed", rc);
    else
        arm(t, more);
}

static void forget_wakeups(struct transcode *t)
{
    uint64_t count;
    (void)!read(t->wakeup_fd, &count, sizeof count);
}

static void on_timer(void *ctx)
{
    struct transcode *t = ctx;
    if (t->naps)
        forget_wakeups(t);
    work(t);
}

static void on_wakeup(void *ctx, uint32_t events)
{
    struct transcode *t = ctx;
    (void)events;
    forget_wakeups(t);
    work(t);
}

/* ---- what the stream tells the supervisor ---- */

static void want_key(void *ctx)
{
    struct transcode *t = ctx;
    const struct msg_number track = {.number = TRACK_VIDEO};
    (void)role_send(&t->role, MSG_WANT_KEYFRAME, &track, NULL, 0, NULL);
}

static void segment_opened(void *ctx, uint64_t msn, uint64_t discontinuity_sequence)
{
    struct transcode *t = ctx;
    const struct msg_segment_opened message = {
        .session = t->bind.session,
        .msn = msn,
        .discontinuity_sequence = discontinuity_sequence,
    };
    (void)role_send(&t->role, MSG_SEGMENT_OPENED, &message, NULL, 0, NULL);
}

static void playable(void *ctx)
{
    struct transcode *t = ctx;
    const struct msg_number session = {.number = t->bind.session};
    (void)role_send(&t->role, MSG_PLAYABLE, &session, NULL, 0, NULL);
}

static void refused(void *ctx)
{
    struct transcode *t = ctx;
    const struct msg_number session = {.number = t->bind.session};
    (void)role_send(&t->role, MSG_REFUSED, &session, NULL, 0, NULL);
}

/* ---- what the supervisor says ---- */

static int on_bind(void *ctx, const struct chan_message *message)
{
    struct transcode *t = ctx;
    const struct pipeline_hooks hooks = {
        .ctx = t,
        .want_key = want_key,
        .segment_opened = segment_opened,
        .playable = playable,
        .refused = refused,
    };
    memcpy(&t->bind, message->body, sizeof t->bind);
    t->ring_fd = message->fds[0];
    t->wakeup_fd = message->fds[1];
    message->fds[0] = message->fds[1] = -1;
    int rc = source_open(&t->source, t->ring_fd, t->bind.continues == 0);
    if (rc == 0)
        rc = fd_nonblock(t->wakeup_fd);
    if (rc == 0)
        rc = pipeline_new(&t->role.loop, &t->settings, &t->bind, &hooks, &t->pipeline);
    t->feed = (struct feed){.source = &t->source, .pipeline = t->pipeline, .clock = clock_now_us};
    if (rc == 0)
        rc = loop_add(&t->role.loop, &t->wakeup, t->wakeup_fd, EPOLLIN, on_wakeup, t);
    if (rc != 0) {
        fail(t, "bind_failed", rc);
        return rc;
    }
    chan_set_phase(t->role.chan, PHASE_BOUND);
    log_event(LOG_INFO, "bound", "session=%" PRIu64 " msn=%" PRIu64 " continues=%u renditions=%u",
              t->bind.session, t->bind.next_msn, t->bind.continues, t->bind.renditions);
    arm(t, true);
    return 0;
}

static int on_consumer(void *ctx, const struct chan_message *message)
{
    struct transcode *t = ctx;
    const struct msg_number *consumer = message->body;
    int fd = message->fds[0];
    message->fds[0] = -1;
    int rc = pipeline_add_consumer(t->pipeline, consumer->number, fd);
    log_event(rc == 0 ? LOG_INFO : LOG_WARN, "consumer", "id=%" PRIu64 " error=%d",
              consumer->number, -rc);
    return 0;
}

static int on_end(void *ctx, const struct chan_message *message)
{
    struct transcode *t = ctx;
    const struct msg_end *end = message->body;
    bool more = true;
    int rc = 0;
    if (end->reason >= END_REASON_COUNT)
        return -EBADMSG;
    if (end->session != t->bind.session)
        return 0;                                           /* about an earlier one */
    for (int i = 0; i < LAST_TURNS && rc == 0 && more; i++) /* what ingest wrote last */
        rc = feed_turn(&t->feed, &more);
    if (rc == 0)
        rc = pipeline_end(t->pipeline, (enum end_reason)end->reason);
    if (rc != 0) {
        fail(t, "end_failed", rc);
        return 0;
    }
    chan_set_phase(t->role.chan, PHASE_ENDED);
    loop_remove(&t->role.loop, &t->wakeup);
    loop_timer_cancel(&t->role.loop, &t->timer);
    log_event(LOG_INFO, "ended", "session=%" PRIu64 " reason=%s refused=%" PRIu64 " lost=%" PRIu64,
              t->bind.session, end_reason_name((enum end_reason)end->reason), t->feed.refused,
              t->feed.lost);
    return 0;
}

static const struct chan_rule transcode_rules[] = {
    {MSG_TRANSCODE_BIND, IN(PHASE_IDLE), sizeof(struct msg_transcode_bind), 0, 2, on_bind},
    {MSG_CONSUMER, IN(PHASE_BOUND) | IN(PHASE_ENDED), sizeof(struct msg_number), 0, 1, on_consumer},
    {MSG_END, IN(PHASE_BOUND), sizeof(struct msg_end), 0, 0, on_end},
};

/* ---- start ---- */

static int on_settings(void *ctx, const struct chan_message *message)
{
    struct transcode *t = ctx;
    if (message->fd_count != 0)
        return -EBADMSG;
    memcpy(&t->settings, message->body, sizeof t->settings);
    return 0;
}

static int ignore_frame(void *ctx, const uint8_t *data, size_t len, int64_t dts)
{
    (void)ctx;
    (void)data;
    (void)len;
    (void)dts;
    return 0;
}

static int warm_decoder(enum codec codec)
{
    struct decoder *decoder = NULL;
    struct decoder_config config = {.codec = codec, .max_pixels = WARM_SIZE * WARM_SIZE};
    int rc = decoder_new(&config, &decoder);
    decoder_free(decoder);
    bool needed = codec == CODEC_H264 || codec == CODEC_VP8;
    return rc == -ENOTSUP && !needed ? 0 : rc;
}

/* Opens one codec of each kind, so that FFmpeg's tables are made and its processor tests done
 * before the sandbox closes. */
static int warm_codecs(void)
{
    struct audio *audio = NULL;
    struct encoder *encoder = NULL;
    int rc = audio_new(128000, ignore_frame, NULL, &audio);
    if (rc == 0) {
        audio_start(audio, 0);
        rc = audio_fill(audio, AUDIO_RATE / 10);
    }
    for (enum codec codec = CODEC_NONE; codec < CODEC_COUNT && rc == 0; codec++)
        rc = warm_decoder(codec);
    if (rc == 0)
        rc = encoder_new(WARM_SIZE, WARM_SIZE, 100000, &encoder);
    encoder_free(encoder);
    audio_free(audio);
    (void)malloc_trim(0);
    return rc;
}

/* On top of what every role may: memory files for segments, and passing them on. */
static const struct sandbox_rule transcode_calls[] = {
    {.call = SCMP_SYS(memfd_create), .check = SANDBOX_ALWAYS},
    {.call = SCMP_SYS(ftruncate), .check = SANDBOX_ALWAYS},
    {.call = SCMP_SYS(sendmsg), .check = SANDBOX_ALWAYS},
};

int main(void)
{
    static struct transcode t = {.ring_fd = -1, .wakeup_fd = -1, .wakeup = {.fd = -1}};
    struct sandbox_spec spec = {
        .empty_network = true,
        .empty_files = true,
        .directory_fd = -1,
        .max_files = FILES_MAX,
        .max_file_bytes = OUTLET_VIDEO_BYTES,
        .max_processes = 0,
        .max_data_bytes = DATA_MAX,
        .max_address_bytes = ADDRESS_MAX,
        .rules = transcode_calls,
        .rule_count = sizeof transcode_calls / sizeof *transcode_calls,
    };
    avlib_silence();
    int rc = role_start(&t.role, "transcode", sizeof(struct settings_transcode), on_settings,
                        transcode_rules, sizeof transcode_rules / sizeof *transcode_rules, &t);
    if (rc != 0)
        return EXIT_FAILURE;
    rc = warm_codecs();
    if (rc != 0) {
        log_event(LOG_ERROR, "codec_missing", "error=%s", strerrorname_np(-rc));
        return EXIT_FAILURE;
    }
    rc = role_enter(&t.role, &spec);
    if (rc != 0)
        return EXIT_FAILURE;
    int status = role_run(&t.role);
    return t.failed ? EXIT_FAILURE : status;
}
