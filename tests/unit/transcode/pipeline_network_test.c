/* The pipeline on networks with losses and with publishers that are not in time. */
#include "transcode/pipeline.h"

#include "tests/unit/transcode/world.h"
#include "transcode/avlib.h"

static uint32_t seed;

static uint32_t random_below(uint32_t limit)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % limit;
}

static struct ledger_sums end_and_sum(void)
{
    struct viewer *v = world->viewer;
    assert_int_equal(pipeline_end(world->pipeline, END_CLOSED), 0);
    drain(v);
    (void)ledger_check(&v->ledger, TRACK_AUDIO, PART_US, TARGET_S);
    ledger_check_mirrored(&v->ledger, 1300000);
    return ledger_check(&v->ledger, TRACK_VIDEO, PART_US, TARGET_S);
}

static void open_camera(struct publisher *p)
{
    seed = 1;
    bind_world(3, false);
    publisher_open(p, false);
}

static void cut_off(struct publisher *p, double seconds)
{
    p->video_on = false;
    publish(p, seconds);
    publisher_show_again(p);
}

/* One frame of ten is repaired, some of them only at the second or third try. */
static int64_t repaired(int number)
{
    uint32_t draw = ((uint32_t)number * 2654435761u) >> 8;
    if (draw % 10 != 0)
        return 0;
    return draw % 100 == 0 ? 230000 : draw % 30 == 0 ? 140000 : 50000;
}

static void a_return_takes_a_second_of_frames(void **state)
{
    (void)state;
    struct publisher p;
    open_camera(&p);
    publish(&p, 4);
    cut_off(&p, 3);
    assert_int_equal(world->viewer->inits[0], 2);
    publish(&p, 0.9);
    assert_int_equal(world->viewer->inits[0], 2); /* still encoding */
    publish(&p, 0.6);
    assert_int_equal(world->viewer->inits[0], 3); /* a key frame was asked for and came */
    publish(&p, 3);
    publisher_close(&p);
    assert_int_equal(end_and_sum().breaks, 2);
    assert_decodes(0, 250);
}

static void a_return_does_not_wait_for_the_end_of_repairs(void **state)
{
    (void)state;
    struct publisher p;
    open_camera(&p);
    publish(&p, 4);
    cut_off(&p, 2);
    p.delay_us = repaired;
    publish(&p, 2.5);
    assert_int_equal(world->viewer->inits[0], 3);
    publish(&p, 20);
    assert_int_equal(world->viewer->inits[0], 3);
    publisher_close(&p);
    assert_int_equal(end_and_sum().breaks, 2);
}

static void a_publisher_that_ignores_requests_returns_with_its_own_key_frame(void **state)
{
    (void)state;
    struct publisher p;
    open_camera(&p);
    p.gop_only = true; /* after 250 frames */
    publish(&p, 3);
    cut_off(&p, 2);
    publish(&p, 3);
    assert_int_equal(world->viewer->inits[0], 2);
    publish(&p, 0.5); /* frame 250 */
    assert_int_equal(world->viewer->inits[0], 3);
    publisher_close(&p);
    assert_int_equal(end_and_sum().breaks, 2);
}

static void an_outage_of_half_a_second_is_no_change(void **state)
{
    (void)state;
    struct publisher p;
    open_camera(&p);
    publish(&p, 4);
    for (int i = 0; i < 4; i++) {
        cut_off(&p, 0.55);
        publish(&p, 3);
    }
    publisher_close(&p);
    assert_int_equal(world->viewer->inits[0], 1);
    assert_int_equal(end_and_sum().breaks, 0);
}

static void changes_become_rare_when_stalls_come_back(void **state)
{
    (void)state;
    struct publisher p;
    open_camera(&p);
    publish(&p, 4);
    for (int i = 0; i < 12; i++) { /* 36 seconds */
        cut_off(&p, 1.3);
        publish(&p, 1.7);
    }
    assert_true(world->viewer->inits[0] >= 2 && world->viewer->inits[0] <= 4);
    publish(&p, 10); /* the network is well again */
    assert_int_equal(world->viewer->inits[0] % 2, 1);
    publisher_close(&p);
    assert_true(end_and_sum().breaks <= 4);
}

/* A canvas in a browser on a busy machine: 14 to 28 fps, and now and then nothing for a while. */
static int64_t canvas_pause(int number)
{
    (void)number;
    if (random_below(20) == 0)
        return 150000 + random_below(250000);
    return 36000 + random_below(36000);
}

static int64_t busy_delay(int number)
{
    return ((uint32_t)number * 2654435761u >> 8) % 7 == 0 ? 30000 : 3000;
}

static void an_irregular_publisher_is_passed_through(void **state)
{
    (void)state;
    struct publisher p;
    open_camera(&p);
    p.pause_us = canvas_pause;
    p.delay_us = busy_delay;
    publish(&p, 60);
    publisher_close(&p);
    assert_int_equal(world->viewer->inits[0], 1);
    assert_int_equal(end_and_sum().breaks, 0);
}

