#include "gateway/edge/stray.h"

#include "gateway/edge/hash.h"

/* ---- sessions ---- */

static struct stray_session *session_find(struct stray *stray, uint64_t id)
{
    for (size_t i = 0; i < STREAM_MAX; i++) {
        if (stray->sessions[i].hosts > 0 && stray->sessions[i].id == id)
            return &stray->sessions[i];
    }
    return NULL;
}

static struct stray_session *session_make(struct stray *stray, uint64_t id)
{
    for (size_t i = 0; i < STREAM_MAX; i++) {
        struct stray_session *session = &stray->sessions[i];
        if (session->hosts > 0)
            continue;
        *session = (struct stray_session){.id = id,
                                          .rate = rate_full(STRAY_SESSION_BURST, stray->first_us)};
        return session;
    }
    return NULL;
}

/* ---- hosts ---- */

static size_t bucket_of(const struct stray *stray, const struct addr *local,
                        const struct addr *remote)
{
    uint64_t hash = hash_word(stray->seed, (uint64_t)local->port << 8 | remote->family);
    hash = hash_bytes(hash, local->ip, sizeof(local->ip));
    hash = hash_bytes(hash, remote->ip, sizeof(remote->ip));
    return hash % STRAY_BUCKETS;
}

static bool is_host(const struct stray_host *host, const struct addr *local,
                    const struct addr *remote)
{
    return addr_same_host(&host->host, remote) && addr_equal(&host->local, local);
}

/* The entry before the session's one in its ring; 0: there is none. */
static uint16_t find_before(const struct stray *stray, uint16_t first, uint64_t session,
                            const struct addr *local, const struct addr *remote)
{
    uint16_t before = first;
    for (size_t i = 0; before != 0 && i < STRAY_HOSTS_MAX; i++) {
        uint16_t number = stray->hosts[before - 1].next;
        const struct stray_host *host = &stray->hosts[number - 1];
        if (is_host(host, local, remote) && stray->sessions[host->session].id == session)
            return before;
        before = number;
        if (before == first)
            break;
    }
    return 0;
}

void stray_init(struct stray *stray, uint64_t seed, uint64_t now_us)
{
    *stray = (struct stray){
        .seed = seed, .first_us = now_us, .rate = rate_full(STRAY_TOTAL_BURST, now_us)};
    for (size_t i = 0; i < STRAY_HOSTS_MAX; i++)
        stray->hosts[i].next = (uint16_t)(i + 1 < STRAY_HOSTS_MAX ? i + 2 : 0);
    stray->free_host = 1;
}

static void host_link(struct stray *stray, struct stray_session *session, const struct addr *local,
                      const struct addr *remote)
{
    uint16_t *bucket = &stray->buckets[bucket_of(stray, local, remote)];
    uint16_t number = stray->free_host;
    struct stray_host *host = &stray->hosts[number - 1];
    stray->free_host = host->next;
    *host = (struct stray_host){.local = *local,
                                .host = *remote,
                                .session = (uint16_t)(session - stray->sessions),
                                .flows = 1,
                                .next = number};
    host->host.port = 0;
    if (*bucket != 0) {
        host->next = stray->hosts[*bucket - 1].next;
        stray->hosts[*bucket - 1].next = number;
    }
    *bucket = number;
    session->hosts++;
}

void stray_add(struct stray *stray, uint64_t id, const struct addr *local,
               const struct addr *remote)
{
    size_t bucket = bucket_of(stray, local, remote);
    uint16_t before = find_before(stray, stray->buckets[bucket], id, local, remote);
    if (before != 0) {
        stray->hosts[stray->hosts[before - 1].next - 1].flows++;
        return;
    }
    struct stray_session *session = session_find(stray, id);
    if (session == NULL)
        session = session_make(stray, id);
    if (session != NULL && stray->free_host != 0)
        host_link(stray, session, local, remote);
}

void stray_remove(struct stray *stray, uint64_t id, const struct addr *local,
                  const struct addr *remote)
{
    uint16_t *bucket = &stray->buckets[bucket_of(stray, local, remote)];
    uint16_t before = find_before(stray, *bucket, id, local, remote);
    if (before == 0)
        return;
    uint16_t number = stray->hosts[before - 1].next;
    struct stray_host *host = &stray->hosts[number - 1];
    if (--host->flows > 0)
        return;
    stray->hosts[before - 1].next = host->next;
    if (*bucket == number)
        *bucket = before == number ? 0 : before;
    stray->sessions[host->session].hosts--;
    *host = (struct stray_host){.next = stray->free_host};
    stray->free_host = number;
}

/* ---- packets ---- */

bool stray_is_known(const struct stray *stray, const struct addr *local, const struct addr *remote)
{
    uint16_t first = stray->buckets[bucket_of(stray, local, remote)];
    uint16_t number = first;
    for (size_t i = 0; number != 0 && i < STRAY_WALK_MAX; i++) {
        if (is_host(&stray->hosts[number - 1], local, remote))
            return true;
        number = stray->hosts[number - 1].next;
        if (number == first)
            break;
    }
    return false;
}

static void remember(struct stray_session *session, const struct addr *local,
                     const struct addr *remote, uint64_t now_us)
{
    struct stray_recent *recent = &session->recent[session->newest];
    if (!addr_equal(&recent->remote, remote) || !addr_equal(&recent->local, local)) {
        session->newest = (session->newest + 1) % STRAY_RECENT_MAX;
        recent = &session->recent[session->newest];
    }
    *recent = (struct stray_recent){.local = *local, .remote = *remote, .at_us = now_us};
}

size_t stray_judge(struct stray *stray, const struct addr *local, const struct addr *remote,
                   uint64_t now_us, uint64_t *out)
{
    uint16_t *bucket = &stray->buckets[bucket_of(stray, local, remote)];
    uint16_t first = *bucket;
    size_t count = 0;
    for (size_t i = 0; first != 0 && i < STRAY_WALK_MAX && count < STRAY_SESSIONS_MAX; i++) {
        const struct stray_host *host = &stray->hosts[*bucket - 1];
        struct stray_session *session = &stray->sessions[host->session];
        *bucket = host->next;
        if (is_host(host, local, remote) &&
            rate_take(&session->rate, STRAY_SESSION_RATE, STRAY_SESSION_BURST, now_us)) {
            if (!rate_take(&stray->rate, STRAY_TOTAL_RATE, STRAY_TOTAL_BURST, now_us))
                break;
            remember(session, local, remote, now_us);
            out[count++] = session->id;
        }
        if (*bucket == first)
            break;
    }
    return count;
}

bool stray_may_open(struct stray *stray, uint64_t id, const struct addr *local,
                    const struct addr *remote, uint64_t now_us)
{
    struct stray_session *session = session_find(stray, id);
    for (size_t i = 0; session != NULL && i < STRAY_RECENT_MAX; i++) {
        struct stray_recent *recent = &session->recent[i];
        if (recent->remote.family == 0 || !addr_equal(&recent->remote, remote) ||
            !addr_equal(&recent->local, local) || now_us - recent->at_us > STRAY_RECENT_US)
            continue;
        *recent = (struct stray_recent){.at_us = 0};
        return true;
    }
    return false;
}
