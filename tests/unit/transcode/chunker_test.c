/* Parts and segments out of samples. */
#include "transcode/chunker.h"

#include "tests/unit/transcode/ledger.h"

#include <errno.h>

static int refuse_open(void *ctx, const struct part_segment *segment)
{
    (void)ctx;
    (void)segment;
    return -ENOSPC;
}

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct ledger));
    return *state != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static void add(struct chunker *c, const uint8_t *data, size_t len, int64_t start, bool key)
{
    const struct fmp4_sample sample = {.size = (uint32_t)len, .key = key};
    chunker_add(c, &sample, data, start);
}

static void LL_07_a_segment_is_exactly_its_parts(void **state)
{
    struct ledger *l = *state;
    struct chunker c;
    struct chunker_sink sink = ledger_sink(l);
    const struct part_segment segment = {.msn = 3, .wall_us = 1000000};
    uint8_t data[10] = {0};
    assert_int_equal(chunker_init(&c, TRACK_VIDEO, 200000, &sink), 0);
    assert_int_equal(c.target, 18000);
    assert_int_equal(chunker_open(&c, &segment, 500), 0);
    for (int part = 0; part < 10; part++) {
        for (int i = 0; i < 6; i++)
            add(&c, data, sizeof data, 500 + part * 18000 + i * 3000, part + i == 0);
        assert_int_equal(chunker_put_part(&c, 500 + (part + 1) * 18000, part == 9), 0);
    }
    assert_int_equal(chunker_close(&c), 0);
    assert_int_equal(l->segments[0].end.duration_us, 2000000);
    struct ledger_sums sums = ledger_check(l, TRACK_VIDEO, 200000, 3);
    assert_int_equal(sums.parts, 10);
    assert_int_equal(sums.first, 500);
    chunker_done(&c);
    chunker_done(&c);
}

static void a_part_takes_no_more_than_fits(void **state)
{
    struct ledger *l = *state;
    struct chunker c;
    struct chunker_sink sink = ledger_sink(l);
    const struct part_segment segment = {.msn = 3};
    static uint8_t data[CHUNKER_BODY_AUDIO];
    assert_int_equal(chunker_init(&c, TRACK_AUDIO, 200000, &sink), 0);
    assert_int_equal(chunker_open(&c, &segment, 0), 0);
    assert_true(chunker_fits(&c, sizeof data));
    assert_false(chunker_fits(&c, sizeof data + 1));
    add(&c, data, sizeof data - 1, 0, true);
    assert_true(chunker_fits(&c, 1));
    assert_false(chunker_fits(&c, 2));
    assert_int_equal(chunker_put_part(&c, 1024, true), 0);
    assert_int_equal(chunker_close(&c), 0);
    assert_int_equal(chunker_open(&c, &segment, 1024), 0);
    for (unsigned i = 0; i < CHUNKER_SAMPLES_MAX; i++)
        add(&c, data, 1, 1024 + (int64_t)i, true);
    assert_false(chunker_fits(&c, 1));
    chunker_done(&c);
}

static void errors_of_the_sink_come_back(void **state)
{
    struct ledger *l = *state;
    struct chunker c;
    struct chunker_sink sink = ledger_sink(l);
    const struct part_segment segment = {.msn = 3};
    sink.open = refuse_open;
    assert_int_equal(chunker_init(&c, TRACK_AUDIO, 200000, &sink), 0);
    assert_int_equal(chunker_open(&c, &segment, 0), -ENOSPC);
    chunker_done(&c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(LL_07_a_segment_is_exactly_its_parts),
        TEST(a_part_takes_no_more_than_fits),
        TEST(errors_of_the_sink_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
