/* Finds out at start how the world sees our addresses, by asking a STUN server from each of them
 * (ICE-09). Runs beside everything else: an answer is reported, silence is a warning. */
#ifndef SLUICE_EDGE_OUTSIDE_H
#define SLUICE_EDGE_OUTSIDE_H

#include "gateway/rtc/stunask.h"
#include "lib/base/addr.h"
#include "lib/base/loop.h"
#include "lib/proto/stream.h"

#include <stddef.h>
#include <stdint.h>

#define OUTSIDE_TRIES 4u             /* at 0, 0.5, 1.5 and 3.5 s */
#define OUTSIDE_FIRST_US 500000u     /* until the second try; doubles */
#define OUTSIDE_DATAGRAM_MAX 1024u   /* longer answers are no answers */
#define OUTSIDE_RECEIVE_BUFFER 65536 /* of each asking socket */

/* local was seen as `seen`; family 0: nobody answered. Called once for each address asked from. */
typedef void (*outside_fn)(void *ctx, const struct addr *local, const struct addr *seen);

/* One question; its socket is open until it is answered or given up. */
struct outside_question {
    struct outside *outside;
    struct addr local;
    uint8_t id[STUNASK_ID_LEN];
    unsigned tries;
    struct loop_timer timer;
    struct loop_watch watch; /* owns its descriptor; -1: not open */
};

struct outside {
    struct loop *loop;
    struct addr server;
    outside_fn fn;
    void *ctx;
    size_t count;
    struct outside_question questions[STREAM_ADDRESSES_MAX];
};

void outside_init(struct outside *outside, struct loop *loop, const struct addr *server,
                  outside_fn fn, void *ctx);
void outside_done(struct outside *outside);

/* Asks from this address, unless it cannot reach the server at all: another family, or one of the
 * two is loopback. `local` shares its port with a listener (SO_REUSEPORT), so that the NAT's
 * mapping is the listener's. 0 or a negative errno. */
int outside_ask(struct outside *outside, const struct addr *local);

#endif
