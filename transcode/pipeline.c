/* The stage graph of one stream, the only file that knows all stages. */
#include "transcode/pipeline.h"

#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/secret.h"
#include "transcode/audio.h"
#include "transcode/audio_cut.h"
#include "transcode/audio_queue.h"
#include "transcode/keyask.h"
#include "transcode/lateness.h"
#include "transcode/outlet.h"
#include "transcode/video.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MASK_VIDEO (1u << TRACK_VIDEO)
#define MASK_AUDIO (1u << TRACK_AUDIO)
#define AUDIO_HOLD_US 120000   /* audio this late is given up */
#define AUDIO_FIRST_US 1000000 /* the first packet may be that late */
#define AUDIO_SLACK_US 40000   /* fill at once what would be filled in small steps */
#define VIDEO_FIRST_US 3000000 /* announced video that does not come begins black */
#define KEY_IDLE_US 2000000    /* between requests while no video comes at all */
#define CLEAN_SPREAD_US 40000
#define QUIET_MARGIN_US 2000
#define AUDIO_PACKET                                                                               \
    960 /* samples of a usual Opus packet; of longer ones a part may come later                    \
         */
#define AUDIO_CODECS "mp4a.40.2"
#define BITRATE_MIN 50000u
#define PART_MIN_US 50000
#define SEGMENT_MAX_US 20000000

/* Time base of everything: timeline. */
struct pipeline {
    struct pipeline_hooks hooks;
    struct timeline timeline;
    struct numbering numbers;
    struct keyask keys;
    struct outlet *outlet;
    struct video *video; /* NULL: audio only */
    struct audio *audio; /* NULL: video only */
    struct audio_cut audio_cut;
    struct audio_queue audio_queue;
    uint64_t audio_bad; /* packets that could not be decoded */
    uint32_t expected;  /* renditions */
    uint32_t published;
    bool playable;
    bool ended;
    bool audio_started;
    bool audio_seen;
    bool refused;        /* said so */
    unsigned refusals;   /* video frames of no use since the last useful one */
    uint64_t refused_us; /* the first of them */
    struct lateness lateness[TRACK_COUNT];
    int64_t wall_offset_us; /* wall clock minus media clock of the newest frame */
    uint64_t first_us;      /* first frame of any track seen; 0 = none */
    uint64_t video_us;      /* newest video frame seen */
};

/* ---- finished pieces ---- */

static int start_audio(struct pipeline *p, int64_t at)
{
    if (p->audio != NULL && !p->audio_started) {
        audio_start(p->audio, at);
        p->audio_started = true;
    }
    return 0;
}

static int on_open(void *ctx, const struct part_segment *segment)
{
    struct pipeline *p = ctx;
    int result = outlet_open_segment(p->outlet, segment);
    bool leads = segment->rendition == TRACK_VIDEO || p->video == NULL;
    if (result != 0 || !leads)
        return result;
    p->hooks.segment_opened(p->hooks.ctx, segment->msn, segment->discontinuity_sequence);
    if (p->video == NULL || p->audio == NULL)
        return 0;
    int64_t start = timeline_video_to_audio(video_cutter(p->video)->chunker.segment_start);
    result = audio_cut_add_boundary(&p->audio_cut, segment, start);
    return result == 0 ? start_audio(p, start) : result;
}

static int on_part(void *ctx, const struct part_part *part, const struct writer *head,
                   const uint8_t *body, size_t body_len)
{
    struct pipeline *p = ctx;
    int result = outlet_put_part(p->outlet, part, head, body, body_len);
    p->published |= 1u << part->rendition;
    if (result == 0 && p->published == p->expected && !p->playable) {
        p->playable = true;
        p->hooks.playable(p->hooks.ctx);
    }
    return result;
}

static int on_close(void *ctx, const struct part_segment_end *end)
{
    struct pipeline *p = ctx;
    return outlet_close_segment(p->outlet, end);
}

static void on_video_init(void *ctx, const struct part_init *init, const uint8_t *data, size_t len)
{
    struct pipeline *p = ctx;
    log_event(LOG_INFO, "video_format", "init=%u width=%u height=%u codecs=%s", init->init_id,
              init->width, init->height, init->codecs);
    outlet_put_init(p->outlet, init, data, len);
}

static int on_audio_frame(void *ctx, const uint8_t *data, size_t len, int64_t dts)
{
    struct pipeline *p = ctx;
    return audio_cut_push(&p->audio_cut, data, len, dts);
}

