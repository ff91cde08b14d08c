#include "gateway/supervisor/privilege.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOCKED_BYTES ((rlim_t)1 << 30)
#define DESCRIPTORS 65536

#define BIT(capability) (UINT64_C(1) << (capability))
#define KEPT                                                                                       \
    (BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_KILL) | BIT(CAP_SYS_ADMIN) |                      \
     BIT(CAP_SYS_RESOURCE) | BIT(CAP_NET_ADMIN) | BIT(CAP_NET_BIND_SERVICE))

static void raise_limit(int resource, rlim_t wanted)
{
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)resource, &limit) < 0)
        return;
    if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max >= wanted) {
        limit.rlim_cur = wanted;
    } else {
        struct rlimit both = {.rlim_cur = wanted, .rlim_max = wanted};
        if (setrlimit((__rlimit_resource_t)resource, &both) == 0)
            return;
        limit.rlim_cur = limit.rlim_max;
    }
    (void)setrlimit((__rlimit_resource_t)resource, &limit);
}

void privilege_raise_limits(void)
{
    raise_limit(RLIMIT_NOFILE, DESCRIPTORS);
    raise_limit(RLIMIT_MEMLOCK, LOCKED_BYTES);
}

static int drop_bounding(void)
{
    for (int capability = 0; capability <= 63; capability++) {
        if (KEPT & BIT(capability))
            continue;
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno != EINVAL)
            return -errno;
    }
    return 0;
}

int privilege_reduce(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct now[2] = {0};
    if (geteuid() == 0) {
        int rc = drop_bounding();
        if (rc)
            return rc;
        if (syscall(SYS_capget, &head, now) < 0)
            return -errno;
        for (int i = 0; i < 2; i++) {
            uint32_t kept = (uint32_t)(KEPT >> (32 * i)) & now[i].permitted;
            now[i] = (struct __user_cap_data_struct){.effective = kept, .permitted = kept};
        }
        if (syscall(SYS_capset, &head, now) < 0)
            return -errno;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return -errno;
    return 0;
}
