/* All streams this process can serve: what the supervisor and the transcode workers have told of
 * them. */
#include "web/streams.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "web/repeats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_US CLOCK_SECOND_US

enum link_phase { LINK_NEW, LINK_GREETED };

/* Invariant: is its stream's link or next_link. */
struct stream_link {
    struct stream *stream;
    struct chan *chan;
    enum link_phase phase;
};

struct streams {
    struct loop *loop;
    struct loop_timer sweep;
    uint64_t linger_us;
    streams_event_fn fn;
    void *ctx;
    streams_want_fn want;
    void *want_ctx;
    struct stream *first;
    size_t count;
};

static void tell(struct stream *stream, enum streams_event event, uint32_t rendition)
{
    stream->streams->fn(stream->streams->ctx, stream, event, rendition);
}

static struct rendition_rules rules_of(const struct stream *stream, uint64_t now_us)
{
    return (struct rendition_rules){.epoch = stream->hello.epoch,
                                    .window = stream->hello.window,
                                    .target_duration_s = stream->hello.target_duration_s,
                                    .segment_target_us = stream->hello.segment_target_us,
                                    .now_us = now_us};
}

/* ---- announcements of a worker ---- */

static void link_free(struct stream_link *link)
{
    if (!link)
        return;
    chan_free(link->chan);
    free(link);
}

/* LL-03: what a playlist promised never changes while it lives; nor do its tracks, of which players
 * ask once. */
static bool same_promises(const struct part_hello *a, const struct part_hello *b)
{
    return a->part_target_us == b->part_target_us && a->window == b->window &&
           a->renditions == b->renditions && a->segment_target_us == b->segment_target_us &&
           a->target_duration_s == b->target_duration_s;
}

/* Another worker follows: in the same playlists, or in fresh ones. */
static void succeed(struct stream *stream, bool goes_on, uint64_t now_us)
{
    struct rendition_rules rules = rules_of(stream, now_us);
    for (uint32_t i = 0; i < PART_RENDITIONS_MAX; i++) {
        if (goes_on) {
            rendition_finish(&stream->renditions[i]);
            rendition_forget_inits(&stream->renditions[i]);
        } else {
            rendition_restart(&stream->renditions[i], &rules);
        }
    }
}

static int on_hello(struct stream_link *link, const struct part_hello *m, uint64_t now_us)
{
    struct stream *stream = link->stream;
    struct part_hello hello = *m;
    if (part_check_hello(&hello))
        return -EBADMSG;
    bool same = stream->greeted && !stream->ended && same_promises(&stream->hello, &hello);
    /* Over each further link a worker tells all of its window again. */
    stream->repeats = same && hello.worker == stream->hello.worker;
    bool goes_on = same && (hello.continues || stream->repeats);
    if (stream->greeted && !stream->repeats)
        succeed(stream, goes_on, now_us);
    if (link == stream->next_link) {
        link_free(stream->link);
        stream->link = link;
        stream->next_link = NULL;
    }
    link->phase = LINK_GREETED;
    if (link->chan)
        chan_set_phase(link->chan, LINK_GREETED);
    if (!goes_on)
        stream->first_part_us = 0;
    stream->hello = hello;
    stream->greeted = true;
    stream->ended = false;
    stream->end_due_us = 0;
    stream->relink_us = 0;
    for (uint32_t i = 0; i < PART_RENDITIONS_MAX; i++)
        tell(stream, STREAMS_CHANGED, i);
    log_event(LOG_INFO, "publication", "stream=%s session=%llu continues=%d", stream->name,
              (unsigned long long)stream->session, goes_on);
    return 0;
}

static int on_init(struct stream *stream, const struct chan_message *message)
{
    struct part_init m;
    memcpy(&m, message->body, sizeof(m));
    if (part_check_init(&m, message->blob_len) || !(stream->hello.renditions >> m.rendition & 1))
        return -EBADMSG;
    if (stream->repeats && repeats_init(&stream->renditions[m.rendition], &m))
        return 0;
    return rendition_on_init(&stream->renditions[m.rendition], stream->hello.epoch, &m,
                             message->blob, message->blob_len);
}