/* ---- setting up ---- */

static int announce_audio(struct pipeline *p, uint32_t bitrate_bps)
{
    uint8_t data[PART_INIT_MAX];
    struct writer w;
    struct fmp4_track track = {
        .kind = TRACK_AUDIO,
        .timescale = TIMELINE_AUDIO_SCALE,
        .sample_rate = AUDIO_RATE,
        .channels = AUDIO_CHANNELS,
    };
    struct part_init init = {
        .rendition = TRACK_AUDIO,
        .init_id = 1,
        .kind = TRACK_AUDIO,
        .channels = AUDIO_CHANNELS,
        .sample_rate = AUDIO_RATE,
        .bandwidth_bps = bitrate_bps,
        .codecs = AUDIO_CODECS,
    };
    track.config = audio_config(p->audio, &track.config_len);
    writer_init(&w, data, sizeof data);
    int result = fmp4_write_init(&w, &track);
    if (result != 0)
        return result;
    p->audio_cut.init_id = init.init_id;
    outlet_put_init(p->outlet, &init, data, w.len);
    return 0;
}

static int open_audio(struct pipeline *p, const struct settings_transcode *s,
                      const struct chunker_sink *sink)
{
    int result = audio_new(s->audio_bitrate_bps, on_audio_frame, p, &p->audio);
    if (result == 0)
        result = audio_cut_init(&p->audio_cut, s->part_us, s->segment_us, p->video == NULL,
                                &p->numbers, &p->timeline, sink);
    if (result == 0)
        result = announce_audio(p, s->audio_bitrate_bps);
    return result;
}

static int open_video(struct pipeline *p, const struct settings_transcode *s,
                      const struct msg_transcode_bind *bind, const struct chunker_sink *sink)
{
    uint64_t ceiling = bind->max_bitrate_bps;
    struct video_config config = {
        .part_us = s->part_us,
        .segment_us = s->segment_us,
        .bitrate_bps = s->video_bitrate_bps,
        .max_width = s->max_width,
        .max_height = s->max_height,
    };
    if (ceiling == 0 || ceiling > UINT32_MAX)
        ceiling = s->video_bitrate_bps;
    config.pass_bitrate_bps = (uint32_t)ceiling;
    if (config.bitrate_bps > ceiling) /* what the grant allows in, we give out */
        config.bitrate_bps = ceiling > BITRATE_MIN ? (uint32_t)ceiling : BITRATE_MIN;
    return video_new(&config, &p->numbers, &p->timeline, sink, on_video_init, &p->video);
}

static bool settings_are_sane(const struct settings_transcode *s)
{
    return s->part_us >= PART_MIN_US && s->part_us <= s->segment_us &&
           s->segment_us <= SEGMENT_MAX_US && s->window >= 1 && s->window <= PART_WINDOW_MAX &&
           s->audio_bitrate_bps >= 16000 && s->audio_bitrate_bps <= 512000 &&
           s->video_bitrate_bps >= BITRATE_MIN && s->video_bitrate_bps <= 100000000 &&
           s->max_width >= 16 && s->max_width <= FRAME_DIMENSION_MAX && s->max_height >= 16 &&
           s->max_height <= FRAME_DIMENSION_MAX;
}

static int open_stages(struct pipeline *p, struct loop *loop, const struct settings_transcode *s,
                       const struct msg_transcode_bind *bind)
{
    struct chunker_sink sink = {.ctx = p, .open = on_open, .part = on_part, .close = on_close};
    struct part_hello hello = {
        .epoch = bind->epoch,
        .part_target_us = s->part_us,
        .segment_target_us = s->segment_us,
        .target_duration_s = video_cut_target_duration_s(s->segment_us),
        .window = s->window,
        .continues = bind->continues != 0,
        .renditions = (uint8_t)p->expected,
    };
    secret_random(&hello.worker, sizeof hello.worker);
    int result = outlet_new(loop, &hello, &p->outlet);
    if (result == 0 && p->expected & MASK_VIDEO)
        result = open_video(p, s, bind, &sink);
    if (result == 0 && p->expected & MASK_AUDIO)
        result = open_audio(p, s, &sink);
    return result;
}

