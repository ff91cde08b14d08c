/* Descriptors: closing, and the flags that every one of ours carries. */
#ifndef SLUICE_BASE_FD_H
#define SLUICE_BASE_FD_H

#include <stddef.h>

void fd_close(int *fd); /* closes *fd unless it is -1, then sets it to -1 */
void fd_close_all(int *fds, size_t count);
int fd_nonblock(int fd); /* 0 or a negative errno */

#endif
