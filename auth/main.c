/* sluice-auth: the token service. Tells the supervisor who may publish, and administrators what
 * there is. Holds the database and the pepper; has no network and, once started, opens no file. */
#include "auth/adminrun.h"
#include "auth/admission.h"
#include "auth/control.h"
#include "auth/reserve.h"
#include "auth/store.h"
#include "auth/timekeep.h"
#include "auth/turn.h"
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/secret.h"
#include "lib/proto/role.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define AUTH_TICK_US 60000000u /* saves the clock's mark, refills the reserve */
#define AUTH_RETRY_US 1000000u /* tries again what a full disk did not take */
#define AUTH_CHECK_US 86400000000u
#define AUTH_CLOCK_WARN_MS 60000u
#define AUTH_FILES_MAX 64u
#define AUTH_FILE_BYTES_MAX (1ull << 30)
#define AUTH_DATA_BYTES_MAX (512ull << 20)

/* A locked page: the pepper, and what is shared with the TURN servers (empty: there are none). */
struct secrets {
    struct token_key key;
    size_t turn_len;
    char turn[SETTINGS_TURN_SECRET_MAX];
};

/* The process. store and control are NULL, descriptors -1, until they are open. */
struct auth {
    struct role role;
    struct settings_auth settings;
    int directory_fd;
    int listen_fd;
    struct secrets *secrets;
    struct store *store;
    struct reserve reserve;
    struct timekeep timekeep;
    struct admission admission;
    struct control *control;
    struct adminrun adminrun;
    struct loop_timer tick;
    uint64_t clock_saved_us;
    uint64_t checked_us;
};

static uint64_t now_ms(struct auth *auth)
{
    return timekeep_now_ms(&auth->timekeep, clock_wall_us(), clock_boottime_us());
}

/* ---- upkeep ---- */

/* A damaged database is not used any more; live streams go on (threats.md D4). */
static void check_store(struct auth *auth)
{
    int rc = store_check(auth->store);
    if (rc == 0)
        return;
    log_event(LOG_ERROR, "store-closed", "error=%s", strerrorname_np(-rc));
    /* Not store_close: SQLite would look for its file by name, which the sandbox forbids. */
    auth->admission.store = NULL;
    auth->store = NULL;
}

static void save_clock(struct auth *auth)
{
    int rc = store_save_clock(auth->store, now_ms(auth));
    if (rc < 0)
        log_event(LOG_WARN, "clock-not-saved", "error=%s", strerrorname_np(-rc));
}

static void schedule(struct auth *auth);

static void on_tick(void *ctx)
{
    struct auth *auth = ctx;
    uint64_t now_us = clock_now_us();
    if (auth->admission.unsaved_count > 0 && admission_save_unsaved(&auth->admission) == 0)
        log_event(LOG_INFO, "revocations-saved", NULL);
    if (auth->store && now_us - auth->clock_saved_us >= AUTH_TICK_US) {
        auth->clock_saved_us = now_us;
        save_clock(auth);
        reserve_fill(&auth->reserve);
    }
    if (auth->store && now_us - auth->checked_us >= AUTH_CHECK_US) {
        auth->checked_us = now_us;
        check_store(auth);
    }
    schedule(auth);
}

static void schedule(struct auth *auth)
{
    uint64_t wait_us = auth->admission.unsaved_count > 0 ? AUTH_RETRY_US : AUTH_TICK_US;
    loop_timer_set(&auth->role.loop, &auth->tick, clock_now_us() + wait_us, on_tick, auth);
}

/* ---- the supervisor's messages ---- */

/* Not longer than the session may last: a token's end is the end of what was made for it. */
static void add_turn(struct auth *auth, struct msg_lease_grant *m)
{
    struct slice secret = slice_make(auth->secrets->turn, auth->secrets->turn_len);
    uint64_t life_us = auth->settings.turn_ttl_s * (uint64_t)CLOCK_SECOND_US;
    if (secret.len == 0 || life_us == 0)
        return;
    if (m->grant.remaining_us < life_us)
        life_us = m->grant.remaining_us;
    uint64_t expiry_s = (clock_wall_us() + life_us) / CLOCK_SECOND_US;
    int rc = turn_make(secret, expiry_s, m->grant.token_id, &m->turn);
    if (rc < 0) /* the publisher may have a direct way */
        log_event(LOG_ERROR, "turn-failed", "error=%s", strerrorname_np(-rc));
}

static int on_ask(void *ctx, const struct chan_message *message)
{
    struct auth *auth = ctx;
    const struct msg_lease_ask *ask = message->body;
    struct admission_time time = {.now_ms = now_ms(auth), .now_us = clock_now_us()};
    struct msg_lease_grant grant = {.request = ask->request};
    int rc = admission_ask(&auth->admission, ask, &time, &grant.grant);
    if (rc < 0)
        return rc;
    if (grant.grant.verdict != GRANT_OK || ask->purpose == LEASE_PUBLISH) {
        char peer[ADDR_TEXT_MAX];
        addr_format_private(&ask->peer, peer);
        log_event(LOG_INFO, "lease-answered", "verdict=%u token=%s stream=%s peer=%s",
                  grant.grant.verdict, grant.grant.token_id, ask->stream, peer);
    }
    if (grant.grant.verdict == GRANT_OK && ask->purpose == LEASE_PUBLISH)
        add_turn(auth, &grant);
    rc = role_send(&auth->role, MSG_LEASE_GRANT, &grant, NULL, 0, NULL);
    secret_wipe(&grant.turn, sizeof(grant.turn));
    return rc;
}

