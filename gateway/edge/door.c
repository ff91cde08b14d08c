#include "gateway/edge/door.h"

#include "gateway/edge/hash.h"
#include "gateway/rtc/demux.h"
#include "gateway/rtc/ice.h"
#include "lib/base/secret.h"
#include "lib/base/text.h"

#include <errno.h>
#include <string.h>

/* ---- buckets: only authenticated entries are in them, so the hash needs no cryptography ---- */

static uint16_t *ufrag_bucket(struct door *door, struct slice ufrag)
{
    return &door->ufrag_buckets[hash_bytes(door->seed, ufrag.data, ufrag.len) % DOOR_BUCKETS];
}

static uint16_t *path_bucket(struct door *door, const struct addr *local, const struct addr *remote)
{
    uint64_t hash = hash_word(door->seed, (uint64_t)local->port << 16 | remote->port);
    hash = hash_bytes(hash, local->ip, sizeof(local->ip));
    hash = hash_bytes(hash, remote->ip, sizeof(remote->ip));
    return &door->path_buckets[hash % DOOR_BUCKETS];
}

/* ---- sessions and pairs ---- */

void door_init(struct door *door, uint64_t seed, uint64_t now_us)
{
    *door = (struct door){.seed = seed, .first_us = now_us};
    door->rate = rate_full(DOOR_TOTAL_BURST, now_us);
    stray_init(&door->stray, seed, now_us);
    for (size_t i = 0; i < DOOR_PATHS_MAX; i++)
        door->paths[i].next = (uint16_t)(i + 1 < DOOR_PATHS_MAX ? i + 2 : 0);
    door->free_path = 1;
}

static struct door_session *session_find(struct door *door, uint64_t id)
{
    for (size_t i = 0; i < STREAM_MAX; i++) {
        if (door->sessions[i].pair_count > 0 && door->sessions[i].id == id)
            return &door->sessions[i];
    }
    return NULL;
}

static uint16_t session_index(const struct door *door, const struct door_session *session)
{
    return (uint16_t)(session - door->sessions);
}

/* A pair's number in bucket lists. */
static uint16_t pair_number(const struct door *door, const struct door_session *session, size_t i)
{
    return (uint16_t)(1u + session_index(door, session) * (size_t)DOOR_PAIRS_MAX + i);
}

static struct door_pair *pair_at(struct door *door, uint16_t number, struct door_session **out)
{
    struct door_session *session = &door->sessions[(number - 1u) / DOOR_PAIRS_MAX];
    *out = session;
    return &session->pairs[(number - 1u) % DOOR_PAIRS_MAX];
}

static struct door_pair *pair_find(struct door *door, struct slice ufrag, struct door_session **out)
{
    uint16_t number = *ufrag_bucket(door, ufrag);
    while (number != 0) {
        struct door_pair *pair = pair_at(door, number, out);
        if (slice_is(ufrag, pair->ufrag))
            return pair;
        number = pair->next;
    }
    return NULL;
}

static void pair_unlink(struct door *door, struct door_session *session, size_t i)
{
    struct door_session *owner = NULL;
    uint16_t number = pair_number(door, session, i);
    uint16_t *link = ufrag_bucket(door, slice_of(session->pairs[i].ufrag));
    while (*link != 0 && *link != number)
        link = &pair_at(door, *link, &owner)->next;
    if (*link != 0)
        *link = session->pairs[i].next;
}

static void pair_link(struct door *door, struct door_session *session, size_t i)
{
    uint16_t *bucket = ufrag_bucket(door, slice_of(session->pairs[i].ufrag));
    session->pairs[i].next = *bucket;
    *bucket = pair_number(door, session, i);
}

static void drop_oldest_pairs(struct door *door, struct door_session *session, unsigned count)
{
    for (size_t i = 0; i < session->pair_count; i++)
        pair_unlink(door, session, i);
    for (size_t i = 0; i < session->pair_count; i++) {
        if (i >= count)
            session->pairs[i - count] = session->pairs[i];
        if (i + count >= session->pair_count)
            secret_wipe(&session->pairs[i], sizeof(session->pairs[i]));
    }
    session->pair_count -= count;
    for (size_t i = 0; i < session->pair_count; i++)
        pair_link(door, session, i);
}

