/* The ICE credentials of one session and their restarts (RFC 8445 9; protocols.md WHIP-58 to 63).
 *
 * After a restart the old and the new pair are both valid, until the first check on the new one
 * succeeds: then the old one is gone (design.md 2a). DTLS and SRTP know nothing of it. The owner
 * tells edge the new pair before it answers the publisher. */
#ifndef SLUICE_RTC_ICESTATE_H
#define SLUICE_RTC_ICESTATE_H

#include "gateway/rtc/ice.h"
#include "lib/proto/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ICESTATE_PEER_MAX 256u /* characters, RFC 8839 5.4 */

/* One generation. The peer's pwd is only compared: a lite agent sends no checks. */
struct icestate_pair {
    char ufrag[STREAM_UFRAG_LEN + 1];
    char pwd[STREAM_PWD_LEN + 1];
    char peer_ufrag[ICESTATE_PEER_MAX + 1];
    char peer_pwd[ICESTATE_PEER_MAX + 1];
};

/* Invariant: restarting means that next is valid and current still is. */
struct icestate {
    struct icestate_pair current;
    struct icestate_pair next;
    bool restarting;
    uint32_t generation; /* of the newest pair; 0 at first: names the ETag (WHIP-56) */
};

/* Makes our first pair, for the answer; checks are refused until the peer's half is set. */
void icestate_init(struct icestate *state);
/* The peer's half of the first pair, as the offer has it. 0, -EINVAL or -EMSGSIZE. */
int icestate_set_peer(struct icestate *state, struct slice peer_ufrag, struct slice peer_pwd);
void icestate_done(struct icestate *state); /* wipes */

/* True when a fragment with the peer's pair trickles to a pair that we know; otherwise it is a
 * restart (WHIP-58). */
bool icestate_knows(const struct icestate *state, struct slice peer_ufrag, struct slice peer_pwd);

/* Makes a new pair of ours for the peer's new pair; one that was not used yet is replaced. 0, or
 * -EMSGSIZE for a peer's string above ICESTATE_PEER_MAX, -EINVAL for an empty one: then nothing
 * changed (WHIP-62). */
int icestate_restart(struct icestate *state, struct slice peer_ufrag, struct slice peer_pwd);

/* Our newest pair, for the answer and for edge. */
const struct icestate_pair *icestate_newest(const struct icestate *state);

/* True when data is a well-formed request to somebody else: its local ufrag is none of ours.
 * Authentic or not: nothing is known about its sender. */
bool icestate_is_foreign(const struct icestate *state, const uint8_t *data, size_t len);

/* ice_answer for whichever pair the request names. *out_switched: this was the first check on the
 * new pair; the old one is wiped. */
enum ice_verdict icestate_answer(struct icestate *state, const uint8_t *data, size_t len,
                                 const struct addr *from, uint8_t *out, size_t cap, size_t *out_len,
                                 bool *out_use_candidate, bool *out_switched);

#endif