int pipeline_new(struct loop *loop, const struct settings_transcode *settings,
                 const struct msg_transcode_bind *bind, const struct pipeline_hooks *hooks,
                 struct pipeline **out)
{
    uint32_t expected = bind->renditions & (MASK_VIDEO | MASK_AUDIO);
    if (expected == 0 || expected != bind->renditions || !settings_are_sane(settings) ||
        bind->next_msn > PART_MSN_MAX || bind->next_discontinuity > PART_MSN_MAX)
        return -EINVAL;
    struct pipeline *p = calloc(1, sizeof *p);
    if (p == NULL)
        return -ENOMEM;
    p->hooks = *hooks;
    p->expected = expected;
    numbering_init(&p->numbers, bind->next_msn, bind->next_discontinuity, bind->continues != 0);
    keyask_init(&p->keys);
    lateness_init(&p->lateness[TRACK_VIDEO]);
    lateness_init(&p->lateness[TRACK_AUDIO]);
    int result = open_stages(p, loop, settings, bind);
    if (result != 0) {
        pipeline_free(p);
        return result;
    }
    *out = p;
    return 0;
}

void pipeline_free(struct pipeline *p)
{
    if (p == NULL)
        return;
    video_free(p->video);
    audio_free(p->audio);
    audio_cut_done(&p->audio_cut);
    outlet_free(p->outlet);
    free(p);
}

int pipeline_add_consumer(struct pipeline *p, uint64_t number, int fd)
{
    return outlet_add_consumer(p->outlet, number, fd);
}

/* ---- frames ---- */

static void learn_lateness(struct pipeline *p, const struct frame *frame, uint64_t now_us)
{
    lateness_add(&p->lateness[frame->track], (int64_t)now_us - frame->pts_us, now_us);
    p->wall_offset_us = frame->wall_us - frame->pts_us;
}

/* An error that a publisher can cause is none of ours. */
static int tolerate(int result)
{
    return result == -EAGAIN || result == -ENOTSUP || result == -EBADMSG ? 0 : result;
}

/* Counts frames of no use; those dropped for want of a key frame say nothing. */
static void judge(struct pipeline *p, int result, uint64_t now_us)
{
    if (result == 0)
        p->refusals = 0;
    if (result != -ENOTSUP && result != -EBADMSG)
        return;
    if (p->refusals++ == 0)
        p->refused_us = now_us;
    if (p->refusals == 1)
        log_event(LOG_WARN, "video_refused", "reason=%s",
                  result == -ENOTSUP ? "size_or_format" : "broken");
    if (p->refused || p->refusals < PIPELINE_REFUSED_MIN ||
        now_us - p->refused_us < PIPELINE_REFUSED_US)
        return;
    p->refused = true;
    p->hooks.refused(p->hooks.ctx);
}

static int push_video(struct pipeline *p, const struct frame *frame, uint8_t *payload,
                      uint64_t now_us)
{
    bool key = (frame->flags & FRAME_KEY) != 0;
    p->video_us = now_us;
    if (key)
        keyask_on_key(&p->keys, now_us);
    if (frame->flags & FRAME_JUMP) {
        video_lose(p->video, true);
        if (p->timeline.started)
            timeline_anchor(&p->timeline, frame->pts_us, frame->wall_us);
    } else if (frame->flags & FRAME_GAP) {
        video_lose(p->video, false);
    }
    if (!p->timeline.started) {
        if (!key)
            return 0;
        timeline_start(&p->timeline, frame->pts_us, frame->wall_us);
    }
    int64_t pts = timeline_video(&p->timeline, frame->pts_us);
    if (pts < 0)
        return 0;
    int result = video_push(p->video, frame, payload, pts);
    judge(p, result, now_us);
    return tolerate(result);
}

static int run_audio(struct pipeline *p)
{
    return audio_queue_run(&p->audio_queue, p->audio, &p->audio_bad);
}

/* Where audio ends that was received or filled in. */
static int64_t audio_end(const struct pipeline *p)
{
    return p->audio_queue.count > 0 ? p->audio_queue.end : audio_position(p->audio);
}

static int push_audio(struct pipeline *p, const struct frame *frame, const uint8_t *payload)
{
    struct audio_queue *q = &p->audio_queue;
    int result = 0;
    if (!p->timeline.started && p->video == NULL)
        timeline_start(&p->timeline, frame->pts_us, frame->wall_us);
    if (p->video == NULL)
        start_audio(p, 0);
    if (!p->audio_started)
        return 0; /* nothing to line up with yet */
    p->audio_seen = true;
    int64_t pts = timeline_audio(&p->timeline, frame->pts_us);
    if (!audio_queue_add(q, payload, frame->len, pts)) {
        result = run_audio(p);
        if (result == 0 && !audio_queue_add(q, payload, frame->len, pts))
            p->audio_bad++; /* longer than any Opus packet */
    }
    /* the encoder is one frame behind */
    if (result == 0 && audio_end(p) - AUDIO_CUT_FRAME >= audio_cut_next_end(&p->audio_cut))
        result = run_audio(p);
    return result;
}