static int on_segment(struct stream *stream, const struct chan_message *message, uint64_t now_us)
{
    struct part_segment m;
    struct segment_reader map = {0};
    memcpy(&m, message->body, sizeof(m));
    if (part_check_segment(&m))
        return -EBADMSG;
    if (stream->repeats && repeats_segment(&stream->renditions[m.rendition], &m))
        return 0;
    int rc = segment_reader_open(&map, message->fds[0]);
    if (rc)
        return rc;
    struct rendition_rules rules = rules_of(stream, now_us);
    return rendition_on_segment(&stream->renditions[m.rendition], &rules, &m, &map);
}

static int on_part(struct stream *stream, const struct chan_message *message, uint64_t now_us)
{
    struct part_part m;
    memcpy(&m, message->body, sizeof(m));
    if (m.rendition >= PART_RENDITIONS_MAX)
        return -EBADMSG;
    if (stream->repeats && repeats_part(&stream->renditions[m.rendition], &m))
        return 0;
    int rc = rendition_on_part(&stream->renditions[m.rendition], &m);
    if (rc)
        return rc;
    if (stream->first_part_us == 0)
        stream->first_part_us = now_us;
    tell(stream, STREAMS_CHANGED, m.rendition);
    return 0;
}

static int on_segment_end(struct stream *stream, const struct chan_message *message)
{
    struct part_segment_end m;
    memcpy(&m, message->body, sizeof(m));
    if (m.rendition >= PART_RENDITIONS_MAX)
        return -EBADMSG;
    struct rendition *r = &stream->renditions[m.rendition];
    if (stream->repeats && repeats_segment_end(r, &m))
        return 0;
    const struct media_segment *last = rendition_last(r);
    bool was_complete = last && last->complete;
    int rc = rendition_on_segment_end(r, &m);
    if (rc == 0 && !was_complete)
        tell(stream, STREAMS_CHANGED, m.rendition);
    return rc;
}

static void end_stream(struct stream *stream, uint64_t now_us)
{
    if (stream->ended)
        return;
    stream->ended = true;
    stream->ended_us = now_us;
    stream->end_due_us = 0;
    for (uint32_t i = 0; i < PART_RENDITIONS_MAX; i++)
        rendition_finish(&stream->renditions[i]);
    log_event(LOG_INFO, "endlist", "stream=%s session=%llu", stream->name,
              (unsigned long long)stream->session);
    tell(stream, STREAMS_ENDED, 0);
}

static int on_end(struct stream *stream, const struct chan_message *message, uint64_t now_us)
{
    struct part_end m;
    memcpy(&m, message->body, sizeof(m));
    if (m.final || stream->end_due_us > 0)
        end_stream(stream, now_us);
    return 0;
}

static int feed(struct stream_link *link, const struct chan_message *message, uint64_t now_us)
{
    struct part_hello hello;
    if ((message->type == PART_HELLO) != (link->phase == LINK_NEW))
        return -EPROTO;
    if (link->stream->ended && message->type != PART_HELLO)
        return 0; /* too late to be played */
    switch (message->type) {
    case PART_HELLO:
        memcpy(&hello, message->body, sizeof(hello));
        return on_hello(link, &hello, now_us);
    case PART_INIT:
        return on_init(link->stream, message);
    case PART_SEGMENT:
        return on_segment(link->stream, message, now_us);
    case PART_PART:
        return on_part(link->stream, message, now_us);
    case PART_SEGMENT_END:
        return on_segment_end(link->stream, message);
    case PART_END:
        return on_end(link->stream, message, now_us);
    default:
        return -EPROTO;
    }
}

int stream_feed(struct stream *stream, const struct chan_message *message, uint64_t now_us)
{
    struct stream_link *link = stream->next_link ? stream->next_link : stream->link;
    return link ? feed(link, message, now_us) : -EPROTO;
}

static int on_message(void *ctx, const struct chan_message *message)
{
    return feed(ctx, message, clock_now_us());
}

