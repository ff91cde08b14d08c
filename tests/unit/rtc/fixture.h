/* Files of tests/fixtures for the tests of this folder, which run in the root of the tree. */
#ifndef SLUICE_TESTS_RTC_FIXTURE_H
#define SLUICE_TESTS_RTC_FIXTURE_H

#include "lib/base/text.h"

#include <stdio.h>

#define FIXTURE_MAX 65536

struct fixture {
    size_t len;
    char text[FIXTURE_MAX];
};

/* Reads tests/fixtures/offers/<name>; length 0 when it cannot. */
static inline struct slice fixture_read(struct fixture *f, const char *name)
{
    char path[256];
    f->len = 0;
    snprintf(path, sizeof(path), "tests/fixtures/offers/%s", name);
    FILE *file = fopen(path, "rb");
    if (file) {
        f->len = fread(f->text, 1, sizeof(f->text), file);
        fclose(file);
    }
    return slice_make(f->text, f->len);
}

#endif
