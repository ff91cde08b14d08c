/* libx265 of Debian 12 does not free all it took when an encoder is closed: the leak sanitizer is
 * told not to blame us. For test programs that open one; once per program. */
#ifndef SLUICE_TESTS_LEAKS_H
#define SLUICE_TESTS_LEAKS_H

const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libx265";
}

#endif
