/* Preloaded into a test program: makes the nth call of malloc, calloc or realloc fail, n from
 * ALLOC_FAIL_AT, counted from the start of the program. Prints nothing; exit status and signals
 * tell the rest. */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);

static long countdown = -2; /* -2: not read yet; -1: never again */

static bool fails(void)
{
    if (countdown == -2) {
        const char *at = getenv("ALLOC_FAIL_AT");
        countdown = at ? strtol(at, NULL, 10) : -1;
    }
    if (countdown < 0)
        return false;
    if (countdown-- > 0)
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *p, size_t size)
{
    return fails() ? NULL : __libc_realloc(p, size);
}
