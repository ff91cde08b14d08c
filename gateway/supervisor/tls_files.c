#include "gateway/supervisor/tls_files.h"

#include "lib/base/fd.h"
#include "lib/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TLS_FILES_MAX (60u << 10) /* both together, in one control message */

/* Appends a file and a NUL to data[*len]. */
static int append(const char *path, bool secret, char *data, size_t *len)
{
    struct stat st;
    int rc = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0) {
        rc = -errno;
    } else if (secret && (st.st_mode & 077)) {
        rc = -EPERM;
    } else if (st.st_size <= 0 || (uint64_t)st.st_size + 1 > TLS_FILES_MAX - *len) {
        rc = -EMSGSIZE;
    } else {
        ssize_t n = read(fd, data + *len, (size_t)st.st_size);
        rc = n == st.st_size ? 0 : -EIO;
    }
    fd_close(&fd);
    if (rc == 0) {
        *len += (size_t)st.st_size;
        data[(*len)++] = '\0';
    }
    return rc;
}

int tls_files_read(const char *certificate, const char *key, char **out_data, size_t *out_len)
{
    size_t len = 0;
    const char *path = certificate;
    char *data = calloc(1, TLS_FILES_MAX);
    if (!data)
        return -ENOMEM;
    int rc = append(certificate, false, data, &len);
    if (rc == 0) {
        path = key;
        rc = append(key, true, data, &len);
    }
    if (rc) {
        fprintf(stderr, "sluiced: %s: %s%s\n", path, strerror(-rc),
                rc == -EPERM ? " (the key may be readable by its owner only: chmod 0400)" : "");
        secret_wipe(data, TLS_FILES_MAX);
        free(data);
        return rc;
    }
    *out_data = data;
    *out_len = len;
    return 0;
}
