/* A UDP relay between clients and one target, with an imperfect link in each direction.
 *
 * Each client address gets a socket of its own towards the target, and two links of its own, seeded
 * by the relay's seed and its number: clients do not disturb each other's chances. */
#ifndef SLUICE_SUPPORT_RELAY_H
#define SLUICE_SUPPORT_RELAY_H

#include "lib/base/addr.h"
#include "lib/base/loop.h"
#include "tests/support/relaylink.h"
#include "tests/support/relayqueue.h"

#include <stddef.h>
#include <stdint.h>

#define RELAY_CLIENTS_MAX 256u
#define RELAY_IDLE_US 10000000u /* a full table gives up a client that was silent this long */
#define RELAY_OLD_SOCKETS 4u    /* sockets of a client before rebinding that stay, deaf */

enum relay_direction { RELAY_UP, RELAY_DOWN, RELAY_DIRECTIONS }; /* up: from client to target */

/* Datagrams, each counted once on its way in and each copy once on its way out. */
struct relay_counts {
    uint64_t received;
    uint64_t sent;
    uint64_t lost;
    uint64_t blocked;
    uint64_t duplicated;
    uint64_t reordered; /* sent after one that had come later */
    uint64_t flipped;
    uint64_t queue_drops;  /* beyond the rate's queue, or no slot */
    uint64_t kernel_drops; /* lost in our receive buffer: the measurement is worth less */
    uint64_t refused;      /* too long, or of a client beyond the table */
    uint64_t send_errors;
    uint64_t late_us;     /* sum and maximum of what was sent later than due */
    uint64_t late_max_us; /* by a busy machine */
};

/* Free while serial is 0. */
struct relay_client {
    struct relay *relay;
    uint64_t serial; /* 1 for the first client ever */
    struct addr address;
    struct loop_watch watch; /* its socket towards the target */
    int old_fds[RELAY_OLD_SOCKETS];
    struct relaylink links[RELAY_DIRECTIONS];
    uint64_t arrivals[RELAY_DIRECTIONS];
    uint64_t sent_up_to[RELAY_DIRECTIONS]; /* highest arrival that was sent */
    uint64_t used_us;
};

/* Visible so that it can be a member; only configs and counts are for others. Must stay in place.
 */
struct relay {
    struct relaylink_config configs[RELAY_DIRECTIONS];
    struct relay_counts counts[RELAY_DIRECTIONS]; /* kernel_drops only by relay_count */
    struct loop *loop;
    struct addr target;
    uint64_t seed;
    uint64_t clients_seen;
    struct loop_watch listener;
    struct loop_watch clock; /* timerfd: the loop's own timers are only good for a millisecond */
    uint64_t clock_due_us;
    struct relayqueue queue;
    struct relay_client clients[RELAY_CLIENTS_MAX];
};

/* Binds to `listen` (port 0: any) and starts. 0 or a negative errno; relay_close either way. */
int relay_open(struct relay *relay, struct loop *loop, const struct addr *listen,
               const struct addr *target, uint64_t seed);
void relay_close(struct relay *relay);

int relay_port(const struct relay *relay); /* listening on it; 0 on failure */

/* Gives every client a new port towards the target, as a NAT that forgot it. The old ones take
 * datagrams and do nothing with them. 0 or a negative errno; out_port: that of the first client, 0
 * without clients. */
int relay_rebind(struct relay *relay, uint16_t *out_port);

/* Clients at present. */
size_t relay_client_count(const struct relay *relay);

/* Counts of one direction, those of the kernel included. */
struct relay_counts relay_count(const struct relay *relay, enum relay_direction direction);

#endif
