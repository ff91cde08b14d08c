/* The database: what is kept, what is found, what is refused. */
#include "auth/store.h"

#include "lib/base/fd.h"
#include "tests/unit/auth/scratch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <sys/stat.h>

#define NOW_MS 1700000000000u

static const struct token_key key = {.pepper = {9, 8, 7}};

struct fixture {
    struct scratch dir;
    struct store *store;
};

static int set_up(void **state)
{
    static struct fixture f;
    *state = &f;
    f.store = NULL;
    if (!scratch_open(&f.dir))
        return -1;
    int rc = store_open(f.dir.fd, 0, &f.store);
    if (rc < 0)
        scratch_remove(&f.dir);
    return rc;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    store_close(f->store);
    scratch_remove(&f->dir);
    return 0;
}

static void reopen(struct fixture *f)
{
    store_close(f->store);
    f->store = NULL;
    assert_int_equal(store_open(f->dir.fd, 0, &f->store), 0);
}

static struct token add(struct store *store, const char *pattern, uint64_t now_ms,
                        char text[TOKEN_TEXT_LEN + 1])
{
    struct token_wish wish = {.pattern = slice_of(pattern), .label = slice_of("lab'el")};
    struct token token;
    assert_int_equal(token_make(&key, &wish, now_ms, text, &token), 0);
    assert_int_equal(store_insert_token(store, &token), 0);
    return token;
}

static int find(struct store *store, const struct token_key *with, const char *text,
                uint64_t now_ms)
{
    struct token found;
    uint8_t hash[TOKEN_HASH_LEN];
    assert_int_equal(token_hash(with, slice_of(text), hash), 0);
    return store_find_valid(store, hash, now_ms, &found);
}

static void keeps_every_field(void **state)
{
    struct fixture *f = *state;
    char text[TOKEN_TEXT_LEN + 1];
    struct token_wish wish = {.pattern = slice_of("cam-*"),
                              .label = slice_of("Robert'); DROP TABLE tokens;--"),
                              .expires_s = 60,
                              .max_duration_s = 3600,
                              .sessions_given = true,
                              .max_sessions = 7,
                              .max_bitrate_kbps = 2500,
                              .clash = CLASH_TAKE_OVER};
    struct token token;
    struct token found;
    assert_int_equal(token_make(&key, &wish, NOW_MS, text, &token), 0);
    assert_int_equal(store_insert_token(f->store, &token), 0);
    reopen(f);
    assert_int_equal(store_find_by_id(f->store, token.id, &found), 0);
    assert_memory_equal(&found, &token, sizeof(token));
    assert_int_equal(store_find_valid(f->store, token.hash, NOW_MS, &found), 0);
    assert_memory_equal(&found, &token, sizeof(token));
}

static void D1_known_token_is_in_no_file(void **state)
{
    struct fixture *f = *state;
    char text[TOKEN_TEXT_LEN + 1];
    struct token token = add(f->store, "demo", NOW_MS, text);
    assert_true(scratch_contains(&f->dir, token.id, TOKEN_ID_LEN)); /* the search works */
    assert_false(scratch_contains(&f->dir, text, TOKEN_TEXT_LEN));
    assert_false(scratch_contains(&f->dir, text + sizeof(TOKEN_PREFIX) - 1, 16));
    assert_false(scratch_contains(&f->dir, key.pepper, sizeof(key.pepper)));
    reopen(f);
    assert_false(scratch_contains(&f->dir, text + sizeof(TOKEN_PREFIX) - 1, 16));
}

static void D1_no_row_authenticates_without_the_pepper(void **state)
{
    struct fixture *f = *state;
    const struct token_key other = {.pepper = {9, 8, 6}};
    char text[TOKEN_TEXT_LEN + 1];
    struct token token = add(f->store, "demo", NOW_MS, text);
    char stored[2 * TOKEN_HASH_LEN + 1];
    text_hex(token.hash, sizeof(token.hash), stored);
    assert_int_equal(find(f->store, &key, text, NOW_MS), 0);
    assert_int_equal(find(f->store, &other, text, NOW_MS), -ENOENT);
    assert_int_equal(find(f->store, &key, stored, NOW_MS), -ENOENT);
    assert_int_equal(find(f->store, &key, token.id, NOW_MS), -ENOENT);
}

