/* Access units out of the frame ring, copied before anyone looks at them (threats.md I1). */
#include "transcode/source.h"

#include <errno.h>
#include <stdlib.h>

int source_open(struct source *s, int fd, bool from_start)
{
    *s = (struct source){.buffer = malloc(RING_RECORD_MAX)}; /* pages are taken as they are used */
    int result = s->buffer != NULL ? ring_reader_new(fd, from_start, &s->ring) : -ENOMEM;
    if (result != 0)
        source_close(s);
    return result;
}

void source_close(struct source *s)
{
    ring_reader_free(s->ring);
    free(s->buffer);
    *s = (struct source){0};
}

enum source_result source_check(uint8_t *record, size_t len, uint64_t now_us,
                                struct frame *out_frame, uint8_t **out_payload)
{
    struct frame frame;
    const uint8_t *payload;
    if (frame_parse(record, len, &frame, &payload) != 0 || frame.len == 0)
        return SOURCE_REFUSED;
    if (frame.layer != 0)
        return SOURCE_LAYER;
    int64_t distance = frame.pts_us - (int64_t)now_us; /* frame_parse bounds the time */
    if (distance > SOURCE_CLOCK_MAX_US || distance < -SOURCE_CLOCK_MAX_US || frame.wall_us < 0)
        return SOURCE_REFUSED;
    *out_frame = frame;
    *out_payload = record + (payload - record);
    return SOURCE_FRAME;
}

static bool is_other_layer(const struct frame *head, size_t len)
{
    return len == sizeof(*head) && head->track == TRACK_VIDEO && head->layer != 0 &&
           head->layer < FRAME_LAYERS_MAX;
}

enum source_result source_next(struct source *s, uint64_t now_us, struct frame *out_frame,
                               uint8_t **out_payload)
{
    struct frame head;
    size_t len = 0;
    int result = ring_peek(s->ring, &head, sizeof(head), &len);
    if (result == RING_RECORD) {
        /* no more than a hint, the writer may change it: what is copied is checked again */
        bool skip = is_other_layer(&head, len);
        result = ring_read(s->ring, s->buffer, skip ? 0 : RING_RECORD_MAX, &len);
        if (skip && result == -EMSGSIZE)
            return SOURCE_LAYER;
    }
    switch (result) {
    case RING_EMPTY:
        return SOURCE_EMPTY;
    case RING_RECORD:
        return source_check(s->buffer, len, now_us, out_frame, out_payload);
    case RING_LAPPED:
    case -EBADMSG:
        return SOURCE_LOST;
    default:
        return SOURCE_REFUSED;
    }
}
