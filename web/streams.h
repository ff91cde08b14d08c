/* All streams this process can serve: what the supervisor and the transcode workers have told of
 * them.
 *
 * A stream appears with its link to a worker (MSG_STREAM_LINK) and goes with STREAM_GONE, or a
 * while after its end. A worker that says `continues` goes on in the playlist of its predecessor,
 * any other starts a fresh one; what was published before stays fetchable for its time (HLS-08). A
 * worker whose announcements break a rule of lib/proto/part.h or rendition.h loses its link; what
 * it had published stays, and a successor may go on. When a worker drops us (we were too slow for
 * it), another link is asked for; it tells the whole window again, with the same numbers. */
#ifndef SLUICE_WEB_STREAMS_H
#define SLUICE_WEB_STREAMS_H

#include "lib/base/chan.h"
#include "lib/base/loop.h"
#include "lib/proto/msg.h"
#include "web/rendition.h"
#include "web/request.h"

#include <stdbool.h>
#include <stdint.h>

#define STREAMS_REPLIES                                                                            \
    4u /* prepared answers of one playlist: plain and gzip, reload and blocking */

#define STREAMS_LAST_WORDS_US 100000u
#define STREAMS_RELINK_US 2000000u /* so long a live stream waits for a link, each time */

struct streams;
struct stream;

/* Requests that wait for a playlist or its parts, and prepared answers. Belongs to hls.c; here
 * because it lives and dies with its stream. */
struct stream_front {
    struct wait_list waiting;
    struct reply *replies[STREAMS_REPLIES];
};

/* Invariant: hello is valid when greeted. Where a worker announced nothing, renditions are empty.
 */
struct stream {
    char name[STREAM_NAME_MAX + 8];
    uint64_t session;
    bool greeted;
    bool ended; /* the playlists have ENDLIST */
    struct part_hello hello;
    uint64_t first_part_us; /* when this publication's first part came; 0 = none yet */
    uint64_t
        end_due_us; /* the end was announced: wait so long for the worker's last parts; 0 = not */
    uint64_t ended_us;
    struct rendition renditions[PART_RENDITIONS_MAX];
    struct stream_front fronts[PART_RENDITIONS_MAX];
    struct stream_front front;     /* of the multivariant playlist */
    bool repeats;                  /* its worker tells again what it has told over a lost link */
    uint64_t relink_us;            /* when to ask for another link; 0 = not */
    struct stream_link *link;      /* to the worker that publishes; NULL = none */
    struct stream_link *next_link; /* to its successor, until that one has said hello */
    struct streams *streams;
    struct stream *next;
};

enum streams_event {
    STREAMS_CHANGED, /* playlist or parts of one rendition */
    STREAMS_ENDED,   /* ENDLIST in all of them; also when a stream that has nothing ends */
    STREAMS_TICK,    /* about once a second: time for what has waited too long */
    STREAMS_REMOVED, /* about to be freed: let go of everything */
};

/* rendition is valid for STREAMS_CHANGED only. */
typedef void (*streams_event_fn)(void *ctx, struct stream *stream, enum streams_event event,
                                 uint32_t rendition);

/* ended_linger_s: how long an ended stream's playlist stays. 0 or -ENOMEM. */
int streams_new(struct loop *loop, uint32_t ended_linger_s, streams_event_fn fn, void *ctx,
                struct streams **out);
/* Asks for another link of a live stream that has lost its own; without it nobody is asked. */
typedef void (*streams_want_fn)(void *ctx, const struct msg_stream_link *wanted);
void streams_set_want(struct streams *streams, streams_want_fn want, void *ctx);
void streams_free(struct streams *streams); /* NULL allowed; STREAMS_REMOVED for each */

/* MSG_STREAM_LINK and MSG_STREAM_STATE. fd is taken over, also on failure. 0, -EBADMSG for a
 * message that cannot be, -ENOSPC above STREAM_MAX streams, or -ENOMEM. */
int streams_on_link(struct streams *streams, const struct msg_stream_link *m, int fd);
int streams_on_state(struct streams *streams, const struct msg_stream_state *m);

struct stream *streams_find(const struct streams *streams, struct slice name); /* or NULL */
size_t streams_count(const struct streams *streams);

/* Lets go of what is over; called by an own timer once a second. */
void streams_sweep(struct streams *streams, uint64_t now_us);

/* One announcement from the stream's newest link, checked like every one that comes over its
 * channel: 0, or the negative errno that ends a link. For tests and the fuzzer. */
int stream_feed(struct stream *stream, const struct chan_message *message, uint64_t now_us);

#endif
