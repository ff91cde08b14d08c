/* A whole stream through all stages to a consumer, on a clock of the test's own: publisher, worker
 * and viewer. For one test program, whose state it holds. */
#ifndef SLUICE_TESTS_WORLD_H
#define SLUICE_TESTS_WORLD_H

#include "transcode/pipeline.h"

#include "lib/base/chan.h"
#include "lib/base/segment.h"
#include "tests/unit/transcode/ledger.h"
#include "tests/unit/transcode/media.h"

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PART_US 200000u
#define TARGET_S 3u
#define START_US UINT64_C(7000000000)
#define WALL_US INT64_C(1700000000000000)
#define CAPTURE_MAX (16u << 20)
#define INITS_MAX 16

/* A consumer: every message checked as web does, media of each rendition put together. */
struct viewer {
    struct loop loop;
    struct chan *chan;
    struct ledger ledger;
    struct part_hello hello;
    struct part_end end;
    int hellos, ends;
    uint32_t init_id[2];
    uint32_t inits[2];
    struct part_init init[2];
    struct segment_reader memory[2];
    uint32_t offset[2];
    uint8_t *capture[2];
    size_t captured[2];
    size_t init_at[2][INITS_MAX];
};

struct world {
    struct pipeline *pipeline;
    struct viewer *viewer;
    uint64_t now_us;
    int wanted_keys;
    int playable;
    int refused;
    uint64_t playable_us;
    uint64_t first_frame_us;
    uint64_t opened_msn;
    uint64_t opened_count;
    bool watches_naps;
    uint64_t nap_us; /* a worker would not look before that */
    size_t naps;
    size_t late_parts; /* which it would have published later */
    uint64_t ceiling_bps;
    int64_t apart_us; /* allowed between the renditions' boundaries */
    bool key_due;     /* the publisher was asked */
    uint64_t asked_us;
};

static struct world *world;
static struct media_unit unit;

/* ---- viewer ---- */

static void capture(struct viewer *v, uint32_t r, const uint8_t *data, size_t len)
{
    assert_true(v->captured[r] + len <= CAPTURE_MAX);
    memcpy(v->capture[r] + v->captured[r], data, len);
    v->captured[r] += len;
}

static int on_hello(void *ctx, const struct chan_message *m)
{
    struct viewer *v = ctx;
    v->hello = *(const struct part_hello *)m->body;
    assert_int_equal(part_check_hello(&v->hello), 0);
    v->hellos++;
    return 0;
}

static int on_init(void *ctx, const struct chan_message *m)
{
    struct viewer *v = ctx;
    const struct part_init *init = m->body;
    assert_int_equal(part_check_init(init, m->blob_len), 0);
    assert_true(init->init_id > v->init_id[init->rendition]);
    v->init_id[init->rendition] = init->init_id;
    assert_true(v->inits[init->rendition] < INITS_MAX - 1);
    v->init_at[init->rendition][v->inits[init->rendition]++] = v->captured[init->rendition];
    v->init[init->rendition] = *init;
    capture(v, init->rendition, m->blob, m->blob_len);
    return 0;
}

static int on_segment(void *ctx, const struct chan_message *m)
{
    struct viewer *v = ctx;
    const struct part_segment *s = m->body;
    assert_int_equal(s->init_id, v->init_id[s->rendition]);
    segment_reader_close(&v->memory[s->rendition]);
    assert_int_equal(segment_reader_open(&v->memory[s->rendition], m->fds[0]), 0);
    v->offset[s->rendition] = 0;
    return ledger_open(&v->ledger, s);
}

static int on_part(void *ctx, const struct chan_message *m)
{
    struct viewer *v = ctx;
    const struct part_part *p = m->body;
    const struct segment_reader *memory = &v->memory[p->rendition];
    assert_int_equal(part_check_part(p, memory->capacity), 0);
    assert_int_equal(p->offset, v->offset[p->rendition]);
    v->offset[p->rendition] += p->len;
    ledger_add_part(&v->ledger, p, memory->data + p->offset, p->len);
    capture(v, p->rendition, memory->data + p->offset, p->len);
    return 0;
}

