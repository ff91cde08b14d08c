/* Writes access units into the frame ring, on the stream's timeline. */
#include "gateway/ingest/framer.h"

#include <errno.h>
#include <string.h>

#define RECORD_OVERHEAD 128u /* head and padding of one record in the ring, rounded up */

void framer_init(struct framer *f, struct ring_writer *ring, int64_t wall_offset_us)
{
    memset(f, 0, sizeof(*f));
    f->ring = ring;
    f->wall_offset_us = wall_offset_us;
    sync_init(&f->sync);
}

void framer_start_track(struct framer *f, enum track track, enum codec codec, uint32_t clock_rate)
{
    f->codecs[track] = codec;
    sync_start_track(&f->sync, track, clock_rate);
}

static uint8_t flags_of(const struct framer *f, enum track track, const struct depay_unit *unit,
                        bool jump)
{
    unsigned flags = 0;
    if (unit->key)
        flags |= FRAME_KEY;
    if (unit->gap || f->dropped[track])
        flags |= FRAME_GAP;
    if (jump)
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

static int drop(struct framer *f, enum track track, int error)
{
    f->dropped[track] = true;
    if (track == TRACK_VIDEO)
        f->held = true;
    return error;
}

/* Each change of the format costs viewers a discontinuity and transcode a new encoder. */
static bool is_change(const struct framer *f, enum track track, const struct depay_unit *unit)
{
    return track == TRACK_VIDEO && unit->key && f->width != 0 &&
           (unit->width != f->width || unit->height != f->height);
}

static int check_rates(struct framer *f, enum track track, const struct depay_unit *unit)
{
    uint32_t most = track == TRACK_VIDEO ? FRAMER_VIDEO_RATE_MAX : FRAMER_AUDIO_RATE_MAX;
    bool change = is_change(f, track, unit);
    if (track == TRACK_VIDEO && f->held && !unit->key)
        return -EAGAIN;
    if (f->this_second[track] >= most || (change && f->formats >= FRAMER_FORMATS_MAX))
        return drop(f, track, -EDQUOT);
    f->this_second[track]++;
    f->formats += change;
    return 0;
}

static void note_written(struct framer *f, enum track track, const struct depay_unit *unit)
{
    f->dropped[track] = false;
    f->numbers[track]++;
    if (track != TRACK_VIDEO || !unit->key)
        return;
    f->held = false;
    f->width = unit->width;
    f->height = unit->height;
}

int framer_write(struct framer *f, enum track track, const struct depay_unit *unit)
{
    int rc = check_rates(f, track, unit);
    if (rc < 0)
        return rc;
    int64_t pts_us = 0;
    bool jump = sync_map(&f->sync, track, unit->rtp_time, unit->first_us, &pts_us);
    struct frame frame = {
        .len = (uint32_t)unit->len,
        .track = (uint8_t)track,
        .codec = (uint8_t)f->codecs[track],
        .flags = flags_of(f, track, unit, jump),
        .pts_us = pts_us,
        .wall_us = pts_us + f->wall_offset_us,
        .arrival_us = (int64_t)unit->last_us,
        .rtp_time = unit->rtp_time,
        .width = unit->width,
        .height = unit->height,
        .number = f->numbers[track],
    };
    rc = write_record(f, &frame, unit);
    if (rc < 0)
        return drop(f, track, rc);
    note_written(f, track, unit);
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
    memset(f->this_second, 0, sizeof(f->this_second));
    f->formats = 0;
    ring_expire(f->ring, (size_t)keep);
}
