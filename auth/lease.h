/* The table of leases: which token is live on which stream. In memory only: the supervisor tells a
 * restarted auth all live ones. */
#ifndef SLUICE_AUTH_LEASE_H
#define SLUICE_AUTH_LEASE_H

#include "lib/base/text.h"
#include "lib/proto/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEASE_PENDING_MAX 64 /* asked for, not yet live (threats.md W2) */
#define LEASE_MAX (STREAM_MAX + LEASE_PENDING_MAX)

/* Free while id is 0. */
struct lease {
    uint64_t id;
    bool ending; /* the supervisor was told to end it */
    char token_id[STREAM_TOKEN_ID_MAX + 8];
    char stream[STREAM_NAME_MAX + 8];
};

/* Invariant: count is the number of entries with an id; ids are unique. All zero: empty. */
struct lease_table {
    struct lease entries[LEASE_MAX];
    size_t count;
};

/* Makes a lease with a fresh random id. 0, or -ENOSPC when LEASE_MAX exist, -EMSGSIZE for a name
 * that does not fit. */
int lease_add(struct lease_table *table, const char *token_id, const char *stream,
              uint64_t *out_id);

/* Puts back a lease that the supervisor holds. A lease known already is left alone. 0, or -EINVAL
 * for id 0, -ENOSPC, -EMSGSIZE. */
int lease_restore(struct lease_table *table, uint64_t id, const char *token_id, const char *stream);

/* False when there is no such lease. */
bool lease_release(struct lease_table *table, uint64_t id);

/* Streams on which the token has leases, without the given one: a second publisher of one stream is
 * the supervisor's to refuse (409), not a matter of the token's max_sessions. */
size_t lease_count_others(const struct lease_table *table, const char *token_id,
                          const char *stream);
size_t lease_count(const struct lease_table *table, const char *token_id);

/* The next lease of the token that is not yet ending, marked as ending here; NULL when there is
 * none. */
struct lease *lease_next_to_end(struct lease_table *table, const char *token_id);

#endif