static int on_release(void *ctx, const struct chan_message *message)
{
    struct auth *auth = ctx;
    const struct msg_lease_release *release = message->body;
    admission_release(&auth->admission, release->lease_id);
    return 0;
}

static int on_live(void *ctx, const struct chan_message *message)
{
    struct auth *auth = ctx;
    return admission_restore(&auth->admission, message->body);
}

static int on_ctl_row(void *ctx, const struct chan_message *message)
{
    struct auth *auth = ctx;
    return adminrun_row(&auth->adminrun, message->body);
}

static int on_ctl_done(void *ctx, const struct chan_message *message)
{
    struct auth *auth = ctx;
    adminrun_finish(&auth->adminrun, message->body);
    return 0;
}

static const struct chan_rule rules[] = {
    {MSG_LEASE_ASK, CHAN_ANY_PHASE, sizeof(struct msg_lease_ask), 0, 0, on_ask},
    {MSG_LEASE_RELEASE, CHAN_ANY_PHASE, sizeof(struct msg_lease_release), 0, 0, on_release},
    {MSG_LEASE_LIVE, CHAN_ANY_PHASE, sizeof(struct msg_lease_live), 0, 0, on_live},
    {MSG_CTL_ROW, CHAN_ANY_PHASE, sizeof(struct msg_ctl_row), 0, 0, on_ctl_row},
    {MSG_CTL_DONE, CHAN_ANY_PHASE, sizeof(struct msg_ctl_done), 0, 0, on_ctl_done},
};

/* ---- what the parts ask of us ---- */

static void end_lease(void *ctx, uint64_t lease_id)
{
    struct auth *auth = ctx;
    struct msg_lease_end end = {.lease_id = lease_id, .reason = END_REVOKED};
    role_send(&auth->role, MSG_LEASE_END, &end, NULL, 0, NULL);
}

static int send_ctl(void *ctx, const struct msg_ctl *ctl)
{
    struct auth *auth = ctx;
    return role_send(&auth->role, MSG_CTL, ctl, NULL, 0, NULL);
}

static void send_answer(void *ctx, uint64_t conn, const char *text, size_t len)
{
    struct auth *auth = ctx;
    control_answer(auth->control, conn, text, len); /* a connection that has gone is no matter */
}

static void on_line(void *ctx, uint64_t conn, const char *line, size_t len)
{
    struct auth *auth = ctx;
    adminrun_line(&auth->adminrun, conn, line, len, now_ms(auth));
    if (auth->admission.unsaved_count > 0)
        schedule(auth);
}

/* ---- start ---- */

