/* The table of leases: which token is live on which stream. */
#include "auth/lease.h"

#include "lib/base/secret.h"

#include <errno.h>
#include <string.h>

static struct lease *find(struct lease_table *table, uint64_t id)
{
    for (size_t i = 0; i < LEASE_MAX; i++) {
        if (table->entries[i].id == id)
            return &table->entries[i];
    }
    return NULL;
}

/* Fills the first free entry. */
static int put(struct lease_table *table, uint64_t id, const char *token_id, const char *stream)
{
    struct lease lease = {.id = id};
    int rc = text_copy(lease.token_id, sizeof(lease.token_id), slice_of(token_id));
    if (rc == 0)
        rc = text_copy(lease.stream, sizeof(lease.stream), slice_of(stream));
    if (rc < 0)
        return rc;
    struct lease *entry = find(table, 0);
    if (!entry)
        return -ENOSPC;
    *entry = lease;
    table->count++;
    return 0;
}

int lease_add(struct lease_table *table, const char *token_id, const char *stream, uint64_t *out_id)
{
    uint64_t id = 0;
    do {
        secret_random(&id, sizeof(id)); /* no counter: ids of an earlier run may be live */
    } while (id == 0 || find(table, id));
    int rc = put(table, id, token_id, stream);
    if (rc == 0)
        *out_id = id;
    return rc;
}

int lease_restore(struct lease_table *table, uint64_t id, const char *token_id, const char *stream)
{
    if (id == 0)
        return -EINVAL;
    if (find(table, id))
        return 0;
    return put(table, id, token_id, stream);
}

bool lease_release(struct lease_table *table, uint64_t id)
{
    struct lease *entry = id == 0 ? NULL : find(table, id);
    if (!entry)
        return false;
    memset(entry, 0, sizeof(*entry));
    table->count--;
    return true;
}

static bool held_by(const struct lease *lease, const char *token_id)
{
    return lease->id != 0 && strcmp(lease->token_id, token_id) == 0;
}

/* True when an earlier entry is of the same token and stream: each stream counts once. */
static bool counted_before(const struct lease_table *table, size_t at)
{
    const struct lease *lease = &table->entries[at];
    for (size_t i = 0; i < at; i++) {
        const struct lease *earlier = &table->entries[i];
        if (held_by(earlier, lease->token_id) && strcmp(earlier->stream, lease->stream) == 0)
            return true;
    }
    return false;
}

size_t lease_count_others(const struct lease_table *table, const char *token_id, const char *stream)
{
    size_t count = 0;
    for (size_t i = 0; i < LEASE_MAX; i++) {
        const struct lease *lease = &table->entries[i];
        if (held_by(lease, token_id) && strcmp(lease->stream, stream) != 0 &&
            !counted_before(table, i))
            count++;
    }
    return count;
}

size_t lease_count(const struct lease_table *table, const char *token_id)
{
    size_t count = 0;
    for (size_t i = 0; i < LEASE_MAX; i++) {
        if (held_by(&table->entries[i], token_id))
            count++;
    }
    return count;
}

struct lease *lease_next_to_end(struct lease_table *table, const char *token_id)
{
    for (size_t i = 0; i < LEASE_MAX; i++) {
        struct lease *lease = &table->entries[i];
        if (held_by(lease, token_id) && !lease->ending) {
            lease->ending = true;
            return lease;
        }
    }
    return NULL;
}
