/* Forbidden things, tried on purpose. */
#include "lib/base/escape.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define ESCAPE_PAGE 4096u
#define ESCAPE_FD_MAX 255

static const char *const escape_names[ESCAPE_COUNT] = {
    [ESCAPE_OPEN] = "open",
    [ESCAPE_CREATE] = "create",
    [ESCAPE_SOCKET_TCP] = "socket_tcp",
    [ESCAPE_SOCKET_UNIX] = "socket_unix",
    [ESCAPE_SOCKET_RAW] = "socket_raw",
    [ESCAPE_CONNECT] = "connect",
    [ESCAPE_SENDTO] = "sendto",
    [ESCAPE_SENDMSG] = "sendmsg",
    [ESCAPE_LISTEN] = "listen",
    [ESCAPE_EXECVE] = "execve",
    [ESCAPE_FORK] = "fork",
    [ESCAPE_KILL] = "kill",
    [ESCAPE_PTRACE] = "ptrace",
    [ESCAPE_DUMPABLE] = "dumpable",
    [ESCAPE_MAP_EXEC] = "map_exec",
    [ESCAPE_PROTECT_EXEC] = "protect_exec",
    [ESCAPE_MAP_WRITE] = "map_write",
    [ESCAPE_MEMFD] = "memfd",
    [ESCAPE_IO_URING] = "io_uring",
    [ESCAPE_SETSOCKOPT] = "setsockopt",
    [ESCAPE_BPF] = "bpf",
    [ESCAPE_USERFAULTFD] = "userfaultfd",
    [ESCAPE_VM_READ] = "vm_read",
    [ESCAPE_SETRESUID] = "setresuid",
    [ESCAPE_UNSHARE] = "unshare",
    [ESCAPE_MAP_SHARED] = "map_shared",
};

const char *escape_name(uint64_t attempt)
{
    return attempt < ESCAPE_COUNT ? escape_names[attempt] : "unknown";
}

/* Naming a destination: what a worker with a connected socket must not be able to do. */
static long escape_send(int fd, bool by_message)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    char byte = 0;
    if (!by_message)
        return syscall(SYS_sendto, fd, &byte, sizeof(byte), MSG_NOSIGNAL, &to, sizeof(to));
    struct iovec part = {.iov_base = &byte, .iov_len = sizeof(byte)};
    struct msghdr message = {
        .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &part, .msg_iovlen = 1};
    return syscall(SYS_sendmsg, fd, &message, MSG_NOSIGNAL);
}

static long escape_connect(int fd)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return syscall(SYS_connect, fd, &to, sizeof(to));
}

static long escape_protect(void)
{
    void *page =
        mmap(NULL, ESCAPE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return -1;
    return syscall(SYS_mprotect, page, ESCAPE_PAGE, PROT_READ | PROT_EXEC);
}

static long escape_execve(void)
{
    static char program[] = "/bin/true";
    char *arguments[] = {program, NULL};
    char *environment[] = {NULL};
    return syscall(SYS_execve, program, arguments, environment);
}

static long escape_fork(void)
{
    long pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0)
        _exit(0);
    return pid;
}