static struct door_session *session_new(struct door *door, uint64_t id)
{
    for (size_t i = 0; i < STREAM_MAX; i++) {
        struct door_session *session = &door->sessions[i];
        if (session->pair_count > 0)
            continue;
        *session = (struct door_session){.id = id};
        session->rate = rate_full(DOOR_SESSION_BURST, door->first_us);
        return session;
    }
    return NULL;
}

int door_expect(struct door *door, uint64_t session_id, const char *ufrag, const char *pwd)
{
    struct slice name = slice_of(ufrag), secret = slice_of(pwd);
    struct door_session *owner = NULL;
    if (name.len < DOOR_UFRAG_MIN || name.len > STREAM_UFRAG_LEN || secret.len < DOOR_PWD_MIN ||
        secret.len > STREAM_PWD_LEN)
        return -EBADMSG;
    struct door_pair *known = pair_find(door, name, &owner);
    if (known != NULL)
        return owner->id == session_id && slice_is(secret, known->pwd) ? 0 : -EEXIST;
    struct door_session *session = session_find(door, session_id);
    if (session == NULL)
        session = session_new(door, session_id);
    if (session == NULL)
        return -ENOSPC;
    if (session->pair_count == DOOR_PAIRS_MAX)
        drop_oldest_pairs(door, session, 1);
    struct door_pair *pair = &session->pairs[session->pair_count];
    (void)text_copy(pair->ufrag, sizeof(pair->ufrag), name); /* fits: checked above */
    (void)text_copy(pair->pwd, sizeof(pair->pwd), secret);
    pair_link(door, session, session->pair_count);
    session->pair_count++;
    return 0;
}

/* ---- flows ---- */

static uint16_t *path_find(struct door *door, const struct addr *local, const struct addr *remote)
{
    uint16_t *link = path_bucket(door, local, remote);
    while (*link != 0) {
        struct door_path *path = &door->paths[*link - 1];
        if (addr_equal(&path->local, local) && addr_equal(&path->remote, remote))
            return link;
        link = &path->next;
    }
    return NULL;
}

/* Takes the flow that *link names out of its bucket. */
static void path_drop(struct door *door, uint16_t *link)
{
    uint16_t number = *link;
    struct door_path *path = &door->paths[number - 1];
    *link = path->next;
    stray_remove(&door->stray, door->sessions[path->session].id, &path->local, &path->remote);
    door->sessions[path->session].path_count--;
    *path = (struct door_path){.next = door->free_path};
    door->free_path = number;
}

static bool is_full(const struct door_session *session)
{
    return session->path_count + session->stream_count >= STREAM_PATHS_MAX;
}

int door_add_path(struct door *door, uint64_t session_id, const struct addr *local,
                  const struct addr *remote)
{
    struct door_session *session = session_find(door, session_id);
    if (session == NULL)
        return -ENOENT;
    if (path_find(door, local, remote) != NULL)
        return -EEXIST;
    if (is_full(session) || door->free_path == 0)
        return -ENOSPC;
    uint16_t number = door->free_path;
    struct door_path *path = &door->paths[number - 1];
    uint16_t *bucket = path_bucket(door, local, remote);
    door->free_path = path->next;
    *path = (struct door_path){
        .local = *local,
        .remote = *remote,
        .session = session_index(door, session),
        .next = *bucket,
    };
    *bucket = number;
    session->path_count++;
    stray_add(&door->stray, session_id, local, remote);
    door->counters.opened++;
    return 0;
}

void door_remove_path(struct door *door, uint64_t session_id, const struct addr *local,
                      const struct addr *remote)
{
    uint16_t *link = path_find(door, local, remote);
    if (link != NULL && door->sessions[door->paths[*link - 1].session].id == session_id)
        path_drop(door, link);
}

int door_add_stream(struct door *door, uint64_t session_id)
{
    struct door_session *session = session_find(door, session_id);
    if (session == NULL)
        return -ENOENT;
    if (is_full(session))
        return -ENOSPC;
    session->stream_count++;
    door->counters.opened++;
    door->counters.streams++;
    return 0;
}

void door_remove_stream(struct door *door, uint64_t session_id)
{
    struct door_session *session = session_find(door, session_id);
    if (session != NULL && session->stream_count > 0)
        session->stream_count--;
}

