/* Any sequence of frames and pauses through the whole pipeline: no publisher may break the rules
 * that the chunker asserts, nor crash a stage.
 *
 * Input: commands of 6 bytes, followed by as many payload bytes as they say:
 *   u8 what (0 video, 1 audio, 2 pause, 3 frames lost) and codec, u8 flags, u16 milliseconds to
 * pass, u16 payload length. */
#include "transcode/pipeline.h"

#include "lib/base/reader.h"
#include "transcode/avlib.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define START_US UINT64_C(100000000)
#define COMMANDS_MAX 200
#define TICKS_MAX 2000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void ignore_key(void *ctx)
{
    (void)ctx;
}

static void ignore_segment(void *ctx, uint64_t msn, uint64_t discontinuity_sequence)
{
    (void)ctx;
    (void)msn;
    (void)discontinuity_sequence;
}

static void pass(struct pipeline *p, uint64_t *now_us, uint64_t until_us)
{
    for (int i = 0; i < TICKS_MAX; i++) {
        uint64_t due_us = pipeline_due_us(p, *now_us);
        if (due_us > until_us)
            break;
        *now_us = due_us > *now_us ? due_us : *now_us + 1;
        assert(pipeline_tick(p, *now_us) == 0);
    }
    *now_us = until_us > *now_us ? until_us : *now_us;
}

static void push(struct pipeline *p, struct reader *r, unsigned what, unsigned flags, size_t len,
                 uint64_t now_us)
{
    const uint8_t *bytes = reader_bytes(r, len);
    static const enum codec codecs[] = {CODEC_H264, CODEC_VP9, CODEC_AV1, CODEC_H265};
    enum codec video = flags & 0x80 ? CODEC_VP8 : codecs[what >> 2 & 3];
    int64_t skew_us = (int64_t)((flags >> 4) & 7) * 40000 - 120000; /* late, in time, or early */
    struct frame frame = {
        .len = (uint32_t)len,
        .track = (what & 3) == 0 ? TRACK_VIDEO : TRACK_AUDIO,
        .codec = (uint8_t)((what & 3) == 1 ? CODEC_OPUS : video),
        .flags = flags & 7,
        .pts_us = (int64_t)now_us + skew_us,
        .wall_us = (int64_t)now_us,
    };
    if (bytes == NULL || len == 0)
        return;
    uint8_t *payload = malloc(len);
    if (payload == NULL)
        return;
    memcpy(payload, bytes, len);
    assert(pipeline_push(p, &frame, payload, now_us) == 0);
    free(payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct loop loop;
    const struct settings_transcode settings = {
        .part_us = 200000,
        .segment_us = 2000000,
        .window = 1,
        .audio_bitrate_bps = 64000,
        .video_bitrate_bps = 100000,
        .max_width = 64,
        .max_height = 64,
    };
    const struct pipeline_hooks hooks = {.want_key = ignore_key,
                                         .segment_opened = ignore_segment,
                                         .playable = ignore_key,
                                         .refused = ignore_key};
    struct msg_transcode_bind bind = {.renditions = 3};
    struct pipeline *p = NULL;
    struct reader r;
    uint64_t now_us = START_US;
    avlib_silence();
    reader_init(&r, data, len);
    bind.renditions = 1 + reader_u8(&r) % 3u;
    if (pipeline_new(&loop, &settings, &bind, &hooks, &p) != 0)
        return 0;
    for (int i = 0; i < COMMANDS_MAX && reader_left(&r) >= 6; i++) {
        unsigned what = reader_u8(&r), flags = reader_u8(&r);
        uint64_t until_us = now_us + (uint64_t)(reader_u16(&r) & 0x7ff) * 1000;
        size_t payload = reader_u16(&r);
        pass(p, &now_us, until_us);
        if ((what & 3) < 2)
            push(p, &r, what, flags, payload, now_us);
        else if ((what & 3) == 3)
            pipeline_lose(p);
        assert(pipeline_tick(p, now_us) == 0);
    }
    assert(pipeline_end(p, END_CLOSED) == 0);
    pipeline_free(p);
    return 0;
}
