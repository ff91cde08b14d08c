/* A folder for one test's database, removed with what is in it. */
#ifndef SLUICE_TESTS_AUTH_SCRATCH_H
#define SLUICE_TESTS_AUTH_SCRATCH_H

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct scratch {
    char path[64];
    int fd;
};

static inline bool scratch_open(struct scratch *s)
{
    snprintf(s->path, sizeof(s->path), "/dev/shm/sluice-auth-XXXXXX"); /* no waiting for a disk */
    if (!mkdtemp(s->path)) {
        snprintf(s->path, sizeof(s->path), "/tmp/sluice-auth-XXXXXX");
        if (!mkdtemp(s->path))
            return false;
    }
    s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return s->fd >= 0;
}

static inline void scratch_remove(struct scratch *s)
{
    DIR *dir = opendir(s->path);
    for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir))
        unlinkat(s->fd, entry->d_name, 0);
    if (dir)
        closedir(dir);
    close(s->fd);
    rmdir(s->path);
}

/* True when any file of the folder contains these bytes. */
static inline bool scratch_contains(const struct scratch *s, const void *bytes, size_t len)
{
    static char content[8 << 20];
    bool found = false;
    DIR *dir = opendir(s->path);
    for (struct dirent *entry = dir ? readdir(dir) : NULL; entry && !found; entry = readdir(dir)) {
        int fd = openat(s->fd, entry->d_name, O_RDONLY | O_CLOEXEC);
        ssize_t got = fd < 0 ? -1 : read(fd, content, sizeof(content));
        found = got > 0 && memmem(content, (size_t)got, bytes, len) != NULL;
        if (fd >= 0)
            close(fd);
    }
    if (dir)
        closedir(dir);
    return found;
}

#endif