void door_forget(struct door *door, uint64_t session_id)
{
    struct door_session *session = session_find(door, session_id);
    if (session == NULL)
        return;
    uint16_t index = session_index(door, session);
    for (size_t i = 0; i < DOOR_PATHS_MAX && session->path_count > 0; i++) {
        struct door_path *path = &door->paths[i];
        if (path->local.family == 0 || path->session != index)
            continue;
        path_drop(door, path_find(door, &path->local, &path->remote));
    }
    for (size_t i = 0; i < session->pair_count; i++)
        pair_unlink(door, session, i);
    secret_wipe(session, sizeof(*session));
}

/* ---- datagrams ---- */

static enum door_verdict judge_known(struct door *door, const struct door_path *path,
                                     uint64_t now_us, uint64_t *out_session)
{
    struct door_session *session = &door->sessions[path->session];
    if (!rate_take(&session->rate, DOOR_SESSION_RATE, DOOR_SESSION_BURST, now_us) ||
        !rate_take(&door->rate, DOOR_TOTAL_RATE, DOOR_TOTAL_BURST, now_us)) {
        door->counters.limited++;
        return DOOR_DROP;
    }
    door->counters.passed++;
    *out_session = session->id;
    return DOOR_PASS;
}

/* A Binding request from an unknown flow: the one thing that opens the door. */
static enum door_verdict judge_check(struct door *door, const uint8_t *data, size_t len,
                                     uint64_t *out_session)
{
    struct ice_info info;
    struct door_session *session = NULL;
    if (ice_precheck(data, len, &info) != 0) {
        door->counters.malformed++;
        return DOOR_DROP;
    }
    struct door_pair *pair = pair_find(door, info.local_ufrag, &session);
    if (pair == NULL) {
        door->counters.unknown++;
        return DOOR_DROP;
    }
    const struct ice_credentials credentials = {.ufrag = pair->ufrag, .pwd = pair->pwd};
    if (!ice_verify(data, len, &credentials)) {
        door->counters.forged++;
        return DOOR_DROP;
    }
    if (pair == &session->pairs[session->pair_count - 1])
        drop_oldest_pairs(door, session, session->pair_count - 1);
    if (is_full(session)) {
        door->counters.full++;
        return DOOR_DROP;
    }
    *out_session = session->id;
    return DOOR_OPEN;
}

enum door_verdict door_judge(struct door *door, const struct addr *local, const struct addr *remote,
                             const uint8_t *data, size_t len, uint64_t now_us,
                             uint64_t *out_session)
{
    door->counters.received++;
    enum demux_class kind = demux_classify(data, len);
    if (kind == DEMUX_DROP || remote->family == 0) {
        door->counters.odd++;
        return DOOR_DROP;
    }
    const uint16_t *link = path_find(door, local, remote);
    if (link != NULL)
        return judge_known(door, &door->paths[*link - 1], now_us, out_session);
    if (kind == DEMUX_STUN)
        return judge_check(door, data, len, out_session);
    if (kind == DEMUX_RTP && stray_is_known(&door->stray, local, remote))
        return DOOR_STRAY;
    door->counters.strange++;
    return DOOR_DROP;
}

size_t door_judge_stray(struct door *door, const struct addr *local, const struct addr *remote,
                        uint64_t now_us, uint64_t *out_sessions)
{
    size_t count = stray_judge(&door->stray, local, remote, now_us, out_sessions);
    door->counters.shown += count;
    if (count == 0)
        door->counters.limited++;
    return count;
}

int door_want_path(struct door *door, uint64_t session, const struct addr *local,
                   const struct addr *remote, uint64_t now_us)
{
    if (!stray_may_open(&door->stray, session, local, remote, now_us))
        return -ENOENT;
    return door_add_path(door, session, local, remote);
}

enum door_verdict door_judge_stream(struct door *door, const uint8_t *data, size_t len,
                                    uint64_t *out_session)
{
    door->counters.received++;
    if (demux_classify(data, len) != DEMUX_STUN) {
        door->counters.strange++;
        return DOOR_DROP;
    }
    return judge_check(door, data, len, out_session);
}
