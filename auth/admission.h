/* Who may publish: answers to the supervisor's lease questions, and revocation.
 *
 * Does no I/O but through the store; time and the store's milliseconds are passed in. A revocation
 * acts on memory and live leases first, then on disk; until it is on disk the token's id stays in a
 * list that every question respects (threats.md D3, T5). */
#ifndef SLUICE_AUTH_ADMISSION_H
#define SLUICE_AUTH_ADMISSION_H

#include "auth/lease.h"
#include "auth/penalty.h"
#include "auth/reserve.h"
#include "auth/store.h"
#include "auth/token.h"
#include "lib/proto/grant.h"
#include "lib/proto/msg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADMISSION_UNSAVED_MAX 256 /* revocations not yet on disk */

/* Both moments of a question. */
struct admission_time {
    uint64_t now_ms; /* timekeep_now_ms: expiry */
    uint64_t now_us; /* clock_now_us: penalties */
};

/* Tells the supervisor to end this lease. */
typedef void (*admission_end_fn)(void *ctx, uint64_t lease_id);

/* Revoked in memory, not yet on disk. */
struct admission_unsaved {
    uint64_t revoked_ms;
    char id[STREAM_TOKEN_ID_MAX + 8];
};

/* store is NULL when the database cannot be used: then every question is answered
 * GRANT_UNAVAILABLE, and live leases go on (T6, D4). shut is set when unsaved is full: then too,
 * because a revoked token must never pass. */
struct admission {
    struct store *store;         /* borrowed */
    const struct token_key *key; /* borrowed */
    struct reserve *reserve;     /* borrowed, NULL allowed */
    admission_end_fn end;
    void *end_ctx;
    struct lease_table leases;
    struct penalty penalty;
    struct admission_unsaved unsaved[ADMISSION_UNSAVED_MAX];
    size_t unsaved_count;
    bool shut;
};

/* Answers a question. 0 with *out set, or -EBADMSG when the message breaks its layout.
 * LEASE_PUBLISH with verdict GRANT_OK has made a lease. Unknown, expired and revoked tokens get the
 * same answer by the same lookup (H9); GRANT_BUSY without a token id is the answer to an address
 * with too many wrong tokens (H8). */
int admission_ask(struct admission *a, const struct msg_lease_ask *ask,
                  const struct admission_time *time, struct grant *out);

void admission_release(struct admission *a, uint64_t lease_id);

/* Takes back a live lease after a restart of auth. If its token is revoked meanwhile, it is ended
 * at once. 0, or -EBADMSG. */
int admission_restore(struct admission *a, const struct msg_lease_live *live);

/* How a revocation went. */
struct admission_revoked {
    unsigned ended; /* leases told to end */
    int saved;      /* 0: on disk; else the negative errno; admission_save_unsaved tries again */
};

/* Revokes the token with this id. 0 with *out set, or -ENOENT for an unknown id. */
int admission_revoke(struct admission *a, const char *id, uint64_t now_ms,
                     struct admission_revoked *out);

/* Tries to write what could not be written. 0 when nothing is left, else the last negative errno.
 */
int admission_save_unsaved(struct admission *a);

/* The token's state with the unsaved revocations. */
enum token_state admission_token_state(const struct admission *a, const struct token *token,
                                       uint64_t now_ms);

#endif
