/* What a role gives up before it sees hostile bytes, in the order that works. */
#include "lib/base/sandbox.h"

#include "lib/base/landlock.h"
#include "lib/base/namespaces.h"
#include "lib/base/syscalls.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* Lowers a limit for good; never asks for more than there is. */
static int set_limit(__rlimit_resource_t resource, uint64_t value)
{
    struct rlimit limit;
    if (value == SANDBOX_LIMIT_KEEP)
        return 0;
    if (getrlimit(resource, &limit) < 0)
        return -errno;
    if (value < limit.rlim_max)
        limit.rlim_max = value;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(resource, &limit) < 0 ? -errno : 0;
}

static int set_limits(const struct sandbox_spec *spec)
{
    int rc = set_limit(RLIMIT_CORE, 0);
    if (rc == 0)
        rc = set_limit(RLIMIT_NOFILE, spec->max_files);
    if (rc == 0)
        rc = set_limit(RLIMIT_FSIZE, spec->max_file_bytes);
    if (rc == 0)
        rc = set_limit(RLIMIT_NPROC, spec->max_processes);
    /* shadow memory of a sanitizer counts as data */
    if (rc == 0 && !SANITIZED)
        rc = set_limit(RLIMIT_DATA, spec->max_data_bytes);
    if (rc == 0 && !SANITIZED && spec->max_address_bytes > 0)
        rc = set_limit(RLIMIT_AS, spec->max_address_bytes);
    return rc;
}

static int become(uid_t uid)
{
    if (setgroups(0, NULL) < 0)
        return -errno;
    if (setresgid(uid, uid, uid) < 0)
        return -errno;
    if (setresuid(uid, uid, uid) < 0)
        return -errno;
    return 0;
}

/* The bounding set needs CAP_SETPCAP, so it goes before the uid does. */
static void drop_bounding_set(void)
{
    for (unsigned long cap = 0; cap < 64; cap++)
        (void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

static int drop_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return syscall(SYS_capset, &head, none) < 0 ? -errno : 0;
}

/* A change of credentials clears the first two: they come after it. */
static int close_process(struct sandbox_report *report)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return -errno;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return -errno;
    report->not_dumpable = 1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    report->no_new_privs = 1;
    return 0;
}

int sandbox_enter(const struct sandbox_spec *spec, struct sandbox_report *out)
{
    struct sandbox_report report = {0};
    namespaces_enter(spec, &report);
    drop_bounding_set();
    if (spec->uid != 0) {
        int rc = become(spec->uid);
        if (rc)
            return rc;
        report.own_uid = 1;
    }
    int rc = drop_capabilities();
    if (rc == 0)
        rc = set_limits(spec);
    if (rc == 0)
        rc = close_process(&report);
    if (rc)
        return rc;
    report.landlock_abi = (uint8_t)landlock_enter(spec->directory_fd);
    rc = syscalls_restrict(spec->rules, spec->rule_count);
    if (rc)
        return rc;
    report.seccomp = 1;
    *out = report;
    return 0;
}
