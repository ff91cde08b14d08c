/* Moves frames from the ring to the pipeline, for a bounded time per turn of the loop. */
#include "transcode/feed.h"

/* When the frame came into the ring: its last packet's arrival, if the ring was empty before that;
 * else it waited for a repair of an earlier one, and nobody knows until when. */
static uint64_t came_us(const struct feed *f, const struct frame *frame, uint64_t now_us)
{
    uint64_t arrival_us = frame->arrival_us > 0 ? (uint64_t)frame->arrival_us : 0;
    return f->empty_us != 0 && arrival_us >= f->empty_us && arrival_us <= now_us ? arrival_us
                                                                                 : now_us;
}

static int feed_one(struct feed *f, uint64_t now_us, bool *out_empty)
{
    struct frame frame;
    uint8_t *payload;
    switch (source_next(f->source, now_us, &frame, &payload)) {
    case SOURCE_EMPTY:
        *out_empty = true;
        f->empty_us = now_us;
        break;
    case SOURCE_FRAME:
        pipeline_set_backlog(f->pipeline, now_us - f->behind_us);
        return pipeline_push(f->pipeline, &frame, payload, came_us(f, &frame, now_us));
    case SOURCE_LOST:
        f->lost++;
        pipeline_lose(f->pipeline);
        break;
    case SOURCE_LAYER:
        f->layers++;
        break;
    case SOURCE_REFUSED:
        f->refused++;
        break;
    }
    return 0;
}

int feed_turn(struct feed *f, bool *out_more)
{
    uint64_t start_us = f->clock(), now_us = start_us;
    bool empty = false;
    if (!f->behind)
        f->behind_us = start_us;
    do {
        int result = feed_one(f, now_us, &empty);
        if (result != 0)
            return result;
        now_us = f->clock();
    } while (!empty && now_us < start_us + FEED_TURN_US);
    f->behind = !empty;
    *out_more = !empty;
    return 0;
}