static void H9_expired_and_revoked_are_not_found(void **state)
{
    struct fixture *f = *state;
    char text[TOKEN_TEXT_LEN + 1];
    struct token_wish wish = {.pattern = slice_of("demo"), .expires_s = 10};
    struct token token;
    assert_int_equal(token_make(&key, &wish, NOW_MS, text, &token), 0);
    assert_int_equal(store_insert_token(f->store, &token), 0);
    assert_int_equal(find(f->store, &key, text, NOW_MS + 9999), 0);
    assert_int_equal(find(f->store, &key, text, NOW_MS + 10000), -ENOENT);
    assert_int_equal(store_revoke_token(f->store, token.id, NOW_MS + 1), 0);
    assert_int_equal(find(f->store, &key, text, NOW_MS), -ENOENT);
    reopen(f);
    assert_int_equal(find(f->store, &key, text, NOW_MS), -ENOENT);
}

static void first_revocation_counts(void **state)
{
    struct fixture *f = *state;
    char text[TOKEN_TEXT_LEN + 1];
    struct token token = add(f->store, "demo", NOW_MS, text);
    struct token found;
    assert_int_equal(store_revoke_token(f->store, "t_aaaaaaaaaa", NOW_MS), -ENOENT);
    assert_int_equal(store_revoke_token(f->store, token.id, NOW_MS + 5), 0);
    assert_int_equal(store_revoke_token(f->store, token.id, NOW_MS + 9), 0);
    assert_int_equal(store_find_by_id(f->store, token.id, &found), 0);
    assert_true(found.revoked_ms == NOW_MS + 5);
    assert_int_equal(store_find_by_id(f->store, "t_aaaaaaaaaa", &found), -ENOENT);
}

static void ids_and_secrets_are_unique(void **state)
{
    struct fixture *f = *state;
    char text[TOKEN_TEXT_LEN + 1];
    struct token token = add(f->store, "demo", NOW_MS, text);
    assert_int_equal(store_insert_token(f->store, &token), -EEXIST);
    memcpy(token.id, "t_bbbbbbbbbb", sizeof("t_bbbbbbbbbb"));
    assert_int_equal(store_insert_token(f->store, &token), -EEXIST);
}

static void lists_in_pages_by_age(void **state)
{
    struct fixture *f = *state;
    static struct token page[STORE_PAGE_TOKENS];
    char text[TOKEN_TEXT_LEN + 1];
    for (unsigned i = 0; i < STORE_PAGE_TOKENS + 20; i++)
        add(f->store, "demo", NOW_MS + i / 7, text);
    size_t count = 0;
    assert_int_equal(store_list_tokens(f->store, 0, "", page, &count), 0);
    assert_int_equal(count, STORE_PAGE_TOKENS);
    for (size_t i = 1; i < count; i++)
        assert_true(page[i].created_ms >= page[i - 1].created_ms);
    struct token last = page[count - 1];
    assert_int_equal(store_list_tokens(f->store, last.created_ms, last.id, page, &count), 0);
    assert_int_equal(count, 20);
    assert_true(page[0].created_ms > last.created_ms || strcmp(page[0].id, last.id) > 0);
}

static void T4_clock_mark_only_rises(void **state)
{
    struct fixture *f = *state;
    uint64_t mark = 99;
    assert_int_equal(store_load_clock(f->store, &mark), 0);
    assert_true(mark == 0);
    assert_int_equal(store_save_clock(f->store, NOW_MS), 0);
    assert_int_equal(store_save_clock(f->store, NOW_MS - 1), 0);
    reopen(f);
    assert_int_equal(store_load_clock(f->store, &mark), 0);
    assert_true(mark == NOW_MS);
}

