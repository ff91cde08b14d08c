/* The token database: the only module that knows SQLite.
 *
 * One connection, WAL, synchronous FULL: a call that returns 0 after a change has it on disk
 * (threats.md D2). The connection holds the file's exclusive lock, so that no other program can
 * make a change wait (D5), and everything is open after store_open: the role needs no file access
 * in its sandbox. Statements are one table, with `$1` parameters, integer milliseconds and no
 * dialect words, so that the same SQL runs on PostgreSQL. The time is always passed in.
 *
 * Errors: -ENOSPC disk full, -EBUSY another program holds the file, -EBADMSG not a database of ours
 * or damaged (D4), -ENOTSUP made by a newer version, -EEXIST, -ENOMEM, -EROFS, -EIO. */
#ifndef SLUICE_AUTH_STORE_H
#define SLUICE_AUTH_STORE_H

#include "auth/token.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define STORE_FILE "sluice.db"
#define STORE_SCHEMA_VERSION 2
#define STORE_PAGE_TOKENS 100u /* rows of one store_list_tokens */

struct store;

/* Opens or creates STORE_FILE (mode 0600) in the directory, checks it (quick_check, schema version,
 * no triggers or views), brings an older schema up to date and makes one durable write. owner: as
 * root, who shall own a new file; 0: keep. A full disk is no error here: reading works. 0 or a
 * negative errno. */
int store_open(int directory_fd, uid_t owner, struct store **out);
void store_close(struct store *store); /* NULL allowed */

/* Tests only: at most this many pages of 4 KiB; later writes fail like on a full disk. */
int store_limit_pages(struct store *store, unsigned pages);

/* quick_check of the whole file. 0, -EBADMSG when damaged. */
int store_check(struct store *store);

int store_insert_token(struct store *store, const struct token *token);

/* The token with this hash that is neither revoked nor expired at now_ms. -ENOENT for all others
 * alike, in one lookup (threats.md H9). */
int store_find_valid(struct store *store, const uint8_t hash[TOKEN_HASH_LEN], uint64_t now_ms,
                     struct token *out);
/* -ENOENT when there is none. */
int store_find_by_id(struct store *store, const char *id, struct token *out);

/* Sets the time of revocation, unless there is one. 0, -ENOENT for an unknown id. */
int store_revoke_token(struct store *store, const char *id, uint64_t now_ms);

/* Up to STORE_PAGE_TOKENS tokens in order of creation, beginning behind the one created at after_ms
 * with after_id (0 and "" for the start). out has room for STORE_PAGE_TOKENS. */
int store_list_tokens(struct store *store, uint64_t after_ms, const char *after_id,
                      struct token *out, size_t *out_count);

/* The stored high-water mark of the clock (timekeep.h); 0 when there is none yet. Saving a lower
 * one changes nothing. */
int store_load_clock(struct store *store, uint64_t *out_ms);
int store_save_clock(struct store *store, uint64_t now_ms);

#endif
