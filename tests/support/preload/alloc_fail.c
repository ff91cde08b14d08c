/* Preloaded into a test program: makes the nth call of malloc, calloc or realloc fail, n from
 * ALLOC_FAIL_AT, counted from the start of main: what libraries do before it (GLib ends a program
 * that is out of memory) is not ours. Prints nothing; exit status and signals tell the rest. */
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

typedef int main_fn(int argc, char **argv, char **environment);

static long countdown = -1; /* -1: never, or never again */
static main_fn *real_main;

static bool fails(void)
{
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

static int counted_main(int argc, char **argv, char **environment)
{
    const char *at = getenv("ALLOC_FAIL_AT");
    countdown = at ? strtol(at, NULL, 10) : -1;
    return real_main(argc, argv, environment);
}

typedef int start_fn(main_fn *main, int argc, char **argv, void (*init)(void), void (*fini)(void),
                     void (*loader_fini)(void), void *stack_end);

start_fn __libc_start_main;

/* glibc's: runs the constructors, then main. */
int __libc_start_main(main_fn *main, int argc, char **argv, void (*init)(void), void (*fini)(void),
                      void (*loader_fini)(void), void *stack_end)
{
    start_fn *start;
    *(void **)&start = dlsym(RTLD_NEXT, "__libc_start_main");
    real_main = main;
    return start(counted_main, argc, argv, init, fini, loader_fini, stack_end);
}
