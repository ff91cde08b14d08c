/* The ICE credentials of one session and their restarts (RFC 8445 9). */
#include "gateway/rtc/icestate.h"

#include "lib/base/secret.h"

#include <errno.h>
#include <string.h>

/* A fresh pair of ours; our ufrag differs from `other`. */
static void make_ours(struct icestate_pair *pair, const char *other)
{
    do {
        secret_random_text(pair->ufrag, STREAM_UFRAG_LEN);
    } while (strcmp(pair->ufrag, other) == 0);
    secret_random_text(pair->pwd, STREAM_PWD_LEN);
}

static int set_peer(struct icestate_pair *pair, struct slice peer_ufrag, struct slice peer_pwd)
{
    if (peer_ufrag.len == 0 || peer_pwd.len == 0)
        return -EINVAL;
    int err = text_copy(pair->peer_ufrag, sizeof(pair->peer_ufrag), peer_ufrag);
    return err < 0 ? err : text_copy(pair->peer_pwd, sizeof(pair->peer_pwd), peer_pwd);
}

void icestate_init(struct icestate *state)
{
    memset(state, 0, sizeof(*state));
    make_ours(&state->current, "");
}

int icestate_set_peer(struct icestate *state, struct slice peer_ufrag, struct slice peer_pwd)
{
    return set_peer(&state->current, peer_ufrag, peer_pwd);
}

void icestate_done(struct icestate *state)
{
    secret_wipe(state, sizeof(*state));
}

static bool pair_is(const struct icestate_pair *pair, struct slice peer_ufrag,
                    struct slice peer_pwd)
{
    return slice_is(peer_ufrag, pair->peer_ufrag) && slice_is(peer_pwd, pair->peer_pwd);
}

bool icestate_knows(const struct icestate *state, struct slice peer_ufrag, struct slice peer_pwd)
{
    return pair_is(icestate_newest(state), peer_ufrag, peer_pwd) ||
           pair_is(&state->current, peer_ufrag, peer_pwd);
}

int icestate_restart(struct icestate *state, struct slice peer_ufrag, struct slice peer_pwd)
{
    struct icestate_pair pair;
    memset(&pair, 0, sizeof(pair));
    int err = set_peer(&pair, peer_ufrag, peer_pwd);
    if (err == 0) {
        make_ours(&pair, state->current.ufrag);
        state->next = pair;
        state->restarting = true;
        state->generation++;
    }
    secret_wipe(&pair, sizeof(pair));
    return err;
}

const struct icestate_pair *icestate_newest(const struct icestate *state)
{
    return state->restarting ? &state->next : &state->current;
}

bool icestate_is_foreign(const struct icestate *state, const uint8_t *data, size_t len)
{
    struct ice_info info;
    if (ice_precheck(data, len, &info) < 0 || slice_is(info.local_ufrag, state->current.ufrag))
        return false;
    return !state->restarting || !slice_is(info.local_ufrag, state->next.ufrag);
}

enum ice_verdict icestate_answer(struct icestate *state, const uint8_t *data, size_t len,
                                 const struct addr *from, uint8_t *out, size_t cap, size_t *out_len,
                                 bool *out_use_candidate, bool *out_switched)
{
    struct ice_info info;
    *out_switched = false;
    *out_len = 0;
    *out_use_candidate = false;
    if (ice_precheck(data, len, &info) < 0)
        return ICE_DROP;
    bool on_next = state->restarting && slice_is(info.local_ufrag, state->next.ufrag);
    const struct icestate_pair *pair = on_next ? &state->next : &state->current;
    struct ice_credentials credentials = {
        .ufrag = pair->ufrag, .pwd = pair->pwd, .peer_ufrag = pair->peer_ufrag};
    enum ice_verdict verdict =
        ice_answer(data, len, &credentials, from, out, cap, out_len, out_use_candidate);
    if (on_next && verdict == ICE_ACCEPT) {
        state->current = state->next;
        secret_wipe(&state->next, sizeof(state->next));
        state->restarting = false;
        *out_switched = true;
    }
    return verdict;
}
