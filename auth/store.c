/* The token database: the only module that knows SQLite. */
#include "auth/store.h"

#include "lib/base/fd.h"
#include "lib/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE_BUSY_MS 2000
#define STORE_PATH_MAX 64

/* Version 1; migrations lead on from there. BIGINT and TEXT only; 0 means none. */
static const char schema_sql[] =
    "CREATE TABLE schema_version(version BIGINT NOT NULL);"
    "CREATE TABLE meta(name TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL);"
    "CREATE TABLE tokens("
    " id TEXT NOT NULL PRIMARY KEY,"
    " secret_hash TEXT NOT NULL UNIQUE," /* hexadecimal */
    " stream_glob TEXT NOT NULL,"
    " label TEXT NOT NULL,"
    " created_ms BIGINT NOT NULL,"
    " expires_ms BIGINT NOT NULL,"
    " max_duration_ms BIGINT NOT NULL,"
    " max_sessions BIGINT NOT NULL,"
    " revoked_ms BIGINT NOT NULL);"
    "INSERT INTO schema_version(version) VALUES(1);"
    "INSERT INTO meta(name, value) VALUES('starts', 0);"
    "INSERT INTO meta(name, value) VALUES('clock_ms', 0);";

/* From version i + 1 to i + 2. */
static const char *const migrations[STORE_SCHEMA_VERSION - 1] = {
    "ALTER TABLE tokens ADD COLUMN clash BIGINT NOT NULL DEFAULT 0;" /* enum grant_clash */
    "ALTER TABLE tokens ADD COLUMN max_bitrate_kbps BIGINT NOT NULL DEFAULT 0;"
    "UPDATE schema_version SET version = 2;",
};

enum statement {
    STATEMENT_COUNT_START,
    STATEMENT_LOAD_CLOCK,
    STATEMENT_SAVE_CLOCK,
    STATEMENT_INSERT_TOKEN,
    STATEMENT_FIND_VALID,
    STATEMENT_FIND_BY_ID,
    STATEMENT_REVOKE_TOKEN,
    STATEMENT_LIST_TOKENS,
    STATEMENT_TOTAL,
};

#define TOKEN_COLUMNS                                                                              \
    "id, secret_hash, stream_glob, label, created_ms, expires_ms, max_duration_ms, "               \
    "max_sessions, revoked_ms, clash, max_bitrate_kbps"

static const char *const statement_sql[STATEMENT_TOTAL] = {
    [STATEMENT_COUNT_START] = "UPDATE meta SET value = value + 1 WHERE name = 'starts'",
    [STATEMENT_LOAD_CLOCK] = "SELECT value FROM meta WHERE name = 'clock_ms'",
    [STATEMENT_SAVE_CLOCK] = "UPDATE meta SET value = $1 WHERE name = 'clock_ms' AND value < $1",
    [STATEMENT_INSERT_TOKEN] = "INSERT INTO tokens(" TOKEN_COLUMNS ") "
                               "VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    [STATEMENT_FIND_VALID] = "SELECT " TOKEN_COLUMNS " FROM tokens WHERE secret_hash = $1 "
                             "AND revoked_ms = 0 AND (expires_ms = 0 OR expires_ms > $2)",
    [STATEMENT_FIND_BY_ID] = "SELECT " TOKEN_COLUMNS " FROM tokens WHERE id = $1",
    [STATEMENT_REVOKE_TOKEN] = "UPDATE tokens SET revoked_ms = CASE WHEN revoked_ms = 0 THEN $2 "
                               "ELSE revoked_ms END WHERE id = $1",
    [STATEMENT_LIST_TOKENS] = "SELECT " TOKEN_COLUMNS " FROM tokens WHERE (created_ms, id) > "
                              "($1, $2) ORDER BY created_ms, id LIMIT $3",
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_TOTAL];
    sqlite3_vfs files; /* SQLite's own, but for keep_path */
};

