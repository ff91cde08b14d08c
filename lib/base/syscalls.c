/* The seccomp filter: the calls that every role makes plus a role's own table. */
#include "lib/base/syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>

#define ALWAYS(name)                                                                               \
    {                                                                                              \
        .call = SCMP_SYS(name), .check = SANDBOX_ALWAYS                                            \
    }
#define FCNTL(command)                                                                             \
    {                                                                                              \
        .call = SCMP_SYS(fcntl), .check = SANDBOX_ARG_EQ, .arg = 1, .value = (command)             \
    }

/* Never executable, and nothing that RLIMIT_DATA does not count (threats.md M5): private memory, or
 * a descriptor's, which has a size. */
#define UNCOUNTED (MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN)
#define MMAP(flags)                                                                                \
    {.call = SCMP_SYS(mmap),                                                                       \
     .check = SANDBOX_ARG_MASKED_AND,                                                              \
     .arg = 2,                                                                                     \
     .mask = PROT_EXEC,                                                                            \
     .value = 0},                                                                                  \
    {                                                                                              \
        .call = SCMP_SYS(mmap), .check = SANDBOX_ARG_MASKED, .arg = 3, .mask = UNCOUNTED,          \
        .value = (flags)                                                                           \
    }

/* What glibc's malloc, lib/base and every role's loop need. Nothing here opens, names or starts
 * anything. */
static const struct sandbox_rule base[] = {
    ALWAYS(read),
    ALWAYS(readv),
    ALWAYS(write),
    ALWAYS(writev),
    ALWAYS(close),
    ALWAYS(lseek),
    ALWAYS(fstat),
    ALWAYS(recvmsg),
    ALWAYS(recvfrom),
    /* send(2): an address would name any destination */
    {.call = SCMP_SYS(sendto), .check = SANDBOX_ARG_EQ, .arg = 4, .value = 0},
    ALWAYS(epoll_wait),
    ALWAYS(epoll_pwait),
    ALWAYS(epoll_pwait2),
    ALWAYS(epoll_ctl),
    ALWAYS(poll),
    ALWAYS(ppoll),
    /* through the vDSO, except where the machine's clock has none */
    ALWAYS(clock_gettime),
    ALWAYS(clock_getres),
    ALWAYS(gettimeofday),
    ALWAYS(time),
    ALWAYS(getrandom),
    ALWAYS(brk),
    ALWAYS(munmap),
    ALWAYS(mremap),
    ALWAYS(madvise),
    ALWAYS(mlock),
    ALWAYS(mlock2),
    ALWAYS(munlock),
    MMAP(MAP_ANONYMOUS), /* MAP_PRIVATE is not among the bits looked at */
    MMAP(MAP_SHARED),
    MMAP(0),
    {.call = SCMP_SYS(mprotect),
     .check = SANDBOX_ARG_MASKED,
     .arg = 2,
     .mask = PROT_EXEC,
     .value = 0},
    ALWAYS(futex),
    ALWAYS(sched_yield),
    ALWAYS(getpid),
    ALWAYS(getppid),
    ALWAYS(gettid),
    ALWAYS(getuid),
    ALWAYS(geteuid),
    ALWAYS(getgid),
    ALWAYS(getegid),
    ALWAYS(rt_sigprocmask),
    ALWAYS(rt_sigreturn),
    ALWAYS(restart_syscall),
    ALWAYS(exit),
    ALWAYS(exit_group),
    FCNTL(F_GETFD),
    FCNTL(F_SETFD),
    FCNTL(F_GETFL),
    FCNTL(F_DUPFD_CLOEXEC),
    FCNTL(F_GET_SEALS),
    FCNTL(F_ADD_SEALS),
    /* never back to blocking: the peers of a shared eventfd would wait for us */
    {.call = SCMP_SYS(fcntl), .check = SANDBOX_ARG_EQ_AND, .arg = 1, .value = F_SETFL},
    {.call = SCMP_SYS(fcntl),
     .check = SANDBOX_ARG_MASKED,
     .arg = 2,
     .mask = O_NONBLOCK,
     .value = O_NONBLOCK},
};

static bool is_reserved(int call)
{
    return call == SCMP_SYS(mmap) || call == SCMP_SYS(mprotect) ||
           call == SCMP_SYS(pkey_mprotect) || call == SCMP_SYS(execve) ||
           call == SCMP_SYS(execveat);
}

static struct scmp_arg_cmp comparison(const struct sandbox_rule *rule)
{
    if (rule->check == SANDBOX_ARG_MASKED || rule->check == SANDBOX_ARG_MASKED_AND)
        return (struct scmp_arg_cmp){.arg = rule->arg,
                                     .op = SCMP_CMP_MASKED_EQ,
                                     .datum_a = rule->mask,
                                     .datum_b = rule->value};
    return (struct scmp_arg_cmp){.arg = rule->arg, .op = SCMP_CMP_EQ, .datum_a = rule->value};
}

static bool needs_next(const struct sandbox_rule *rule)
{
    return rule->check == SANDBOX_ARG_EQ_AND || rule->check == SANDBOX_ARG_MASKED_AND;
}

/* Adds rules[0], together with those that it is bound to (needs_next). *used of them. */
static int add_rule(scmp_filter_ctx filter, const struct sandbox_rule *rules, size_t count,
                    size_t *used)
{
    struct scmp_arg_cmp compare[6];
    unsigned compare_count = 0;
    uint32_t action = SCMP_ACT_ALLOW;
    *used = 1;
    if (rules[0].check == SANDBOX_ERRNO) {
        action = SCMP_ACT_ERRNO((uint16_t)rules[0].value);
    } else if (rules[0].check != SANDBOX_ALWAYS) {
        for (size_t i = 0;; i++) {
            if (i >= count || i >= 6 || rules[i].arg > 5 || rules[i].call != rules[0].call)
                return -EINVAL;
            compare[compare_count++] = comparison(&rules[i]);
            *used = i + 1;
            if (!needs_next(&rules[i]))
                break;
        }
    }
    int rc = seccomp_rule_add_array(filter, action, rules[0].call, compare_count, compare);
    return rc == -EEXIST ? 0 : rc;
}

static int add_rules(scmp_filter_ctx filter, const struct sandbox_rule *rules, size_t count)
{
    size_t used;
    for (size_t i = 0; i < count; i += used) {
        int rc = add_rule(filter, rules + i, count - i, &used);
        if (rc)
            return rc;
    }
    return 0;
}

int syscalls_restrict(const struct sandbox_rule *rules, size_t rule_count)
{
    for (size_t i = 0; i < rule_count; i++) {
        if (is_reserved(rules[i].call))
            return -EINVAL;
    }
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!filter)
        return -ENOMEM;
    int rc = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (rc == 0)
        rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0); /* set by the caller, or fail */
    if (rc == 0)
        rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree, not a list */
    if (rc == 0)
        rc = add_rules(filter, rules, rule_count);
    if (rc == 0)
        rc = add_rules(filter, base, sizeof(base) / sizeof(base[0]));
    if (rc == 0)
        rc = seccomp_load(filter);
    seccomp_release(filter);
    return rc;
}
