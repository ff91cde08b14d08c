/* What a role gives up before it sees hostile bytes: namespaces, uid, capabilities, rlimits, core
 * dumps, file access (Landlock), and all system calls that are not in its table (libseccomp).
 *
 * seccomp, no_new_privs and dumpable 0 are never optional: sandbox_enter fails without them. The
 * other layers are applied where the kernel and the privileges allow and reported (design.md 4). */
#ifndef SLUICE_BASE_SANDBOX_H
#define SLUICE_BASE_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* When an allowed call is allowed. Several rules for one call: any of them. */
enum sandbox_check {
    SANDBOX_ALWAYS,
    SANDBOX_ARG_EQ,     /* argument `arg` equals `value` */
    SANDBOX_ARG_MASKED, /* (argument `arg` & `mask`) equals `value` */
    SANDBOX_ARG_EQ_AND, /* as SANDBOX_ARG_EQ, but only if the next rule, which is for the same call
                         * and another argument, holds as well */
    SANDBOX_ARG_MASKED_AND, /* the same for SANDBOX_ARG_MASKED */
    SANDBOX_ERRNO,          /* the call fails with errno `value` instead of ending the process */
};

struct sandbox_rule {
    int call; /* SCMP_SYS(...) */
    enum sandbox_check check;
    unsigned arg;
    uint64_t mask;
    uint64_t value;
};

#define SANDBOX_LIMIT_KEEP UINT64_MAX

struct sandbox_spec {
    uid_t uid;          /* 0: keep (ordinary user); else become this uid and gid */
    bool empty_network; /* new, empty network namespace */
    bool empty_files;   /* new mount namespace with an empty read-only root; not together with
                         * directory_fd, whose owner reaches it by path */
    int directory_fd;   /* with Landlock: the only files reachable are below; -1: none at all */
    uint64_t max_files; /* RLIMIT_NOFILE */
    uint64_t max_file_bytes;    /* RLIMIT_FSIZE */
    uint64_t max_processes;     /* RLIMIT_NPROC */
    uint64_t max_data_bytes;    /* RLIMIT_DATA; sanitizer builds skip it. The mappings that it does
                                 * not count, shared ones without a file and such as grow, are
                                 * forbidden. */
    uint64_t max_address_bytes; /* RLIMIT_AS: bounds mapped shared memory too; 0 = no limit */
    const struct sandbox_rule *rules;
    size_t rule_count;
};

/* Which layers are active; printed at start and shown by the supervisor. */
struct sandbox_report {
    uint8_t seccomp;
    uint8_t no_new_privs;
    uint8_t not_dumpable;
    uint8_t own_uid;
    uint8_t user_namespace;
    uint8_t empty_network;
    uint8_t empty_files;
    uint8_t landlock_abi;
};

/* Calls that every role makes: memory (never executable), clock, read, write, send without an
 * address, recvmsg, epoll, poll, exit (syscalls.c). Each role's table comes on top; it may not
 * touch mmap, mprotect and execve (-EINVAL). Any other call ends the process with SIGSYS. 0 and
 * *out; or a negative errno: the process has given up some of its rights and must exit. */
int sandbox_enter(const struct sandbox_spec *spec, struct sandbox_report *out);

#endif