static void on_link_closed(void *ctx, int reason)
{
    struct stream_link *link = ctx;
    struct stream *stream = link->stream;
    if (reason)
        log_event(LOG_WARN, "link_refused", "stream=%s session=%llu error=%d", stream->name,
                  (unsigned long long)stream->session, -reason);
    if (stream->link == link)
        stream->link = NULL;
    if (stream->next_link == link)
        stream->next_link = NULL;
    link_free(link);
    if (stream->end_due_us > 0 && !stream->link)
        end_stream(stream, clock_now_us());
    else if (reason == 0 && !stream->ended && !stream->link && !stream->next_link)
        stream->relink_us = clock_now_us() + STREAMS_RELINK_US;
}

/* Not at once: a worker that has died gets a successor, whose link comes unasked. */
static void relink(struct stream *stream, uint64_t now_us)
{
    struct streams *streams = stream->streams;
    struct msg_stream_link wanted = {.session = stream->session};
    if (stream->relink_us == 0 || now_us < stream->relink_us || stream->ended)
        return;
    if (stream->link || stream->next_link || !streams->want)
        return;                                     /* its hello is on its way */
    stream->relink_us = now_us + STREAMS_RELINK_US; /* again, until one comes or the stream ends */
    log_event(LOG_WARN, "link_wanted", "stream=%s session=%llu", stream->name,
              (unsigned long long)stream->session);
    memcpy(wanted.stream, stream->name, sizeof(wanted.stream));
    streams->want(streams->want_ctx, &wanted);
}

#define NEW (1u << LINK_NEW)
#define GREETED (1u << LINK_GREETED)

static const struct chan_rule link_rules[] = {
    {PART_HELLO, NEW, sizeof(struct part_hello), 0, 0, on_message},
    {PART_INIT, GREETED, sizeof(struct part_init), PART_INIT_MAX, 0, on_message},
    {PART_SEGMENT, GREETED, sizeof(struct part_segment), 0, 1, on_message},
    {PART_PART, GREETED, sizeof(struct part_part), 0, 0, on_message},
    {PART_SEGMENT_END, GREETED, sizeof(struct part_segment_end), 0, 0, on_message},
    {PART_END, GREETED, sizeof(struct part_end), 0, 0, on_message},
};

/* ---- the table ---- */

struct stream *streams_find(const struct streams *streams, struct slice name)
{
    for (struct stream *s = streams->first; s; s = s->next) {
        if (slice_is(name, s->name))
            return s;
    }
    return NULL;
}

size_t streams_count(const struct streams *streams)
{
    return streams->count;
}

static void stream_remove(struct stream *stream)
{
    struct streams *streams = stream->streams;
    for (struct stream **at = &streams->first; *at; at = &(*at)->next) {
        if (*at == stream) {
            *at = stream->next;
            streams->count--;
            break;
        }
    }
    tell(stream, STREAMS_REMOVED, 0);
    link_free(stream->link);
    link_free(stream->next_link);
    for (size_t i = 0; i < PART_RENDITIONS_MAX; i++)
        rendition_done(&stream->renditions[i]);
    free(stream);
}

static void on_sweep(void *ctx)
{
    struct streams *streams = ctx;
    uint64_t now_us = clock_now_us();
    streams_sweep(streams, now_us);
    if (streams->first)
        (void)loop_timer_set(streams->loop, &streams->sweep, now_us + SWEEP_US, on_sweep, streams);
}

/* The supervisor says that it is over; the worker may still have something on its way. */
static void end_soon(struct stream *stream)
{
    struct streams *streams = stream->streams;
    uint64_t now_us = clock_now_us();
    if (stream->ended || stream->end_due_us > 0)
        return;
    if (!stream->link || stream->link->phase == LINK_NEW) {
        end_stream(stream, now_us);
        return;
    }
    stream->end_due_us = now_us + STREAMS_LAST_WORDS_US;
    if (streams->sweep.due_us > stream->end_due_us)
        (void)loop_timer_set(streams->loop, &streams->sweep, stream->end_due_us, on_sweep, streams);
}

/* A worker is about to publish anew under the name of an ended stream. */
static bool has_newcomer(const struct stream *stream)
{
    return stream->next_link || (stream->link && stream->link->phase == LINK_NEW);
}

