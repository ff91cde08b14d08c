/* What a process can still do after sandbox_enter: each try in a child of its own. */
#include "lib/base/sandbox.h"

#include "lib/base/chan.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/ring.h"
#include "tests/unit/base/sandboxed.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TEST_UID 64999

/* What roles do all day. */
struct ordinary {
    int ring;
    int eventfd;
    int chan;
    int log;
};

static int handled(void *ctx, const struct chan_message *message)
{
    (void)message;
    loop_stop(ctx);
    return 0;
}

static void closed(void *ctx, int reason)
{
    (void)reason;
    loop_stop(ctx);
}

static void tick(void *ctx)
{
    ++*(int *)ctx;
}

static int ordinary_work(const void *arg)
{
    const struct ordinary *o = arg;
    static const struct chan_rule rules[] = {{1, CHAN_ANY_PHASE, 8, 100, CHAN_FDS_ANY, handled}};
    struct loop loop;
    struct chan *chan;
    struct ring_writer *writer;
    struct ring_reader *reader;
    struct loop_timer timer = {0};
    uint64_t number = 5;
    int ticks = 0;
    size_t len;
    struct iovec part = {&number, sizeof(number)};
    if (loop_init(&loop) || chan_new(&loop, o->chan, rules, 1, closed, &loop, &chan))
        return 1;
    if (chan_send(chan, 1, &number, 8, NULL, 0, NULL, 0) || loop_run(&loop))
        return 2;
    if (loop_timer_set(&loop, &timer, 1, tick, &ticks) || loop_turn(&loop, -1) || ticks != 1)
        return 3;
    if (ring_writer_new(o->ring, &writer, NULL) || ring_writer_add_wakeup(writer, o->eventfd))
        return 4;
    if (ring_seal(o->ring) || ring_reader_new(o->ring, 0, &reader))
        return 5;
    if (ring_write(writer, &part, 1) || ring_read(reader, &number, 8, &len) != RING_RECORD)
        return 6;
    ring_expire(writer, 0);
    for (size_t size = 16; size < 40u << 20; size *= 2) {
        char *memory = malloc(size);
        if (!memory)
            return 7;
        memset(memory, 1, size);
        memory = realloc(memory, size * 3 / 2);
        free(memory);
    }
    log_open(o->log, "test", LOG_INFO);
    log_event(LOG_INFO, "still-here", "number=%d", 1);
    ring_reader_free(reader);
    ring_writer_free(writer);
    chan_flush(chan, 10);
    chan_free(chan);
    loop_done(&loop);
    return 0;
}

/* epoll_create1 belongs to the start of a role; here the whole start is inside. */
static const struct sandbox_rule start_calls[] = {
    {.call = SCMP_SYS(epoll_create1), .check = SANDBOX_ALWAYS},
};

static void ordinary_work_is_allowed(void **state)
{
    struct sandbox_spec spec = plain();
    struct ordinary o;
    int pair[2];
    int log[2];
    char line[64] = "";
    const struct {
        struct chan_head head;
        uint64_t number;
    } message = {.head = {.type = 1, .body_len = 8}};
    (void)state;
    spec.rules = start_calls;
    spec.rule_count = 1;
    assert_int_equal(chan_pair(pair), 0);
    assert_int_equal(pipe2(log, O_CLOEXEC), 0);
    o.chan = pair[0];
    o.log = log[1];
    o.eventfd = eventfd(0, EFD_CLOEXEC);
    assert_int_equal(ring_create(RING_SIZE_MIN, &o.ring), 0);
    assert_int_equal(send(pair[1], &message, sizeof(message), 0), sizeof(message));
    assert_int_equal(in_sandbox(&spec, ordinary_work, &o), 0);
    assert_true(read(log[0], line, sizeof(line) - 1) > 0);
    assert_string_equal(line, "info test still-here number=1\n");
    fd_close_all(pair, 2);
    fd_close_all(log, 2);
    fd_close(&o.ring);
    fd_close(&o.eventfd);
}

/* ---- the other layers; their checks need calls that the tables below allow ---- */