int pipeline_push(struct pipeline *p, const struct frame *frame, uint8_t *payload, uint64_t now_us)
{
    if (p->ended)
        return 0;
    if (p->first_us == 0)
        p->first_us = now_us;
    learn_lateness(p, frame, now_us);
    if (frame->track == TRACK_VIDEO && p->video != NULL)
        return push_video(p, frame, payload, now_us);
    if (frame->track == TRACK_AUDIO && p->audio != NULL)
        return push_audio(p, frame, payload);
    return 0;
}

void pipeline_set_backlog(struct pipeline *p, uint64_t backlog_us)
{
    if (p->video != NULL)
        video_set_backlog(p->video, backlog_us);
}

void pipeline_lose(struct pipeline *p)
{
    if (p->video != NULL)
        video_lose(p->video, false);
}

/* ---- time ---- */

/* The time on the publisher's line that has arrived completely by now. */
static int64_t media_us(const struct pipeline *p, enum track track, uint64_t now_us)
{
    return (int64_t)now_us - lateness_us(&p->lateness[track]);
}

/* How much further audio is than video, which may be waiting for repairs. */
static int64_t audio_ahead_us(const struct pipeline *p)
{
    if (p->audio == NULL)
        return 0;
    return lateness_us(&p->lateness[TRACK_VIDEO]) - lateness_us(&p->lateness[TRACK_AUDIO]);
}

/* When that time is reached. */
static uint64_t real_us(const struct pipeline *p, enum track track, int64_t ticks, uint32_t scale)
{
    int64_t us =
        p->timeline.base_us + timeline_ticks_us(ticks, scale) + lateness_us(&p->lateness[track]);
    return us > 0 ? (uint64_t)us + 1 : 0;
}

static int tick_video(struct pipeline *p, uint64_t now_us)
{
    enum video_cut_state state;
    struct video_cut *cut = video_cutter(p->video);
    if (!cut->chunker.started) {
        if (p->first_us == 0 || now_us < p->first_us + VIDEO_FIRST_US)
            return 0;
        if (!p->timeline.started)
            timeline_start(&p->timeline, (int64_t)now_us, (int64_t)now_us + p->wall_offset_us);
        log_event(LOG_INFO, "video_missing", NULL);
        int64_t start = timeline_video(&p->timeline, (int64_t)now_us);
        start = start > 0 ? start : 0;
        return tolerate(video_fill(p->video, start, start));
    }
    int64_t now = timeline_video(&p->timeline, media_us(p, TRACK_VIDEO, now_us));
    video_cut_set_ahead(cut, timeline_us_ticks(audio_ahead_us(p), TIMELINE_VIDEO_SCALE));
    int result = video_cut_tick(cut, now, &state);
    if (result == 0 && state == VIDEO_CUT_STALLED)
        result = tolerate(video_fill(p->video, 0, now)); /* the next one in a tick of its own */
    return result;
}

static int64_t audio_hold_us(const struct pipeline *p)
{
    return p->audio_seen ? AUDIO_HOLD_US : AUDIO_FIRST_US;
}

static uint64_t audio_due_us(const struct pipeline *p)
{
    if (!p->audio_started)
        return UINT64_MAX;
    uint64_t due = real_us(p, TRACK_AUDIO, audio_end(p), TIMELINE_AUDIO_SCALE);
    return due + (uint64_t)audio_hold_us(p) + AUDIO_SLACK_US;
}

static int tick_audio(struct pipeline *p, uint64_t now_us)
{
    if (now_us < audio_due_us(p))
        return 0;
    int64_t until = media_us(p, TRACK_AUDIO, now_us) - (p->audio_seen ? AUDIO_HOLD_US : 0);
    p->audio_seen = true;
    int result = run_audio(p);
    if (result != 0)
        return result;
    return audio_fill(p->audio, timeline_audio(&p->timeline, until));
}

