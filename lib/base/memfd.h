/* Memory files that processes share: one writer maps, then seals; readers check before they map. */
#ifndef SLUICE_BASE_MEMFD_H
#define SLUICE_BASE_MEMFD_H

#include <stddef.h>

/* A new close-on-exec memfd of size bytes that can be sealed. *out_fd is the caller's. 0 or a
 * negative errno. */
int memfd_open(const char *name, size_t size, int *out_fd);
/* SHRINK, GROW, FUTURE_WRITE and SEAL: mappings made before stay writable, nothing else can be. 0
 * or a negative errno. */
int memfd_seal(int fd);
/* 0 when all four seals are there, else -EACCES (also when fd is no memfd). */
int memfd_check_seals(int fd);
/* 0, or -EBADMSG when the size can not be told. */
int memfd_size(int fd, size_t *out_size);
/* Keeps the mapping out of core dumps and, best effort, out of swap: 1 when it is locked, else 0.
 */
int memfd_protect(void *data, size_t len);

#endif