static const struct sandbox_rule look_around[] = {
    {.call = SCMP_SYS(openat), .check = SANDBOX_ALWAYS},
    {.call = SCMP_SYS(faccessat), .check = SANDBOX_ALWAYS},
    {.call = SCMP_SYS(prlimit64), .check = SANDBOX_ALWAYS},
    {.call = SCMP_SYS(prctl), .check = SANDBOX_ALWAYS},
    {.call = SCMP_SYS(getresuid), .check = SANDBOX_ALWAYS},
    {.call = SCMP_SYS(capget), .check = SANDBOX_ALWAYS},
    {.call = SCMP_SYS(socket), .check = SANDBOX_ALWAYS},
    {.call = SCMP_SYS(connect), .check = SANDBOX_ALWAYS},
    {.call = SCMP_SYS(clone), .check = SANDBOX_ALWAYS},
};

static struct sandbox_spec looking(void)
{
    struct sandbox_spec spec = plain();
    spec.rules = look_around;
    spec.rule_count = sizeof(look_around) / sizeof(look_around[0]);
    return spec;
}

static int look_for_files(const void *arg)
{
    static const char *const paths[] = {"/etc/passwd", "/proc/self/status", "/tmp", "."};
    (void)arg;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (open(paths[i], O_RDONLY | O_CLOEXEC) >= 0 && strcmp(paths[i], ".") != 0)
            return 1 + (int)i;
    }
    return open("/x", O_CREAT | O_WRONLY | O_CLOEXEC, 0600) >= 0 ? 9 : 0;
}

/* Landlock does not hide names; an empty root does. */
static int look_for_names(const void *arg)
{
    static const char *const paths[] = {"/etc", "/proc", "/tmp", "/usr", "../etc"};
    int there = 0;
    (void)arg;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        there += syscall(SYS_faccessat, AT_FDCWD, paths[i], F_OK) == 0;
    return there;
}

/* Whether that field of the report is set: where the kernel refuses a layer, it says so. */
static bool is_active(const struct sandbox_spec *spec, size_t field)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct sandbox_report report;
        leave(sandbox_enter(spec, &report) ? 200 : ((const uint8_t *)&report)[field]);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 200);
    return WEXITSTATUS(status) != 0;
}

static void empty_root_has_no_names(void **state)
{
    struct sandbox_spec spec = looking();
    (void)state;
    if (is_active(&spec, offsetof(struct sandbox_report, empty_files)))
        assert_int_equal(in_sandbox(&spec, look_for_names, NULL), 0);
    spec.empty_files = false;
    assert_in_range(in_sandbox(&spec, look_for_names, NULL), 4, 5);
}

/* UDP, which Landlock does not know: loopback is down in an empty network. */
static int reach_loopback(const void *arg)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
    (void)arg;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 1;
    return connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ? errno : 0;
}

static void empty_network_reaches_nothing(void **state)
{
    struct sandbox_spec spec = looking();
    (void)state;
    if (is_active(&spec, offsetof(struct sandbox_report, empty_network)))
        assert_int_equal(in_sandbox(&spec, reach_loopback, NULL), ENETUNREACH);
    spec.empty_network = false;
    assert_int_equal(in_sandbox(&spec, reach_loopback, NULL), 0);
}

static void no_file_is_in_sight_even_with_open(void **state)
{
    struct sandbox_spec spec = looking();
    (void)state;
    assert_int_equal(in_sandbox(&spec, look_for_files, NULL), 0);
    spec.empty_files = false; /* Landlock alone */
    if (!is_active(&spec, offsetof(struct sandbox_report, landlock_abi)))
        skip();
    assert_int_equal(in_sandbox(&spec, look_for_files, NULL), 0);
}

