/* Keeps the segments of the playlist window in sealed memory and tells every consumer about them.
 */
#include "transcode/outlet.h"

#include "lib/base/chan.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/segment.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENTS_MAX (PART_WINDOW_MAX + OUTLET_SPARE)

/* Invariant: memory.fd is -1 in a free slot. */
struct slot {
    struct part_segment segment;
    struct segment_writer memory;
    struct part_part parts[PART_PER_SEGMENT_MAX];
    uint32_t part_count;
    bool closed;
    struct part_segment_end end;
};

struct header {
    struct part_init init;
    size_t len;
    uint8_t data[PART_INIT_MAX];
};

/* Slots and headers are rings: segment number n of a rendition (from 0) lies in n % SEGMENTS_MAX.
 */
struct rendition {
    struct slot slots[SEGMENTS_MAX];
    struct header headers[SEGMENTS_MAX + 1];
    uint64_t opened; /* segments opened so far */
    uint64_t oldest; /* first one still kept */
};

struct consumer {
    struct outlet *outlet;
    struct chan *chan; /* NULL: free */
    uint64_t number;   /* whose it is */
    bool told_init[OUTLET_RENDITIONS];
    uint32_t init_id[OUTLET_RENDITIONS]; /* last one told */
};

struct outlet {
    struct loop *loop;
    struct part_hello hello;
    struct part_end end;
    bool ended;
    struct consumer consumers[OUTLET_CONSUMERS_MAX];
    struct rendition renditions[OUTLET_RENDITIONS];
};

int outlet_new(struct loop *loop, const struct part_hello *hello, struct outlet **out)
{
    assert(hello->window <= PART_WINDOW_MAX);
    struct outlet *o = calloc(1, sizeof *o); /* pages are taken as they are used */
    if (o == NULL)
        return -ENOMEM;
    o->loop = loop;
    o->hello = *hello;
    for (size_t r = 0; r < OUTLET_RENDITIONS; r++) {
        for (size_t i = 0; i < SEGMENTS_MAX; i++)
            o->renditions[r].slots[i].memory.fd = -1;
    }
    *out = o;
    return 0;
}

void outlet_free(struct outlet *o)
{
    if (o == NULL)
        return;
    for (size_t i = 0; i < OUTLET_CONSUMERS_MAX; i++)
        chan_free(o->consumers[i].chan);
    for (size_t r = 0; r < OUTLET_RENDITIONS; r++) {
        for (size_t i = 0; i < SEGMENTS_MAX; i++)
            segment_writer_close(&o->renditions[r].slots[i].memory);
    }
    free(o);
}

static void drop_consumer(struct consumer *c, int reason)
{
    log_event(LOG_INFO, "consumer_gone", "slot=%td reason=%d", c - c->outlet->consumers, reason);
    chan_free(c->chan);
    *c = (struct consumer){.outlet = c->outlet};
}

static void on_closed(void *ctx, int reason)
{
    drop_consumer(ctx, reason);
}

/* A consumer whose queue is full does not read; it is dropped and asks for a new pair. */
static void tell(struct consumer *c, enum part_message type, const void *body, size_t body_len,
                 const struct header *header, int fd)
{
    if (c->chan == NULL)
        return;
    int result = chan_send(c->chan, (uint16_t)type, body, body_len, header ? header->data : NULL,
                           header ? header->len : 0, &fd, fd >= 0 ? 1 : 0);
    if (result != 0)
        drop_consumer(c, result);
}

static const struct header *find_header(const struct outlet *o, uint32_t rendition,
                                        uint32_t init_id)
{
    return &o->renditions[rendition].headers[init_id % (SEGMENTS_MAX + 1)];
}

static void tell_segment(struct consumer *c, const struct slot *s)
{
    uint32_t r = s->segment.rendition;
    if (!c->told_init[r] || c->init_id[r] != s->segment.init_id) {
        const struct header *header = find_header(c->outlet, r, s->segment.init_id);
        tell(c, PART_INIT, &header->init, sizeof header->init, header, -1);
        c->told_init[r] = true;
        c->init_id[r] = s->segment.init_id;
    }
    tell(c, PART_SEGMENT, &s->segment, sizeof s->segment, NULL, s->memory.fd);
}

static void tell_whole_segment(struct consumer *c, const struct slot *s)
{
    tell_segment(c, s);
    for (uint32_t i = 0; i < s->part_count; i++)
        tell(c, PART_PART, &s->parts[i], sizeof s->parts[i], NULL, -1);
    if (s->closed)
        tell(c, PART_SEGMENT_END, &s->end, sizeof s->end, NULL, -1);
}