/* ---- SQLite in our terms ---- */

static int error_of(int result)
{
    switch (result & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return -EBADMSG;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_CONSTRAINT:
        return -EEXIST;
    case SQLITE_READONLY:
        return -EROFS;
    default:
        return -EIO;
    }
}

static int exec(struct store *store, const char *sql)
{
    return error_of(sqlite3_exec(store->db, sql, NULL, NULL, NULL));
}

static void bind_text(sqlite3_stmt *statement, const char *name, const char *text)
{
    int at = sqlite3_bind_parameter_index(statement, name);
    sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC); /* a failure shows in the step */
}

static void bind_u64(sqlite3_stmt *statement, const char *name, uint64_t value)
{
    int at = sqlite3_bind_parameter_index(statement, name);
    sqlite3_bind_int64(statement, at, value > INT64_MAX ? INT64_MAX : (sqlite3_int64)value);
}

/* Ends the use of a statement; the borrowed texts are let go. */
static void finish(sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

/* Steps a statement without rows to its end. */
static int run(struct store *store, enum statement which)
{
    sqlite3_stmt *statement = store->statements[which];
    int result = sqlite3_step(statement);
    finish(statement);
    return error_of(result);
}

/* One value of a query that gives exactly one row. */
static int query_u64(struct store *store, const char *sql, uint64_t *out)
{
    sqlite3_stmt *statement = NULL;
    int rc = error_of(sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL));
    if (rc == 0) {
        int result = sqlite3_step(statement);
        rc = error_of(result);
        if (result == SQLITE_DONE)
            rc = -EBADMSG;
        if (rc == 0)
            *out = (uint64_t)sqlite3_column_int64(statement, 0);
    }
    sqlite3_finalize(statement);
    return rc;
}

/* ---- open and check ---- */

/* Creates the file ourselves: the mode is ours, a link is refused, and it belongs to the role's
 * user. */