static void D3_full_disk_is_reported_and_reading_goes_on(void **state)
{
    struct fixture *f = *state;
    char text[TOKEN_TEXT_LEN + 1];
    char more[TOKEN_TEXT_LEN + 1];
    add(f->store, "demo", NOW_MS, text);
    assert_int_equal(store_limit_pages(f->store, 1), 0); /* means: no page more than there are */
    struct token_wish wish = {.pattern = slice_of("demo"), .label = slice_of("x")};
    struct token token;
    int rc = 0;
    for (int i = 0; i < 200 && rc == 0; i++) {
        assert_int_equal(token_make(&key, &wish, NOW_MS, more, &token), 0);
        rc = store_insert_token(f->store, &token);
    }
    assert_int_equal(rc, -ENOSPC);
    assert_int_equal(find(f->store, &key, text, NOW_MS), 0);
    assert_int_equal(find(f->store, &key, more, NOW_MS), -ENOENT);
    assert_int_equal(store_check(f->store), 0);
}

static void file_is_private(void **state)
{
    struct fixture *f = *state;
    struct stat info;
    assert_int_equal(fstatat(f->dir.fd, STORE_FILE, &info, 0), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(fstatat(f->dir.fd, STORE_FILE "-wal", &info, 0), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(fstatat(f->dir.fd, STORE_FILE "-shm", &info, 0), -1);
}

/* Overwrites part of the database file. */
static void damage(struct fixture *f, off_t at, size_t len, int byte)
{
    char junk[8192];
    store_close(f->store);
    f->store = NULL;
    unlinkat(f->dir.fd, STORE_FILE "-wal", 0);
    memset(junk, byte, sizeof(junk));
    int fd = openat(f->dir.fd, STORE_FILE, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, junk, len, at), len);
    fd_close(&fd);
}

static void D4_damage_is_found_at_start(void **state)
{
    struct fixture *f = *state;
    char text[TOKEN_TEXT_LEN + 1];
    for (int i = 0; i < 60; i++)
        add(f->store, "demo", NOW_MS, text);
    damage(f, 4096 * 3, 4096, 0x5a);
    assert_int_equal(store_open(f->dir.fd, 0, &f->store), -EBADMSG);
}

static void D4_another_kind_of_file_is_refused(void **state)
{
    struct fixture *f = *state;
    damage(f, 0, 4096, 'x');
    assert_int_equal(store_open(f->dir.fd, 0, &f->store), -EBADMSG);
    assert_null(f->store);
}

/* Closes the store and lets somebody else write to the file. */
static void tamper(struct fixture *f, const char *sql)
{
    char path[128];
    sqlite3 *db = NULL;
    store_close(f->store);
    f->store = NULL;
    snprintf(path, sizeof(path), "%s/" STORE_FILE, f->dir.path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void D7_hostile_schema_is_refused(void **state)
{
    struct fixture *f = *state;
    tamper(f,
           "CREATE TRIGGER t AFTER UPDATE ON tokens BEGIN UPDATE tokens SET revoked_ms = 0; END");
    assert_int_equal(store_open(f->dir.fd, 0, &f->store), -EBADMSG);
    tamper(f, "DROP TRIGGER t; CREATE VIEW v AS SELECT 1");
    assert_int_equal(store_open(f->dir.fd, 0, &f->store), -EBADMSG);
    tamper(f, "DROP VIEW v; ALTER TABLE tokens RENAME COLUMN label TO note");
    assert_int_equal(store_open(f->dir.fd, 0, &f->store), -EBADMSG);
    tamper(f, "DROP TABLE schema_version");
    assert_int_equal(store_open(f->dir.fd, 0, &f->store), -EBADMSG);
}

static void newer_schema_is_left_alone(void **state)
{
    struct fixture *f = *state;
    tamper(f, "UPDATE schema_version SET version = 3");
    assert_int_equal(store_open(f->dir.fd, 0, &f->store), -ENOTSUP);
    tamper(f, "UPDATE schema_version SET version = 2");
    assert_int_equal(store_open(f->dir.fd, 0, &f->store), 0);
}

static void an_old_database_is_brought_up_to_date(void **state)
{
    struct fixture *f = *state;
    char text[TOKEN_TEXT_LEN + 1];
    struct token old = add(f->store, "demo", NOW_MS, text);
    tamper(
        f,
        "ALTER TABLE tokens DROP COLUMN clash;"
        "ALTER TABLE tokens DROP COLUMN max_bitrate_kbps; UPDATE schema_version SET version = 1");
    assert_int_equal(store_open(f->dir.fd, 0, &f->store), 0);
    struct token found;
    assert_int_equal(store_find_by_id(f->store, old.id, &found), 0);
    assert_int_equal(found.clash, CLASH_REFUSE);
    assert_memory_equal(&found, &old, sizeof(old));
    add(f->store, "other", NOW_MS, text);
    reopen(f); /* and only once */
    assert_int_equal(store_find_by_id(f->store, old.id, &found), 0);
}

static void a_half_old_database_is_refused_unchanged(void **state)
{
    struct fixture *f = *state;
    tamper(f, "UPDATE schema_version SET version = 1"); /* but the column is there */
    assert_true(store_open(f->dir.fd, 0, &f->store) < 0);
    tamper(f, "UPDATE schema_version SET version = 2");
    assert_int_equal(store_open(f->dir.fd, 0, &f->store), 0);
}

static void D7_hostile_rows_are_errors(void **state)
{
    static const char *const changes[] = {
        "stream_glob = ''",
        "stream_glob = 'a b'",
        "stream_glob = x'00'",
        "label = char(27)",
        "label = hex(zeroblob(99))",
        "created_ms = 1.5",
        "expires_ms = 'soon'",
        "max_duration_ms = 1.5",
        "max_sessions = 65536",
        "max_sessions = -1",
        "clash = 2",
        "max_bitrate_kbps = 1000001",
        "max_bitrate_kbps = -1",
        "clash = 'refuse'",
        "max_duration_ms = 9223372036854775807",
        "secret_hash = 'short'",
    };
    struct fixture *f = *state;
    char text[TOKEN_TEXT_LEN + 1];
    struct token page[STORE_PAGE_TOKENS];
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        char sql[200];
        struct token found;
        size_t count = 0;
        struct token token = add(f->store, "demo", NOW_MS, text);
        snprintf(sql, sizeof(sql), "UPDATE tokens SET %s WHERE id = '%.12s'", changes[i], token.id);
        tamper(f, sql);
        assert_int_equal(store_open(f->dir.fd, 0, &f->store), 0);
        assert_int_equal(store_find_by_id(f->store, token.id, &found), -EBADMSG);
        assert_true(find(f->store, &key, text, NOW_MS) < 0);
        assert_int_equal(store_list_tokens(f->store, 0, "", page, &count), -EBADMSG);
        tamper(f, "DELETE FROM tokens");
        assert_int_equal(store_open(f->dir.fd, 0, &f->store), 0);
    }
}

static void link_is_refused(void **state)
{
    struct fixture *f = *state;
    store_close(f->store);
    f->store = NULL;
    unlinkat(f->dir.fd, STORE_FILE, 0);
    assert_int_equal(symlinkat("/dev/null", f->dir.fd, STORE_FILE), 0);
    assert_int_equal(store_open(f->dir.fd, 0, &f->store), -ELOOP);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(keeps_every_field),
        TEST(D1_known_token_is_in_no_file),
        TEST(D1_no_row_authenticates_without_the_pepper),
        TEST(H9_expired_and_revoked_are_not_found),
        TEST(first_revocation_counts),
        TEST(ids_and_secrets_are_unique),
        TEST(lists_in_pages_by_age),
        TEST(T4_clock_mark_only_rises),
        TEST(D3_full_disk_is_reported_and_reading_goes_on),
        TEST(file_is_private),
        TEST(D4_damage_is_found_at_start),
        TEST(D4_another_kind_of_file_is_refused),
        TEST(D7_hostile_schema_is_refused),
        TEST(newer_schema_is_left_alone),
        TEST(an_old_database_is_brought_up_to_date),
        TEST(a_half_old_database_is_refused_unchanged),
        TEST(D7_hostile_rows_are_errors),
        TEST(link_is_refused),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
