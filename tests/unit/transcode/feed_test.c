/* Turns of the worker's loop are short, however much the ring holds. */
#include "transcode/feed.h"

#include "lib/base/fd.h"
#include "tests/unit/transcode/world.h"

static struct ring_writer *writer;
static struct source source;
static struct feed feed;
static uint64_t clock_us;
static uint64_t step_us; /* what a look at the clock costs */

static uint64_t slow_clock(void)
{
    clock_us += step_us;
    return clock_us;
}

static int set_up_feed(void **state)
{
    int fd = -1;
    if (set_up(state) != 0)
        return -1;
    bind_world(2, false);
    assert_int_equal(ring_create(RING_SIZE_MIN, &fd), 0);
    assert_int_equal(ring_writer_new(fd, &writer, NULL), 0);
    assert_int_equal(ring_seal(fd), 0);
    assert_int_equal(source_open(&source, fd, true), 0);
    fd_close(&fd);
    clock_us = START_US;
    feed = (struct feed){.source = &source, .pipeline = world->pipeline, .clock = slow_clock};
    return 0;
}

static int tear_down_feed(void **state)
{
    source_close(&source);
    ring_writer_free(writer);
    return tear_down(state);
}

static void write_records(int count, uint8_t track)
{
    uint8_t payload[8] = {0xfc};
    struct frame frame = {
        .len = sizeof payload, .track = track, .codec = CODEC_OPUS, .pts_us = (int64_t)clock_us};
    struct iovec parts[] = {{.iov_base = &frame, .iov_len = sizeof frame},
                            {.iov_base = payload, .iov_len = sizeof payload}};
    for (int i = 0; i < count; i++)
        assert_int_equal(ring_write(writer, parts, 2), 0);
}

static int turns_until_empty(void)
{
    bool more = true;
    int turns = 0;
    for (; more; turns++)
        assert_int_equal(feed_turn(&feed, &more), 0);
    return turns;
}

static void a_turn_ends_when_its_time_is_over(void **state)
{
    (void)state;
    write_records(10, TRACK_AUDIO);
    step_us = 2000; /* a frame */
    assert_int_equal(turns_until_empty(), 4);
    assert_false(feed.behind);
}

static void a_turn_takes_one_frame_at_least(void **state)
{
    (void)state;
    write_records(10, TRACK_AUDIO);
    step_us = FEED_TURN_US * 10;
    assert_int_equal(turns_until_empty(), 11); /* the last one finds nothing */
}

static void layers_beside_the_picture_are_counted(void **state)
{
    (void)state;
    uint8_t payload[8] = {0};
    struct frame frame = {.len = sizeof payload,
                          .track = TRACK_VIDEO,
                          .codec = CODEC_H264,
                          .layer = 3,
                          .flags = FRAME_KEY,
                          .pts_us = (int64_t)clock_us};
    struct iovec parts[] = {{.iov_base = &frame, .iov_len = sizeof frame},
                            {.iov_base = payload, .iov_len = sizeof payload}};
    for (int i = 0; i < 7; i++)
        assert_int_equal(ring_write(writer, parts, 2), 0);
    (void)turns_until_empty();
    assert_int_equal(feed.layers, 7);
    assert_int_equal(feed.refused, 0);
    assert_int_equal(feed.lost, 0);
}

static void quick_frames_share_a_turn(void **state)
{
    (void)state;
    write_records(200, TRACK_AUDIO);
    step_us = 1;
    assert_int_equal(turns_until_empty(), 1);
}

static void the_backlog_counts_from_the_turn_that_was_not_enough(void **state)
{
    (void)state;
    bool more;
    write_records(5, TRACK_AUDIO);
    step_us = FEED_TURN_US;
    assert_int_equal(feed_turn(&feed, &more), 0);
    assert_true(more && feed.behind);
    uint64_t since_us = feed.behind_us;
    assert_int_equal(since_us, START_US + FEED_TURN_US);
    assert_int_equal(feed_turn(&feed, &more), 0);
    assert_int_equal(feed.behind_us, since_us);
    turns_until_empty();
    clock_us += 1000000; /* nothing to do is no backlog */
    write_records(1, TRACK_AUDIO);
    assert_int_equal(feed_turn(&feed, &more), 0);
    assert_int_equal(feed.behind_us, clock_us - FEED_TURN_US);
}

static void what_is_no_frame_is_counted(void **state)
{
    (void)state;
    bool more;
    write_records(3, 7);
    step_us = 1;
    assert_int_equal(feed_turn(&feed, &more), 0);
    assert_false(more);
    assert_int_equal(feed.refused, 3);
    assert_int_equal(feed.lost, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_feed, tear_down_feed)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_turn_ends_when_its_time_is_over),
        TEST(a_turn_takes_one_frame_at_least),
        TEST(layers_beside_the_picture_are_counted),
        TEST(quick_frames_share_a_turn),
        TEST(the_backlog_counts_from_the_turn_that_was_not_enough),
        TEST(what_is_no_frame_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