static int on_segment_end(void *ctx, const struct chan_message *m)
{
    struct viewer *v = ctx;
    return ledger_close(&v->ledger, m->body);
}

static int on_end(void *ctx, const struct chan_message *m)
{
    struct viewer *v = ctx;
    v->end = *(const struct part_end *)m->body;
    v->ends++;
    return 0;
}

static void on_closed(void *ctx, int reason)
{
    struct viewer *v = ctx;
    assert_int_equal(reason, 0);
    chan_free(v->chan);
    v->chan = NULL;
}

static const struct chan_rule viewer_rules[] = {
    {PART_HELLO, CHAN_ANY_PHASE, sizeof(struct part_hello), 0, 0, on_hello},
    {PART_INIT, CHAN_ANY_PHASE, sizeof(struct part_init), PART_INIT_MAX, 0, on_init},
    {PART_SEGMENT, CHAN_ANY_PHASE, sizeof(struct part_segment), 0, 1, on_segment},
    {PART_PART, CHAN_ANY_PHASE, sizeof(struct part_part), 0, 0, on_part},
    {PART_SEGMENT_END, CHAN_ANY_PHASE, sizeof(struct part_segment_end), 0, 0, on_segment_end},
    {PART_END, CHAN_ANY_PHASE, sizeof(struct part_end), 0, 0, on_end},
};

static struct viewer *open_viewer(struct loop *pipeline_loop)
{
    int fds[2];
    (void)pipeline_loop;
    struct viewer *v = calloc(1, sizeof *v);
    assert_non_null(v);
    v->capture[0] = malloc(CAPTURE_MAX);
    v->capture[1] = malloc(CAPTURE_MAX);
    assert_int_equal(loop_init(&v->loop), 0);
    assert_int_equal(chan_pair(fds), 0);
    assert_int_equal(chan_new(&v->loop, fds[0], viewer_rules, 6, on_closed, v, &v->chan), 0);
    assert_int_equal(pipeline_add_consumer(world->pipeline, (uint64_t)fds[1], fds[1]), 0);
    return v;
}

static void close_viewer(struct viewer *v)
{
    chan_free(v->chan);
    loop_done(&v->loop);
    for (int r = 0; r < 2; r++) {
        segment_reader_close(&v->memory[r]);
        free(v->capture[r]);
    }
    free(v);
}

static void drain(struct viewer *v)
{
    for (int i = 0; i < 100; i++)
        assert_int_equal(loop_turn(&v->loop, 0), 0);
}

/* ---- world ---- */

static struct loop worker_loop;

static void want_key(void *ctx)
{
    struct world *w = ctx;
    w->wanted_keys++;
    w->key_due = true;
    w->asked_us = w->now_us;
}

static void segment_opened(void *ctx, uint64_t msn, uint64_t discontinuity_sequence)
{
    struct world *w = ctx;
    (void)discontinuity_sequence;
    assert_true(w->opened_count == 0 || msn == w->opened_msn + 1);
    w->opened_msn = msn;
    w->opened_count++;
}

static void playable(void *ctx)
{
    struct world *w = ctx;
    w->playable++;
    w->playable_us = w->now_us;
}

static void refused(void *ctx)
{
    struct world *w = ctx;
    w->refused++;
}

static struct settings_transcode settings = {
    .part_us = PART_US,
    .segment_us = 2000000,
    .window = 6,
    .audio_bitrate_bps = 128000,
    .video_bitrate_bps = 600000,
    .max_width = 1280,
    .max_height = 720,
};

static void bind_world(uint32_t renditions, bool continues)
{
    struct pipeline_hooks hooks = {
        .ctx = world,
        .want_key = want_key,
        .segment_opened = segment_opened,
        .playable = playable,
        .refused = refused,
    };
    struct msg_transcode_bind bind = {.session = 1,
                                      .epoch = 2,
                                      .next_msn = 1000,
                                      .next_discontinuity = 5,
                                      .max_bitrate_bps = world->ceiling_bps,
                                      .continues = continues,
                                      .renditions = renditions};
    assert_int_equal(pipeline_new(&worker_loop, &settings, &bind, &hooks, &world->pipeline), 0);
    world->viewer = open_viewer(&worker_loop);
}

