/* The seccomp filter: what ends the process, and what a role's own table can say. */
#include "lib/base/syscalls.h"

#include "lib/base/escape.h"
#include "tests/unit/base/sandboxed.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>

static int escape(const void *arg)
{
    const uint64_t *attempt = arg;
    return -escape_try(*attempt, 0);
}

static void M6_forbidden_calls_end_the_process(void **state)
{
    struct sandbox_spec spec = plain();
    (void)state;
    for (uint64_t i = 0; i < ESCAPE_COUNT; i++) {
        if (i == ESCAPE_MAP_SHARED || i == ESCAPE_MAP_WRITE)
            continue; /* legal calls: the seals refuse them */
        int result = in_sandbox(&spec, escape, &i);
        if (result != KILLED)
            fail_msg("%s: %d", escape_name(i), result);
    }
}

/* One number of a forbidden call, with arguments that mean nothing. */
static int call(const void *arg)
{
    const long *number = arg;
    return (int)(syscall(*number, -1, 0, 0, 0, 0, 0) & 0x7f);
}

static void calls_beyond_the_table_end_the_process(void **state)
{
    static const long numbers[] = {
        SYS_open,
        SYS_openat2,
        SYS_newfstatat,
        SYS_stat,
        SYS_getdents64,
        SYS_ioctl,
        SYS_dup2,
        SYS_sendmsg,
        SYS_sendmmsg,
        SYS_bind,
        SYS_accept4,
        SYS_socketpair,
        SYS_vfork,
        SYS_clone3,
        SYS_execveat,
        SYS_tgkill,
        SYS_pidfd_open,
        SYS_pidfd_getfd,
        SYS_setns,
        SYS_mount,
        SYS_chroot,
        SYS_ftruncate,
        SYS_splice,
        SYS_vmsplice,
        SYS_keyctl,
        SYS_prlimit64,
        SYS_perf_event_open,
        SYS_seccomp,
        SYS_personality,
        SYS_arch_prctl,
        SYS_rt_sigaction,
        SYS_io_uring_enter,
        SYS_pkey_mprotect,
        SYS_remap_file_pages,
        SYS_process_vm_writev,
        SYS_capset,
        SYS_unlinkat,
        SYS_shmget,
        SYS_shmat,
    };
    struct sandbox_spec spec = plain();
    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        int result = in_sandbox(&spec, call, &numbers[i]);
        if (result != KILLED)
            fail_msg("system call %ld: %d", numbers[i], result);
    }
}

static int fcntl_command(const void *arg)
{
    const int *command = arg;
    return fcntl(1, command[0], command[1]) < 0 ? 1 : 0;
}

static void I4_no_way_back_to_blocking(void **state)
{
    static const int blocking[] = {F_SETFL, 0};
    static const int append[] = {F_SETFL, O_APPEND};
    static const int nonblocking[] = {F_SETFL, O_NONBLOCK};
    static const int owner[] = {F_SETOWN, 1};
    static const int duplicate[] = {F_DUPFD_CLOEXEC, 3};
    struct sandbox_spec spec = plain();
    (void)state;
    int keep = fcntl(1, F_GETFL);
    assert_int_equal(in_sandbox(&spec, fcntl_command, blocking), KILLED);
    assert_int_equal(in_sandbox(&spec, fcntl_command, append), KILLED);
    assert_int_equal(in_sandbox(&spec, fcntl_command, owner), KILLED);
    assert_int_equal(in_sandbox(&spec, fcntl_command, nonblocking), 0);
    assert_int_equal(in_sandbox(&spec, fcntl_command, duplicate), 0);
    (void)fcntl(1, F_SETFL, keep); /* shared with the child */
}

/* In the child: 1 when it failed, so that a refusal by anything but seccomp shows. */
static int map(const void *arg)
{
    const int *flags = arg;
    long at = syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE, *flags,
                      *flags & MAP_ANONYMOUS ? -1 : 0, 0);
    return at == -1 ? 1 : 0;
}

static void M5_no_memory_that_no_limit_counts(void **state)
{
    static const int counted = MAP_PRIVATE | MAP_ANONYMOUS;
    static const int loose[] = {MAP_SHARED | MAP_ANONYMOUS, MAP_SHARED_VALIDATE | MAP_ANONYMOUS,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN,
                                MAP_SHARED | MAP_GROWSDOWN};
    struct sandbox_spec spec = plain();
    (void)state;
    assert_int_equal(in_sandbox(&spec, map, &counted), 0);
    for (size_t i = 0; i < sizeof(loose) / sizeof(loose[0]); i++)
        assert_int_equal(in_sandbox(&spec, map, &loose[i]), KILLED);
}