/* A page of its own that is neither swapped nor dumped. */
static int keep_secrets(struct auth *auth, const uint8_t *blob, size_t len)
{
    void *page = mmap(NULL, sizeof(*auth->secrets), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return -errno;
    auth->secrets = page;
    auth->role.memory_locked = mlock(page, sizeof(*auth->secrets)) == 0;
    madvise(page, sizeof(*auth->secrets), MADV_DONTDUMP);
    memcpy(auth->secrets->key.pepper, blob, TOKEN_PEPPER_LEN);
    auth->secrets->turn_len = len - TOKEN_PEPPER_LEN;
    memcpy(auth->secrets->turn, blob + TOKEN_PEPPER_LEN, auth->secrets->turn_len);
    return 0;
}

static int on_settings(void *ctx, const struct chan_message *message)
{
    struct auth *auth = ctx;
    if (message->fd_count != 2 || message->blob_len < TOKEN_PEPPER_LEN ||
        message->blob_len > TOKEN_PEPPER_LEN + SETTINGS_TURN_SECRET_MAX)
        return -EBADMSG;
    memcpy(&auth->settings, message->body, sizeof(auth->settings));
    int rc = keep_secrets(auth, message->blob, message->blob_len);
    /* The channel's buffer is ours to wipe, though a handler may not change a message otherwise. */
    secret_wipe((void *)(uintptr_t)message->blob, message->blob_len);
    if (rc < 0)
        return rc;
    auth->directory_fd = message->fds[0];
    auth->listen_fd = message->fds[1];
    message->fds[0] = -1;
    message->fds[1] = -1;
    return fd_nonblock(auth->listen_fd);
}

/* Without a usable database the role still runs: it says so, and holds the live leases. */
static void open_store(struct auth *auth)
{
    uid_t owner = auth->settings.common.uid;
    /* The folder is the owner's alone, and the supervisor has left us no right to override that. */
    if (owner != 0) {
        setfsgid(owner);
        setfsuid(owner);
    }
    int rc = reserve_open(&auth->reserve, auth->directory_fd, owner);
    if (rc < 0)
        log_event(LOG_WARN, "reserve-missing", "error=%s", strerrorname_np(-rc));
    rc = store_open(auth->directory_fd, owner, &auth->store);
    if (rc < 0)
        log_event(LOG_ERROR, "store-closed", "error=%s", strerrorname_np(-rc));
}

static void start_clock(struct auth *auth)
{
    uint64_t wall_us = clock_wall_us();
    uint64_t boot_us = clock_boottime_us();
    uint64_t stored_ms = 0;
    int rc = auth->store ? store_load_clock(auth->store, &stored_ms) : 0;
    if (rc < 0)
        log_event(LOG_WARN, "clock-not-loaded", "error=%s", strerrorname_np(-rc));
    timekeep_init(&auth->timekeep, stored_ms, wall_us, boot_us);
    uint64_t behind_ms = timekeep_behind_ms(&auth->timekeep, wall_us, boot_us);
    if (behind_ms > AUTH_CLOCK_WARN_MS)
        log_event(LOG_WARN, "clock-set-back", "seconds=%llu",
                  (unsigned long long)(behind_ms / 1000));
    if (auth->store)
        save_clock(auth);
    auth->clock_saved_us = clock_now_us();
    auth->checked_us = auth->clock_saved_us;
}

/* Everything that opens, allocates for long or loads: before the sandbox. */
static int open_all(struct auth *auth)
{
    open_store(auth);
    start_clock(auth);
    auth->admission.store = auth->store;
    auth->admission.key = &auth->secrets->key;
    auth->admission.reserve = &auth->reserve;
    auth->admission.end = end_lease;
    auth->admission.end_ctx = auth;
    int rc = penalty_init(&auth->admission.penalty);
    if (rc < 0)
        return rc;
    uint8_t warm[TOKEN_HASH_LEN]; /* OpenSSL reads its configuration at first use */
    rc = token_hash(&auth->secrets->key, slice_of("warm"), warm);
    if (rc < 0)
        return rc;
    struct turn_credential turn;
    rc = turn_make(slice_of("warm"), 0, "warm", &turn);
    if (rc < 0)
        return rc;
    adminrun_init(&auth->adminrun, &auth->admission, &auth->role.loop, send_answer, send_ctl, auth);
    return control_new(&auth->role.loop, auth->listen_fd, auth->settings.admin_uid, on_line, auth,
                       &auth->control);
}

/* On top of what every role may do. Files are open already: whatever SQLite tries by name fails,
 * which it survives. */
static const struct sandbox_rule calls[] = {
    {.call = SCMP_SYS(pread64)},
    {.call = SCMP_SYS(pwrite64)},
    {.call = SCMP_SYS(fsync)},
    {.call = SCMP_SYS(fdatasync)},
    {.call = SCMP_SYS(ftruncate)},
    {.call = SCMP_SYS(fallocate)},
    {.call = SCMP_SYS(fcntl), .check = SANDBOX_ARG_EQ, .arg = 1, .value = F_SETLK},
    {.call = SCMP_SYS(fcntl), .check = SANDBOX_ARG_EQ, .arg = 1, .value = F_GETLK},
    {.call = SCMP_SYS(newfstatat), .check = SANDBOX_ARG_EQ, .arg = 3, .value = AT_EMPTY_PATH},
    {.call = SCMP_SYS(accept4)},
    {.call = SCMP_SYS(getsockopt), .check = SANDBOX_ARG_EQ, .arg = 2, .value = SO_PEERCRED},
    {.call = SCMP_SYS(openat), .check = SANDBOX_ERRNO, .value = EACCES},
    {.call = SCMP_SYS(access), .check = SANDBOX_ERRNO, .value = EACCES},
    {.call = SCMP_SYS(unlink), .check = SANDBOX_ERRNO, .value = EACCES},
};

static int enter(struct auth *auth)
{
    fd_close(&auth->directory_fd);
    struct sandbox_spec spec = {
        .empty_network = true,
        .empty_files = true,
        .directory_fd = -1,
        .max_files = AUTH_FILES_MAX,
        .max_file_bytes = AUTH_FILE_BYTES_MAX,
        .max_processes = 0,
        .max_data_bytes = AUTH_DATA_BYTES_MAX,
        .rules = calls,
        .rule_count = sizeof(calls) / sizeof(calls[0]),
    };
    return role_enter(&auth->role, &spec);
}

int main(void)
{
    struct auth auth = {.directory_fd = -1, .listen_fd = -1, .reserve = {.fd = -1}};
    int rc = role_start(&auth.role, "auth", sizeof(struct settings_auth), on_settings, rules,
                        sizeof(rules) / sizeof(rules[0]), &auth);
    if (rc == 0)
        rc = open_all(&auth);
    if (rc == 0)
        rc = enter(&auth);
    if (rc < 0)
        return EXIT_FAILURE;
    schedule(&auth);
    /* No clean-up at the end: the kernel closes, and the next start finds a consistent WAL. */
    return role_run(&auth.role);
}