/* One whose pictures may be no larger than 256x256. */
static inline void bind_small_world(uint32_t renditions)
{
    const struct settings_transcode usual = settings;
    settings.max_width = settings.max_height = 256;
    bind_world(renditions, false);
    settings = usual;
}

static int set_up(void **state)
{
    (void)state;
    world = calloc(1, sizeof *world);
    world->now_us = START_US;
    world->apart_us = 400000;
    world->ceiling_bps = 3000000;
    return loop_init(&worker_loop);
}

static int tear_down(void **state)
{
    (void)state;
    close_viewer(world->viewer);
    pipeline_free(world->pipeline);
    loop_done(&worker_loop);
    free(world);
    return 0;
}

/* Lets time pass up to then, with all ticks that are due. */
static void pass(uint64_t until_us)
{
    for (;;) {
        uint64_t due = pipeline_due_us(world->pipeline, world->now_us);
        if (due > until_us)
            break;
        world->now_us = due > world->now_us ? due : world->now_us;
        uint64_t before = pipeline_due_us(world->pipeline, world->now_us);
        assert_int_equal(pipeline_tick(world->pipeline, world->now_us), 0);
        if (pipeline_due_us(world->pipeline, world->now_us) == before)
            world->now_us++; /* a tick that did nothing would spin */
    }
    world->now_us = until_us;
    drain(world->viewer);
}

/* What a worker would do that leaves frames in the ring while they complete nothing. */
static void watch_naps(size_t parts_before)
{
    drain(world->viewer);
    if (world->now_us < world->nap_us) {
        world->late_parts += world->viewer->ledger.part_count > parts_before;
        return;
    }
    world->nap_us = pipeline_quiet_us(world->pipeline);
    world->naps += world->nap_us > world->now_us + 15000;
}

/* unit was captured at pts_us after the start and arrives late_us later. */
static void deliver(enum track track, enum codec codec, int64_t pts_us, uint8_t flags)
{
    struct frame frame = {
        .len = (uint32_t)unit.len,
        .track = (uint8_t)track,
        .codec = (uint8_t)codec,
        .flags = flags,
        .pts_us = (int64_t)START_US + pts_us,
        .wall_us = WALL_US + pts_us,
    };
    size_t parts = world->viewer->ledger.part_count;
    assert_int_equal(pipeline_push(world->pipeline, &frame, unit.data, world->now_us), 0);
    if (world->watches_naps)
        watch_naps(parts);
    if (world->first_frame_us == 0)
        world->first_frame_us = world->now_us;
    assert_int_equal(pipeline_tick(world->pipeline, world->now_us), 0);
}

/* A publisher like Chromium: answers key requests after 50 ms. */
struct publisher {
    struct encoder *h264;
    AVCodecContext *coded; /* NULL: H.264 by our own encoder */
    enum codec codec;
    AVCodecContext *opus;
    int width, height;
    int number;       /* video frames made */
    int64_t video_us; /* next frame's capture time */
    int64_t audio_us;
    int audio_number;
    int64_t interval_us;
    bool audio_on, video_on, gop_only;
    int64_t (*pause_us)(int number); /* NULL, or from this frame to the next */
    int64_t (*delay_us)(int number); /* NULL, or on the way; frames stay in order */
    int64_t arrived_us;              /* last video frame */
};

static void publisher_resize(struct publisher *p, int width, int height)
{
    bool coded = p->codec != CODEC_H264;
    encoder_free(p->h264);
    p->h264 = NULL;
    avcodec_free_context(&p->coded);
    p->width = width;
    p->height = height;
    if (coded)
        p->coded = media_open(p->codec, width, height);
    else
        assert_int_equal(encoder_new(width, height, 500000, &p->h264), 0);
    world->key_due = true;
    world->asked_us = 0;
}

static inline void publisher_open_codec(struct publisher *p, enum codec codec)
{
    *p = (struct publisher){
        .codec = codec, .interval_us = 33333, .audio_on = true, .video_on = true};
    p->opus = media_open_opus();
    publisher_resize(p, 320, 180);
}

static inline void publisher_open(struct publisher *p, bool vp8)
{
    publisher_open_codec(p, vp8 ? CODEC_VP8 : CODEC_H264);
}