/* All that is kept, in the order of the media sequence numbers. */
static void tell_window(struct consumer *c)
{
    struct outlet *o = c->outlet;
    uint64_t next[OUTLET_RENDITIONS];
    for (size_t r = 0; r < OUTLET_RENDITIONS; r++)
        next[r] = o->renditions[r].oldest;
    for (;;) {
        const struct slot *first = NULL;
        for (size_t r = 0; r < OUTLET_RENDITIONS; r++) {
            const struct rendition *rendition = &o->renditions[r];
            const struct slot *s = &rendition->slots[next[r] % SEGMENTS_MAX];
            if (next[r] < rendition->opened &&
                (first == NULL || s->segment.msn < first->segment.msn))
                first = s;
        }
        if (first == NULL)
            return;
        next[first->segment.rendition]++;
        tell_whole_segment(c, first);
    }
}

int outlet_add_consumer(struct outlet *o, uint64_t number, int fd)
{
    struct consumer *c = o->consumers;
    for (size_t i = 0; i < OUTLET_CONSUMERS_MAX; i++) {
        if (o->consumers[i].chan != NULL && o->consumers[i].number == number)
            drop_consumer(&o->consumers[i], 0);
    }
    while (c < o->consumers + OUTLET_CONSUMERS_MAX && c->chan != NULL)
        c++;
    if (c == o->consumers + OUTLET_CONSUMERS_MAX) {
        fd_close(&fd);
        return -ENOSPC;
    }
    *c = (struct consumer){.outlet = o, .number = number};
    int result = chan_new(o->loop, fd, NULL, 0, on_closed, c, &c->chan);
    if (result != 0)
        return result;
    tell(c, PART_HELLO, &o->hello, sizeof o->hello, NULL, -1);
    tell_window(c);
    if (o->ended)
        tell(c, PART_END, &o->end, sizeof o->end, NULL, -1);
    return 0;
}

size_t outlet_consumers(const struct outlet *o)
{
    size_t count = 0;
    for (size_t i = 0; i < OUTLET_CONSUMERS_MAX; i++)
        count += o->consumers[i].chan != NULL;
    return count;
}

void outlet_put_init(struct outlet *o, const struct part_init *init, const uint8_t *data,
                     size_t len)
{
    assert(init->rendition < OUTLET_RENDITIONS && len <= PART_INIT_MAX);
    struct rendition *r = &o->renditions[init->rendition];
    struct header *header = &r->headers[init->init_id % (SEGMENTS_MAX + 1)];
    header->init = *init;
    header->len = len;
    memcpy(header->data, data, len);
}

static struct slot *open_slot(struct outlet *o, uint32_t rendition)
{
    struct rendition *r = &o->renditions[rendition];
    return &r->slots[(r->opened - 1) % SEGMENTS_MAX];
}

int outlet_open_segment(struct outlet *o, const struct part_segment *segment)
{
    assert(segment->rendition < OUTLET_RENDITIONS);
    struct rendition *r = &o->renditions[segment->rendition];
    while (r->opened - r->oldest >= o->hello.window + OUTLET_SPARE)
        segment_writer_close(&r->slots[r->oldest++ % SEGMENTS_MAX].memory);
    struct slot *s = &r->slots[r->opened % SEGMENTS_MAX];
    int result = segment_writer_open(
        &s->memory, segment->rendition == TRACK_VIDEO ? OUTLET_VIDEO_BYTES : OUTLET_AUDIO_BYTES);
    if (result != 0)
        return result;
    r->opened++;
    s->segment = *segment;
    s->part_count = 0;
    s->closed = false;
    for (size_t i = 0; i < OUTLET_CONSUMERS_MAX; i++) {
        if (o->consumers[i].chan != NULL)
            tell_segment(&o->consumers[i], s);
    }
    return 0;
}

int outlet_put_part(struct outlet *o, const struct part_part *part, const struct writer *head,
                    const uint8_t *body, size_t body_len)
{
    struct slot *s = open_slot(o, part->rendition);
    size_t offset, body_offset;
    if (s->part_count == PART_PER_SEGMENT_MAX)
        return -ENOSPC;
    int result = segment_append(&s->memory, head->data, head->len, &offset);
    if (result == 0)
        result = segment_append(&s->memory, body, body_len, &body_offset);
    if (result != 0)
        return result;
    struct part_part *kept = &s->parts[s->part_count++];
    *kept = *part;
    kept->offset = (uint32_t)offset;
    for (size_t i = 0; i < OUTLET_CONSUMERS_MAX; i++)
        tell(&o->consumers[i], PART_PART, kept, sizeof *kept, NULL, -1);
    return 0;
}

int outlet_close_segment(struct outlet *o, const struct part_segment_end *end)
{
    struct slot *s = open_slot(o, end->rendition);
    s->closed = true;
    s->end = *end;
    for (size_t i = 0; i < OUTLET_CONSUMERS_MAX; i++)
        tell(&o->consumers[i], PART_SEGMENT_END, end, sizeof *end, NULL, -1);
    return 0;
}

void outlet_end(struct outlet *o, const struct part_end *end)
{
    o->ended = true;
    o->end = *end;
    for (size_t i = 0; i < OUTLET_CONSUMERS_MAX; i++)
        tell(&o->consumers[i], PART_END, end, sizeof *end, NULL, -1);
}
