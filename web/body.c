/* The body of a request while it comes in: kept up to a limit, and within a shared budget. */
#include "web/body.h"

#include "lib/base/secret.h"
#include "web/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void enlist(struct bodies *bodies, struct body *body, uint64_t now_us)
{
    body->since_us = now_us;
    body->next = NULL;
    body->prev = bodies->last;
    if (bodies->last)
        bodies->last->next = body;
    else
        bodies->first = body;
    bodies->last = body;
}

static void delist(struct bodies *bodies, struct body *body)
{
    if (body->prev)
        body->prev->next = body->next;
    else
        bodies->first = body->next;
    if (body->next)
        body->next->prev = body->prev;
    else
        bodies->last = body->prev;
}

static void release(struct body *body)
{
    if (!body->data)
        return;
    secret_wipe(body->data, body->len);
    free(body->data);
    body->data = NULL;
}

void body_drop(struct bodies *bodies, struct body *body)
{
    if (body->cap == 0)
        return;
    peers_drop_many(bodies->peers, &body->peer, PEERS_BODY, (uint32_t)(body->cap / BODY_UNIT));
    bodies->used -= body->cap;
    delist(bodies, body);
    release(body);
    body->len = 0;
    body->cap = 0;
}

static void end(struct bodies *bodies, struct body *body)
{
    body_drop(bodies, body);
    body->ended = true;
    bodies->end(body->ctx);
}

static struct body *oldest_of(const struct bodies *bodies, const struct addr *peer)
{
    struct client_key key = client_key_of(peer);
    struct body *body = bodies->first;
    while (body && !client_key_equal(client_key_of(&body->peer), key))
        body = body->next;
    return body;
}

/* Whose client's memory, times the body's age, is the most: a crowd of small, young bodies, as
 * publishers send them, outlives every hoard. */
static struct body *dearest(const struct bodies *bodies, uint64_t now_us)
{
    struct body *found = NULL;
    uint64_t most = 0;
    for (struct body *body = bodies->first; body; body = body->next) {
        uint64_t age_us = now_us > body->since_us ? now_us - body->since_us : 0;
        uint64_t cost = age_us * peers_count(bodies->peers, &body->peer, PEERS_BODY);
        if (!found || cost > most) {
            found = body;
            most = cost;
        }
    }
    return found;
}

/* Counts extra bytes more for body; other bodies are ended for it, or itself. */
static void reserve(struct bodies *bodies, struct body *body, size_t extra, uint64_t now_us)
{
    uint32_t units = (uint32_t)(extra / BODY_UNIT);
    while (!body->ended && !peers_take_many(bodies->peers, &body->peer, PEERS_BODY, units,
                                            BODY_SHARE / BODY_UNIT)) {
        struct body *own = oldest_of(bodies, &body->peer);
        if (!own) {
            body->starved = true; /* peers has no room for another client */
            return;
        }
        end(bodies, own);
    }
    if (body->ended)
        return;
    if (body->cap == 0)
        enlist(bodies, body, now_us);
    body->cap += extra;
    bodies->used += extra;
    while (bodies->used > BODY_BUDGET)
        end(bodies, dearest(bodies, now_us));
}

/* Makes room for len more bytes, or sets starved or ended. */
static void make_room(struct bodies *bodies, struct body *body, size_t len, uint64_t now_us)
{
    size_t cap = body->cap ? body->cap : BODY_UNIT;
    while (cap < body->len + len)
        cap *= 2;
    if (cap == body->cap)
        return;
    reserve(bodies, body, cap - body->cap, now_us);
    if (body->starved || body->ended)
        return;
    uint8_t *grown = malloc(cap); /* not realloc: what is left behind is wiped */
    if (!grown) {
        body->starved = true;
        return;
    }
    if (body->len > 0)
        memcpy(grown, body->data, body->len);
    release(body);
    body->data = grown;
}

int body_take(struct bodies *bodies, struct body *body, size_t limit, const void *data, size_t len,
              uint64_t now_us)
{
    bool wanted = limit > 0 && !body->too_large && !body->starved && !body->ended;
    if (wanted && len > limit - body->len) {
        body->too_large = true;
        wanted = false;
    }
    if (wanted) {
        make_room(bodies, body, len, now_us);
        wanted = !body->starved && !body->ended;
    }
    if (body->ended)
        return -ECANCELED;
    if (!wanted) {
        body_drop(bodies, body);
        body->discarded += len;
        return body->discarded > BODY_DISCARD_MAX ? -EMSGSIZE : 0;
    }
    memcpy(body->data + body->len, data, len);
    body->len += len;
    return 0;
}
