/* Landlock by raw system calls: Debian 12's headers know its second version only, while kernels
 * that people run know more. Numbers from the kernel's documentation (userspace-api/landlock). */
#include "lib/base/landlock.h"

#include "lib/base/fd.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CREATE_RULESET_VERSION 1u
#define RULE_PATH_BENEATH 1

#define FS_ABI_1 ((UINT64_C(1) << 13) - 1) /* execute to make_sym */
#define FS_REFER (UINT64_C(1) << 13)       /* ABI 2 */
#define FS_TRUNCATE (UINT64_C(1) << 14)    /* ABI 3 */
#define FS_IOCTL_DEV (UINT64_C(1) << 15)   /* ABI 5 */
#define FS_EXECUTE UINT64_C(1)
#define NET_BIND_CONNECT_TCP UINT64_C(3)       /* ABI 4 */
#define SCOPE_ABSTRACT_UNIX_SIGNAL UINT64_C(3) /* ABI 6 */

struct ruleset {
    uint64_t files;
    uint64_t network;
    uint64_t scoped;
};

/* struct landlock_path_beneath_attr is packed: 8 bytes of rights, 4 of descriptor. */
struct path_beneath {
    uint32_t rights_low;
    uint32_t rights_high;
    int32_t directory_fd;
};
_Static_assert(sizeof(struct path_beneath) == 12, "kernel layout");

/* What this ABI can deny, and how many bytes of struct ruleset it knows. */
static size_t ruleset_for(long abi, struct ruleset *out)
{
    *out = (struct ruleset){.files = FS_ABI_1};
    if (abi >= 2)
        out->files |= FS_REFER;
    if (abi >= 3)
        out->files |= FS_TRUNCATE;
    if (abi >= 5)
        out->files |= FS_IOCTL_DEV;
    if (abi >= 4)
        out->network = NET_BIND_CONNECT_TCP;
    if (abi >= 6)
        out->scoped = SCOPE_ABSTRACT_UNIX_SIGNAL;
    if (abi >= 6)
        return sizeof(*out);
    return abi >= 4 ? offsetof(struct ruleset, scoped) : offsetof(struct ruleset, network);
}

int landlock_enter(int directory_fd)
{
    struct ruleset rules;
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
    if (abi < 1)
        return 0;
    size_t size = ruleset_for(abi, &rules);
    int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    if (fd < 0)
        return 0;
    long rc = 0;
    if (directory_fd >= 0) {
        uint64_t rights = rules.files & ~FS_EXECUTE;
        struct path_beneath below = {.rights_low = (uint32_t)rights,
                                     .rights_high = (uint32_t)(rights >> 32),
                                     .directory_fd = directory_fd};
        rc = syscall(SYS_landlock_add_rule, fd, RULE_PATH_BENEATH, &below, 0);
    }
    if (rc == 0)
        rc = syscall(SYS_landlock_restrict_self, fd, 0);
    fd_close(&fd);
    return rc == 0 ? (int)abi : 0;
}
