/* A depacketiser and the units that came out of it, for the tests of one codec. */
#ifndef SLUICE_UNIT_DEPAY_FIXTURE_H
#define SLUICE_UNIT_DEPAY_FIXTURE_H

#include "gateway/depay/depay.h"
#include "tests/unit/depay/depay_vectors.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define FIXTURE_STEP 3000u /* RTP time from one unit to the next */

struct fixture {
    struct depay *depay;
    struct collected got;
    uint32_t time; /* RTP time of the unit that is being pushed */
};

static inline int fixture_setup(enum codec codec, void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    assert_int_equal(depay_new(codec, 0, 0, collect_unit, &f->got, &f->depay), 0);
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    depay_free(f->depay);
    free(f);
    return 0;
}

/* One packet of the current unit, which the marker ends. */
static inline int fixture_push(struct fixture *f, const void *data, size_t len, bool marker)
{
    struct depay_packet packet = {
        .data = data, .len = len, .rtp_time = f->time, .marker = marker, .arrival_us = 1};
    int rc = depay_push(f->depay, &packet);
    f->time += marker ? FIXTURE_STEP : 0;
    return rc;
}

/* The same packet again and again, of one unit: number `last` is too much for it. */
static inline void fixture_fill(struct fixture *f, const void *data, size_t len, size_t last)
{
    for (size_t i = 1; i < last; i++)
        assert_int_equal(fixture_push(f, data, len, false), 0);
    assert_int_equal(fixture_push(f, data, len, false), -EMSGSIZE);
}

#endif