/* ---- tables ---- */

static int make_socket(const void *arg)
{
    const int *a = arg;
    return syscall(SYS_socket, a[0], a[1], 0) < 0 ? 1 : 0;
}

static void pair_of_arguments_must_both_match(void **state)
{
    static const struct sandbox_rule rules[] = {
        {.call = SCMP_SYS(socket), .check = SANDBOX_ARG_EQ_AND, .arg = 0, .value = AF_INET},
        {.call = SCMP_SYS(socket), .check = SANDBOX_ARG_EQ, .arg = 1, .value = SOCK_DGRAM},
    };
    static const int good[] = {AF_INET, SOCK_DGRAM};
    static const int tcp[] = {AF_INET, SOCK_STREAM};
    static const int local[] = {AF_UNIX, SOCK_DGRAM};
    struct sandbox_spec spec = plain();
    (void)state;
    spec.rules = rules;
    spec.rule_count = 2;
    assert_int_equal(in_sandbox(&spec, make_socket, good), 0);
    assert_int_equal(in_sandbox(&spec, make_socket, tcp), KILLED);
    assert_int_equal(in_sandbox(&spec, make_socket, local), KILLED);
    spec.rule_count = 1; /* its partner is missing */
    assert_int_equal(in_sandbox(&spec, make_socket, good), 200);
}

static int clone_errno(const void *arg)
{
    (void)arg;
    return syscall(SYS_clone3, NULL, 0) < 0 ? errno : 0;
}

static void rule_can_answer_an_errno(void **state)
{
    static const struct sandbox_rule rules[] = {
        {.call = SCMP_SYS(clone3), .check = SANDBOX_ERRNO, .value = ENOSYS}};
    struct sandbox_spec spec = plain();
    (void)state;
    spec.rules = rules;
    spec.rule_count = 1;
    assert_int_equal(in_sandbox(&spec, clone_errno, NULL), ENOSYS);
}

static int nothing(const void *arg)
{
    (void)arg;
    return 0;
}

static void no_table_may_touch_memory_or_exec(void **state)
{
    static const int calls[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(pkey_mprotect),
                                SCMP_SYS(execve), SCMP_SYS(execveat)};
    (void)state;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        const struct sandbox_rule rule = {.call = calls[i], .check = SANDBOX_ALWAYS};
        struct sandbox_spec spec = plain();
        spec.rules = &rule;
        spec.rule_count = 1;
        assert_int_equal(in_sandbox(&spec, nothing, NULL), 200);
    }
    const struct sandbox_rule argument = {
        .call = SCMP_SYS(socket), .check = SANDBOX_ARG_EQ, .arg = 6};
    struct sandbox_spec spec = plain();
    spec.rules = &argument;
    spec.rule_count = 1;
    assert_int_equal(in_sandbox(&spec, nothing, NULL), 200);
}

static void repeating_the_base_is_allowed(void **state)
{
    static const struct sandbox_rule rules[] = {
        {.call = SCMP_SYS(read), .check = SANDBOX_ALWAYS},
        {.call = SCMP_SYS(read), .check = SANDBOX_ALWAYS},
        {.call = SCMP_SYS(sendto), .check = SANDBOX_ALWAYS},
    };
    struct sandbox_spec spec = plain();
    (void)state;
    spec.rules = rules;
    spec.rule_count = 3;
    assert_int_equal(in_sandbox(&spec, nothing, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(M6_forbidden_calls_end_the_process),
        cmocka_unit_test(calls_beyond_the_table_end_the_process),
        cmocka_unit_test(I4_no_way_back_to_blocking),
        cmocka_unit_test(M5_no_memory_that_no_limit_counts),
        cmocka_unit_test(pair_of_arguments_must_both_match),
        cmocka_unit_test(rule_can_answer_an_errno),
        cmocka_unit_test(no_table_may_touch_memory_or_exec),
        cmocka_unit_test(repeating_the_base_is_allowed),
    };
    return cmocka_run_group_tests_name("syscalls", tests, NULL, NULL);
}
