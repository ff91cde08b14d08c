/* Writes access units into the frame ring, on the stream's timeline. */
#include "gateway/ingest/framer.h"

#include <errno.h>
#include <string.h>

#define CHANGE_STEP_US 1000
#define RECORD_OVERHEAD 128u /* head and padding of one record in the ring, rounded up */

void framer_init(struct framer *f, struct ring_writer *ring, int64_t wall_offset_us)
{
    memset(f, 0, sizeof(*f));
    f->ring = ring;
    f->wall_offset_us = wall_offset_us;
    sync_init(&f->sync);
}

static enum track track_of(unsigned lane)
{
    return lane == TRACK_AUDIO ? TRACK_AUDIO : TRACK_VIDEO;
}

static struct framer_output *output_of(struct framer *f, unsigned lane)
{
    uint8_t layer = f->lanes[lane].layer;
    return &f->outputs[layer == 0 ? (size_t)track_of(lane) : TRACK_COUNT + layer - 1u];
}

void framer_start_track(struct framer *f, unsigned lane, enum codec codec, uint32_t clock_rate)
{
    f->lanes[lane].codec = codec;
    sync_start_track(&f->sync, lane, clock_rate);
}

void framer_set_layer(struct framer *f, unsigned lane, uint8_t layer)
{
    struct framer_lane *l = &f->lanes[lane];
    if (l->layer == layer)
        return;
    l->layer = layer;
    l->held = true;
    l->moved = true;
}

static uint8_t flags_of(const struct framer_lane *lane, const struct framer_output *out,
                        const struct depay_unit *unit, bool jump)
{
    unsigned flags = 0;
    if (unit->key)
        flags |= FRAME_KEY;
    if (unit->gap || lane->dropped)
        flags |= FRAME_GAP;
    if (jump || (lane->moved && out->number > 0))
        flags |= FRAME_JUMP;
    return (uint8_t)flags;
}

static int write_record(struct framer *f, const struct frame *frame, const struct depay_unit *unit)
{
    /* iovec has no const; the ring only reads */
    union {
        const void *in;
        void *out;
    } head = {.in = frame}, body = {.in = unit->data};
    struct iovec parts[] = {{.iov_base = head.out, .iov_len = sizeof(*frame)},
                            {.iov_base = body.out, .iov_len = unit->len}};
    return ring_write(f->ring, parts, 2);
}

static int drop(struct framer_lane *lane, bool video, int error)
{
    lane->dropped = true;
    lane->held = video;
    return error;
}

/* Each change of the format costs viewers a discontinuity and transcode a new encoder. */
static bool is_change(const struct framer_output *out, const struct depay_unit *unit)
{
    return unit->key && out->width != 0 &&
           (unit->width != out->width || unit->height != out->height);
}

static int check_rates(struct framer_lane *lane, struct framer_output *out, bool video,
                       const struct depay_unit *unit)
{
    uint32_t most = video ? FRAMER_VIDEO_RATE_MAX : FRAMER_AUDIO_RATE_MAX;
    bool change = video && is_change(out, unit);
    if (lane->held && !unit->key)
        return -EAGAIN;
    if (lane->this_second >= most || (change && out->formats >= FRAMER_FORMATS_MAX))
        return drop(lane, video, -EDQUOT);
    lane->this_second++;
    out->formats += change;
    return 0;
}

static void note_written(struct framer_lane *lane, struct framer_output *out, bool video,
                         const struct frame *frame)
{
    lane->dropped = false;
    lane->moved = false;
    out->number++;
    if (frame->pts_us > out->newest_us)
        out->newest_us = frame->pts_us;
    if (!video || !(frame->flags & FRAME_KEY))
        return;
    lane->held = false;
    out->width = frame->width;
    out->height = frame->height;
}

/* The layers' clocks agree but for a few milliseconds: a change of layer never goes back. */
static int64_t keep_going(const struct framer_lane *lane, const struct framer_output *out,
                          int64_t pts_us)
{
    bool back = lane->moved && out->number > 0 && pts_us <= out->newest_us;
    return back ? out->newest_us + CHANGE_STEP_US : pts_us;
}

int framer_write(struct framer *f, unsigned lane, const struct depay_unit *unit)
{
    struct framer_lane *from = &f->lanes[lane];
    struct framer_output *out = output_of(f, lane);
    bool video = track_of(lane) == TRACK_VIDEO;
    int rc = check_rates(from, out, video, unit);
    if (rc < 0)
        return rc;
    int64_t pts_us = 0;
    bool jump = sync_map(&f->sync, lane, unit->rtp_time, unit->first_us, &pts_us);
    pts_us = keep_going(from, out, pts_us);
    struct frame frame = {
        .len = (uint32_t)unit->len,
        .track = (uint8_t)track_of(lane),
        .codec = (uint8_t)from->codec,
        .flags = flags_of(from, out, unit, jump),
        .layer = from->layer,
        .pts_us = pts_us,
        .wall_us = pts_us + f->wall_offset_us,
        .arrival_us = (int64_t)unit->last_us,
        .rtp_time = unit->rtp_time,
        .width = unit->width,
        .height = unit->height,
        .number = out->number,
    };
    rc = write_record(f, &frame, unit);
    if (rc < 0)
        return drop(from, video, rc);
    note_written(from, out, video, &frame);
    f->recent[f->recent_next] += unit->len + sizeof(frame) + RECORD_OVERHEAD;
    return 0;
}

void framer_tick(struct framer *f)
{
    uint64_t keep = 0;
    for (unsigned i = 0; i < FRAMER_KEEP_S; i++)
        keep += f->recent[i];
    f->recent_next = (f->recent_next + 1) % FRAMER_KEEP_S;
    f->recent[f->recent_next] = 0;
    for (unsigned i = 0; i < FRAMER_LANES; i++)
        f->lanes[i].this_second = 0;
    for (unsigned i = 0; i < FRAMER_OUTPUTS; i++)
        f->outputs[i].formats = 0;
    ring_expire(f->ring, (size_t)keep);
}
