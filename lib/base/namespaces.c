/* Empty namespaces: no network interface, no file. */
#include "lib/base/namespaces.h"

#include "lib/base/fd.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool put_file(const char *path, const char *text)
{
    size_t len = strlen(text);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool done = write(fd, text, len) == (ssize_t)len;
    fd_close(&fd);
    return done;
}

/* A user namespace in which we keep our own ids: it gives the capabilities for the other two. */
static bool enter_user(void)
{
    char map[64];
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (unshare(CLONE_NEWUSER) < 0)
        return false;
    (void)put_file("/proc/self/setgroups", "deny"); /* before gid_map, user_namespaces(7) */
    snprintf(map, sizeof(map), "%u %u 1", uid, uid);
    if (!put_file("/proc/self/uid_map", map))
        return false;
    snprintf(map, sizeof(map), "%u %u 1", gid, gid);
    return put_file("/proc/self/gid_map", map);
}

/* Makes an empty read-only tmpfs, mounted over dir, the root of this mount namespace. */
static bool empty_root_over(const char *dir)
{
    const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    if (mount("none", dir, "tmpfs", flags, "size=4k,nr_inodes=2,mode=0555") < 0)
        return false;
    if (mount(NULL, dir, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, NULL) < 0)
        return false;
    if (chdir(dir) < 0)
        return false;
    /* pivot_root(2): with the same name twice the old root lies on top of the new one */
    if (syscall(SYS_pivot_root, ".", ".") < 0)
        return false;
    return umount2(".", MNT_DETACH) == 0 && chdir("/") == 0;
}

/* In our own mount namespace any existing directory can be covered: none has to be writable. */
static bool enter_files(void)
{
    static const char *const places[] = {"/tmp", "/proc", "/usr"};
    if (unshare(CLONE_NEWNS) < 0)
        return false;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return false;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (empty_root_over(places[i]))
            return true;
    }
    return false;
}

void namespaces_enter(const struct sandbox_spec *spec, struct sandbox_report *out)
{
    /* A role with a directory reaches it by path: Landlock confines it instead. */
    bool files = spec->empty_files && spec->directory_fd < 0;
    if (!files && !spec->empty_network)
        return;
    if (geteuid() != 0) {
        out->user_namespace = enter_user();
        if (!out->user_namespace)
            return;
    }
    if (spec->empty_network)
        out->empty_network = unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) == 0;
    if (files)
        out->empty_files = enter_files();
}