static int use_directory(const void *arg)
{
    const int *directory = arg;
    int fd = openat(*directory, "inside", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return 1;
    if (write(fd, "x", 1) != 1)
        return 2;
    if (openat(*directory, "../outside", O_CREAT | O_RDWR | O_CLOEXEC, 0600) >= 0)
        return 3;
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0 ? 4 : 0;
}

static void directory_is_the_only_one_in_reach(void **state)
{
    struct sandbox_spec spec = looking();
    char parent[] = "sandbox_test.XXXXXX";
    char path[64];
    (void)state;
    assert_int_equal(chdir("/tmp"), 0);
    assert_non_null(mkdtemp(parent));
    (void)snprintf(path, sizeof(path), "%s/state", parent);
    assert_int_equal(mkdirat(AT_FDCWD, path, 0700), 0);
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    spec.directory_fd = directory;
    spec.max_file_bytes = 1024;
    int result = in_sandbox(&spec, use_directory, &directory);
    (void)unlinkat(directory, "inside", 0);
    (void)unlinkat(directory, "../outside", 0);
    fd_close(&directory);
    assert_int_equal(unlinkat(AT_FDCWD, path, AT_REMOVEDIR), 0);
    assert_int_equal(unlinkat(AT_FDCWD, parent, AT_REMOVEDIR), 0);
    assert_int_equal(result, 0);
}

static int check_limits(const void *arg)
{
    struct rlimit limit;
    (void)arg;
    if (getrlimit(RLIMIT_CORE, &limit) || limit.rlim_max != 0)
        return 1;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_max != 64)
        return 2;
    if (getrlimit(RLIMIT_FSIZE, &limit) || limit.rlim_max != 0)
        return 3;
    if (getrlimit(RLIMIT_NPROC, &limit) || limit.rlim_max != 0)
        return 4;
    if (prctl(PR_GET_DUMPABLE) != 0)
        return 5;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return 6;
    int signal_number = 0;
    if (prctl(PR_GET_PDEATHSIG, &signal_number) || signal_number != SIGKILL)
        return 7;
    for (unsigned long cap = 0; cap < 40; cap++) {
        if (geteuid() == 0 && prctl(PR_CAPBSET_READ, cap) == 1)
            return 8;
    }
    return 0;
}

static void S2_limits_and_flags_are_set(void **state)
{
    struct sandbox_spec spec = looking();
    (void)state;
    assert_int_equal(in_sandbox(&spec, check_limits, NULL), 0);
}

static int check_uid(const void *arg)
{
    uid_t real;
    uid_t effective;
    uid_t saved;
    (void)arg;
    if (getresuid(&real, &effective, &saved))
        return 1;
    if (real != TEST_UID || effective != TEST_UID || saved != TEST_UID || getegid() != TEST_UID)
        return 2;
    return check_limits(NULL);
}

static void uid_changes_or_the_start_fails(void **state)
{
    struct sandbox_spec spec = looking();
    (void)state;
    spec.uid = TEST_UID;
    assert_int_equal(in_sandbox(&spec, check_uid, NULL), geteuid() == 0 ? 0 : 200);
}

static void report_tells_what_is_active(void **state)
{
    struct sandbox_report *report =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct sandbox_spec spec = plain();
    int status;
    (void)state;
    assert_ptr_not_equal(report, MAP_FAILED);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        leave(sandbox_enter(&spec, report) ? 1 : 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(report->seccomp, 1);
    assert_int_equal(report->no_new_privs, 1);
    assert_int_equal(report->not_dumpable, 1);
    assert_int_equal(report->own_uid, 0);
    if (geteuid() == 0)
        assert_int_equal(report->user_namespace, 0);
    /* the rest depends on the machine: refused is reported, not fatal */
    print_message("user_namespace=%u empty_network=%u empty_files=%u landlock_abi=%u\n",
                  report->user_namespace, report->empty_network, report->empty_files,
                  report->landlock_abi);
    assert_int_equal(munmap(report, 4096), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_work_is_allowed),
        cmocka_unit_test(empty_root_has_no_names),
        cmocka_unit_test(empty_network_reaches_nothing),
        cmocka_unit_test(no_file_is_in_sight_even_with_open),
        cmocka_unit_test(directory_is_the_only_one_in_reach),
        cmocka_unit_test(S2_limits_and_flags_are_set),
        cmocka_unit_test(uid_changes_or_the_start_fails),
        cmocka_unit_test(report_tells_what_is_active),
    };
    return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}
