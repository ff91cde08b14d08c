/* Forbidden things, tried on purpose: a role obeys MSG_TEST with these when its settings have
 * test_hooks, so that a process test sees its sandbox end it. */
#ifndef SLUICE_BASE_ESCAPE_H
#define SLUICE_BASE_ESCAPE_H

#include <stdint.h>

enum escape {
    ESCAPE_OPEN,         /* open an existing file for reading */
    ESCAPE_CREATE,       /* create a file */
    ESCAPE_SOCKET_TCP,   /* a TCP socket */
    ESCAPE_SOCKET_UNIX,  /* a Unix socket */
    ESCAPE_SOCKET_RAW,   /* a raw IP socket */
    ESCAPE_CONNECT,      /* connect fd to port 9 of loopback */
    ESCAPE_SENDTO,       /* send on fd to port 9 of loopback, by name */
    ESCAPE_SENDMSG,      /* the same through sendmsg */
    ESCAPE_LISTEN,       /* listen on fd */
    ESCAPE_EXECVE,       /* run another program */
    ESCAPE_FORK,         /* make another process */
    ESCAPE_KILL,         /* look at the parent with signal 0 */
    ESCAPE_PTRACE,       /* attach to the parent */
    ESCAPE_DUMPABLE,     /* allow core dumps again */
    ESCAPE_MAP_EXEC,     /* executable memory */
    ESCAPE_PROTECT_EXEC, /* make memory executable */
    ESCAPE_MAP_WRITE,    /* a shared writable map of fd */
    ESCAPE_MEMFD,        /* a file in memory */
    ESCAPE_IO_URING,     /* a ring for system calls */
    ESCAPE_SETSOCKOPT,   /* change an option of fd */
    ESCAPE_BPF,          /* load a kernel program */
    ESCAPE_USERFAULTFD,  /* handle page faults */
    ESCAPE_VM_READ,      /* read the parent's memory */
    ESCAPE_SETRESUID,    /* become root */
    ESCAPE_UNSHARE,      /* a user namespace */
    ESCAPE_MAP_SHARED,   /* a shared writable map of any open memfd, directly or by mprotect */
    ESCAPE_COUNT,
};

/* role.c obeys MSG_TEST for every role: when the process survives, MSG_PONG carries attempt << 32 |
 * errno of the failed call (0: it worked). */
#define ESCAPE_ANSWER(attempt, error) ((uint64_t)(attempt) << 32 | (uint32_t)(error))
/* For a role that has its own MSG_TEST rule, to try with a descriptor of its own: this plus errno.
 */
#define ESCAPE_SURVIVED (1ull << 32)

/* Makes one system call that a sandbox should not allow; fd is used where the list says so, else
 * ignored. Returns only when the process was not ended: 0 when the call worked, or its negative
 * errno; -EINVAL for an unknown attempt, -ENOENT when ESCAPE_MAP_SHARED finds no memfd. */
int escape_try(uint64_t attempt, int fd);

const char *escape_name(uint64_t attempt); /* "unknown" for an unknown attempt */

#endif