static long escape_setsockopt(int fd)
{
    const int size = 4096;
    return syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

static long escape_vm_read(pid_t parent)
{
    uint8_t byte;
    struct iovec here = {.iov_base = &byte, .iov_len = 1};
    struct iovec there = {.iov_base = &byte, .iov_len = 1};
    return syscall(SYS_process_vm_readv, parent, &here, 1, &there, 1, 0);
}

static long escape_map_one(int fd)
{
    const int both = PROT_READ | PROT_WRITE;
    if (mmap(NULL, ESCAPE_PAGE, both, MAP_SHARED, fd, 0) != MAP_FAILED)
        return 0;
    void *page = mmap(NULL, ESCAPE_PAGE, PROT_READ, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        return -1;
    return syscall(SYS_mprotect, page, ESCAPE_PAGE, both);
}

/* Every memfd that is open: a ring or a segment of which this process is to be a reader only. */
static long escape_map_shared(void)
{
    int refused = ENOENT; /* no memfd at all */
    for (int fd = 3; fd <= ESCAPE_FD_MAX; fd++) {
        if (fcntl(fd, F_GET_SEALS) < 0)
            continue;
        if (escape_map_one(fd) == 0)
            return 0;
        refused = errno;
    }
    errno = refused;
    return -1;
}

/* Files, and whoever is at the other end of a socket. */
static long escape_outwards(uint64_t attempt, int fd)
{
    switch (attempt) {
    case ESCAPE_OPEN:
        return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY | O_CLOEXEC);
    case ESCAPE_CREATE:
        return syscall(SYS_openat, AT_FDCWD, "/tmp", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    case ESCAPE_SOCKET_TCP:
        return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
    case ESCAPE_SOCKET_UNIX:
        return syscall(SYS_socket, AF_UNIX, SOCK_DGRAM, 0);
    case ESCAPE_SOCKET_RAW:
        return syscall(SYS_socket, AF_INET, SOCK_RAW, IPPROTO_ICMP);
    case ESCAPE_CONNECT:
        return escape_connect(fd);
    case ESCAPE_SENDTO:
        return escape_send(fd, false);
    case ESCAPE_SENDMSG:
        return escape_send(fd, true);
    case ESCAPE_LISTEN:
        return syscall(SYS_listen, fd, 1);
    case ESCAPE_SETSOCKOPT:
        return escape_setsockopt(fd);
    default:
        errno = EINVAL;
        return -1;
    }
}

/* Other processes, and more rights for this one. */
static long escape_to_others(uint64_t attempt, int fd)
{
    pid_t parent = getppid();
    switch (attempt) {
    case ESCAPE_EXECVE:
        return escape_execve();
    case ESCAPE_FORK:
        return escape_fork();
    case ESCAPE_KILL:
        return syscall(SYS_kill, parent, 0);
    case ESCAPE_PTRACE:
        return syscall(SYS_ptrace, PTRACE_ATTACH, parent, NULL, NULL);
    case ESCAPE_VM_READ:
        return escape_vm_read(parent);
    case ESCAPE_DUMPABLE:
        return syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
    case ESCAPE_SETRESUID:
        return syscall(SYS_setresuid, 0, 0, 0);
    case ESCAPE_UNSHARE:
        return syscall(SYS_unshare, CLONE_NEWUSER);
    default:
        return escape_outwards(attempt, fd);
    }
}

/* Memory, and the kernel's large interfaces. */
static long escape_call(uint64_t attempt, int fd)
{
    uint8_t parameters[128] = {0};
    switch (attempt) {
    case ESCAPE_MAP_EXEC:
        return syscall(SYS_mmap, NULL, ESCAPE_PAGE, PROT_READ | PROT_EXEC,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    case ESCAPE_PROTECT_EXEC:
        return escape_protect();
    case ESCAPE_MAP_WRITE:
        return syscall(SYS_mmap, NULL, ESCAPE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    case ESCAPE_MAP_SHARED:
        return escape_map_shared();
    case ESCAPE_MEMFD:
        return syscall(SYS_memfd_create, "escape", MFD_CLOEXEC);
    case ESCAPE_IO_URING:
        return syscall(SYS_io_uring_setup, 4, parameters);
    case ESCAPE_BPF:
        return syscall(SYS_bpf, 0, parameters, sizeof(parameters));
    case ESCAPE_USERFAULTFD:
        return syscall(SYS_userfaultfd, O_CLOEXEC);
    default:
        return escape_to_others(attempt, fd);
    }
}

int escape_try(uint64_t attempt, int fd)
{
    long result = escape_call(attempt, fd);
    return result == -1 ? -errno : 0;
}
