/* The media of a session with one video and one audio track, writing into a ring. */
#ifndef SLUICE_UNIT_INGEST_MEDIA_FIXTURE_H
#define SLUICE_UNIT_INGEST_MEDIA_FIXTURE_H

#include "gateway/ingest/media.h"
#include "tests/unit/ingest/ingest_rtp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define FIXTURE_DEADLINE_US 300000u
#define FIXTURE_START_US 50000000u

struct fixture {
    struct test_ring ring;
    struct answer answer;
    struct media *media;
    uint64_t now_us;
    uint16_t sequence; /* of the next packet */
};

static inline int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const struct media_limits limits = {.jitter_deadline_us = FIXTURE_DEADLINE_US};
    assert_non_null(f);
    assert_int_equal(test_ring_open(&f->ring), 0);
    make_test_answer(&f->answer);
    assert_int_equal(media_new(&f->answer, &limits, f->ring.writer, 0, &f->media), 0);
    f->now_us = FIXTURE_START_US;
    f->sequence = 40000;
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    media_free(f->media);
    test_ring_close(&f->ring);
    free(f);
    return 0;
}

#endif
