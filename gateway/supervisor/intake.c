#include "gateway/supervisor/intake.h"

#include "gateway/supervisor/supervisor.h"

#include <string.h>

static size_t count_half_open(const struct supervisor *sup, const struct addr *host)
{
    size_t count = 0;
    for (size_t i = 0; i < STREAM_MAX; i++) {
        const struct publication *p = sup->publications[i];
        if (p && !p->keyed && p->state != PUBLICATION_ENDING &&
            (!host || addr_same_site(&p->peer, host)))
            count++;
    }
    return count;
}

const struct intake_refusal *intake_check_post(struct supervisor *sup, const struct addr *peer)
{
    static const struct intake_refusal draining = {503, 5, "The gateway is shutting down."};
    static const struct intake_refusal no_auth = {503, 1, "The token service is restarting."};
    static const struct intake_refusal many = {503, 2,
                                               "Too many streams are being set up at this moment."};
    static const struct intake_refusal many_here = {
        429, 2, "Too many streams are being set up from this address at this moment."};
    if (sup->stopping)
        return &draining;
    if (!process_find(sup, PROCESS_AUTH))
        return &no_auth;
    if (count_half_open(sup, NULL) >= sup->conf.max_pending)
        return &many;
    if (count_half_open(sup, peer) >= INTAKE_PER_ADDRESS)
        return &many_here;
    return NULL;
}

bool intake_is_guessing(const struct grant *grant)
{
    return grant->verdict == GRANT_BUSY && grant->token_id[0] == '\0'; /* grant.h */
}

const struct intake_refusal *intake_check_grant(const struct publication *p,
                                                const struct grant *grant)
{
    static const struct intake_refusal answers[GRANT_VERDICT_COUNT] = {
        [GRANT_UNKNOWN] = {401, 0, "The token is not valid: unknown, expired or revoked."},
        [GRANT_WRONG_STREAM] = {403, 0, "The token does not allow this stream."},
        [GRANT_BUSY] = {429, 5, "The token runs as many streams as it may."},
        [GRANT_UNAVAILABLE] = {503, 2, "The token service cannot answer now."},
    };
    static const struct intake_refusal guessing = {
        429, 5, "Too many wrong tokens came from this address: wait a little."};
    static const struct intake_refusal taken = {409, 0, "This stream is already being published."};
    if (grant->verdict == GRANT_OK)
        return NULL;
    if (intake_is_guessing(grant))
        return &guessing;
    if (grant->verdict == GRANT_BUSY && publication_by_stream(p->sup, p->stream))
        return &taken;
    return &answers[grant->verdict];
}

/* The streams that auth has let in; who is to replace another needs no room of its own. */
const struct intake_refusal *intake_check_room(const struct publication *p)
{
    static const struct intake_refusal full = {503, 5,
                                               "The gateway carries as many streams as it may."};
    const struct supervisor *sup = p->sup;
    size_t count = 0;
    for (size_t i = 0; i < STREAM_MAX; i++) {
        const struct publication *other = sup->publications[i];
        count += other && other != p && other->session != p->replaces && other->replaces == 0 &&
                 other->state != PUBLICATION_ASKED && other->state != PUBLICATION_ENDING;
    }
    return count >= sup->conf.max_streams ? &full : NULL;
}
