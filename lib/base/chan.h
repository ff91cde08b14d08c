/* A control channel: typed messages, with descriptors, over a SOCK_SEQPACKET pair.
 *
 * One message is one packet: struct chan_head, a body of fixed size, a blob of bounded size. Each
 * end has a table of rules that says which type it takes in which phase, with which sizes and how
 * many descriptors. Whatever is not in the table ends the channel (threats.md I5): the receiver
 * closes the message's descriptors and calls `closed` with -EPROTO or -EBADMSG. It never ends the
 * process.
 *
 * Sending never blocks. What the socket does not take is queued up to CHAN_QUEUE_MESSAGES and
 * CHAN_QUEUE_BYTES; above that chan_send gives -ENOSPC and the caller treats the peer as stuck. */
#ifndef SLUICE_BASE_CHAN_H
#define SLUICE_BASE_CHAN_H

#include "lib/base/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHAN_BODY_MAX 2048u
#define CHAN_BLOB_MAX 65536u
#define CHAN_MESSAGE_MAX (sizeof(struct chan_head) + CHAN_BODY_MAX + CHAN_BLOB_MAX)
#define CHAN_FDS_MAX 32u
#define CHAN_FDS_ANY SIZE_MAX /* a rule's fd_count: any number up to CHAN_FDS_MAX */
#define CHAN_QUEUE_MESSAGES 1024u
#define CHAN_QUEUE_BYTES (4u << 20)
#define CHAN_CONTROL_FD 3 /* where a role finds its channel to the supervisor */

struct chan_head {
    uint16_t type;
    uint16_t fd_count;
    uint32_t body_len;
    uint32_t blob_len;
    uint32_t reserved; /* 0 */
};
_Static_assert(sizeof(struct chan_head) == 16, "wire layout");

/* A received message. body is aligned for any fixed body struct. All pointers and descriptors are
 * borrowed for the time of the handler; a handler that keeps a descriptor sets fds[i] to -1, the
 * others are closed after it. */
struct chan_message {
    uint16_t type;
    const void *body;
    const uint8_t *blob;
    size_t blob_len;
    int *fds;
    size_t fd_count;
};

/* 0, or a negative errno that ends the channel (the peer broke a rule that sizes cannot express).
 */
typedef int (*chan_handler_fn)(void *ctx, const struct chan_message *message);

/* One row of an endpoint's permission table; rows are searched in order. The body must be exactly
 * body_len, the blob at most blob_max, the descriptors exactly fd_count (or any number up to
 * CHAN_FDS_MAX with CHAN_FDS_ANY). phases is a mask of 1 << phase. */
struct chan_rule {
    uint16_t type;
    uint32_t phases;
    size_t body_len;
    size_t blob_max;
    size_t fd_count;
    chan_handler_fn handle;
};
#define CHAN_ANY_PHASE UINT32_MAX

/* Called once when the channel has ended: reason 0 = the peer closed it, otherwise a negative
 * errno. The channel is already out of the loop; the callee may call chan_free. */
typedef void (*chan_closed_fn)(void *ctx, int reason);

/* Finds the rule for one packet of len bytes that came with fd_count descriptors; packet is aligned
 * for any struct. 0 and the rule and the message (without descriptors), both pointing into packet;
 * -EBADMSG when the packet contradicts itself, -EPROTO when no rule allows it in this phase. */
int chan_match(const struct chan_rule *rules, size_t rule_count, unsigned phase, const void *packet,
               size_t len, size_t fd_count, const struct chan_rule **out_rule,
               struct chan_message *out_message);

struct chan;

/* Takes over fd (closed by chan_free, or here on failure) and watches it. rules must outlive the
 * channel. 0 or a negative errno. */
int chan_new(struct loop *loop, int fd, const struct chan_rule *rules, size_t rule_count,
             chan_closed_fn closed, void *ctx, struct chan **out);
void chan_free(struct chan *chan); /* NULL allowed; drops what is queued; allowed in handlers */

/* A second table, searched before the one of chan_new; its handlers get ctx. Once per channel,
 * rules must outlive it. For code that answers some messages for everybody (role.c). */
void chan_add_rules(struct chan *chan, const struct chan_rule *rules, size_t rule_count, void *ctx);

/* The phase that the rules of later messages are checked against; 0 at the start, at most 31. */
void chan_set_phase(struct chan *chan, unsigned phase);
unsigned chan_phase(const struct chan *chan);

/* Sends one message. Descriptors are duplicated if they must be queued and stay the caller's.
 * Without descriptors the packet goes out by sendto(2) without an address, so that a role that
 * passes none needs no sendmsg in its sandbox (sendmsg could name any destination). 0, -ENOSPC when
 * the queue is full, -EMSGSIZE, -EPIPE when the channel has ended. */
int chan_send(struct chan *chan, uint16_t type, const void *body, size_t body_len, const void *blob,
              size_t blob_len, const int *fds, size_t fd_count);

/* Waits, outside the loop, until all that is queued is sent or timeout_ms is over. For the last
 * words of a process. */
void chan_flush(struct chan *chan, int timeout_ms);

/* Receives exactly one message, blocking, before the loop runs (a role's settings). Same checks.
 * The handler of the matching rule is called. 0 or a negative errno: the handler's, -ETIMEDOUT,
 * -EPIPE when the peer is gone, -EBADMSG or -EPROTO; `closed` is not called, the caller frees the
 * channel. */
int chan_receive_one(struct chan *chan, int timeout_ms);

/* A connected pair, non-blocking and close-on-exec. 0 or a negative errno. */
int chan_pair(int out_fds[2]);

#endif