void streams_sweep(struct streams *streams, uint64_t now_us)
{
    struct stream *next;
    for (struct stream *s = streams->first; s; s = next) {
        next = s->next;
        for (size_t i = 0; i < PART_RENDITIONS_MAX; i++)
            rendition_expire(&s->renditions[i], now_us);
        tell(s, STREAMS_TICK, 0);
        relink(s, now_us);
        if (s->end_due_us > 0 && now_us >= s->end_due_us)
            end_stream(s, now_us);
        if (s->ended && !has_newcomer(s) && now_us >= s->ended_us + streams->linger_us)
            stream_remove(s);
    }
}

static int stream_new(struct streams *streams, const char *name, struct stream **out)
{
    if (streams->count >= STREAM_MAX)
        return -ENOSPC;
    struct stream *stream = calloc(1, sizeof(*stream));
    if (!stream)
        return -ENOMEM;
    (void)text_copy(stream->name, sizeof(stream->name), slice_of(name));
    stream->streams = streams;
    stream->next = streams->first;
    streams->first = stream;
    streams->count++;
    if (streams->sweep.slot == 0)
        (void)loop_timer_set(streams->loop, &streams->sweep, clock_now_us() + SWEEP_US, on_sweep,
                             streams);
    *out = stream;
    return 0;
}

static bool is_stream_name(const char *field, size_t cap)
{
    return text_is_terminated(field, cap) && stream_name_valid(slice_of(field));
}

int streams_on_link(struct streams *streams, const struct msg_stream_link *m, int fd)
{
    struct stream *stream = NULL;
    struct stream_link *link = NULL;
    int rc = -EBADMSG;
    if (!is_stream_name(m->stream, sizeof(m->stream)))
        goto out;
    stream = streams_find(streams, slice_of(m->stream));
    if (!stream) {
        rc = stream_new(streams, m->stream, &stream);
        if (rc)
            goto out;
    }
    rc = -ENOMEM;
    link = calloc(1, sizeof(*link));
    if (!link)
        goto out;
    link->stream = stream;
    if (fd >= 0) {
        rc = chan_new(streams->loop, fd, link_rules, sizeof(link_rules) / sizeof(link_rules[0]),
                      on_link_closed, link, &link->chan);
        fd = -1;
        if (rc)
            goto out;
    }
    stream->session = m->session;
    if (stream->link) {
        link_free(stream->next_link);
        stream->next_link = link;
    } else {
        stream->link = link;
    }
    link = NULL;
    rc = 0;
out:
    free(link);
    fd_close(&fd);
    return rc;
}

int streams_on_state(struct streams *streams, const struct msg_stream_state *m)
{
    if (!is_stream_name(m->stream, sizeof(m->stream)) || m->state >= STREAM_STATE_COUNT)
        return -EBADMSG;
    struct stream *stream = streams_find(streams, slice_of(m->stream));
    if (!stream)
        return 0;
    if (m->state == STREAM_LIVE)
        stream->session = m->session;
    if (m->session != 0 && m->session != stream->session)
        return 0;
    if (m->state == STREAM_ENDED)
        end_soon(stream);
    if (m->state == STREAM_GONE)
        stream_remove(stream);
    return 0;
}

int streams_new(struct loop *loop, uint32_t ended_linger_s, streams_event_fn fn, void *ctx,
                struct streams **out)
{
    struct streams *streams = calloc(1, sizeof(*streams));
    if (!streams)
        return -ENOMEM;
    streams->loop = loop;
    streams->linger_us = (uint64_t)ended_linger_s * CLOCK_SECOND_US;
    streams->fn = fn;
    streams->ctx = ctx;
    *out = streams;
    return 0;
}

void streams_set_want(struct streams *streams, streams_want_fn want, void *ctx)
{
    streams->want = want;
    streams->want_ctx = ctx;
}

void streams_free(struct streams *streams)
{
    if (!streams)
        return;
    while (streams->first)
        stream_remove(streams->first);
    loop_timer_cancel(streams->loop, &streams->sweep);
    free(streams);
}