static int create_file(int directory_fd, uid_t owner)
{
    int fd = openat(directory_fd, STORE_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int rc = 0;
    if (owner != 0 && geteuid() == 0 && fchown(fd, owner, owner) < 0)
        rc = -errno;
    fd_close(&fd);
    return rc;
}

static int configure(struct store *store)
{
    sqlite3 *db = store->db;
    int on = 0;
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, &on);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_busy_timeout(db, STORE_BUSY_MS);
    if (!on)
        return -ENOTSUP;
    /* Exclusive before WAL: then the WAL index is private memory, not a file. */
    int rc = exec(store, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA cell_size_check = ON;"
                         "PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;"
                         "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
    int keep = 1; /* closing needs no unlink, which the sandbox forbids */
    sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
    return rc;
}

static int check_settings(struct store *store)
{
    sqlite3_stmt *statement = NULL;
    int rc = error_of(sqlite3_prepare_v2(store->db, "PRAGMA journal_mode", -1, &statement, NULL));
    if (rc == 0) {
        int result = sqlite3_step(statement);
        rc = error_of(result);
        const unsigned char *mode = sqlite3_column_text(statement, 0);
        if (rc == 0 && (!mode || strcmp((const char *)mode, "wal") != 0))
            rc = -EIO;
    }
    sqlite3_finalize(statement);
    uint64_t synchronous = 0;
    if (rc == 0)
        rc = query_u64(store, "PRAGMA synchronous", &synchronous);
    return rc == 0 && synchronous != 2 ? -EIO : rc;
}

int store_check(struct store *store)
{
    sqlite3_stmt *statement = NULL;
    int rc = error_of(sqlite3_prepare_v2(store->db, "PRAGMA quick_check(1)", -1, &statement, NULL));
    if (rc == 0) {
        rc = error_of(sqlite3_step(statement));
        const unsigned char *verdict = rc == 0 ? sqlite3_column_text(statement, 0) : NULL;
        if (rc == 0 && (!verdict || strcmp((const char *)verdict, "ok") != 0))
            rc = -EBADMSG;
    }
    sqlite3_finalize(statement);
    return rc;
}

/* All of it in one transaction: an older gateway's database is changed wholly or not at all. */
static int migrate(struct store *store, uint64_t version)
{
    if (version == STORE_SCHEMA_VERSION)
        return 0;
    int rc = exec(store, "BEGIN");
    if (rc == 0 && version == 0)
        rc = exec(store, schema_sql);
    for (uint64_t at = version > 0 ? version : 1; rc == 0 && at < STORE_SCHEMA_VERSION; at++)
        rc = exec(store, migrations[at - 1]);
    if (rc == 0)
        rc = exec(store, "COMMIT");
    if (rc < 0)
        (void)exec(store, "ROLLBACK");
    return rc;
}

/* Makes the schema in an empty file, or checks that the one there is ours. */
static int check_schema(struct store *store)
{
    uint64_t count = 0;
    int rc = query_u64(store, "SELECT count(*) FROM sqlite_schema", &count);
    if (rc < 0)
        return rc;
    if (count == 0)
        return migrate(store, 0);
    rc = query_u64(store, "SELECT count(*) FROM sqlite_schema WHERE type IN ('trigger', 'view')",
                   &count);
    if (rc == 0 && count != 0)
        return -EBADMSG;
    uint64_t version = 0;
    if (rc == 0)
        rc = query_u64(store, "SELECT max(version) FROM schema_version", &version);
    if (rc == -EIO || (rc == 0 && version == 0))
        return -EBADMSG; /* a database, but not ours */
    if (rc < 0)
        return rc;
    return version > STORE_SCHEMA_VERSION ? -ENOTSUP : migrate(store, version);
}

static int prepare(struct store *store)
{
    for (size_t i = 0; i < STATEMENT_TOTAL; i++) {
        int result = sqlite3_prepare_v3(store->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                                        &store->statements[i], NULL);
        int rc = error_of(result);
        if (rc < 0)
            return rc == -EIO ? -EBADMSG : rc; /* a column is missing */
    }
    return 0;
}

/* SQLite would resolve /proc/self/fd/N to the folder's real path and look at each part of it, and
 * parts above the folder need not be ours to see. The descriptor is the right to it. */
static int keep_path(sqlite3_vfs *vfs, const char *name, int cap, char *out)
{
    (void)vfs;
    return text_copy(out, (size_t)cap, slice_of(name)) == 0 ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int register_files(struct store *store)
{
    const sqlite3_vfs *own = sqlite3_vfs_find(NULL);
    if (!own)
        return -EIO;
    store->files = *own;
    store->files.pNext = NULL;
    store->files.zName = "sluice";
    store->files.xFullPathname = keep_path;
    return error_of(sqlite3_vfs_register(&store->files, 0));
}

int store_open(int directory_fd, uid_t owner, struct store **out)
{
    char path[STORE_PATH_MAX];
    snprintf(path, sizeof(path), "/proc/self/fd/%d/" STORE_FILE, directory_fd);
    struct store *store = calloc(1, sizeof(*store));
    if (!store)
        return -ENOMEM;
    int rc = create_file(directory_fd, owner);
    if (rc == 0)
        rc = register_files(store);
    if (rc < 0)
        goto out;
    rc = error_of(sqlite3_open_v2(
        path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
        store->files.zName));
    if (rc == 0)
        rc = configure(store);
    if (rc == 0)
        rc = check_settings(store);
    if (rc == 0)
        rc = store_check(store);
    if (rc == 0)
        rc = check_schema(store);
    if (rc == 0)
        rc = prepare(store);
    if (rc < 0)
        goto out;
    /* One write now: the WAL exists, and its directory entry is synced, before the sandbox. */
    rc = run(store, STATEMENT_COUNT_START);
    if (rc == -ENOSPC)
        rc = 0;
    if (rc == 0) {
        *out = store;
        store = NULL;
    }
out:
    store_close(store);
    return rc;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    for (size_t i = 0; i < STATEMENT_TOTAL; i++)
        sqlite3_finalize(store->statements[i]);
    sqlite3_close(store->db);
    sqlite3_vfs_unregister(&store->files);
    free(store);
}

int store_limit_pages(struct store *store, unsigned pages)
{
    char sql[64];
    snprintf(sql, sizeof(sql), "PRAGMA max_page_count = %u", pages);
    return exec(store, sql);
}

/* ---- tokens ---- */

/* Rows are input (style.md): every field is checked. */
static int column_text(sqlite3_stmt *row, int column, char *to, size_t cap)
{
    const unsigned char *text = sqlite3_column_text(row, column);
    int len = sqlite3_column_bytes(row, column);
    if (!text || len < 0)
        return -EBADMSG;
    return text_copy(to, cap, slice_make(text, (size_t)len)) < 0 ? -EBADMSG : 0;
}

static int column_u64(sqlite3_stmt *row, int column, uint64_t *out)
{
    sqlite3_int64 value = sqlite3_column_int64(row, column);
    if (sqlite3_column_type(row, column) != SQLITE_INTEGER || value < 0)
        return -EBADMSG;
    *out = (uint64_t)value;
    return 0;
}

static int read_texts(sqlite3_stmt *row, struct token *t)
{
    char hash[2 * TOKEN_HASH_LEN + 1];
    int rc = column_text(row, 0, t->id, sizeof(t->id));
    if (rc == 0)
        rc = column_text(row, 1, hash, sizeof(hash));
    if (rc == 0)
        rc = text_unhex(slice_of(hash), t->hash, sizeof(t->hash));
    if (rc == 0)
        rc = column_text(row, 2, t->pattern, sizeof(t->pattern));
    if (rc == 0)
        rc = column_text(row, 3, t->label, sizeof(t->label));
    return rc;
}

static int read_numbers(sqlite3_stmt *row, struct token *t)
{
    uint64_t sessions = 0;
    uint64_t clash = 0;
    uint64_t kbps = 0;
    uint64_t *const to[] = {&t->created_ms, &t->expires_ms, &t->max_duration_ms,
                            &sessions,      &t->revoked_ms, &clash,
                            &kbps};
    int rc = 0;
    for (int i = 0; rc == 0 && i < 7; i++)
        rc = column_u64(row, 4 + i, to[i]);
    if (rc < 0 || sessions > TOKEN_SESSIONS_MAX || t->max_duration_ms > TOKEN_TIME_MAX_S * 1000 ||
        clash >= CLASH_COUNT || kbps > TOKEN_BITRATE_MAX_KBPS)
        return -EBADMSG;
    t->max_sessions = (uint32_t)sessions;
    t->clash = (enum grant_clash)clash;
    t->max_bitrate_kbps = (uint32_t)kbps;
    return 0;
}

static int read_token(sqlite3_stmt *row, struct token *out)
{
    struct token t = {0};
    int rc = read_texts(row, &t);
    if (rc == 0)
        rc = read_numbers(row, &t);
    if (rc < 0)
        return rc;
    if (!token_id_valid(slice_of(t.id)) || !stream_pattern_valid(slice_of(t.pattern)) ||
        !token_label_valid(slice_of(t.label)))
        return -EBADMSG;
    *out = t;
    return 0;
}

/* Steps a bound query to its one row. */
static int find_token(struct store *store, enum statement which, struct token *out)
{
    sqlite3_stmt *statement = store->statements[which];
    int result = sqlite3_step(statement);
    int rc = error_of(result);
    if (result == SQLITE_ROW)
        rc = read_token(statement, out);
    else if (result == SQLITE_DONE)
        rc = -ENOENT;
    finish(statement);
    return rc;
}

int store_insert_token(struct store *store, const struct token *token)
{
    sqlite3_stmt *statement = store->statements[STATEMENT_INSERT_TOKEN];
    char hash[2 * TOKEN_HASH_LEN + 1];
    text_hex(token->hash, sizeof(token->hash), hash);
    bind_text(statement, "$1", token->id);
    bind_text(statement, "$2", hash);
    bind_text(statement, "$3", token->pattern);
    bind_text(statement, "$4", token->label);
    bind_u64(statement, "$5", token->created_ms);
    bind_u64(statement, "$6", token->expires_ms);
    bind_u64(statement, "$7", token->max_duration_ms);
    bind_u64(statement, "$8", token->max_sessions);
    bind_u64(statement, "$9", token->revoked_ms);
    bind_u64(statement, "$10", token->clash);
    bind_u64(statement, "$11", token->max_bitrate_kbps);
    return run(store, STATEMENT_INSERT_TOKEN);
}

int store_find_valid(struct store *store, const uint8_t hash[TOKEN_HASH_LEN], uint64_t now_ms,
                     struct token *out)
{
    sqlite3_stmt *statement = store->statements[STATEMENT_FIND_VALID];
    char text[2 * TOKEN_HASH_LEN + 1];
    text_hex(hash, TOKEN_HASH_LEN, text);
    bind_text(statement, "$1", text);
    bind_u64(statement, "$2", now_ms);
    struct token found;
    int rc = find_token(store, STATEMENT_FIND_VALID, &found);
    if (rc == 0 && !secret_equal(found.hash, hash, TOKEN_HASH_LEN))
        rc = -ENOENT;
    if (rc == 0)
        *out = found;
    return rc;
}

int store_find_by_id(struct store *store, const char *id, struct token *out)
{
    bind_text(store->statements[STATEMENT_FIND_BY_ID], "$1", id);
    return find_token(store, STATEMENT_FIND_BY_ID, out);
}

int store_revoke_token(struct store *store, const char *id, uint64_t now_ms)
{
    sqlite3_stmt *statement = store->statements[STATEMENT_REVOKE_TOKEN];
    bind_text(statement, "$1", id);
    bind_u64(statement, "$2", now_ms);
    int rc = run(store, STATEMENT_REVOKE_TOKEN);
    return rc == 0 && sqlite3_changes(store->db) == 0 ? -ENOENT : rc;
}

int store_list_tokens(struct store *store, uint64_t after_ms, const char *after_id,
                      struct token *out, size_t *out_count)
{
    sqlite3_stmt *statement = store->statements[STATEMENT_LIST_TOKENS];
    bind_u64(statement, "$1", after_ms);
    bind_text(statement, "$2", after_id);
    bind_u64(statement, "$3", STORE_PAGE_TOKENS);
    size_t count = 0;
    int rc = 0;
    int result = sqlite3_step(statement);
    while (result == SQLITE_ROW && rc == 0 && count < STORE_PAGE_TOKENS) {
        rc = read_token(statement, &out[count]);
        count++;
        result = sqlite3_step(statement);
    }
    if (rc == 0)
        rc = error_of(result);
    finish(statement);
    if (rc == 0)
        *out_count = count;
    return rc;
}

/* ---- clock ---- */

int store_load_clock(struct store *store, uint64_t *out_ms)
{
    sqlite3_stmt *statement = store->statements[STATEMENT_LOAD_CLOCK];
    int result = sqlite3_step(statement);
    int rc = error_of(result);
    if (result == SQLITE_DONE)
        rc = -EBADMSG;
    if (rc == 0)
        rc = column_u64(statement, 0, out_ms);
    finish(statement);
    return rc;
}

int store_save_clock(struct store *store, uint64_t now_ms)
{
    bind_u64(store->statements[STATEMENT_SAVE_CLOCK], "$1", now_ms);
    return run(store, STATEMENT_SAVE_CLOCK);
}