static uint64_t key_due_us(const struct pipeline *p, uint64_t now_us)
{
    uint64_t wanted = now_us;
    if (p->video == NULL)
        return UINT64_MAX;
    if (p->keys.waiting && p->video_us < p->keys.asked_us)
        return p->keys.asked_us + KEY_IDLE_US;
    if (!video_needs_key(p->video) && !video_may_pass(p->video)) {
        if (!video_follows_keys(p->video) || !video_cutter(p->video)->chunker.started)
            return UINT64_MAX;
        wanted = real_us(p, TRACK_VIDEO, video_cut_boundary(video_cutter(p->video)),
                         TIMELINE_VIDEO_SCALE);
    }
    return keyask_due(&p->keys, wanted);
}

int pipeline_tick(struct pipeline *p, uint64_t now_us)
{
    int result = 0;
    if (p->ended)
        return 0;
    if (p->video != NULL)
        result = tick_video(p, now_us);
    if (result == 0 && p->audio != NULL)
        result = tick_audio(p, now_us);
    if (now_us >= key_due_us(p, now_us)) {
        keyask_on_sent(&p->keys, now_us);
        p->hooks.want_key(p->hooks.ctx);
    }
    return result;
}

uint64_t pipeline_due_us(const struct pipeline *p, uint64_t now_us)
{
    if (p->ended)
        return UINT64_MAX;
    uint64_t due = key_due_us(p, now_us);
    uint64_t audio = audio_due_us(p);
    uint64_t video = UINT64_MAX;
    if (p->video != NULL) {
        const struct video_cut *cut = video_cutter(p->video);
        if (cut->chunker.started)
            video = real_us(p, TRACK_VIDEO, video_cut_due(cut), TIMELINE_VIDEO_SCALE);
        else if (p->first_us != 0)
            video = p->first_us + VIDEO_FIRST_US;
    }
    due = audio < due ? audio : due;
    return video < due ? video : due;
}

/* A network on which nothing has to be repaired: frames come in time, give or take a little. */
static bool is_clean(const struct pipeline *p, enum track track)
{
    const struct lateness *l = &p->lateness[track];
    return lateness_us(l) - lateness_least_us(l) < CLEAN_SPREAD_US;
}

/* When the frame of that media time may come at the earliest. */
static uint64_t earliest_us(const struct pipeline *p, enum track track, int64_t ticks,
                            uint32_t scale)
{
    int64_t us = p->timeline.base_us + timeline_ticks_us(ticks, scale) +
                 lateness_least_us(&p->lateness[track]) - QUIET_MARGIN_US;
    return us > 0 ? (uint64_t)us : 0;
}

uint64_t pipeline_quiet_us(const struct pipeline *p)
{
    uint64_t video = UINT64_MAX, audio = UINT64_MAX;
    if (!p->playable || p->ended)
        return 0;
    if (p->video != NULL) {
        if (!video_passes(p->video) || p->keys.waiting || !is_clean(p, TRACK_VIDEO))
            return 0;
        video = earliest_us(p, TRACK_VIDEO, video_cut_quiet(video_cutter(p->video)),
                            TIMELINE_VIDEO_SCALE);
    }
    if (p->audio != NULL) {
        if (!is_clean(p, TRACK_AUDIO))
            return 0;
        /* the packet that ends one AAC frame behind the part, since the encoder is one behind */
        int64_t end = audio_cut_next_end(&p->audio_cut) + AUDIO_CUT_FRAME - AUDIO_PACKET;
        audio = earliest_us(p, TRACK_AUDIO, end, TIMELINE_AUDIO_SCALE);
    }
    return video < audio ? video : audio;
}

int pipeline_end(struct pipeline *p, enum end_reason reason)
{
    struct part_end end = {.final = end_reason_is_final(reason), .reason = (uint32_t)reason};
    int result = 0;
    if (p->ended)
        return 0;
    p->ended = true;
    if (p->video != NULL)
        result = video_cut_finish(video_cutter(p->video));
    if (result == 0 && p->audio != NULL)
        result = run_audio(p);
    if (result == 0 && p->video != NULL && p->audio_started) {
        /* two frames more than the video: one is in the encoder, one half full */
        int64_t until = timeline_video_to_audio(video_cutter(p->video)->chunker.end);
        result = audio_fill(p->audio, until + 2 * AUDIO_CUT_FRAME);
    }
    if (result == 0 && p->audio != NULL)
        result = audio_cut_finish(&p->audio_cut);
    outlet_end(p->outlet, &end);
    return result;
}