static inline void publisher_close(struct publisher *p)
{
    encoder_free(p->h264);
    avcodec_free_context(&p->coded);
    avcodec_free_context(&p->opus);
}

static inline void publish_video(struct publisher *p)
{
    bool key = p->number == 0;
    if (p->gop_only)
        key |= p->number % 250 == 0;
    else
        key |= world->key_due && world->now_us >= world->asked_us + 50000;
    if (key)
        world->key_due = false;
    if (p->coded != NULL)
        media_coded(p->coded, p->number, key, &unit);
    else
        media_h264(p->h264, p->width, p->height, p->number, key, &unit);
    p->number++;
    if (p->video_on)
        deliver(TRACK_VIDEO, p->codec, p->video_us, key ? FRAME_KEY : 0);
    p->video_us += p->pause_us != NULL ? p->pause_us(p->number) : p->interval_us;
}

/* After a loss: ingest asks at once. */
static inline void publisher_show_again(struct publisher *p)
{
    p->video_on = true;
    world->key_due = true;
    world->asked_us = 0;
}

/* When the next video frame comes. */
static inline int64_t video_at(const struct publisher *p)
{
    int64_t at_us = p->video_us + 20000 + (p->delay_us != NULL ? p->delay_us(p->number) : 0);
    return at_us > p->arrived_us ? at_us : p->arrived_us;
}

/* Both tracks for seconds of time; 20 ms of network. */
static inline void publish(struct publisher *p, double seconds)
{
    int64_t until_us = (int64_t)(world->now_us - START_US) + (int64_t)(seconds * 1e6);
    for (;;) {
        int64_t at_us = video_at(p);
        bool audio = p->audio_us + 40000 < at_us; /* a packet is sent when it is over */
        at_us = audio ? p->audio_us + 40000 : at_us;
        if (at_us > until_us)
            break;
        if (START_US + (uint64_t)at_us > world->now_us)
            pass(START_US + (uint64_t)at_us);
        if (!audio) {
            p->arrived_us = at_us;
            publish_video(p);
            continue;
        }
        media_opus(p->opus, p->audio_number++, true, &unit);
        if (p->audio_on)
            deliver(TRACK_AUDIO, CODEC_OPUS, p->audio_us, 0);
        p->audio_us += 20000;
    }
    pass(START_US + (uint64_t)until_us);
}

/* Frames that FFmpeg decodes from one header and its parts, without any complaint; -1 without
 * FFmpeg. */
static long decode_with_ffmpeg(const uint8_t *data, size_t len)
{
    char name[] = "/tmp/sluice-test-XXXXXX", command[512], answer[256] = {0};
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), (ssize_t)len);
    close(fd);
    snprintf(command, sizeof command,
             "ffmpeg -nostdin -v warning -f mp4 -i %s -fps_mode passthrough -enc_time_base -1 "
             "-f null - 2>&1; "
             "ffprobe -v error -count_frames -show_entries stream=nb_read_frames -of csv=p=0 %s",
             name, name);
    FILE *tool = popen(command, "r");
    assert_non_null(tool);
    size_t answer_len = fread(answer, 1, sizeof answer - 1, tool);
    int status = pclose(tool);
    unlink(name);
    if (WEXITSTATUS(status) == 127)
        return -1;
    char *rest;
    long frames = strtol(answer, &rest, 10);
    if (answer_len == 0 || (*rest != '\n' && *rest != '\0'))
        fail_msg("ffmpeg says: %s", answer);
    return frames;
}

static inline void assert_decodes(uint32_t rendition, long frames_min)
{
    struct viewer *v = world->viewer;
    long frames = 0;
    for (uint32_t i = 0; i < v->inits[rendition]; i++) {
        size_t at = v->init_at[rendition][i];
        bool last = i + 1 == v->inits[rendition];
        size_t end = last ? v->captured[rendition] : v->init_at[rendition][i + 1];
        long some = decode_with_ffmpeg(v->capture[rendition] + at, end - at);
        if (some < 0)
            return;
        frames += some;
    }
    assert_true(frames >= frames_min);
}

#endif