static void an_irregular_publisher_is_passed_through_again_after_an_outage(void **state)
{
    (void)state;
    struct publisher p;
    open_camera(&p);
    p.pause_us = canvas_pause;
    p.delay_us = busy_delay;
    publish(&p, 5);
    cut_off(&p, 2);
    publish(&p, 3);
    assert_int_equal(world->viewer->inits[0], 3);
    publish(&p, 30);
    publisher_close(&p);
    assert_int_equal(world->viewer->inits[0], 3);
    assert_int_equal(end_and_sum().breaks, 2);
}

/* Video samples shorter than 10 ms since that part: frames whose place was taken. */
static size_t squeezed_parts(size_t since)
{
    const struct ledger *l = &world->viewer->ledger;
    size_t squeezed = 0;
    for (size_t i = since; i < l->part_count; i++)
        squeezed += l->parts[i].part.rendition == TRACK_VIDEO && l->parts[i].shortest < 900;
    return squeezed;
}

static int64_t every_second(int number)
{
    return number % 30 == 17 ? 180000 : 0;
}

static void late_frames_keep_their_time(void **state)
{
    (void)state;
    struct publisher p;
    open_camera(&p);
    publish(&p, 3);
    p.delay_us = every_second;
    publish(&p, 3); /* the first ones come as a surprise */
    size_t before = world->viewer->ledger.part_count;
    publish(&p, 20);
    publisher_close(&p);
    assert_int_equal(squeezed_parts(before), 0);
    assert_int_equal(end_and_sum().breaks, 0);
    assert_decodes(0, 700);
}

/* Most that a video part was published after its end, microseconds. */
static void a_clean_network_has_no_added_latency(void **state)
{
    (void)state;
    struct publisher p;
    open_camera(&p);
    publish(&p, 3.01);
    for (int i = 0; i < 300; i++) {
        struct ledger *l = &world->viewer->ledger;
        size_t before = l->part_count;
        publish(&p, 0.033333);
        for (size_t k = before; k < l->part_count; k++) {
            const struct ledger_part *part = &l->parts[k];
            int64_t end_us = (part->base + part->ticks) * 100 / 9;
            if (part->part.rendition == TRACK_VIDEO) /* at its last frame's arrival */
                assert_true((int64_t)(world->now_us - START_US) - end_us < 25000);
        }
    }
    publisher_close(&p);
    assert_int_equal(end_and_sum().breaks, 0);
}

static int64_t small_delay(int number)
{
    return ((uint32_t)number * 2654435761u >> 8) % 6000;
}

static void reading_less_often_delays_no_part(void **state)
{
    (void)state;
    struct publisher p;
    open_camera(&p);
    p.delay_us = small_delay;
    publish(&p, 3);
    world->watches_naps = true;
    publish(&p, 20);
    publisher_close(&p);
    assert_true(world->naps > 100);
    assert_int_equal(world->late_parts, 0);
    assert_int_equal(end_and_sum().breaks, 0);
}

static void a_network_with_repairs_is_read_at_once(void **state)
{
    (void)state;
    struct publisher p;
    open_camera(&p);
    p.delay_us = repaired;
    publish(&p, 3);
    assert_int_equal(pipeline_quiet_us(world->pipeline), 0);
    p.delay_us = NULL;
    publish(&p, 12);
    assert_true(pipeline_quiet_us(world->pipeline) > 0);
    cut_off(&p, 2);
    assert_int_equal(pipeline_quiet_us(world->pipeline), 0); /* encoding */
    publisher_close(&p);
    (void)end_and_sum();
}

static void LL_08_a_hole_shorter_than_a_stall_is_bridged_while_encoding(void **state)
{
    (void)state;
    struct publisher p;
    seed = 1;
    bind_world(3, false);
    publisher_open(&p, true); /* VP8 */
    publish(&p, 4);
    for (int i = 0; i < 5; i++) {
        p.delay_us = i % 2 ? NULL : repaired;
        cut_off(&p, 0.3 + i * 0.1);
        publish(&p, 3);
    }
    publisher_close(&p);
    assert_int_equal(world->viewer->inits[0], 1);
    assert_int_equal(end_and_sum().breaks, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_return_takes_a_second_of_frames),
        TEST(a_return_does_not_wait_for_the_end_of_repairs),
        TEST(a_publisher_that_ignores_requests_returns_with_its_own_key_frame),
        TEST(an_outage_of_half_a_second_is_no_change),
        TEST(changes_become_rare_when_stalls_come_back),
        TEST(an_irregular_publisher_is_passed_through),
        TEST(an_irregular_publisher_is_passed_through_again_after_an_outage),
        TEST(late_frames_keep_their_time),
        TEST(a_clean_network_has_no_added_latency),
        TEST(reading_less_often_delays_no_part),
        TEST(a_network_with_repairs_is_read_at_once),
        TEST(LL_08_a_hole_shorter_than_a_stall_is_bridged_while_encoding),
    };
    avlib_silence();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
